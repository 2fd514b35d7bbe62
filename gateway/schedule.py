"""When a job is due: slots on a grid aligned to the wall clock, on the loop's time.

A *job* is the points of one device that share a period. Its slot 0 is the moment the
job starts (the first poll goes out at once); every later slot n lies at

    wall time = m * period + phase          for consecutive whole numbers m

so that two runs, and two gateways, sample at comparable moments. All waiting is on the
loop's monotonic time; the wall clock only says where the grid lies. When it steps, the
grid moves to the nearest place (never more than half a period), slot numbers stay: no
step makes a job stop, run twice, or catch up. Slot times are computed from the grid's
base, never by adding periods up, so nothing drifts.
"""

from __future__ import annotations

import math
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

EARLY_S = 0.002
"""A timer that fires this early is on time: uvloop keeps whole milliseconds."""

TOGETHER = 6
"""About so many buses begin their polls at one beat. Waking an idle processor is most
of what a poll costs, and answers that arrive together leave in one message: beats of
ten devices cost half of what phases spread over every millisecond do. Larger beats
would save more and make the last device of a beat wait."""

TURNS_SHARE = 0.6
"""The devices of one bus take their turns inside this share of the period: wide enough
that slow answers do not push each other on, and a probe still fits into the rest."""


class Place(NamedTuple):
    """Where in the site a device stands, as far as its phase depends on it."""

    gateway: str
    number: int = 0
    """The bus' place in the site file, of ``buses``."""
    buses: int = 1
    turn: int = 0
    """The device's place on its bus, of ``turns``."""
    turns: int = 1


def phase_s(every_s: float, place: Place) -> float:
    """Where in its period a device is polled, in seconds from the period's start.

    Gateways lie anywhere in the period, by a hash of their names: a city's thousand do
    not publish at once. The buses of one gateway are spread over a few beats, see
    ``TOGETHER``. The devices of one bus follow each other in the first part of the
    period: together they leave one long pause, into which the probe of a dead unit
    fits with its full time-out.
    """
    beats = math.ceil(place.buses / TOGETHER)
    beat = place.number % beats / beats
    digest = blake2b(place.gateway.encode(), digest_size=4).digest()
    start = int.from_bytes(digest, "big") / 2**32
    turn = TURNS_SHARE * place.turn / max(place.turns, 1)
    return (start + beat + turn) % 1.0 * every_s


class Slots:
    """The slots of one job, numbered from 0; knows nothing of what became of them."""

    __slots__ = ("_base", "_phase_s", "_start", "every_s")

    def __init__(
        self, every_s: float, phase_s: float, start: float, wall_offset: float
    ) -> None:
        """Lay the grid.

        Args:
            every_s: Period in seconds, above 0.
            phase_s: The job's phase, 0..``every_s``.
            start: Loop time of slot 0.
            wall_offset: Wall clock minus loop time, in seconds.
        """
        self.every_s = every_s
        self._phase_s = phase_s
        self._start = start
        # Half a period at least between the first poll, which comes at once, and the
        # second: a slow line is not asked twice in a row.
        self._base = self._grid(start + every_s / 2, wall_offset)

    def due(self, slot: int) -> float:
        """Loop time of a slot."""
        if slot <= 0:
            return self._start
        return self._base + (slot - 1) * self.every_s

    def current(self, now: float) -> int:
        """The last slot due at ``now``; -1 before the first."""
        late = now + EARLY_S - self._base
        if late < 0:
            return 0 if now + EARLY_S >= self._start else -1
        # The small part forgives rounding where base + n * every is not exact.
        return 1 + math.floor(late / self.every_s + 1e-9)

    def realign(self, next_slot: int, wall_offset: float) -> float:
        """Move the grid after a wall clock step, by the shortest way.

        Returns:
            By how many seconds slots from ``next_slot`` on now lie later.
        """
        slot = max(next_slot, 1)
        was = self.due(slot)
        after = self._grid(was - self.every_s / 2, wall_offset)
        self._base += after - was
        return after - was

    def _grid(self, not_before: float, wall_offset: float) -> float:
        """Loop time of the first grid place at or after a loop time."""
        wall = not_before + wall_offset - self._phase_s
        places = math.ceil(wall / self.every_s - 1e-9)
        return places * self.every_s + self._phase_s - wall_offset


def best_room(
    start: float, end: float, wanted: float, busy: Sequence[tuple[float, float]]
) -> tuple[float, float]:
    """Where in ``start..end`` a probe of ``wanted`` seconds disturbs no due poll.

    Args:
        start: Earliest loop time.
        end: The horizon; a room that begins before it may reach beyond.
        wanted: Seconds the probe would take.
        busy: (due, seconds) of the polls to come, in any order.

    Returns:
        Start and length of the first room that fits, else of the longest one.
    """
    best = (start, 0.0)
    free_from = start
    for due, seconds in sorted(busy):
        if free_from >= end:
            break
        room = due - free_from
        if room >= wanted:
            return free_from, room
        if room > best[1]:
            best = (free_from, room)
        free_from = max(free_from, due + seconds)
    else:
        if free_from < end:
            return free_from, math.inf
    return best
