"""One request of a plan, and the points its answer serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from drivers.modbus.transaction import Span
from drivers.profiles.model import ModbusPoint

if TYPE_CHECKING:
    from collections.abc import Sequence


class Block(msgspec.Struct, frozen=True):
    """One request and the points its answer serves."""

    span: Span
    points: tuple[ModbusPoint, ...]


def block(points: Sequence[ModbusPoint]) -> Block:
    """Exactly these points (sorted by address, of one table), with no room around."""
    start = points[0].address
    end = max(p.address + p.registers for p in points)
    return Block(Span(points[0].table, start, end - start), tuple(points))
