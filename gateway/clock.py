"""The one source of time: wall clock, monotonic clock, boot id and trust.

Everything that waits uses the event loop's time; everything that dates uses this.
Tests inject a clock of their own, so that days pass in seconds and 1970 can be tried.

What is believed, the first that can say anything:

    ntp       the kernel says it is disciplined (``always``: the site file says so)
    gnss      several fixes of a receiver agree (``offer``)
    operator  a person said that the wall clock is right (``confirm``)

Never a date before the release nor before the last time known to be past, ``floor_ms``.
The last two run free afterwards and are believed for ``HOLD_MS``: then they may be
wrong by a second. What is believed may still jump: it is doubted for ``DOUBT_MS``.

The system clock is read, never set. Where a receiver knows better, the gateway's own
wall clock is the monotonic clock plus what the receiver said.
"""

from __future__ import annotations

import ctypes
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from gateway.offers import Fixes, Reason, refusal
from gateway.release import RELEASED_MS

if TYPE_CHECKING:
    from collections.abc import Callable

Source = Literal["ntp", "gnss", "operator", "always"]
State = Literal["trusted", "doubted", "held", "unknown"]

STEP_MS = 500
"""Slewing moves a clock by 0.5 ms a second; this much between looks is a step."""
LOOK_MS = 1000
"""The kernel's word on trust is asked this often, and whenever the clock jumps."""
DOUBT_MS = 60_000
"""A trusted clock that jumped contradicts itself: as long as this, nobody knows which
side was right. A slip that is mended meanwhile never dates a record."""
MOST_DOUBT_MS = 600_000
"""One that jumps again and again is believed after this long, until its next jump: or
nothing, alarms neither, would ever be sent. What waited is told with bounds."""
DRIFT_PPM = 100
"""What a free-running quartz is wrong by at most, with some room for heat and age."""
HOLD_MS = 10_000_000
"""Time in which that makes one second: 2.8 h."""
_AGREE_MS = 1000

_STA_UNSYNC = 0x0040
"""Kernel status bit: clock not synchronised (linux/timex.h)."""
_MAXERROR_US = 5_000_000
"""The kernel adds 500 ppm to its error bound after each word of its NTP daemon and
gives up at 16 s; 5 s are reached after ``HOLD_MS`` without one."""


class Instant(msgspec.Struct, frozen=True):
    """When something was acquired, by every clock we have."""

    wall_ms: int
    """UTC milliseconds as the wall clock said at that moment; never rewritten."""
    mono_ms: int
    """Milliseconds since boot, unmoved by clock steps."""
    boot: str
    """Eight hex digits that name the boot ``mono_ms`` counts from."""
    trusted: bool


class Turn(msgspec.Struct, frozen=True):
    """The moment from which another offset or another trust holds."""

    mono_ms: int
    offset_ms: int
    """Wall clock minus monotonic clock from here on."""
    trusted: bool
    doubt: bool = False
    """It was trusted, and jumped."""
    held_ms: int | None = None
    """The offset that was trusted last, where there was one."""
    step_ms: int = 0
    """By how much the wall clock jumped here; 0: it did not."""


class Refused(msgspec.Struct, frozen=True):
    """A date that was not believed; told once until the source is right again."""

    source: Source
    reason: Reason
    wall_ms: int


class ClockError(ValueError):
    """The operator's word cannot be taken; ``reason`` says why."""

    def __init__(self, reason: Reason, wall_ms: int) -> None:
        super().__init__(f"the wall clock says {wall_ms} ms: {reason}")
        self.reason = reason
        self.wall_ms = wall_ms


class Clock(Protocol):
    """Wall, monotonic and boot, from one object."""

    boot: str

    def now(self) -> Instant:
        """This instant by every clock."""
        ...

    def wall_ms(self) -> int:
        """UTC milliseconds since 1970."""
        ...


class Machine(Protocol):
    """The clocks as the machine has them."""

    boot: str

    def wall_ms(self) -> int:
        """UTC milliseconds of the system clock."""
        ...

    def mono_ms(self) -> int:
        """Milliseconds since boot, time asleep included."""
        ...

    def synchronised(self) -> bool:
        """Whether the system clock is disciplined by NTP."""
        ...


