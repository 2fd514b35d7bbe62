"""A line of DL/T 645 meters: one question at a time, and only its own answer counts.

An answer is believed when it comes from the meter that was asked, has the function that
was asked and carries the identifier that was asked. What else comes is heard all the
same: echoes and other masters are skipped, late answers are laid to rest (``ghosts``).
Where an answer could not be told from an earlier question's, nothing is asked.

Everything that leaves is built by ``frame.request``; the time is broadcast only where
``may_set_time`` was given.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from drivers.byte_line import ByteLine, serial_line, tcp_line
from drivers.dlt645.frame import (
    ANY_METER,
    EVERY_METER,
    MORE,
    OVERHEAD,
    PREAMBLE,
    REFUSED,
    WAKE,
    Finder,
    Frame,
    Function,
    di_bytes,
    matches,
    request,
)
from drivers.dlt645.ghosts import Ghosts, Key
from drivers.dlt645.question import (
    FUNCTION,
    Reply,
    Timing,
    answers,
    read_key,
    shown,
)
from drivers.dlt645.refusals import ERRORS, named
from drivers.dlt645.stats import MeterStats, Tally
from drivers.dlt645.timekeeping import TimeKeeper, broadcast_data, local_time
from drivers.errors import (
    BadFrameError,
    PointUnsupportedError,
    ProfileError,
    ResponseTimeoutError,
    UnprovableError,
)
from drivers.profiles.dlt645_items import edition_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from drivers.byte_line import Exchanged, Take

QUIET_S = 0.02
"""Silence between an answer and the next question."""
HOLD_S = 0.5
"""A question waits so long for its item to be free; longer, and it is not asked."""
USUAL_S = 0.5
"""A meter answers within it, by descriptions of the standard."""
NEED_TIMES = 1.5
MOST_FRAMES = 16
MOST_BYTES = 2048
"""Of one item that comes in several frames."""
_MOST_OTHERS = 16
_MOST_MORE = 16
"""Answers to one question that are looked at."""


class Dlt645Line:
    """A serial line or a terminal server with DL/T 645 meters behind it."""

    def __init__(self, wire: ByteLine, *, may_set_time: bool = False) -> None:
        """Wrap a line; nothing is opened yet.

        Args:
            wire: What carries bytes.
            may_set_time: The site file's explicit leave to broadcast the time.
        """
        self.wire = wire
        self.may_set_time = may_set_time
        self.timekeeper = TimeKeeper()
        self.now: Callable[[], datetime | None] = lambda: None
        """The local time, without a zone; None while nobody vouches for it."""
        self.ghosts = Ghosts()
        self._tallies: dict[str, Tally] = {}
        self._idle = bytearray()
        self._asking = ""
        self._sent = b""
        """The question that is open, as it stands on the wire."""
        self._others: dict[tuple[str, int, bytes], float] = {}
        """What another master asked lately, and when."""
        self._open: Key | None = None
        """The question whose answer is looked at, see ``_no_repetition``."""
        self._more: list[Frame] = []
        """What else answers it."""
        wire.on_idle = self._overheard

    def use_clock(self, utc_ms: Callable[[], int | None]) -> None:
        """Take the gateway's clock: UTC ms, None while nobody vouches for it."""

        def now() -> datetime | None:
            told = utc_ms()
            return None if told is None else local_time(told)

        self.now = now

    @property
    def name(self) -> str:
        """As people know it: the port's path, or host:port."""
        return self.wire.name

    @property
    def char_s(self) -> float:
        """Seconds that a character spends on the wire."""
        return self.wire.char_s

    async def open(self) -> None:
        """Open it. Raises BusError with what to do."""
        self._idle.clear()
        await self.wire.open()

    async def close(self) -> None:
        """Close it; may be called twice."""
        await self.wire.close()

    def stats(self, address: str) -> MeterStats:
        """What became of the exchanges with one meter."""
        return self._tally(address).snapshot()

    def haunted(self, meter: str, di: str) -> bool:
        """Whether this item's answer could not be proved if it were asked soon."""
        now = asyncio.get_running_loop().time()
        return self.ghosts.free_at(read_key(meter, di), now) > now + HOLD_S

    # -- questions ----------------------------------------------------------

    async def exchange(
        self,
        meter: str,
        di: str,
        timing: Timing,
        *,
        size: int = 0,
        wait_s: float | None = None,
    ) -> Reply:
        """Read one item of one meter, with the frames that follow.

        Args:
            meter: Its address; AA.. for the only one of its line.
            di: The identifier, 8 hex digits, or 4 in the 1997 edition.
            timing: How long it may take.
            size: Bytes of data expected, for the time they spend on the wire.
            wait_s: Shortens the time-out.

        Raises:
            ResponseTimeoutError: Nothing came.
            BadFrameError: Bytes came, but no frame that answers.
            UnprovableError: Not asked: an earlier answer may still come.
            PointUnsupportedError: The meter refuses; ``reason`` is its error word's.
            BusError: The port is gone.
        """
        self.wire.check_connected()
        old = edition_of(di) == "1997"
        key = read_key(meter, di)
        await self._until_free(key)
        function = Function.READ_1997 if old else Function.READ
        asked = request(function, meter, key.what)
        frame, sent_at = await self._ask(key, asked, timing, size, wait_s)
        data = frame.data[len(key.what) :]
        frames, address = 1, frame.address
        while frame.control & MORE:
            self._tally(meter).add("following")
            # In 1997 a following frame has no number that could tell it from another.
            most = 2 if old else MOST_FRAMES
            if frames >= most or len(data) > MOST_BYTES:
                raise BadFrameError(
                    f"meter {meter}, {di}: more than {frames} frames, {len(data)} bytes"
                )
            seq = b"" if old else bytes((frames,))
            key = key._replace(function=function.value + 1, what=di_bytes(di) + seq)
            await self._until_free(key)
            follow = Function.FOLLOW_1997 if old else Function.FOLLOW
            asked = request(follow, meter, key.what)
            frame, _ = await self._ask(key, asked, timing, 200, wait_s)
            if frame.address != address:
                raise BadFrameError(
                    f"meter {meter}, {di}: begun by {address}, followed by"
                    f" {frame.address}"
                )
            at = len(di_bytes(di))
            data += frame.data[at : len(frame.data) - len(seq)]
            frames += 1
        return Reply(address, data, sent_at)

    async def broadcast_time(self, at: datetime) -> None:
        """Set the clocks of all meters on the line.

        Raises:
            ProfileError: The site file does not allow it.
            BusError: The port is gone.
        """
        if not self.may_set_time:
            raise ProfileError(
                f"{self.name}: the time is broadcast only with broadcast_time: true"
            )
        self.timekeeper.sent(at)
        asked = request(Function.BROADCAST_TIME, EVERY_METER, broadcast_data(at))
        try:
            # Nobody answers; the line is ours until the frame has left.
            await self.wire.exchange(
                asked, lambda _buffer: None, timeout_s=QUIET_S, quiet_s=QUIET_S
            )
        except ResponseTimeoutError:
            return

    # -- one question -------------------------------------------------------

    def _patience(self, meter: str, timing: Timing, wait_s: float | None) -> float:
        """The time-out: a probe of a silent meter may shorten it, not below need."""
        if wait_s is None:
            return timing.timeout_s
        usual = self.ghosts.largest_s(meter)
        need = NEED_TIMES * usual if usual else USUAL_S
        return min(timing.timeout_s, max(wait_s, need))

    async def _until_free(self, key: Key) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        wait_s = self.ghosts.free_at(key, now) - now
        if wait_s > HOLD_S:
            self._tally(key.meter).add("unprovable")
            raise UnprovableError(
                f"meter {key.meter}, {shown(key)}: an earlier answer may still come;"
                f" asked again in {wait_s:.1f} s"
            )
        if wait_s > 0:
            await asyncio.sleep(wait_s)

    async def _ask(
        self, key: Key, asked: bytes, timing: Timing, size: int, wait_s: float | None
    ) -> tuple[Frame, float]:
        """Send one frame and bring the frame that answers it."""
        loop = asyncio.get_running_loop()
        tally, finder = self._tally(key.meter), Finder()
        waited_s = self._patience(key.meter, timing, wait_s)

        def take(buffer: bytearray) -> Frame | None:
            while (frame := finder.find(buffer)) is not None:
                if answers(frame, key):
                    return frame
                self._heard(frame, loop.time())
            return None

        self.wire.check_connected()
        self._asking = key.meter
        self._sent = asked.lstrip(bytes((WAKE,)))
        self._open = key
        began = loop.time()
        answered = False
        try:
            exchanged = await self.wire.exchange(
                asked,
                take,
                timeout_s=waited_s,
                answer_bytes=PREAMBLE + OVERHEAD + len(key.what) + size,
                quiet_s=max(QUIET_S, timing.pause_s),
            )
            answered = True
        except ResponseTimeoutError as exc:
            damaged = finder.damaged
            tally.add("bad_frame" if damaged else "timeout")
            di = shown(key)
            if damaged:
                raise BadFrameError(
                    f"meter {key.meter}, {di}: an answer came damaged; check"
                    " speed and parity, the ends of the line, and that no two meters"
                    " have this address",
                    sent=exc.sent,
                    received=exc.received,
                ) from None
            raise ResponseTimeoutError(
                f"meter {key.meter}, {di}: no answer in {waited_s:.2f} s; check the"
                " address, A/B wiring and supply, speed and parity",
                sent=exc.sent,
                received=exc.received,
            ) from None
        finally:
            self._asking, self._sent = "", b""
            if not answered:
                # Also where the line broke or the task was stopped: the question
                # left, and its answer may come on the next connection.
                self.ghosts.lost(key, began, waited_s, timing.max_reply_s)
                self._open = None
        frame = exchanged.found
        took_s = loop.time() - exchanged.sent_at
        try:
            if self.ghosts.again(key, frame.raw, loop.time(), timing.timeout_s):
                frame = await self._no_repetition(key, frame, take, timing)
            elif self.ghosts.missed(key):
                await self._behind(take, self._ends(key, timing))
            self._no_other(key, frame, timing)
        finally:
            self._open = None
            for left in self._more:
                self._heard(left, loop.time())
            self._more.clear()
        if frame.control & REFUSED:
            self._refused(key, frame, exchanged, timing)
        tally.replied(took_s)
        self.ghosts.answered(key, loop.time(), took_s, frame.raw)
        return frame, exchanged.sent_at

    async def _no_repetition(
        self, key: Key, frame: Frame, take: Take[Frame], timing: Timing
    ) -> Frame:
        """This answer, or the one that comes behind it where this was a repetition.

        The one behind it may have come in the same piece, or begun in it.

        Raises:
            UnprovableError: Several came that were all said before.
        """
        loop = asyncio.get_running_loop()
        ends = self._ends(key, timing)
        came = {frame.raw}
        while await self._behind(take, ends):
            behind = self._more.pop(0)
            if not self.ghosts.again(key, behind.raw, loop.time(), timing.timeout_s):
                return behind
            came.add(behind.raw)
        if len(came) == 1:
            return frame  # it says the same once more
        self._tally(key.meter).add("unprovable")
        self.ghosts.lost(key, loop.time(), timing.timeout_s, timing.max_reply_s)
        raise UnprovableError(
            f"meter {key.meter}, {shown(key)}: several earlier answers came again",
            received=frame.raw,
        )

    def _ends(self, key: Key, timing: Timing) -> float:
        """Until when another answer is awaited: as long as this meter needs, mostly."""
        usual_s = NEED_TIMES * self.ghosts.largest_s(key.meter)
        # One answer that was very late must not slow every poll after it.
        wait_s = min(max(usual_s, QUIET_S), timing.timeout_s)
        return asyncio.get_running_loop().time() + wait_s

    async def _behind(self, take: Take[Frame], ends: float) -> bool:
        """Whether there is another answer, or one comes until then; see ``_more``."""
        left_s = ends - asyncio.get_running_loop().time()

        def also(buffer: bytearray) -> Frame | None:
            buffer[:0] = self._idle
            self._idle.clear()
            return take(buffer)

        if not self._more and left_s > 0:
            try:
                heard = await self.wire.exchange(b"", also, timeout_s=left_s)
            except ResponseTimeoutError:
                return False
            self._more.insert(0, heard.found)
        return bool(self._more)

    def _no_other(self, key: Key, frame: Frame, timing: Timing) -> None:
        """Raise where answers that say different things came at once.

        Raises:
            UnprovableError: One is an earlier question's, and nobody knows which.
        """
        now = asyncio.get_running_loop().time()
        for other in self._more:
            known = self.ghosts.again(key, other.raw, now, timing.timeout_s)
            if other.raw != frame.raw and not known:
                self._tally(key.meter).add("unprovable")
                self.ghosts.came(key, now)
                raise UnprovableError(
                    f"meter {key.meter}, {shown(key)}: several answers came at once",
                    received=frame.raw + other.raw,
                )

    def _refused(
        self,
        key: Key,
        frame: Frame,
        exchanged: Exchanged[Frame],
        timing: Timing,
    ) -> None:
        """Raise what an error answer says, if it is this question's for sure."""
        now = asyncio.get_running_loop().time()
        self._tally(key.meter).add("error")
        if self.ghosts.haunts(key.meter, now):
            self._tally(key.meter).add("unprovable")
            self.ghosts.lost(
                key, exchanged.sent_at, timing.timeout_s, timing.max_reply_s
            )
            raise UnprovableError(
                f"meter {key.meter}, {shown(key)}: an error answer that may belong to"
                " an earlier question",
                received=exchanged.received,
            )
        self.ghosts.answered(key, now, now - exchanged.sent_at)
        word = frame.data[0] if frame.data else 0
        old = key.function < Function.READ.value
        reason = ERRORS[0] if old else named(word)
        raise PointUnsupportedError(
            f"meter {key.meter}, {shown(key)}: error word {word:02X} ({reason})",
            reason=reason,
            received=exchanged.received,
        )

    # -- what else is heard -------------------------------------------------

    def _overheard(self, data: bytes) -> None:
        """Bytes came while nothing was asked."""
        self._idle += data
        now = asyncio.get_running_loop().time()
        finder = Finder()
        while (frame := finder.find(self._idle)) is not None:
            self._heard(frame, now)

    def _heard(self, frame: Frame, now: float) -> None:
        """A frame that answers nothing that is asked now, or stands behind one."""
        asked = self._open
        if asked is not None and len(self._more) < _MOST_MORE and answers(frame, asked):
            self._more.append(frame)
            return
        if not frame.from_meter:
            self._count(frame.address, "echo")
            if frame.raw != self._sent:
                self._asked_by_another(frame, now)
            return
        function = frame.control & FUNCTION
        ghost = None
        # The answer to another master's question is not the one we still wait for.
        if not frame.control & REFUSED and not self._for_another(frame, now):
            ghost = self.ghosts.heard(frame.address, function, frame.data, now)
        if ghost is not None:
            self._count(ghost.meter, "late_discarded")
        elif self._asking and not matches(self._asking, frame.address):
            self._count(self._asking, "foreign")
        else:
            self._count(frame.address, "unexpected")

    def _asked_by_another(self, frame: Frame, now: float) -> None:
        key = frame.address, frame.control & FUNCTION, frame.data
        self._others.pop(key, None)
        self._others[key] = now
        while len(self._others) > _MOST_OTHERS:
            del self._others[next(iter(self._others))]

    def _for_another(self, frame: Frame, now: float) -> bool:
        """Whether another master asked for this just now; it is answered then."""
        for key, asked_at in self._others.items():
            address, function, data = key
            if (
                matches(address, frame.address)
                and function == frame.control & FUNCTION
                and frame.data.startswith(data[:4])
            ):
                del self._others[key]
                return now - asked_at < USUAL_S * 2
        return False

    def _count(self, meter: str, what: str) -> None:
        """Count for a meter we ask; others have no tally."""
        tally = self._tallies.get(meter) or self._tallies.get(self._asking)
        if tally is None and ANY_METER in self._tallies:
            tally = self._tallies[ANY_METER]
        if tally is not None:
            tally.add(what)

    def _tally(self, meter: str) -> Tally:
        return self._tallies.setdefault(meter, Tally())


def serial(
    device: str, baud: int, framing: str, *, may_set_time: bool = False
) -> Dlt645Line:
    """The line behind a serial port; nothing is opened yet."""
    return Dlt645Line(serial_line(device, baud, framing), may_set_time=may_set_time)


def tcp(host: str, port: int, *, may_set_time: bool = False) -> Dlt645Line:
    """The line behind a terminal server; nothing is opened yet."""
    return Dlt645Line(tcp_line(host, port), may_set_time=may_set_time)
