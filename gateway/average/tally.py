"""A counter over minutes, hours and days: pieces as they come, and those left over.

Most pieces lie in one minute. A piece that does not (nobody asked for a while, or a
jump was only believed once the next reading went on from it) is kept here until hour
and day are over: it counts in the first of them that holds it whole.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import msgspec

from drivers.profiles.watches import Counter
from gateway.average import counter as pieces
from gateway.clock import Instant
from gateway.judge.counter import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gateway.average.calendar import Bounds
    from gateway.average.readings import Reading

KEEP_MS = 2 * 86_400_000
_TIMELINE = "00000000"
"""All readings are of trusted clocks: differences of the wall clock count."""


class Loose(msgspec.Struct, frozen=True, array_like=True):
    """A piece that is in no minute."""

    since_ms: int
    until_ms: int
    amount: str
    """Exact, in the counter's unit."""


class Tally(msgspec.Struct, array_like=True):
    """What is known of one counter."""

    state: State = State()
    loose: list[Loose] = []

    def minute(
        self,
        watch: Counter | None,
        readings: Iterable[Reading],
        bounds: Bounds,
        every_ms: int,
    ) -> Fraction | None:
        """Go on with a minute's readings.

        Args:
            watch: How the point is configured.
            readings: The valid ones, in order of time.
            bounds: Of the minute.
            every_ms: How often a reading is due.

        Returns:
            What was counted in it; None: nothing is known.
        """
        taken = [
            (Instant(r.t_ms, r.t_ms, _TIMELINE, trusted=True), r.value)
            for r in readings
            if isinstance(r.value, int | float)
        ]
        self.state, found = pieces.pieces(watch or Counter(), taken, self.state)
        slack_ms = pieces_slack(every_ms)
        total: Fraction | None = None
        for piece in found:
            if piece.amount is None:
                continue
            one = pieces.counted((piece,), *bounds, slack_ms)
            if one.total is not None:
                total = one.total if total is None else total + one.total
            else:
                amount = str(piece.amount)
                self.loose.append(Loose(piece.since_ms, piece.until_ms, amount))
        edge = bounds.end_ms - KEEP_MS
        if self.loose and self.loose[0].until_ms < edge:
            self.loose = [one for one in self.loose if one.until_ms >= edge]
        return total

    def begin_anew(self) -> None:
        """Nobody knows any more up to which reading it was counted."""
        self.state = State()

    def left_over(self, bounds: Bounds, inner: Sequence[Bounds]) -> Fraction | None:
        """What lies whole in an hour or a day, and in none of its parts."""
        total: Fraction | None = None
        for one in self.loose:
            if not _inside(one, bounds) or any(_inside(one, part) for part in inner):
                continue
            amount = Fraction(one.amount)
            total = amount if total is None else total + amount
        return total


def pieces_slack(every_ms: int) -> int:
    """A piece that leads into a period may be so long."""
    return 2 * every_ms


def _inside(one: Loose, bounds: Bounds) -> bool:
    return pieces.inside(one.since_ms, one.until_ms, *bounds)
