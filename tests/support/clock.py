"""A clock that tests set: wall, monotonic and boot id from the loop's own time."""

from __future__ import annotations

import asyncio

from gateway.clock import Instant

EPOCH_MS = 1_763_712_000_000
"""2025-11-21T08:00:00Z: where the wall clock stands unless a test says otherwise."""


class VirtualClock:
    """A :class:`gateway.clock.Clock` that follows the event loop.

    Args:
        wall_ms: What the wall clock says now, UTC ms.
        trusted: Whether it is known to be right.
        boot: Eight hex digits.
        loop: Whose time it follows; the running loop by default.
    """

    def __init__(
        self,
        wall_ms: int = EPOCH_MS,
        *,
        trusted: bool = True,
        boot: str = "b0070001",
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._loop = loop or asyncio.get_running_loop()
        self.boot = boot
        self.trusted = trusted
        self._born = self._loop.time()
        self._wall_at_birth = float(wall_ms)
        self._booted = self._born - 10.0

    def wall_ms(self) -> int:
        """UTC milliseconds, as the wall clock says."""
        return int(self._wall_at_birth + (self._loop.time() - self._born) * 1000)

    def mono_ms(self) -> int:
        """Milliseconds since the (virtual) boot."""
        return int((self._loop.time() - self._booted) * 1000)

    def now(self) -> Instant:
        """This instant by every clock."""
        return Instant(self.wall_ms(), self.mono_ms(), self.boot, self.trusted)

    def step(self, seconds: float, *, trusted: bool | None = None) -> None:
        """The wall clock jumps; monotonic time does not."""
        self._wall_at_birth += seconds * 1000
        if trusted is not None:
            self.trusted = trusted

    def set_wall(self, wall_ms: int, *, trusted: bool | None = None) -> None:
        """The wall clock is set."""
        self.step((wall_ms - self.wall_ms()) / 1000, trusted=trusted)

    def reboot(self, boot: str, *, wall_ms: int | None = None) -> None:
        """A new boot: monotonic time starts again at zero."""
        self.boot = boot
        self._booted = self._loop.time()
        if wall_ms is not None:
            self.set_wall(wall_ms)
