"""When this release was made: no clock that is right says less.

Raised with each release, never above its day: a machine whose clock is a little slow
must not be refused.
"""

from __future__ import annotations

from datetime import UTC, datetime

RELEASED = datetime(2025, 11, 1, tzinfo=UTC)
RELEASED_MS = int(RELEASED.timestamp() * 1000)
EXPIRES_MS = RELEASED_MS + 20 * 365 * 86_400_000
"""Twenty years later: no date beyond is believed from a receiver or a server."""
