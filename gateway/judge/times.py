"""How much time lies between two instants, where anybody can tell."""

from __future__ import annotations

from gateway.clock import Instant


def passed_ms(since: Instant, until: Instant) -> int | None:
    """Milliseconds from one to the other; None: of two boots, and no clock to trust."""
    if since.boot == until.boot:
        return until.mono_ms - since.mono_ms
    if since.trusted and until.trusted and until.wall_ms >= since.wall_ms:
        return until.wall_ms - since.wall_ms
    return None


def earlier(at: Instant, ms: int) -> Instant:
    """An instant so much earlier by every clock."""
    if not ms:
        return at
    return Instant(at.wall_ms - ms, at.mono_ms - ms, at.boot, at.trusted)
