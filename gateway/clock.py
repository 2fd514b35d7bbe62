"""The one source of time: wall clock, monotonic clock, boot id and trust.

Everything that waits uses the event loop's time; everything that dates uses this.
Tests inject a clock of their own, so that days pass in seconds and 1970 can be tried.
"""

from __future__ import annotations

import ctypes
import time
from pathlib import Path
from typing import Literal, Protocol

import msgspec

_STA_UNSYNC = 0x0040
"""Kernel status bit: clock not synchronised (linux/timex.h)."""


class Instant(msgspec.Struct, frozen=True):
    """When something was acquired, by every clock we have."""

    wall_ms: int
    """UTC milliseconds as the wall clock said at that moment; never rewritten."""
    mono_ms: int
    """Milliseconds since boot, unmoved by clock steps."""
    boot: str
    """Eight hex digits that name the boot ``mono_ms`` counts from."""
    trusted: bool


class Clock(Protocol):
    """Wall, monotonic and boot, from one object."""

    boot: str

    def now(self) -> Instant:
        """This instant by every clock."""
        ...

    def wall_ms(self) -> int:
        """UTC milliseconds since 1970."""
        ...


class SystemClock:
    """The machine's clocks; trusted while the kernel says it is synchronised."""

    def __init__(self, trust: Literal["ntp", "always"] = "ntp") -> None:
        self.boot = _boot_id()
        self._always = trust == "always"
        self._trusted = self._always or kernel_synchronised()
        self._asked = time.monotonic()

    def wall_ms(self) -> int:
        """UTC milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def now(self) -> Instant:
        """This instant; the kernel's word on trust is asked at most once a second."""
        mono = time.clock_gettime(time.CLOCK_BOOTTIME)
        if not self._always and mono - self._asked >= 1.0:
            self._trusted, self._asked = kernel_synchronised(), mono
        return Instant(self.wall_ms(), int(mono * 1000), self.boot, self._trusted)


def kernel_synchronised() -> bool:
    """Whether the kernel's clock is disciplined by NTP (adjtimex(2), STA_UNSYNC)."""
    # struct timex: modes, offset, freq, maxerror, esterror, status (status is an int
    # after one int padded to a long and four longs); 256 bytes hold all of it.
    buffer = ctypes.create_string_buffer(256)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.adjtimex(buffer) < 0:
        return False
    status = ctypes.cast(
        ctypes.addressof(buffer) + 5 * ctypes.sizeof(ctypes.c_long),
        ctypes.POINTER(ctypes.c_int),
    )
    return not status.contents.value & _STA_UNSYNC


def _boot_id() -> str:
    try:
        text = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    except OSError:
        # No procfs: the boot's own start second names it as well as can be.
        started = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        return f"{int(started) & 0xFFFFFFFF:08x}"
    return text.strip().replace("-", "")[:8]
