"""Whether a date may be believed, and when a receiver's fixes add up to a time. Pure.

A receiver without sky tells the date of its firmware, of its last fix, or one that is
1024 weeks off (the week number of GPS has ten bits). None of these is repaired by
guessing: what is implausible is refused with its reason, and what is plausible counts
only when several fixes in a row agree with the monotonic clock.
"""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import Literal

from gateway.release import EXPIRES_MS, RELEASED_MS

Reason = Literal["before_release", "too_late", "before_last", "rollover", "disagrees"]

ROLLOVER_MS = 1024 * 7 * 86_400_000
"""IS-GPS-200, 20.3.3.3.1.1: the week number is counted modulo 1024."""
_NEAR_MS = 3 * 86_400_000
_UNWATCHED_MS = 400 * 86_400_000
"""A gateway may have stood in a store room since what it knows."""
SLACK_MS = 60_000
"""So far below the last time known a source may lie: NTP corrects by seconds."""
FIXES = 8
SPAN_MS = 5_000
"""Fixes must come over at least this long: a burst of one wrong second is no proof."""
SPREAD_MS = 500
"""Sentences of a good receiver arrive with some 100 ms of jitter."""
_ROLLOVERS = 3


def refusal(wall_ms: int, floor_ms: int) -> Reason | None:
    """Why a source's date cannot be right; None: it may be.

    Args:
        wall_ms: What it says, UTC ms.
        floor_ms: The last time known to be past, not below the release.
    """
    for turns in range(1, _ROLLOVERS + 1):
        # Told apart from any other wrong date only near what is known.
        if -_NEAR_MS < wall_ms + turns * ROLLOVER_MS - floor_ms < _UNWATCHED_MS:
            return "rollover"
    if wall_ms >= floor_ms + ROLLOVER_MS - _NEAR_MS:
        return "rollover"
    if wall_ms < RELEASED_MS:
        return "before_release"
    if wall_ms >= EXPIRES_MS:
        return "too_late"
    if wall_ms < floor_ms - SLACK_MS:
        return "before_last"
    return None


class Fixes:
    """The last fixes of one source, as long as they agree with each other."""

    def __init__(self) -> None:
        self._fixes: deque[tuple[int, int]] = deque(maxlen=FIXES)

    def add(self, offset_ms: int, mono_ms: int) -> int | None:
        """Take one plausible fix.

        Args:
            offset_ms: The source's wall clock minus the monotonic clock.
            mono_ms: When it came.

        Returns:
            The offset on which enough fixes agree, else None.
        """
        if self._fixes and mono_ms <= self._fixes[-1][1]:
            return None
        kept = [
            fix
            for fix in self._fixes
            if abs(fix[0] - offset_ms) <= SPREAD_MS
            and mono_ms - fix[1] <= FIXES * 60_000
        ]
        if len(kept) < len(self._fixes):
            self._fixes.clear()
            self._fixes.extend(kept)
        self._fixes.append((offset_ms, mono_ms))
        offsets = [fix[0] for fix in self._fixes]
        enough = len(offsets) == FIXES and mono_ms - self._fixes[0][1] >= SPAN_MS
        if not enough or max(offsets) - min(offsets) > SPREAD_MS:
            return None
        return round(median(offsets))

    def clear(self) -> None:
        """Begin anew."""
        self._fixes.clear()
