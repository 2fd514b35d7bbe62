"""Our own engine: one request out, the proved answer in, on any byte stream.

No task, no stream reader and no ``asyncio.timeout`` per exchange: a future, one timer,
and the answer is found where the bytes arrive. :class:`OwnBus` holds what a serial line
and a TCP connection share; they differ in framing and in what a silent line means.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, cast

from drivers.errors import BadFrameError, BusError, ResponseTimeoutError
from drivers.modbus.bus import Answer, Peer, ProvedBus
from drivers.modbus.diagnosis import hexed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivers.modbus.transaction import Timing
    from drivers.modbus.wire import Heard, Request

BUFFER = 512
"""Bytes kept while searching: twice the longest frame. Noise beyond it is forgotten.
(ASCII frames are twice as long: see ``_keep``.)"""


LONGEST = 260
"""Bytes of the longest frame, over TCP; no shorter one of RTU needs more."""


class Link(asyncio.Protocol):
    """One connection of a bus; a bus that moved on no longer listens to it."""

    __slots__ = ("bus", "transport")

    def __init__(self, bus: OwnBus) -> None:
        self.bus = bus
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; the bus listens from the first byte on."""
        self.bus.link = self
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Hand bytes on."""
        if self.bus.link is self:
            self.bus.received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand the end on."""
        if self.bus.link is self:
            self.bus.lost(exc)


