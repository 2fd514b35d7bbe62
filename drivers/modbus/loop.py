"""A 4-20 mA signal behind a number: what it stands for, and when it stands for nothing.

The limits are ``drivers.profiles.model.Loop``'s. The value is exact like any other: the
two linear maps (raw to signal, signal to quantity) are one rational one.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from drivers.values import Flaw, Quality

if TYPE_CHECKING:
    from drivers.profiles.model import Loop, ModbusPoint

WIRE_BREAK = Flaw(Quality.BAD, "wire_break")
OVER_RANGE = Flaw(Quality.BAD, "over_range")
UNDER_RANGE = Flaw(Quality.BAD, "under_range")
DOUBTED = Flaw(Quality.UNCERTAIN, "out_of_range")

_BROKEN = Fraction(9, 10)
_LEAST = Fraction(19, 20)
_MOST = Fraction(41, 40)
_FAILED = Fraction(21, 20)


class Limits(NamedTuple):
    """Of the signal, as its number reads before the map."""

    broken: float
    least: float
    most: float
    failed: float
    below: Flaw
    """What a signal below ``broken`` is."""


def limits_of(loop: Loop) -> Limits:
    """3.6, 3.8, 20.5 and 21 for 4-20 mA; the same proportions for others."""
    size = max(abs(loop.start), abs(loop.end))
    most, failed = (loop.end + size * (times - 1) for times in (_MOST, _FAILED))
    if loop.start > 0:
        broken, least = loop.start * _BROKEN, loop.start * _LEAST
        below = WIRE_BREAK
    else:
        broken, least = (loop.start - size * (t - 1) for t in (_FAILED, _MOST))
        below = UNDER_RANGE
    return Limits(float(broken), float(least), float(most), float(failed), below)


def flaw_of(signal: float, limits: Limits) -> Flaw | None:
    """What is wrong with a signal of this size."""
    if limits.least <= signal <= limits.most:
        return None
    if signal < limits.broken:
        return limits.below
    return OVER_RANGE if signal > limits.failed else DOUBTED


def signal_of(point: ModbusPoint) -> ModbusPoint:
    """The same point, as the bare signal: mA or V."""
    return msgspec.structs.replace(point, loop=None, decimals=None)


def mapped(point: ModbusPoint) -> ModbusPoint:
    """The same point, its two maps made one: what stands for the quantity."""
    loop = point.loop
    if loop is None:
        return point
    slope = (loop.high - loop.low) / (loop.end - loop.start)
    return msgspec.structs.replace(
        point,
        loop=None,
        scale=point.scale * slope,
        offset=(point.offset - loop.start) * slope + loop.low,
    )
