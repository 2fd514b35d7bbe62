"""Values of a block as configured, in other orders, and one register lower. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from drivers.modbus.decode import decoder
from gateway.commission.evidence import Shown
from gateway.commission.plausible import weight

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drivers.profiles.model import ModbusPoint, WordOrder
    from drivers.values import Flaw, Value
    from gateway.commission.evidence import Trial

_ORDERS: tuple[WordOrder, ...] = ("ABCD", "CDAB", "BADC", "DCBA")
_TABLES = {3: "holding", 4: "input"}
_DOUBTED = -2.5


def show(
    points: Sequence[ModbusPoint], trial: Trial, data: bytes, below: bytes
) -> list[Shown]:
    """How the points of a read look.

    Args:
        points: The device's.
        trial: The read.
        data: Its registers.
        below: The registers of the same read one lower; empty: they are not there.
    """
    shown = []
    for point in points:
        first = point.address - trial.start
        inside = first >= 0 and first + point.registers <= trial.count
        if point.table != _TABLES.get(trial.function) or not inside:
            continue
        if point.type == "bool" or point.enum or point.bits:
            continue
        part = data[2 * first : 2 * (first + point.registers)]
        value, says = _value(point, part)
        orders: dict[str, tuple[str, float]] = {}
        if point.registers > 1 and not point.length:
            for order in _ORDERS:
                if order != point.word_order:
                    orders[order] = _value(replace(point, word_order=order), part)
        lower = below[2 * first : 2 * (first + point.registers)]
        shown.append(
            Shown(
                point.name,
                value,
                point.unit,
                says,
                orders,
                _value(point, lower) if lower else None,
            )
        )
    return shown


def _value(point: ModbusPoint, data: bytes) -> tuple[str, float]:
    values: dict[str, Value] = {}
    flaws: dict[str, Flaw] = {}
    decoder([point], point.address).decode(data, point.address, values, flaws)
    value = values.get(point.name)
    if value is None:
        flaw = flaws.get(point.name)
        return (flaw.reason if flaw else "-"), _DOUBTED
    says = weight(value, point.unit, point.name)
    return str(value), _DOUBTED if point.name in flaws else says