class OwnBus(ProvedBus):
    """The exchange; subclasses frame it (``_encode``, ``_walk``) and open the port."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.link: Link | None = None
        self._keep = BUFFER
        self._longest = LONGEST
        self._ending = "not opened"
        self._buffer = bytearray()
        self._heard = b""
        self._waiter: asyncio.Future[Answer | None] | None = None
        self._open: tuple[Peer, Request, bytes] | None = None
        self._head = b""
        self._length = 0
        self._body = slice(0, 0)
        self._error_head = b""
        self._error_length = self._error_code = 0
        self._direct = True
        self._unexplained = False
        self._earliest = 0.0
        self._since = 0
        self._checked = False
        """Whether answers carry our request's number."""
        self._doubted: int | None = None
        self._doubted_at = 0.0
        self._last_byte = 0.0
        self._timed_out_at = 0.0
        self._wire_s = 0.0

    # -- what subclasses say ----------------------------------------------------

    @abstractmethod
    def _encode(self, peer: Peer, request: Request, timing: Timing) -> bytes:
        """Frame a request; says what its answer looks like.

        Sets ``_head``, ``_length`` and ``_body`` (the data in its content),
        ``_error_head``, ``_error_length`` and ``_error_code`` (its offset in the
        content, see ``_content``), ``_wire_s`` (what request
        and answer spend on the wire), ``_earliest`` (relative to sending: no answer can
        have begun before) and ``_direct`` (no echo can look like an answer).
        """

    @abstractmethod
    def _find(self, head: bytes, length: int) -> int:
        """Offset of a complete acceptable frame in the buffer, or -1."""

    @abstractmethod
    def _walk(self, data: bytes | bytearray) -> Iterator[Heard]:
        """All complete answers in some bytes."""

    @abstractmethod
    def _is_open(self, heard: Heard) -> bool:
        """Whether this frame has what it takes to answer the open request."""

    @abstractmethod
    def _advice(self, peer: Peer, received: bytes) -> str:
        """What a person should look at when no answer was usable."""

    def _content(self, frame: bytes) -> bytes:
        """What an acceptable frame says; most say it in their own bytes."""
        return frame

    def _why_ended(self) -> str:
        """What to look at when the connection ends under a request; or nothing."""
        return ""

    async def _ready(self, peer: Peer, timing: Timing) -> None:
        """Wait until the unit (and the line) may be asked."""
        wait = peer.last_end + timing.pause_s - self._running().time()
        if timing.pause_s and wait > 0:
            await asyncio.sleep(wait)

    def _check_connected(self) -> None:
        if self.link is None or self.link.transport is None:
            raise BusError(f"{self.name}: the connection is gone ({self._ending})")

    def _drain(self) -> None:
        """Discard what the port holds unread."""

    def _part_came(self, missing: int) -> None:
        """Some of the answer is here, ``missing`` bytes are not."""

    # -- one exchange -------------------------------------------------------------

    async def _ask(
        self, peer: Peer, request: Request, timing: Timing, timeout_s: float
    ) -> Answer:
        loop = self._running()
        await self._ready(peer, timing)
        self._check_connected()
        transport = self.link.transport if self.link is not None else None
        assert transport is not None  # noqa: S101 it is connected
        frame = self._encode(peer, request, timing)
        self._drain()
        self._buffer.clear()
        self._heard = b""
        self._since = 0
        self._doubted = None
        self._unexplained = False
        self._open = peer, request, frame
        waiter: asyncio.Future[Answer | None] = loop.create_future()
        self._waiter = waiter
        self._sent_at = sent_at = loop.time()
        self._earliest += sent_at
        transport.write(frame)
        timer = loop.call_at(sent_at + self._wire_s + timeout_s, _expire, waiter)
        try:
            answer = await waiter
        finally:
            timer.cancel()
            self._waiter = None
        came_at = loop.time()
        if answer is None:
            answer = self._expired(came_at, timeout_s)
            # Held to the deadline by us, not by the device: it teaches its own time.
            came_at = self._doubted_at
        self._reply_s = max(0.0, came_at - sent_at - self._wire_s)
        if self._buffer:
            self._discard(loop.time())
        return answer

    def received(self, data: bytes) -> None:
        """Bytes arrived on the open connection."""
        waiter, buffer = self._waiter, self._buffer
        if waiter is None or waiter.done():
            self._idle(data)
            return
        whole = not buffer and self._direct and len(data) == self._length
        buffer += data
        if whole and data.startswith(self._head):
            now = self._running().time()
            if now >= self._earliest and self._find(self._head, self._length) == 0:
                buffer.clear()
                self._last_byte = now
                frame = self._open[2] if self._open else b""
                body = self._content(data)[self._body]
                waiter.set_result(Answer(body, 0, frame, data))
                return
        self._search(waiter, data)

    def _search(self, waiter: asyncio.Future[Answer | None], data: bytes) -> None:
        """The long way: pieces, noise, echoes, exceptions, frames of others."""
        now = self._last_byte = self._running().time()
        buffer = self._buffer
        keep = self._keep
        if len(self._heard) < keep:
            self._heard += data[: keep - len(self._heard)]
        if now < self._earliest:
            # It began before the request had left the wire: not an answer to it.
            self._since = len(buffer)
        self._strip_echo()
        at = self._find(self._head, self._length)
        if at >= 0:
            body = self._content(self._taken(at, self._length, now))[self._body]
            waiter.set_result(self._answer(body))
            return
        if buffer.find(self._error_head, self._since) >= 0:
            self._meet_exception(waiter, now)
            if waiter.done():
                return
        if len(buffer) > keep:
            cut = len(buffer) - keep
            del buffer[:cut]
            self._since = max(0, self._since - cut)
        self._discard(now)
        if buffer:
            self._part_came(self._length - len(buffer))

    def _meet_exception(
        self, waiter: asyncio.Future[Answer | None], now: float
    ) -> None:
        """An exception that answers the open request, unless it may be another's."""
        at = self._find(self._error_head, self._error_length)
        if at < 0 or self._open is None:
            return
        peer, request, _ = self._open
        frame = self._taken(at, self._error_length, now)
        code = self._content(frame)[self._error_code]
        if not code:
            self._unexplained = True  # there is no such exception
        elif peer.proof.doubtful(request.function, code, now, self._checked):
            # Something better may still come; at the deadline it is believed, or not.
            self._doubted, self._doubted_at = code, now
        else:
            waiter.set_result(self._answer(b"", code))

    def _taken(self, at: int, length: int, now: float) -> bytes:
        """A frame, out of the buffer with all before it.

        What stood on either side of a frame never becomes one.
        """
        before = bytes(self._buffer[:at])
        frame = bytes(self._buffer[at : at + length])
        del self._buffer[: at + length]
        self._since = max(0, self._since - at - length)
        end = 0
        for heard in self._walk(before):
            end = heard.end
            if not self._discarded(heard, now, repeat=self._is_open(heard)):
                self._unexplained = True
        self._unexplained |= end < len(before)
        return frame

    def _strip_echo(self) -> None:
        """Remove our own request where the line echoes it."""

    def _answer(self, data: bytes, exception: int = 0) -> Answer:
        frame = self._open[2] if self._open else b""
        return Answer(data, exception, frame, self._heard)

    def _expired(self, now: float, timeout_s: float) -> Answer:
        """The deadline passed: believe a doubted exception, or say what came instead.

        Raises:
            ResponseTimeoutError: Nothing came, or only answers to earlier requests.
            BadFrameError: Bytes came that prove nothing.
        """
        assert self._open is not None  # noqa: S101 set before sending
        peer, request, frame = self._open
        if self._doubted is not None:
            if not peer.proof.haunted(request.function, now):
                return self._answer(b"", self._doubted)
            self._muddled = True
        self._timed_out_at = now
        received = self._heard
        what = f"{self.name}, unit {peer.unit}"
        error: ResponseTimeoutError | BadFrameError
        if not self._buffer and not self._unexplained and self._doubted is None:
            alone = frame if received == frame else b""  # nothing but our own echo
            error = ResponseTimeoutError(
                f"{what}: no answer in {timeout_s:.2f} s to {hexed(frame)}"
                f"{_beside(received)}; {self._advice(peer, alone)}",
                sent=frame,
                received=received,
            )
        else:
            error = BadFrameError(
                f"{what}: expected an answer to {hexed(frame)}, got {hexed(received)}"
                f" in {timeout_s:.2f} s; {self._advice(peer, received)}",
                sent=frame,
                received=received,
            )
        raise error

    # -- bytes that answer nothing open ----------------------------------------------

    def _idle(self, data: bytes) -> None:
        """Bytes without an open request: late answers, repeats, other talkers."""
        self._last_byte = now = self._running().time()
        self._buffer += data
        # First, so that a flood costs no more than a search of that much.
        del self._buffer[: -self._keep]
        self._discard(now)

    def _discard(self, now: float) -> None:
        """Take whole answers out of the buffer and say whose they were."""
        buffer, waiting = self._buffer, self._waiter is not None
        end = 0
        for heard in self._walk(buffer):
            if waiting and heard.start >= self._since and self._is_open(heard):
                break
            end = heard.end
            if not self._discarded(heard, now, repeat=self._is_open(heard)):
                self._unexplained = True
        # What begins before the longest frame's length is decided: never walked again.
        decided = len(buffer) - self._longest
        if decided > end:
            self._unexplained = True
            end = decided
        if end:
            del buffer[:end]
            self._since = max(0, self._since - end)

    def lost(self, exc: Exception | None) -> None:
        """The connection ended under us."""
        self.link = None
        self._ending = str(exc or "closed by the other side")
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            frame = self._open[2] if self._open else b""
            told = f"{self.name}: the connection ended ({self._ending})"
            waiter.set_exception(
                BusError(
                    told + self._why_ended(),
                    sent=frame,
                    received=self._heard,
                )
            )

    async def close(self) -> None:
        """Close the connection; may be called twice."""
        link = self.link
        if link is not None:
            self.lost(ConnectionError("closed here"))
        if link is not None and link.transport is not None:
            link.transport.abort()


def _expire(waiter: asyncio.Future[Any]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _beside(received: bytes) -> str:
    if not received:
        return ""
    return f" (only answers to earlier requests or to others came: {hexed(received)})"
