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
from collections import deque
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

UNCERTAIN = frozenset({"power_off", "maintenance"})
"""Causes of gaps that a later run states about an earlier one."""
ENDS = frozenset({"removed", "changed"})
"""Causes of the gap of no slots that ends a line: what comes later is another one."""
_CATCH_UP = 6
"""Of so many scans in a row one at least is asked less than half a period late."""
_CAUGHT_UP_MS = 2000
"""A request without an answer is sent once more and dated by the second: where a
device is polled many times a second, its scans are late by more than a period then."""
_OFF_GRID = 0.1
"""A run's first scan comes at once, its second half a period to one and a half later:
so much less than the usual half is taken for a slot there."""


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
        shifts = _caught_up(_shifts(windows), times)
        open_slots = [max(0, shift) for shift in shifts]
        doubled = [max(0, -shift) for shift in shifts]
        for first, last, gap in loose:
            left = gap.slots
            for at in range(max(first, 0), min(last + 1, len(windows))):
                taken = min(left, open_slots[at])
                open_slots[at] -= taken
                left -= taken
            # Before the first scan and after the last, nothing narrows it.
            stated += gap.slots - (left if first >= 0 and last < len(windows) else 0)
        return Sum(
            stated,
            sum(open_slots),
            sum(doubled),
            _examples(times, unexplained=open_slots, doubled=doubled),
        )

    def _parts(self) -> Iterator[SlotLine]:
        """The lines between the ends, each for itself; a gap is of where it ends."""
        edges = [-math.inf, *sorted(self.ends), math.inf]
        for after, upto in pairwise(edges):
            yield SlotLine(
                self.every_ms,
                # Where a line ends another may begin, with a scan at once.
                [t for t in self.times if after <= t < upto],
                {t: gap for t, gap in self.gaps.items() if after < gap.until <= upto},
                starts=self.starts,
            )

    def _windows(self, times: list[int]) -> list[_Window]:
        # What a run states of the time before it ends where it began.
        starts = self.starts.union(g.until for g in self.gaps.values() if not g.certain)
        fresh = {bisect_left(times, start) - 1 for start in starts}
        return [
            _Window((b - a) / self.every_ms, at in fresh, at - 1 in fresh, at == 0)
            for at, (a, b) in enumerate(pairwise(times))
        ]

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
    fresh: bool = False
    """Another run of the gateway begins in it, and lays its grid anew."""
    first: bool = False
    """It begins with the first scan of a run, which stands beside the grid."""
    perhaps: bool = False
    """It begins with the first scan there is: perhaps the same."""
    stated: int = 0
    """Slots that gaps state for certain."""

    def whole(self, by: float, *, several: bool) -> int:
        """The slots in a shift of so many periods.

        Args:
            by: What several scans agree on, or what one scan alone shows.
            several: Which; one alone may be late by almost a period.
        """
        up = math.floor(by + (0.5 if several else 0.05))
        if self.fresh or self.first:
            up = math.floor(by + (0.5 - _OFF_GRID if several else 0.0))
        if up >= 0 or self.fresh:
            return max(0, up)
        if self.first:
            # Half a period beside the grid, and the first may be late by almost one.
            return min(0, math.ceil(by + 1.5))
        return math.floor(by + 0.5 + (_OFF_GRID if self.perhaps else 0.0))


def _shifts(windows: list[_Window]) -> list[int]:
    """Slots that are missing in each window; below zero, stated or shown twice.

    Let S be the time since the first scan, in periods, less the slots counted so far. A
    scan asked late lifts S for that scan only, and never lowers it; a missing slot
    lifts it for good, one counted twice lowers it for good. So what counts is
    the lowest S of the next few scans against the lowest of the last few.
    """
    sums = [0.0, *accumulate(w.distance - 1 - w.stated for w in windows)]
    runs = [at for at, window in enumerate(windows) if window.fresh]
    found = []
    level: deque[float] = deque([0.0], maxlen=_CATCH_UP)
    moved = 0
    for at, window in enumerate(windows):
        # Not beyond the last scan of this run: the next has a grid of its own.
        ends = next((run + 1 for run in runs if run > at), len(sums))
        coming = sums[at + 1 : min(at + 1 + _CATCH_UP, ends)]
        after = min(coming) - moved
        shift = window.whole(after - min(level), several=len(coming) > 1)
        moved += shift
        if window.fresh or window.first:
            level.clear()
        level.append(after - shift)
        found.append(shift)
    return found


def _caught_up(shifts: list[int], times: list[int]) -> list[int]:
    """Take back what was late by more than a period, for a while, and caught up."""
    missing: deque[int] = deque()
    for at, shift in enumerate(shifts):
        missing.extend([at] * shift)
        while shifts[at] < 0 and missing:
            behind = missing.pop()
            if times[at + 1] - times[behind] <= _CAUGHT_UP_MS:
                shifts[behind] -= 1
                shifts[at] += 1
    return shifts


def _examples(
    times: list[int], *, unexplained: list[int], doubled: list[int]
) -> tuple[str, ...]:
    said = []
    for name, slots in (("unexplained", unexplained), ("doubled", doubled)):
        at = next((at for at, count in enumerate(slots) if count), None)
        if at is not None:
            said.append(f"{slots[at]} {name} between {times[at]} and {times[at + 1]}")
    return tuple(said)