class JudgedClock:
    """A machine's clocks, and how far they are to be believed."""

    look_ms = LOOK_MS

    def __init__(self, machine: Machine, trust: Literal["ntp", "always"]) -> None:
        self._machine = machine
        self._always = trust == "always"
        self.boot = machine.boot
        self.on_turn: Callable[[Turn], None] = lambda _turn: None
        self.on_refused: Callable[[Refused], None] = lambda _refused: None
        self._forget()

    def _forget(self) -> None:
        self._floor = (RELEASED_MS, 0)
        self._own: int | None = None
        """Our wall clock minus the monotonic one, where the system clock is wrong."""
        self._offset = self._raw = 0
        self._trusted = self._begun = False
        self._source: Source | None = None
        self._held: int | None = None
        self._doubted: int | None = None
        self._doubted_first = 0
        """The last jump in doubt, and the first of them."""
        self._fixes = Fixes()
        self._gnss: tuple[int, int] | None = None
        self._said: tuple[int, int] | None = None
        """Offset and moment of the receiver's last word, and of the operator's."""
        self._told: set[tuple[str, str]] = set()
        self._look_at = -(2**63)

    # -- reading ------------------------------------------------------------

    def now(self) -> Instant:
        """This instant; trust is asked for once a second and when the clock jumps."""
        mono = self._machine.mono_ms()
        raw = self._machine.wall_ms() - mono
        if mono >= self._look_at or not -STEP_MS < raw - self._raw < STEP_MS:
            self._look(mono, raw)
        offset = raw if self._own is None else self._own
        return Instant(mono + offset, mono, self.boot, self._trusted)

    def wall_ms(self) -> int:
        """UTC milliseconds since 1970."""
        return self.now().wall_ms

    def mono_ms(self) -> int:
        """Milliseconds since boot."""
        return self._machine.mono_ms()

    @property
    def floor_ms(self) -> int:
        """UTC milliseconds that are certainly past: no right clock says less."""
        wall, mono = self._floor
        return max(RELEASED_MS, wall + self._machine.mono_ms() - mono)

    @property
    def state(self) -> State:
        """How far it is to be believed now."""
        if self._trusted:
            return "trusted"
        if self._doubted is not None:
            return "doubted"
        return "unknown" if self._held is None else "held"

    @property
    def source(self) -> Source | None:
        """Who says that it is right; None: nobody does."""
        return self._source

    @property
    def offset_ms(self) -> int | None:
        """System clock minus the time we go by; None while nobody knows that."""
        known = self._offset if self._trusted else self._held
        return None if known is None else self._raw - known

    # -- sources ------------------------------------------------------------

    def begin(self, floor_ms: int, on_turn: Callable[[Turn], None]) -> Turn:
        """Judge from here on, beginning with nothing believed.

        Args:
            floor_ms: UTC ms known to be past by now.
            on_turn: Called with each turn after this one, before ``now`` returns.

        Returns:
            How it stands now.
        """
        mono = self._machine.mono_ms()
        self._floor = (floor_ms, mono)
        self._trusted, self._source = False, None
        self._held = self._doubted = None
        self._raw = self._machine.wall_ms() - mono
        self._begun = False
        self._look(mono, self._raw)
        self._begun = True
        self.on_turn = on_turn
        return Turn(mono, self._offset, self._trusted)

    def offer(self, source: Literal["gnss"], wall_ms: int, mono_ms: int) -> bool:
        """A fix of a receiver that calls its time valid.

        Args:
            source: Who says so.
            wall_ms: Its UTC.
            mono_ms: The monotonic clock at the moment it is about.

        Returns:
            Whether enough fixes agree: the receiver is believed.
        """
        floor = self._floor[0] + mono_ms - self._floor[1]
        reason = refusal(wall_ms, max(floor, RELEASED_MS))
        offset = wall_ms - mono_ms
        if reason is None and self._trusted and self._source in {"ntp", "always"}:
            reason = "disagrees" if abs(offset - self._offset) > _AGREE_MS else None
        if reason is not None:
            self._fixes.clear()
            self._refuse(source, reason, wall_ms)
            return False
        agreed = self._fixes.add(offset, mono_ms)
        if agreed is None:
            return False
        self._believe_again(source)
        self._gnss = (agreed, mono_ms)
        self._look_at = mono_ms
        return True

    def confirm(self) -> None:
        """The operator says that the system clock is right, whatever was stored.

        Raises:
            ClockError: It is before the release, or twenty years later.
        """
        mono = self._machine.mono_ms()
        wall = self._machine.wall_ms()
        reason = refusal(wall, RELEASED_MS)
        if reason is not None:
            raise ClockError(reason, wall)
        self._floor = (min(self._floor[0] + mono - self._floor[1], wall), mono)
        self._said = (wall - mono, mono)
        self._told.clear()
        self._look(mono, wall - mono)

    # -- judging ------------------------------------------------------------

    def _best(self, mono: int, raw: int) -> tuple[Source, int] | None:
        """Who can be believed now, and the offset it stands for."""
        if self._always or self._machine.synchronised():
            source: Source = "always" if self._always else "ntp"
            reason = refusal(mono + raw, max(RELEASED_MS, self._floor_at(mono)))
            if reason is None:
                self._believe_again(source)
                return source, raw
            self._refuse(source, reason, mono + raw)
        if self._gnss is not None and mono - self._gnss[1] < HOLD_MS:
            return "gnss", self._gnss[0]
        if self._said is not None:
            offset, since = self._said
            if mono - since < HOLD_MS and abs(raw - offset) < STEP_MS:
                return "operator", raw
            self._said = None
        return None

    def _floor_at(self, mono: int) -> int:
        return self._floor[0] + mono - self._floor[1]

    def _look(self, mono: int, raw: int) -> None:
        """Ask everybody again, and take what follows from it."""
        self._look_at = mono + self.look_ms
        before = self._offset
        jumped = raw - self._raw
        self._raw = raw
        best = self._best(mono, raw)
        if best is None:
            self._unbelieved(mono, raw, jumped)
            return
        source, offset = best
        self._own = offset if source == "gnss" else None
        self._offset, step = offset, offset - before
        self._source = source
        if not self._begun:
            self._trusted = True
            return
        step = step if abs(step) >= STEP_MS else 0
        if self._doubted is not None:
            self._doubt(mono, step)
        elif not self._trusted:
            self._trusted = True
            self._turn(mono, step)
        elif step:
            self._trusted, self._held, self._doubted = False, before, mono
            self._doubted_first = mono
            self._turn(mono, step)

    def _doubt(self, mono: int, step: int) -> None:
        """A clock that jumped and is still called right."""
        back = self._held is not None and abs(self._offset - self._held) < STEP_MS
        tired = mono - self._doubted_first >= MOST_DOUBT_MS
        if step and not back and not tired:
            self._doubted = mono
            self._turn(mono, step)
        elif back or tired or mono - (self._doubted or 0) >= DOUBT_MS:
            self._trusted, self._doubted = True, None
            self._turn(mono, step)

    def _unbelieved(self, mono: int, raw: int, jumped: int) -> None:
        """Nobody says that it is right."""
        before, step = self._offset, 0
        if self._own is None:  # else the receiver's last word is better than this
            self._offset = raw
            step = jumped if abs(jumped) >= STEP_MS else 0
        self._source = None
        if not self._begun:
            self._trusted = False
            return
        if self._trusted:
            self._held = before
        if self._trusted or self._doubted is not None or step:
            self._trusted, self._doubted = False, None
            self._turn(mono, step)

    def _turn(self, mono: int, step: int) -> None:
        doubt = self._doubted is not None
        self.on_turn(Turn(mono, self._offset, self._trusted, doubt, self._held, step))

    def _refuse(self, source: Source, reason: Reason, wall_ms: int) -> None:
        if (source, reason) not in self._told:
            self._told.add((source, reason))
            self.on_refused(Refused(source, reason, wall_ms))

    def _believe_again(self, source: Source) -> None:
        if self._told:
            self._told = {told for told in self._told if told[0] != source}


