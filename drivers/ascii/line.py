"""A line of ASCII instruments: one question at a time, an ear for what comes unasked.

Everything that comes goes through one :class:`Framer` a kind of frame, also between
questions: so a message that began before a question left is never its answer, a late
answer is recognised whenever it comes, and instruments that speak unasked may share the
line with those that are asked. What answers, and what might be an earlier question's
answer, is judged by ``expect`` and ``doubts``.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from drivers.ascii.doubts import Doubt, Doubts
from drivers.ascii.expect import Answered, Refused
from drivers.ascii.framing import Framer
from drivers.ascii.stats import AsciiStats, Tally
from drivers.byte_line import QUIET_S, serial_line, tcp_line
from drivers.errors import (
    BadFrameError,
    BusError,
    PointError,
    PointUnsupportedError,
    ResponseTimeoutError,
    UnprovableError,
)
from drivers.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from drivers.ascii.expect import Expect
    from drivers.ascii.framing import Message
    from drivers.byte_line import ByteLine
    from drivers.profiles.dialogue import Frame

AGAIN_TIMES_TIMEOUT: Final = 2.0
AGAIN_LEAST_S: Final = 0.2
AGAIN_MOST_S: Final = 1.0
"""What a buffer repeats, it repeats soon."""
NEED_TIMES: Final = 1.5
_SEEN_BYTES: Final = 4096
_UNSUPPORTED: Final = "unsupported"


class Timing(NamedTuple):
    """How long an instrument may take."""

    timeout_s: float
    pause_s: float = 0.0
    """Silence it wants before a question."""
    max_reply_s: float = 0.0
    """The latest that an answer may still come, as its maker states."""


class Question(NamedTuple):
    """What is sent, and what answers it."""

    who: Hashable
    """The device's address: whose counts and reply times these are."""
    steps: tuple[tuple[bytes, bytes], ...]
    """What to send, and what to wait for until the next; the last one asks."""
    expect: Expect
    timing: Timing


class Got(NamedTuple):
    """An answer."""

    answer: Answered
    sent_at: float
    """Loop time when the question left."""


class Listener(Protocol):
    """Who takes messages that come unasked."""

    @property
    def frames(self) -> tuple[Frame, ...]:
        """How they are framed."""
        ...

    def heard(self, message: Message) -> bool:
        """Take a message; whether it was one of this listener's."""
        ...


class _Open:
    """The question that is open."""

    __slots__ = ("began", "noise", "others", "question", "sent", "unusable")

    def __init__(self, question: Question, sent: bytes) -> None:
        self.question = question
        self.sent = sent.strip()
        self.began = -1.0
        """Loop time of the first byte after it left."""
        self.others = 0
        """Messages behind the answer that would have been one."""
        self.unusable = 0
        self.noise = False


class _Peer:
    """One instrument, older than any connection."""

    __slots__ = ("patience", "tally", "timeout_s")

    def __init__(self) -> None:
        self.patience = Patience()
        self.tally = Tally()
        self.timeout_s = 0.0


