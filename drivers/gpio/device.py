"""Lines of a GPIO chip as one device: a cabinet's door, a float, a pulse output."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from drivers.errors import read_only
from drivers.flaws import NOT_IN_ENUM, range_flaw
from drivers.gpio.chip import Wanted
from drivers.values import Answer, Flaw, Quality

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from drivers.gpio.chip import GpioChip, Seen
    from drivers.profiles.gpio_points import GpioPoint
    from drivers.values import Value

WORST_S = 0.05
"""An expander on a slow I2C bus; the processor's own lines take microseconds."""


class GpioDevice:
    """Implements ``drivers.values.Device``."""

    def __init__(self, name: str, port: GpioChip, points: Iterable[GpioPoint]) -> None:
        self._name = name
        self._port = port
        self._points = {point.name: point for point in points}
        counted = {p.line: p.count for p in self._points.values() if p.count}
        self._wanted = {
            point.name: Wanted(
                point.line,
                point.active_low,
                point.bias,
                point.debounce_s,
                counted.get(point.line),
            )
            for point in self._points.values()
        }

    async def scan(
        self,
        points: Sequence[str],
        *,
        wait_s: float | None = None,
        want_raw: bool = False,
    ) -> Answer:
        """State and counts now; a line's state and count belong together."""
        wanted = list(dict.fromkeys(self._wanted[name] for name in points))
        seen = dict(zip(wanted, await self._port.exchange(wanted), strict=True))
        values: dict[str, Value] = {}
        flaws: dict[str, Flaw] = {}
        for name in points:
            _take(self._points[name], seen[self._wanted[name]], values, flaws)
        details = dict.fromkeys(each.detail for each in seen.values() if each.detail)
        raw = None
        if want_raw:
            raw = {name: bytes([seen[self._wanted[name]].active]) for name in values}
        return Answer(
            values,
            flaws,
            answered=any(not each.fault for each in seen.values()),
            raw=raw,
            detail="; ".join(f"device {self._name}: {said}" for said in details),
        )

    async def write(self, point: str, value: Value) -> None:
        """Lines are inputs: nothing is ever driven."""
        del value
        raise read_only(self._name, point, "a GPIO line")

    def worst_case_s(self, points: Sequence[str]) -> float:
        """The longest time this scan can hold the chip."""
        return WORST_S * len(points)


def _take(
    point: GpioPoint, seen: Seen, values: dict[str, Value], flaws: dict[str, Flaw]
) -> None:
    """One point's value out of what its line showed."""
    name = point.name
    if seen.fault:
        flaws[name] = Flaw(Quality.BAD, seen.fault)
    elif point.count is not None:
        if seen.count is None:
            flaws[name] = Flaw(Quality.BAD, "unsupported")
            return
        values[name] = value = _scaled(point, seen.count)
        flaw = range_flaw(point, value)
        if flaw is not None:
            flaws[name] = flaw
    elif not point.enum:
        values[name] = seen.active
    elif int(seen.active) in point.enum:
        values[name] = point.enum[int(seen.active)]
    else:
        flaws[name] = NOT_IN_ENUM


def _scaled(point: GpioPoint, count: int) -> int | float:
    exact = count * point.scale + point.offset
    if point.decimals is not None:
        exact = Fraction(round(exact, point.decimals))
    return int(exact) if exact.denominator == 1 else float(exact)
