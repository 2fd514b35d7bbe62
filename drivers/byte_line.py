"""A line that carries bytes, serial or TCP: ask and be answered, or listen.

One exchange at a time. What makes bytes an answer is the caller's to say (``take``);
the line sees to it that nothing heard before the request can become one: it drains
before it asks, waits for silence after a time-out, and hands on what comes unasked.
Modbus has a line of its own (``drivers.modbus.line``): its answers carry no proof in
themselves.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, cast

from drivers.errors import BusError, ResponseTimeoutError
from drivers.port import cannot_open
from drivers.serial_port import open_serial
from drivers.tcp_port import open_tcp

if TYPE_CHECKING:
    from collections.abc import Callable

    OpenStream = Callable[[Callable[[], asyncio.Protocol]], Any]
    """Given a protocol factory: a transport, or an awaitable of one. Raises OSError."""
    Take = Callable[[bytearray], "T | None"]

T = TypeVar("T")

HEARD_BYTES = 4096
"""Kept of one exchange for the person who must find a mistake."""
QUIET_S = 0.02
QUIET_AT_MOST_S = 0.1


class Exchanged(NamedTuple, Generic[T]):
    """What an exchange brought."""

    found: T
    sent_at: float
    """Loop time when the request left."""
    received: bytes


class ByteLine:
    """One serial line or TCP connection; stays in use across reconnects."""

    def __init__(
        self, name: str, open_stream: OpenStream, *, char_s: float = 0.0
    ) -> None:
        """Name it; nothing is opened yet.

        Args:
            name: As people know it: the port's path, or host:port.
            open_stream: Opens it.
            char_s: Seconds that a character spends on the wire; 0: no time at all.
        """
        self.name = name
        self.char_s = char_s
        self.on_idle: Callable[[bytes], None] = lambda _data: None
        """Told of bytes that came while nothing was asked."""
        self._open_stream = open_stream
        self._stream: _Stream | None = None
        self._ending = "not opened"
        self._turn = asyncio.Lock()
        self._waiter: asyncio.Future[Any] | None = None
        self._take: Take[Any] | None = None
        self._buffer = bytearray()
        self._heard = bytearray()
        self._last_byte = 0.0
        self._timed_out_at = 0.0

    @property
    def connected(self) -> bool:
        """Whether bytes can travel."""
        return self._stream is not None and self._stream.transport is not None

    async def open(self) -> None:
        """Open it.

        Raises:
            BusError: There is no such port, or nobody answers there.
        """
        await self.close()
        stream = _Stream(self)
        try:
            opened = self._open_stream(lambda: stream)
            if inspect.isawaitable(opened):
                await opened
        except OSError as exc:
            raise cannot_open(self.name, exc) from exc

    async def close(self) -> None:
        """Close it; may be called twice."""
        stream = self._stream
        if stream is not None:
            self._lost(stream, ConnectionError("closed here"))
            if stream.transport is not None:
                stream.transport.abort()

    def check_connected(self) -> None:
        """Raise BusError when the connection is gone."""
        if not self.connected:
            raise BusError(f"{self.name}: the connection is gone ({self._ending})")

    def send(self, data: bytes) -> None:
        """Send without expecting an answer.

        Raises:
            BusError: The connection is gone.
        """
        self.check_connected()
        assert self._stream is not None  # noqa: S101 it is connected
        assert self._stream.transport is not None  # noqa: S101
        self._stream.transport.write(data)

    async def exchange(
        self,
        request: bytes,
        take: Take[T],
        *,
        timeout_s: float,
        answer_bytes: int = 0,
        quiet_s: float = 0.0,
    ) -> Exchanged[T]:
        """Send a request and bring what answers it.

        Args:
            request: The bytes to send; none: only listen.
            take: Called with all that came since the request, each time some came;
                returns what answers it, or None to wait on. It may delete from the
                front what cannot be part of an answer, and may raise a DriverError,
                which ends the exchange.
            timeout_s: Beside the time that request and answer spend on the wire.
            answer_bytes: How long the answer is, about; for its time on the wire.
            quiet_s: Silence wanted before the request.

        Raises:
            ResponseTimeoutError: Nothing answered; it holds the bytes that came.
            BusError: The connection ended.
        """
        async with self._turn:
            loop = asyncio.get_running_loop()
            await self._silence(loop, quiet_s)
            self._buffer.clear()
            self._heard.clear()
            self._take = take
            waiter: asyncio.Future[T | None] = loop.create_future()
            self._waiter = waiter
            sent_at = loop.time()
            try:
                if request:
                    self.send(request)
                else:
                    self.check_connected()
                wire_s = (len(request) + answer_bytes) * self.char_s
                timer = loop.call_at(sent_at + wire_s + timeout_s, _expire, waiter)
                try:
                    found = await waiter
                finally:
                    timer.cancel()
            finally:
                self._waiter = None
            if found is None:
                self._timed_out_at = loop.time()
                raise ResponseTimeoutError(
                    f"{self.name}: no usable answer in {timeout_s:.2f} s",
                    sent=request,
                    received=bytes(self._heard),
                )
            return Exchanged(found, sent_at, bytes(self._heard))

    async def _silence(self, loop: asyncio.AbstractEventLoop, quiet_s: float) -> None:
        """Until the line is quiet: longer after a time-out, but not for ever."""
        since, ends = 0.0, loop.time() + max(QUIET_AT_MOST_S, 2 * quiet_s)
        if self._timed_out_at:
            since, quiet_s = self._timed_out_at, max(quiet_s, QUIET_S)
            self._timed_out_at = 0.0
        while True:
            now = loop.time()
            until = min(max(self._last_byte, since) + quiet_s, ends)
            if until <= now:
                return
            await asyncio.sleep(until - now)

    def _received(self, stream: _Stream, data: bytes) -> None:
        if stream is not self._stream:
            return
        self._last_byte = asyncio.get_running_loop().time()
        waiter = self._waiter
        if waiter is None or waiter.done():
            self.on_idle(data)
            return
        if len(self._heard) < HEARD_BYTES:
            self._heard += data[: HEARD_BYTES - len(self._heard)]
        self._buffer += data
        assert self._take is not None  # noqa: S101 set before sending
        try:
            found = self._take(self._buffer)
        except Exception as exc:  # noqa: BLE001 - the asking task must see it, bug or not
            waiter.set_exception(exc)
            return
        if found is not None:
            waiter.set_result(found)
            if self._buffer:
                self.on_idle(bytes(self._buffer))

    def _made(self, stream: _Stream) -> None:
        self._stream = stream

    def _lost(self, stream: _Stream, exc: Exception | None) -> None:
        if stream is not self._stream:
            return
        self._stream = None
        self._ending = str(exc or "closed by the other side")
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_exception(
                BusError(
                    f"{self.name}: the connection ended ({self._ending})",
                    received=bytes(self._heard),
                )
            )


class _Stream(asyncio.Protocol):
    """One connection of a line; a line that moved on no longer listens to it."""

    def __init__(self, line: ByteLine) -> None:
        self._line = line
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._line._made(self)  # noqa: SLF001 - two halves of one thing

    def data_received(self, data: bytes) -> None:
        self._line._received(self, data)  # noqa: SLF001

    def connection_lost(self, exc: Exception | None) -> None:
        self._line._lost(self, exc)  # noqa: SLF001


def serial_line(device: str, baud: int, framing: str) -> ByteLine:
    """The line behind a serial port; nothing is opened yet."""
    bits = 2 + int(framing[0]) - (framing[1] == "N") + int(framing[2])
    return ByteLine(
        device,
        lambda factory: open_serial(device, baud, framing, factory),
        char_s=bits / baud,
    )


def tcp_line(host: str, port: int) -> ByteLine:
    """The line behind a TCP endpoint, such as a terminal server."""
    return ByteLine(f"{host}:{port}", lambda factory: open_tcp(host, port, factory))


def _expire(waiter: asyncio.Future[Any]) -> None:
    if not waiter.done():
        waiter.set_result(None)