class AsciiLine:
    """A port; see ``drivers.port``. One object stays in use across reconnects."""

    def __init__(self, line: ByteLine) -> None:
        """Take a line of bytes; nothing is opened yet."""
        self._line = line
        self._line.on_idle = self._idle
        self._framers: dict[Frame, Framer] = {}
        self._doubts = Doubts()
        self._peers: dict[Hashable, _Peer] = {}
        self._listeners: weakref.WeakSet[Listener] = weakref.WeakSet()
        self._open: _Open | None = None
        self._unused = 0
        self.opened_s = 0.0
        """Loop time when it was opened last."""

    @property
    def name(self) -> str:
        """As people know it: the port's path, or host:port."""
        return self._line.name

    async def open(self) -> None:
        """Open it by its stable name.

        Raises:
            BusError: There is no such port, or nobody answers there.
        """
        for framer in self._framers.values():
            framer.reset()
        self.opened_s = asyncio.get_running_loop().time()
        await self._line.open()

    async def close(self) -> None:
        """Close it; may be called twice."""
        await self._line.close()

    def attend(self, frames: Iterable[Frame]) -> None:
        """Hear messages framed like this from now on, before the first question."""
        for frame in frames:
            self._framer(frame)

    def listen(self, listener: Listener) -> None:
        """Hand on what comes unasked, for as long as the listener is in use."""
        self._listeners.add(listener)
        self.attend(listener.frames)

    def ignore(self, listener: Listener) -> None:
        """Hand on nothing any more."""
        self._listeners.discard(listener)

    def stats(self, who: Hashable) -> AsciiStats:
        """The counts of one instrument."""
        peer = self._peers.get(who) or _Peer()
        patience = peer.patience
        return AsciiStats(
            **peer.tally.counts(),
            reply_p50_ms=_ms(patience.percentile(0.5)),
            reply_p95_ms=_ms(patience.percentile(0.95)),
            reply_p99_ms=_ms(patience.percentile(0.99)),
            reply_largest_ms=_ms(patience.largest_s),
            timeout_ms=_ms(peer.timeout_s),
            line_unused=self._unused,
            line_dropped=sum(framer.dropped for framer in self._framers.values()),
        )

    def tally(self, who: Hashable) -> Tally:
        """The counts of one instrument, for whoever listens to it."""
        return self._peer(who).tally

    def timeout_s(self, who: Hashable) -> float:
        """The time-out in force at the last question; 0: there was none."""
        return self._peer(who).timeout_s

    # -- asking -----------------------------------------------------------------

    async def exchange(self, question: Question, wait_s: float | None = None) -> Got:
        """Ask, and bring the answer that proves to be this question's.

        Args:
            question: What to ask.
            wait_s: Shortens the time-out.

        Raises:
            UnprovableError: Not asked, or not believed: an earlier answer is out that
                would look like this one.
            ResponseTimeoutError, BadFrameError: Nothing came, or no answer.
            PointError: The instrument says that it cannot answer.
            BusError: The connection is gone.
        """
        loop = asyncio.get_running_loop()
        peer, expect = self._peer(question.who), question.expect
        timing = question.timing
        self._framer(expect.frame)
        self._line.check_connected()
        self._doubts.expire(loop.time())
        held = self._doubts.held(expect, loop.time())
        if held is not None and held.lost:
            peer.tally.unprovable += 1
            raise _held_back(held, question, loop.time())
        if held is not None:
            await asyncio.sleep(max(0.0, held.until - loop.time()))
        timeout_s = peer.patience.timeout_s(timing.timeout_s)
        peer.timeout_s = timeout_s = min(timeout_s, wait_s or timeout_s)
        # A menu may be slower than the answers whose time was learned.
        step_s = min(timing.timeout_s, wait_s or timing.timeout_s)
        for sent, until in question.steps[:-1]:
            try:
                await self._step(sent, until, step_s, timing.pause_s)
            except ResponseTimeoutError:
                peer.tally.timeout += 1
                raise
        return await self._ask(question, peer, timeout_s)

    async def _step(
        self, sent: bytes, until: bytes, timeout_s: float, pause_s: float
    ) -> None:
        """Send something, and wait until the instrument has said what it should."""
        if not until:
            self._line.send(sent)
            return
        seen = bytearray()

        def take(buffer: bytearray) -> bool | None:
            data = bytes(buffer)
            buffer.clear()
            self._hear(data)
            seen.extend(data)
            there = until in seen
            del seen[: max(0, len(seen) - _SEEN_BYTES)]
            return True if there else None

        await self._line.exchange(sent, take, timeout_s=timeout_s, quiet_s=pause_s)

    async def _ask(self, question: Question, peer: _Peer, timeout_s: float) -> Got:
        loop = asyncio.get_running_loop()
        sent = question.steps[-1][0]
        question.expect.asked()
        for framer in self._framers.values():
            framer.split(loop.time(), question.expect.prompts)
        asked = self._open = _Open(question, sent)
        asked_at = loop.time()
        gap = bool(question.expect.frame.gap_s)

        def take(buffer: bytearray) -> Answered | bool | None:
            data = bytes(buffer)
            buffer.clear()
            if asked.began < 0:
                asked.began = loop.time()
            found = self._hear(data)
            return True if gap and found is None else found

        try:
            exchanged = await self._line.exchange(
                sent,
                take,
                timeout_s=timeout_s,
                quiet_s=question.timing.pause_s,
            )
            found = (
                exchanged.found
                if isinstance(exchanged.found, Answered)
                else await self._until_silent(question)
            )
            came_at = loop.time()
            if self._doubts.missed(question.expect):
                await self._alone(asked, peer, timeout_s)
        except ResponseTimeoutError as exc:
            peer.patience.silent()
            unusable = bool(exc.received.strip())
            self._lose(question, peer, asked_at, timeout_s, unusable=unusable)
            if unusable:
                peer.tally.bad_frame += 1
                raise BadFrameError(
                    f"{self.name}: no usable answer in {timeout_s:.2f} s, only"
                    f" {exc.received[:80]!r}; check baud rate, framing and profile",
                    sent=sent,
                    received=exc.received,
                ) from None
            peer.tally.timeout += 1
            raise
        except BusError:
            self._lose(question, peer, asked_at, timeout_s, reason="bus_gone")
            raise
        except UnprovableError:
            peer.tally.unprovable += 1
            self._lose(question, peer, asked_at, timeout_s, reason="unprovable")
            raise
        except PointError:
            peer.tally.refused += 1
            peer.patience.replied(loop.time() - asked_at)
            # It names no question: the answer to this one may come all the same.
            until = loop.time() + self._again_s(timeout_s)
            self._doubts.taken(
                Doubt(question.expect, question.who, asked_at, until, "")
            )
            raise
        finally:
            self._open = None
        now = loop.time()
        peer.patience.replied(came_at - exchanged.sent_at)
        peer.tally.good += 1
        self._doubts.taken(
            Doubt(
                question.expect,
                question.who,
                exchanged.sent_at,
                now + self._again_s(timeout_s),
                "",
            )
        )
        return Got(found, exchanged.sent_at)

    async def _alone(self, asked: _Open, peer: _Peer, timeout_s: float) -> None:
        """Whether the answer stays the only one: an earlier one may be before it.

        Raises:
            UnprovableError: Another one came behind it.
        """
        expect = asked.question.expect
        self._doubts.found(expect)
        usual_s = NEED_TIMES * peer.patience.percentile(0.99)

        def take(buffer: bytearray) -> bool | None:
            data = bytes(buffer)
            buffer.clear()
            return True if self._hear(data) is not None else None

        if not asked.others:
            wait_s = min(max(usual_s, QUIET_S), timeout_s)
            try:
                await self._line.exchange(b"", take, timeout_s=wait_s)
            except ResponseTimeoutError:
                return
        raise UnprovableError(
            f"{self.name}: several answers came at once", sent=asked.sent
        )

    async def _until_silent(self, question: Question) -> Answered:
        """Listen on until silence ends the message, for a time-out at most.

        Raises:
            ResponseTimeoutError: What came was no answer, or did not end.
        """
        framer = self._framer(question.expect.frame)
        gap_s = question.expect.frame.gap_s
        loop = asyncio.get_running_loop()
        ends = loop.time() + question.timing.timeout_s
        why = f"{self.name}: no silence ended what came"
        while loop.time() < ends:

            def more(buffer: bytearray) -> bool:
                self._hear(bytes(buffer))
                buffer.clear()
                return True

            try:
                await self._line.exchange(b"", more, timeout_s=gap_s)
            except ResponseTimeoutError as exc:
                for message in framer.silent(loop.time()):
                    found = self._message(question.expect.frame, message)
                    if found is not None:
                        return found
                why = str(exc)
                break
        raise ResponseTimeoutError(why, sent=question.steps[-1][0], received=b"?")

    def _lose(
        self,
        question: Question,
        peer: _Peer,
        sent_at: float,
        timeout_s: float,
        *,
        unusable: bool = False,
        reason: str = "",
    ) -> None:
        """The question stays open in our mind: its answer may still come."""
        life_s = peer.patience.ghost_s(timeout_s, question.timing.max_reply_s)
        why = reason or ("bad_frame" if unusable else "timeout")
        self._doubts.lost(
            Doubt(question.expect, question.who, sent_at, sent_at + life_s, why)
        )

    # -- hearing ------------------------------------------------------------------

    def _idle(self, data: bytes) -> None:
        """What came while nothing was asked."""
        self._hear(data)

    def _hear(self, data: bytes) -> Answered | None:
        """Take bytes; returns the answer to the open question, once it is there.

        Raises:
            DriverError: What came ends the question.
        """
        now = asyncio.get_running_loop().time()
        found: Answered | None = None
        ended: PointError | UnprovableError | None = None
        for frame, framer in tuple(self._framers.items()):
            for message in framer.feed(data, now):
                if found is not None or ended is not None:
                    asked = self._open
                    if asked is not None and asked.question.expect.accepts(message):
                        asked.others += 1
                    self._nobodys(frame, message, now)
                    continue
                try:
                    found = self._message(frame, message)
                except (PointError, UnprovableError) as exc:
                    ended = exc
        if ended is not None:
            raise ended
        return found

    def _message(self, frame: Frame, message: Message) -> Answered | None:
        """Whose message this is; returns it where it is the open question's."""
        now = asyncio.get_running_loop().time()
        asked = self._open
        if asked is None or frame != asked.question.expect.frame:
            self._nobodys(frame, message, now)
            return None
        if not 0 <= asked.began <= message.began or _echoed(message, asked.sent):
            self._nobodys(frame, message, now)
            return None
        verdict = asked.question.expect.judge(message)
        if verdict is None:
            self._nobodys(frame, message, now)
            return None
        if isinstance(verdict, Refused):
            kind = (
                PointUnsupportedError if verdict.reason == _UNSUPPORTED else PointError
            )
            raise kind(
                f"{self.name}: the instrument says {verdict.body[:80]!r}",
                reason=verdict.reason,
                sent=asked.sent,
                received=verdict.body,
            )
        doubt = self._doubts.claims(message, now)
        if doubt is None:
            return verdict
        self._late(message, now)
        raise UnprovableError(
            f"{self.name}: {verdict.body[:80]!r} could answer an earlier question",
            sent=asked.sent,
            received=verdict.body,
        )

    def _nobodys(self, frame: Frame, message: Message, now: float) -> None:
        """A message that answers no open question: late, unasked, or of no use."""
        if self._late(message, now):
            return
        used = False
        for listener in tuple(self._listeners):
            if frame in listener.frames:
                used = listener.heard(message) or used
        self._unused += not used

    def _late(self, message: Message, now: float) -> bool:
        doubt = self._doubts.arrived(message, now, AGAIN_MOST_S)
        if doubt is None:
            return False
        peer = self._peer(doubt.who)
        peer.tally.late_discarded += 1
        peer.patience.late(now - doubt.sent_at)
        return True

    # -- inside -------------------------------------------------------------------

    @staticmethod
    def _again_s(timeout_s: float) -> float:
        return min(AGAIN_MOST_S, max(AGAIN_LEAST_S, AGAIN_TIMES_TIMEOUT * timeout_s))

    def _framer(self, frame: Frame) -> Framer:
        framer = self._framers.get(frame)
        if framer is None:
            framer = self._framers[frame] = Framer(frame)
        return framer

    def _peer(self, who: Hashable) -> _Peer:
        peer = self._peers.get(who)
        if peer is None:
            peer = self._peers[who] = _Peer()
        return peer

    async def wait_for(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Listen until what was waited for has come, or the time is over.

        Raises:
            BusError: The connection is gone.
        """

        def take(buffer: bytearray) -> bool | None:
            data = bytes(buffer)
            buffer.clear()
            self._hear(data)
            return True if ready() else None

        self._line.check_connected()
        if ready():
            return
        try:
            await self._line.exchange(b"", take, timeout_s=timeout_s)
        except ResponseTimeoutError:
            self.end_gaps()

    def end_gaps(self) -> None:
        """Take the messages that silence has ended by now."""
        now = asyncio.get_running_loop().time()
        for frame, framer in tuple(self._framers.items()):
            for message in framer.silent(now):
                self._nobodys(frame, message, now)


def serial_ascii(device: str, baud: int, framing: str) -> AsciiLine:
    """The line behind a serial port; nothing is opened yet."""
    return AsciiLine(serial_line(device, baud, framing))


def tcp_ascii(host: str, port: int) -> AsciiLine:
    """The line behind a TCP endpoint, an instrument's or a terminal server's."""
    return AsciiLine(tcp_line(host, port))


def _echoed(message: Message, sent: bytes) -> bool:
    framed = message.framed
    whole = framed.start + framed.body + framed.end + framed.tail
    return sent in (whole.strip(), framed.body.strip())


def _held_back(doubt: Doubt, question: Question, now: float) -> UnprovableError:
    left = doubt.until - now
    same = doubt.who == question.who and doubt.expect.ask.name == (
        question.expect.ask.name
    )
    error = UnprovableError(
        "not asked: the answer to an earlier question may come for another"
        f" {left:.1f} s and would look like this one's"
    )
    if same:
        # Its own question is still open: that is the reason, and stays it.
        error.reason = doubt.reason
    return error


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
