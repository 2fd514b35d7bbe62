"""How fast records come, and how far ahead seqs are made usable because of it."""

from __future__ import annotations

SMALLEST_BLOCK = 1024
"""Seqs made usable ahead, at least: so often the mark is written with an fsync."""
SMALLEST_STEP = 16
"""Records appended since a commit began that call for the next one, at least."""

_BLOCK_S = 120.0
_STEP_S = 3.0
_SMOOTHING = 0.3
_SHORTEST_S = 0.2
"""A burst counts as if it had taken this long."""


class Pace:
    """Follows the rate of records from commit to commit."""

    def __init__(self, high: int, now: float) -> None:
        self.soon = high + SMALLEST_STEP
        """Passing this seq calls for a commit at once."""
        self.hurry = False
        """It was passed."""
        self._rate = 0.0
        self._began = high
        self._measured = (now, high)

    def begin(self, high: int, now: float) -> None:
        """A commit begins: take the rate and look ahead from ``high``."""
        since, before = self._measured
        if now > since:
            fresh = (high - before) / max(now - since, _SHORTEST_S)
            self._rate += _SMOOTHING * (fresh - self._rate)
            self._measured = (now, high)
        self._began, self.hurry = high, False
        self.soon = high + self._step()

    def passed(self, seq: int) -> None:
        """More came than foreseen: look further ahead, each time twice as far."""
        self.soon = seq + max(SMALLEST_STEP, seq - self._began)
        self.hurry = True

    def bound(self, high: int) -> int:
        """Beyond ``soon`` by as much as may come before a commit begins."""
        return high + 4 * self._step()

    def ceiling(self, high: int, current: int) -> int:
        """The ceiling to ask for: the present one until half of it is used."""
        block = max(SMALLEST_BLOCK, int(self._rate * _BLOCK_S))
        return high + block if high + block // 2 >= current else current

    def _step(self) -> int:
        return max(SMALLEST_STEP, int(self._rate * _STEP_S))
