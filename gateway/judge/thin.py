"""A line with fewer corners than fixes, and a bound on what that costs. Pure.

Corners are fixes; nothing is made up. Between two corners the line is walked at an even
pace, and every fix that was left out lies within ``within_m`` of where the line is at
the fix's own time: so the line says when as well as where.

From the last corner a fix at time t allows the speeds that pass within the bound of
it: a square around its own, ``within_m / sqrt(2)`` to each side, divided by t. A new
fix may end the line if its speed lies in the squares of all between: those are kept as
one, so each fix costs the same however many there are.

Source of the idea: Imai and Iri, Polygonal approximations of a curve (1988), with time
as the axis; cf. Meratnia and de By, Spatiotemporal compression techniques (EDBT 2004).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from gateway.judge.earth import scale


class Corner(NamedTuple):
    """One fix that the line keeps."""

    ms: int
    """Since any fixed moment."""
    longitude: float
    latitude: float


class Thinner:
    """Takes fixes in the order of their times, gives the corners of a line."""

    def __init__(self, within_m: float) -> None:
        self._half_m = within_m / math.sqrt(2)
        self._anchor: Corner | None = None
        self._last: Corner | None = None
        self._east = self._north = (-math.inf, math.inf)
        """Speeds that every fix since the anchor allows, m/ms."""
        self._metres = (0.0, 0.0)

    def add(self, fix: Corner) -> Corner | None:
        """Take a fix; a corner of the line, as soon as it is known to be one."""
        if self._anchor is None:
            self._begin(fix)
            return fix
        last = self._last
        if last is not None and fix.ms <= last.ms:
            return None  # the same moment again
        corner = None
        if last is not None and not self._reaches(fix):
            corner = last
            self._begin(last)
        self._narrow(fix)
        self._last = fix
        return corner

    def end(self) -> Corner | None:
        """The line's last corner; None where it has none but the first."""
        last, self._last, self._anchor = self._last, None, None
        return last

    def _begin(self, anchor: Corner) -> None:
        self._anchor, self._last = anchor, None
        self._metres = scale(anchor.latitude)
        self._east = self._north = (-math.inf, math.inf)

    def _speed(self, fix: Corner) -> tuple[float, float, int]:
        assert self._anchor is not None  # noqa: S101 - as every caller has seen
        ms = fix.ms - self._anchor.ms
        east_m, north_m = self._metres
        return (
            (fix.longitude - self._anchor.longitude) * east_m / ms,
            (fix.latitude - self._anchor.latitude) * north_m / ms,
            ms,
        )

    def _reaches(self, fix: Corner) -> bool:
        east, north, _ = self._speed(fix)
        (west, east_most), (south, north_most) = self._east, self._north
        return west <= east <= east_most and south <= north <= north_most

    def _narrow(self, fix: Corner) -> None:
        east, north, ms = self._speed(fix)
        half = self._half_m / ms
        (west, east_most), (south, north_most) = self._east, self._north
        self._east = max(west, east - half), min(east_most, east + half)
        self._north = max(south, north - half), min(north_most, north + half)
