"""Adds up the slots of one device and period: scans, gaps and losses fill the line.

A slot is due every period. Between two scans that came one after the other lie
``distance / period - 1`` slots; gap records must state exactly these, losses may stand
for the rest. Too few is *unexplained*, too many is *doubled*.

A gap is **uncertain** where who states it was not there: ``power_off`` begins with the
last sign of life that was stored, and scans may have got through after that. Such a gap
is narrowed by what arrived: a slot for which a scan came, or that another gap states
for certain, is none of its slots.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

UNCERTAIN = frozenset({"power_off", "maintenance"})
"""Causes of gaps that a later run states about an earlier one."""
ENDS = frozenset({"removed", "changed"})
"""Causes of the gap of no slots that ends a line: what comes later is another one."""
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
    examples: tuple[str, ...] = ()
    """The first place where it does not add up, in words."""


@dataclass
class SlotLine:
    """What arrived about one device and period."""

    every_ms: int
    times: list[int] = field(default_factory=list)
    gaps: dict[int, GapSaid] = field(default_factory=dict)
    """By its beginning: a restated gap replaces its earlier statement."""
    ends: set[int] = field(default_factory=set)
    """Where it was stated to end: its device was taken away, or asked otherwise."""
    starts: set[int] = field(default_factory=set)
    """When the gateway started: the first scan after it is a slot of its own."""

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
        if self.ends:
            parts = [part.add_up() for part in self._parts()]
            examples = tuple(text for part in parts for text in part.examples)
            return Sum(
                sum(part.gaps for part in parts),
                sum(part.unexplained for part in parts),
                sum(part.doubled for part in parts),
                examples[:1],
            )
        times = sorted(self.times)
        if len(times) < 2:  # noqa: PLR2004 no distance without two
            return Sum(sum(gap.slots for gap in self.gaps.values()), 0, 0)
        windows = self._windows(times)
        loose: list[tuple[int, int, GapSaid]] = []
        stated = 0
        for gap in self.gaps.values():
            first, last = self._inside(times, gap)
            if not gap.certain:
                loose.append((first, last, gap))
                continue
            stated += gap.slots
            if 0 <= first < len(windows):
                windows[first].stated += gap.slots
        open_slots = [max(0, w.missed - w.stated) for w in windows]
        for first, last, gap in loose:
            left = gap.slots
            for at in range(max(first, 0), min(last + 1, len(windows))):
                taken = min(left, open_slots[at])
                open_slots[at] -= taken
                left -= taken
            # Before the first scan and after the last, nothing narrows it.
            stated += gap.slots - (left if first >= 0 and last < len(windows) else 0)
        doubled = [
            window.doubled(_lateness(windows, at)) for at, window in enumerate(windows)
        ]
        crowds = _crowded(windows)
        return Sum(
            stated,
            sum(open_slots),
            sum(doubled) + len(crowds),
            _examples(times, unexplained=open_slots, doubled=doubled, crowds=crowds),
        )

    def _parts(self) -> Iterator[SlotLine]:
        """The lines between the ends, each for itself; a gap is of where it ends."""
        edges = [-math.inf, *sorted(self.ends), math.inf]
        for after, upto in pairwise(edges):
            yield SlotLine(
                self.every_ms,
                [t for t in self.times if after < t <= upto],
                {t: gap for t, gap in self.gaps.items() if after < gap.until <= upto},
                starts=self.starts,
            )

    def _windows(self, times: list[int]) -> list[_Window]:
        distances = [(b - a) / self.every_ms for a, b in pairwise(times)]
        windows = []
        fresh = {bisect_left(times, start) - 1 for start in self.starts}
        for at, distance in enumerate(distances):
            missed = 0
            # A run's first scan comes at once, its second up to 1.5 periods later.
            wide = 1 + _LATE + (0.5 if at == 0 or at - 1 in fresh else 0)
            if distance > wide:
                # Where the next ones come sooner, this one was late, none was missed.
                late = accumulate(d - 1 for d in distances[at : at + _CATCH_UP])
                missed = max(0, math.floor(min(late) + 0.5))
            windows.append(_Window(distance, missed, fresh=at in fresh))
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
    stated: int = 0
    """Slots that gaps state for certain."""
    fresh: bool = False
    """Another run of the gateway begins in it, and lays its grid anew."""

    def doubled(self, late: float) -> int:
        """Slots stated too many; ``late``: by how much the scan before it was."""
        return max(0, self.stated - max(0, math.floor(self.distance - 0.5 + late)))


def _lateness(windows: list[_Window], at: int) -> float:
    """How late, in periods, the scan at the beginning of a window must have been."""
    residues = [
        w.distance - 1 - w.stated
        for w in reversed(windows[max(0, at - _CATCH_UP) : at])
    ]
    return min(max([0.0, *accumulate(residues)]), 0.95)


def _crowded(windows: list[_Window]) -> list[int]:
    """Windows at whose end a scan came that no slot was left for."""
    found, excess = [], 0.0
    for at, window in enumerate(windows):
        excess = 0.0 if window.fresh else max(0.0, excess + 1 - window.distance)
        if excess >= _CROWDED:
            found.append(at)
            excess -= 1
    return found


def _examples(
    times: list[int], *, unexplained: list[int], doubled: list[int], crowds: list[int]
) -> tuple[str, ...]:
    said = []
    for name, slots in (("unexplained", unexplained), ("doubled", doubled)):
        at = next((at for at, count in enumerate(slots) if count), None)
        if at is not None:
            said.append(f"{slots[at]} {name} between {times[at]} and {times[at + 1]}")
    if crowds:
        at = crowds[0]
        said.append(f"a scan too many at {times[at + 1]}, after {times[at]}")
    return tuple(said)
