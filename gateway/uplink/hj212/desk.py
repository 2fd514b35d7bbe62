"""What every connection to one HJ 212 platform works with; outlives them all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.model import Hj212Target
    from gateway.uplink.delivery import Delivery
    from gateway.uplink.hj212.frames import Frames, PeriodKey
    from gateway.uplink.hj212.seams import Host, Marks, Settings
    from gateway.uplink.source import Source


@dataclass
class Counts:
    """What one target said and heard, since the start."""

    start_tries: int = 0
    """How often 2081 was said; above ``START_TRIES``: it is done with."""
    ends: dict[int, tuple[int, float]] = field(default_factory=dict)
    """By command: how many connections in a row ended with it, and the last of them."""
    hung_up: bool = False
    """A connection ended with records that were only written: one is to blame."""
    edge: int = 0
    """The newest seq when the platform came back, and until when that stands."""
    edge_until_s: float = 0.0
    realtime: int = 0
    """Real-time frames sent."""
    unanswered: int = 0
    """Frames without a record behind them that nobody confirmed."""
    unread: int = 0
    """Frames that came and could not be read."""
    requests: int = 0
    """What the platform asked for."""
    frames: int = 0
    """Frames sent, repeats included."""
    repeats: int = 0


class Revisions:
    """Which periods went out worked out again: an older one must not come after."""

    def __init__(self) -> None:
        self._sent: dict[tuple[str, str, int], int] = {}

    def sent(self, key: PeriodKey) -> None:
        """This revision leaves."""
        if key.rev > 0:
            self._sent[key[:3]] = max(key.rev, self._sent.get(key[:3], 0))
            if len(self._sent) > MOST_REVISED:
                del self._sent[next(iter(self._sent))]

    def superseded(self, key: PeriodKey) -> bool:
        """Whether a newer revision of it has left."""
        return self._sent.get(key[:3], 0) > key.rev


MOST_REVISED = 10_000


@dataclass(frozen=True)
class Desk:
    """One target's."""

    target: Hj212Target
    source: Source
    delivery: Delivery
    frames: Frames
    settings: Settings
    host: Host
    marks: Marks
    wall_ms: Callable[[], int]
    trusted: Callable[[], bool]
    """Whether the clock is right: an instant of now is said only then."""
    started_ms: int
    promise: Callable[[float], None]
    """Told until when this loop will have reported again."""
    counts: Counts = field(default_factory=Counts)
    revisions: Revisions = field(default_factory=Revisions)