class SystemMachine:
    """This machine's clocks."""

    def __init__(self) -> None:
        self.boot = _boot_id()

    def wall_ms(self) -> int:
        """See ``Machine``."""
        return time.time_ns() // 1_000_000

    def mono_ms(self) -> int:
        """See ``Machine``."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000

    def synchronised(self) -> bool:
        """See ``Machine``."""
        return kernel_synchronised()


class SystemClock(JudgedClock):
    """The machine's clocks, judged."""

    def __init__(self, trust: Literal["ntp", "always"] = "ntp") -> None:
        super().__init__(SystemMachine(), trust)


def kernel_synchronised() -> bool:
    """Whether the kernel's clock is disciplined by NTP (adjtimex(2))."""
    # struct timex: modes, offset, freq, maxerror, esterror, status (status is an int
    # after one int padded to a long and four longs); 256 bytes hold all of it.
    buffer = ctypes.create_string_buffer(256)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.adjtimex(buffer) < 0:
        return False
    word = ctypes.sizeof(ctypes.c_long)
    start = ctypes.addressof(buffer)
    maxerror = ctypes.cast(start + 3 * word, ctypes.POINTER(ctypes.c_long)).contents
    status = ctypes.cast(start + 5 * word, ctypes.POINTER(ctypes.c_int)).contents
    return not status.value & _STA_UNSYNC and maxerror.value < _MAXERROR_US


def _boot_id() -> str:
    try:
        text = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    except OSError:
        # No procfs: the boot's own start second names it as well as can be.
        started = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        return f"{int(started) & 0xFFFFFFFF:08x}"
    return text.strip().replace("-", "")[:8]
