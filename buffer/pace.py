"""How fast records come, and what is made ready ahead because of it.

Two things are prepared: seqs made usable (the *ceiling*), and how many records may be
at risk, that is neither durable nor proved, before a commit begins (*allowed*). What is
stored as the bound of an unclean stop leaves room for the time that commit takes.
"""

from __future__ import annotations

SMALLEST_BLOCK = 1 << 20
"""Seqs made usable ahead, at least: seqs are cheap, and a card gone read-only, whose
mark cannot be written any more, stops no delivery before half of them are used: half
a day at ten records a second."""
SMALLEST_STEP = 16
"""Records at risk that call for a commit, at least."""

_BLOCK_S = 120.0
_STEP_S = 1.5
_RESERVE = 4
_SMOOTHING = 0.3
_SHORTEST_S = 0.2
"""Over less than this no rate is taken."""


class Pace:
    """Follows the rate of records from one look to the next."""

    def __init__(self, high: int, now: float) -> None:
        self.allowed = SMALLEST_STEP
        """More records at risk than this call for a commit at once."""
        self.hurry = False
        """There were more."""
        self._rate = 0.0
        self._measured = (now, high)

    def look(self, high: int, now: float) -> None:
        """Take the rate."""
        since, before = self._measured
        if now >= since + _SHORTEST_S:
            fresh = (high - before) / (now - since)
            self._rate += _SMOOTHING * (fresh - self._rate)
            self._measured = (now, high)

    def begin(self, high: int, now: float) -> None:
        """A commit begins, or nothing is left that needs one."""
        self.look(high, now)
        self.allowed, self.hurry = self._step(), False

    def passed(self, at_risk: int) -> None:
        """More came than foreseen: twice as many are allowed for the time being."""
        self.allowed = 2 * max(SMALLEST_STEP, at_risk)
        self.hurry = True

    @property
    def window(self) -> int:
        """No more records than this are at risk before the next commit is durable."""
        return _RESERVE * self._step()

    def ceiling(self, high: int, current: int) -> int:
        """The ceiling to ask for: the present one until half of it is used."""
        block = max(SMALLEST_BLOCK, int(self._rate * _BLOCK_S))
        return high + block if high + block // 2 >= current else current

    def _step(self) -> int:
        return max(SMALLEST_STEP, int(self._rate * _STEP_S))
