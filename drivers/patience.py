"""How long to wait for one unit, learned from how long it took. Pure."""

from __future__ import annotations

from collections import deque
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

FLOOR_S = 0.05
"""No learned time-out is shorter: a busy machine wakes late, too."""
MARGIN = 1.5
_KEEP = 256
_ENOUGH = 10
"""Fewer replies than this teach nothing; the configured time-out holds."""
_EVERY = 16
_FADE = 0.99
_MOST_DOUBLINGS = 6
_GHOST_FLOOR_S = 2.0
_GHOST_TIMES_LARGEST = 4.0
_GHOST_TIMES_TIMEOUT = 12.0
_GHOST_CEILING_S = 60.0


class Patience:
    """Reply times of one unit, and the time-outs that follow from them."""

    __slots__ = ("_due", "_learned", "_mercy", "_silences", "_times", "largest_s")

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=_KEEP)
        self._due = _ENOUGH
        self._learned = 0.0
        self._mercy = 0.0
        self._silences = 0
        self.largest_s = 0.0
        """Largest reply time seen, late answers included; fades with good replies."""

    def replied(self, seconds: float) -> None:
        """An answer came in time."""
        self._times.append(seconds)
        self._silences = 0
        if self._mercy:
            self._mercy = self._mercy * _FADE if self._mercy > FLOOR_S else 0.0
        largest = self.largest_s
        self.largest_s = seconds if seconds >= largest else largest * 0.999
        self._due -= 1
        if self._due <= 0:
            self._due = _EVERY
            self._learned = max(FLOOR_S, MARGIN * self.percentile(0.99))

    def late(self, seconds: float) -> None:
        """A recognised answer came this long after its request, too late."""
        self._mercy = max(self._mercy, MARGIN * seconds)
        self.largest_s = max(self.largest_s, seconds)
        self._silences = 0

    def silent(self) -> None:
        """No answer: the next wait is longer, until one comes."""
        self._silences = min(self._silences + 1, _MOST_DOUBLINGS)

    def timeout_s(self, ceiling_s: float) -> float:
        """The time-out in force: p99 x 1.5, from 50 ms up to the configured one."""
        if not self._learned:
            return ceiling_s
        learned = max(self._learned, self._mercy) * (1 << self._silences)
        return learned if learned < ceiling_s else ceiling_s

    @property
    def doubted(self) -> bool:
        """Whether the last request met silence."""
        return self._silences > 0

    def ghost_s(self, waited_s: float, max_reply_s: float) -> float:
        """How long after its request a timed-out answer may still come."""
        return ghost_s(self.largest_s, waited_s, max_reply_s)

    def percentile(self, share: float) -> float:
        """Reply time that this share of the last replies did not exceed; 0 if none."""
        return percentile(self._times, share)


def ghost_s(largest_s: float, waited_s: float, max_reply_s: float) -> float:
    """How long after its request a timed-out answer may still come.

    At least 2 s, four times the largest reply seen and what the maker states, whatever
    the learned time-out; twelve times the wait covers devices, and radio links, that
    are ten times slower than we waited before any of it was seen.

    Args:
        largest_s: The largest reply time seen, late answers included; 0: none.
        waited_s: How long this one was waited for.
        max_reply_s: The latest that the maker states; 0: nothing.
    """
    life_s = max(
        _GHOST_FLOOR_S,
        _GHOST_TIMES_LARGEST * largest_s,
        _GHOST_TIMES_TIMEOUT * waited_s,
    )
    return max(max_reply_s, min(_GHOST_CEILING_S, life_s))


def percentile(times: Iterable[float], share: float) -> float:
    """The time that this share of these did not exceed; 0 where there are none."""
    ordered = sorted(times)
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else 0.0
