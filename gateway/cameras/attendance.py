"""When a vision process is killed, replaced or started again: pure decisions.

A process lives by its beats. One that is silent is killed; one that has grown is
replaced when nobody would miss it; one that ends again and again is started ever more
rarely. Times are the event loop's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from vision.messages import Beat

HELLO_S = 45.0
"""To import, load the model and say so, on a small computer that just started."""
BEAT_S = 10.0
"""Silent for so long it hangs."""
FAR_OVER = 1.5
"""Times its memory: it is replaced whatever it is doing."""
SETTLED_S = 60.0
"""What ran so long was no failed start."""
RECYCLE_EVERY_S = 600.0
"""A limit that a fresh process is above already must not keep it from looking."""
URGENT_EVERY_S = 60.0
PATIENCE_S = 600.0
"""A process with a stuck camera is replaced in spite of an alarm after so long."""
DEAD_S = 10.0
"""Without a living process for so long its cameras are at fault."""
START_DEAD_S = 20.0
"""The same after a start of the gateway."""
PAUSES_S = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
_LOOP = 6
"""Ended so often in a row: the next may as well, and is believed when it settled."""
REFUSED_S = (60.0, 120.0, 300.0, 600.0)
"""What was refused will be again, unless somebody changed something."""

Verdict = Literal["fine", "hangs", "recycle"]


class Attendance:
    """What is known of one process, from its start on."""

    def __init__(self, now: float, memory: int, recycled_s: float | None) -> None:
        """Just started.

        Args:
            now: The event loop's time.
            memory: Resident bytes from which on it is to be replaced.
            recycled_s: When the one before it was replaced for its memory.
        """
        self.started_s = now
        self.greeted = False
        self.beat: Beat | None = None
        self._heard_s = now
        self._memory = memory
        self._recycled_s = recycled_s
        self._stuck_s: float | None = None

    def heard(self, now: float, beat: Beat | None = None) -> None:
        """It said something."""
        self._heard_s = now
        if beat is not None:
            self.beat = beat
            if not beat.stuck:
                self._stuck_s = None
            elif self._stuck_s is None:
                self._stuck_s = now

    def verdict(self, now: float, open_alarms: int) -> Verdict:
        """What is to be done with it."""
        silent_s = now - self._heard_s
        if silent_s >= (BEAT_S if self.greeted else HELLO_S):
            return "hangs"
        return "recycle" if self._due(now, open_alarms) else "fine"

    def next_look_s(self, now: float) -> float:
        """Seconds until the verdict may be another without a word of its own."""
        limit = BEAT_S if self.greeted else HELLO_S
        return max(0.05, min(1.0, self._heard_s + limit - now))

    def _due(self, now: float, open_alarms: int) -> bool:
        rss = self.beat.rss_bytes if self.beat else 0
        since = float("inf") if self._recycled_s is None else now - self._recycled_s
        if rss > FAR_OVER * self._memory and since >= URGENT_EVERY_S:
            return True
        if since < RECYCLE_EVERY_S:
            return False
        if self._stuck_s is not None and now - self._stuck_s >= PATIENCE_S:
            return True
        return not open_alarms and (rss > self._memory or self._stuck_s is not None)


class Pauses:
    """How long to wait until the next start."""

    def __init__(self) -> None:
        self._failed = 0
        self._refused = 0

    @property
    def sound_s(self) -> float:
        """A process that has run for so long is believed to work."""
        return DEAD_S if self._failed < _LOOP else SETTLED_S

    def after_end(self, ran_s: float) -> float:
        """It ended or was killed; not by plan."""
        self._failed = 1 if ran_s >= SETTLED_S else self._failed + 1
        return PAUSES_S[min(self._failed, len(PAUSES_S)) - 1]

    def after_refusal(self) -> float:
        """It said that it cannot work like this."""
        self._refused += 1
        return REFUSED_S[min(self._refused, len(REFUSED_S)) - 1]

    def accepted(self) -> None:
        """It works: the next refusal is a new one."""
        self._refused = 0
