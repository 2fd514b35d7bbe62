"""Adds up the slots of one device and period: scans, gaps and losses fill the line.

A slot is due every period. Between two scans that came one after the other lie
``distance / period - 1`` slots; gap records must state exactly these, losses may stand
for the rest. Too few is *unexplained*, too many is *doubled*.

A gap is **uncertain** where who states it was not there: ``power_off`` begins with the
last sign of life that was stored, and scans may have got through after that. Such a gap
is narrowed by what arrived: a slot for which a scan came is no gap slot.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import NamedTuple

UNCERTAIN = frozenset({"power_off", "maintenance"})
"""Causes of gaps that a later run states about an earlier one."""
_LATE = 0.5
"""Part of a period that a scan may be late before a slot counts as missed."""
_CATCH_UP = 4
"""A busy machine's late scan is followed by the next within so many."""
_CROWDED = 1.5
"""More scans than slots by so much: slots are asked late by less than one, and the
first scan of a run stands up to half a period beside the grid."""


class GapSaid(NamedTuple):
    """A gap as last stated."""

    since: int
    """UTC ms."""
    until: int
    slots: int
    certain: bool


class Sum(NamedTuple):
    """How a line adds up."""

    gaps: int
    """Slots that gaps state, narrowed by what arrived."""
    unexplained: int
    """Between the first and the last scan, and neither in a gap."""
    doubled: int
    """Stated by a gap and shown by a scan, or stated by two gaps."""


@dataclass
class SlotLine:
    """What arrived about one device and period."""

    every_ms: int
    times: list[int] = field(default_factory=list)
    gaps: dict[int, GapSaid] = field(default_factory=dict)
    """By its beginning: a restated gap replaces its earlier statement."""

    def scan(self, t: int) -> None:
        """A scan of that time, UTC ms, in any order."""
        self.times.append(t)

    def gap(self, said: GapSaid) -> None:
        """A gap, perhaps stated before."""
        known = self.gaps.get(said.since)
        if known is None or said.slots >= known.slots:
            self.gaps[said.since] = said

    def add_up(self) -> Sum:
        """Compare what was due with what came and what was stated."""
        times = sorted(self.times)
        if len(times) < 2:  # noqa: PLR2004 no distance without two
            return Sum(sum(gap.slots for gap in self.gaps.values()), 0, 0)
        windows = self._windows(times)
        stated = sum(gap.slots for gap in self.gaps.values() if gap.certain)
        loose: list[GapSaid] = []
        for gap in self.gaps.values():
            first, last = self._inside(times, gap)
            if gap.certain or first == last:
                # No scan came from within: there is nothing to narrow it by.
                if 0 <= first < len(windows):
                    windows[first].state(gap)
                elif not gap.certain:
                    stated += gap.slots
            else:
                loose.append(gap)
        for window in windows:
            stated += window.uncertain
        doubled = _crowded(windows) + sum(
            window.doubled(_lateness(windows, at)) for at, window in enumerate(windows)
        )
        open_slots = [window.open() for window in windows]
        for gap in loose:
            first, last = self._inside(times, gap)
            left = gap.slots
            for at in range(max(first, 0), min(last + 1, len(windows))):
                taken = min(left, open_slots[at])
                open_slots[at] -= taken
                left -= taken
            stated += gap.slots - left
        return Sum(stated, sum(open_slots), doubled)

    def _windows(self, times: list[int]) -> list[_Window]:
        distances = [(b - a) / self.every_ms for a, b in pairwise(times)]
        windows = []
        for at, distance in enumerate(distances):
            missed = 0
            if distance > 1 + _LATE:
                # Where the next ones come sooner, this one was late, none was missed.
                late = accumulate(d - 1 for d in distances[at : at + _CATCH_UP])
                missed = max(0, math.floor(min(late) + 0.5))
            windows.append(_Window(distance, missed))
        return windows

    def _inside(self, times: list[int], gap: GapSaid) -> tuple[int, int]:
        """The first and last window that a gap reaches into."""
        # The scan that ends a gap may be dated a moment before its slot was due.
        slack = self.every_ms // 10
        if gap.certain:
            first = bisect_right(times, gap.since + slack) - 1
        else:  # counted from there on, whatever came just then
            first = bisect_left(times, gap.since) - 1
        last = bisect_right(times, max(gap.until - slack, gap.since)) - 1
        return first, max(first, last)


@dataclass
class _Window:
    """Between two scans."""

    distance: float
    """In periods."""
    missed: int
    certain: int = 0
    """Slots that gaps state for certain."""
    uncertain: int = 0

    def state(self, gap: GapSaid) -> None:
        if gap.certain:
            self.certain += gap.slots
        else:
            # Stated again by a clock that was set since, it may begin elsewhere.
            self.uncertain = max(self.uncertain, gap.slots)

    def open(self) -> int:
        return max(0, self.missed - self.certain - self.uncertain)

    def doubled(self, late: float) -> int:
        """Slots stated too many; ``late``: by how much the scan before it was."""
        # Another run lays its grid anew: its first scan is a slot of its own.
        allowed = self.distance - 1 + late + 0.5 + (self.uncertain > 0)
        stated = self.certain + self.uncertain
        return max(0, stated - math.floor(allowed)) if stated else 0


def _lateness(windows: list[_Window], at: int) -> float:
    """How late, in periods, the scan at the beginning of a window must have been."""
    residues = [
        w.distance - 1 - w.certain - w.uncertain
        for w in reversed(windows[max(0, at - _CATCH_UP) : at])
    ]
    return min(max([0.0, *accumulate(residues)]), 0.95)


def _crowded(windows: list[_Window]) -> int:
    """Scans that came where no slot was left for them."""
    found, excess = 0, 0.0
    for window in windows:
        excess = max(0.0, excess + 1 - window.distance)
        if excess >= _CROWDED:
            found += 1
            excess -= 1
    return found
