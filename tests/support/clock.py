"""A clock that tests set: wall, monotonic and boot id from the loop's own time."""

from __future__ import annotations

import asyncio

from gateway.clock import JudgedClock

EPOCH_MS = 1_763_712_000_000
"""2025-11-21T08:00:00Z: where the wall clock stands unless a test says otherwise."""


class VirtualMachine:
    """The clocks of a simulated machine, see :class:`gateway.clock.Machine`."""

    def __init__(
        self, wall_ms: int, boot: str, loop: asyncio.AbstractEventLoop, *, synced: bool
    ) -> None:
        self._loop = loop
        self.boot = boot
        self.synced = synced
        self._born = loop.time()
        self._wall_at_birth = float(wall_ms)
        self._booted = self._born - 10.0

    def wall_ms(self) -> int:
        """UTC milliseconds, as the system clock says."""
        return int(self._wall_at_birth + (self._loop.time() - self._born) * 1000)

    def mono_ms(self) -> int:
        """Milliseconds since the (virtual) boot."""
        return int((self._loop.time() - self._booted) * 1000)

    def synchronised(self) -> bool:
        """Whether NTP is said to discipline it."""
        return self.synced

    def step(self, seconds: float) -> None:
        """The wall clock jumps; monotonic time does not."""
        self._wall_at_birth += seconds * 1000

    def reboot(self, boot: str) -> None:
        """Monotonic time starts again at zero."""
        self.boot = boot
        self._booted = self._loop.time()


class VirtualClock(JudgedClock):
    """A :class:`gateway.clock.JudgedClock` that follows the event loop.

    Args:
        wall_ms: What the wall clock says now, UTC ms.
        trusted: Whether NTP is said to discipline it.
        boot: Eight hex digits.
        loop: Whose time it follows; the running loop by default.
    """

    look_ms = 0
    """Asked each time: a test need not wait until a change is noticed."""

    def __init__(
        self,
        wall_ms: int = EPOCH_MS,
        *,
        trusted: bool = True,
        boot: str = "b0070001",
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        loop = loop or asyncio.get_running_loop()
        self.machine = VirtualMachine(wall_ms, boot, loop, synced=trusted)
        super().__init__(self.machine, "ntp")

    @property
    def trusted(self) -> bool:
        """Whether NTP is said to discipline it."""
        return self.machine.synced

    @trusted.setter
    def trusted(self, synced: bool) -> None:
        self.machine.synced = synced

    def step(self, seconds: float, *, trusted: bool | None = None) -> None:
        """The wall clock jumps; monotonic time does not."""
        self.machine.step(seconds)
        if trusted is not None:
            self.trusted = trusted

    def set_wall(self, wall_ms: int, *, trusted: bool | None = None) -> None:
        """The wall clock is set."""
        self.step((wall_ms - self.machine.wall_ms()) / 1000, trusted=trusted)

    def reboot(self, boot: str, *, wall_ms: int | None = None) -> None:
        """A new boot: monotonic time starts again at zero."""
        self.machine.reboot(boot)
        self.boot = boot
        self._forget()
        if wall_ms is not None:
            self.set_wall(wall_ms)
