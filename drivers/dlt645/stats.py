"""What became of the exchanges with one meter, counted by kind."""

from __future__ import annotations

from collections import deque

import msgspec

from drivers.patience import percentile

_KEEP = 256


class MeterStats(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot; counts since the line was made, times in milliseconds."""

    good: int = 0
    timeout: int = 0
    bad_frame: int = 0
    error: int = 0
    """Error answers (D1, C1)."""
    unprovable: int = 0
    """Not asked, or not believed, because an earlier answer may still come."""
    late_discarded: int = 0
    unexpected: int = 0
    """Frames of this meter that answered nothing: repeated, or nobody's."""
    following: int = 0
    """Frames fetched because more data followed."""
    foreign: int = 0
    """Frames of other addresses while this meter was asked."""
    echo: int = 0
    reply_p50_ms: float = 0.0
    reply_p95_ms: float = 0.0
    reply_p99_ms: float = 0.0
    reply_largest_ms: float = 0.0


class Tally:
    """The same while they grow."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._times: deque[float] = deque(maxlen=_KEEP)

    def add(self, what: str) -> None:
        """One more of a kind of :class:`MeterStats`."""
        self.counts[what] = self.counts.get(what, 0) + 1

    def replied(self, seconds: float) -> None:
        """An answer came this long after its question."""
        self.add("good")
        self._times.append(seconds)

    def snapshot(self) -> MeterStats:
        """The counts of now."""

        def ms(share: float) -> float:
            return round(1000 * percentile(self._times, share), 1)

        return MeterStats(
            **self.counts,
            reply_p50_ms=ms(0.5),
            reply_p95_ms=ms(0.95),
            reply_p99_ms=ms(0.99),
            reply_largest_ms=ms(1.0),
        )
