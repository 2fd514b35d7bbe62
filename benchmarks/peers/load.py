"""What is polled, said once for all peers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_MOST_REGISTERS = 120
"""Of one request: below the smallest limit of a peer (modpoll: 123)."""


@dataclass(frozen=True, slots=True)
class Block:
    """Registers that one request reads: uint32 points, two registers each."""

    address: int
    registers: int

    @property
    def points(self) -> list[int]:
        """The address of each point."""
        return list(range(self.address, self.address + self.registers, 2))


@dataclass(frozen=True, slots=True)
class Load:
    """``devices`` benchmark devices, unit ids from 1, polled every second."""

    devices: int
    spans: tuple[Block, ...]
    """Of each device; may be longer than a request."""
    timeout_s: float = 3.0

    @property
    def points(self) -> int:
        """Values of one device."""
        return sum(len(span.points) for span in self.spans)

    @property
    def values_per_s(self) -> int:
        """How many values are due each second."""
        return self.devices * self.points

    @property
    def blocks(self) -> list[Block]:
        """The spans, cut into requests of equal size."""
        found = []
        for span in self.spans:
            points = span.registers // 2
            pieces = math.ceil(span.registers / _MOST_REGISTERS)
            share = math.ceil(points / pieces)
            for first in range(0, points, share):
                count = min(share, points - first)
                found.append(Block(span.address + 2 * first, 2 * count))
        return found


@dataclass(frozen=True, slots=True)
class Place:
    """Where the devices and the broker are."""

    broker_port: int
    ports: tuple[int, ...] = ()
    """Modbus TCP on 127.0.0.1, one for each device, or the same for all."""
    serial: Path | None = None
    """Instead: one serial line, 19200 baud, 8N1."""
    baud: int = 19200


def plain(devices: int, points: int) -> Load:
    """The loads of our own benchmark: all points in one row of registers."""
    return Load(devices, (Block(0, 2 * points),))
