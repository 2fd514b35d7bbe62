"""What every connection to one HJ 212 platform works with; outlives them all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.model import Hj212Target
    from gateway.uplink.delivery import Delivery
    from gateway.uplink.hj212.frames import Frames
    from gateway.uplink.hj212.seams import Host, Marks, Settings
    from gateway.uplink.source import Source


@dataclass
class Counts:
    """What one target said and heard, since the start."""

    start_told: bool = False
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
