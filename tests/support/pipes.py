"""In-memory connections and serial lines for the virtual loop.

Two ends of a pipe are transports as asyncio knows them. What one end writes reaches
the other's protocol by ``call_soon`` in order, or paced in virtual time by latency and
bit rate.
"""

from __future__ import annotations

import asyncio
import errno
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_FIRST_PORT = 40_000


class Pace(NamedTuple):
    """How bytes travel in one direction."""

    latency_s: float = 0.0
    bytes_per_s: float = 0.0
    """0 = as many as one likes."""
    lump: int = 0
    """Largest piece delivered at once; 0 = each write arrives whole, at its end."""


UNPACED = Pace()


def serial_pace(baud: int, bits: int = 11, lump: int = 0) -> Pace:
    """The pace of a serial line: ``bits`` on the wire for each byte."""
    return Pace(bytes_per_s=baud / bits, lump=lump)


class PipeTransport(asyncio.Transport):
    """One end of a pipe."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        pace: Pace = UNPACED,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(extra)
        self._loop = loop
        self._pace = pace
        self._protocol: Any = None
        self._peer: PipeTransport | None = None
        self._closing = False
        self._lost = False
        self._reading = True
        self._inbox: deque[bytes | None] = deque()
        self._wire: deque[tuple[float, bytes | None]] = deque()
        self._wire_free = 0.0
        self._wire_timer: asyncio.Handle | None = None
        self._delivery: asyncio.Handle | None = None
        self.sent = 0
        """Bytes written on this end."""

    # -- asyncio.Transport --------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send; the other end gets it in a later turn of the loop."""
        if self._closing or self._lost or not data:
            return
        self.sent += len(data)
        self._put(bytes(data))

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        """Send several pieces as one."""
        self.write(b"".join(list_of_data))

    def write_eof(self) -> None:
        """Say that nothing more will come."""
        self._put(None)

    def can_write_eof(self) -> bool:
        """It can."""
        return True

    def close(self) -> None:
        """Close after what was written has been delivered."""
        if self._closing:
            return
        self._closing = True
        self._put(None)
        self._loop.call_soon(self._lose, None)

    def abort(self) -> None:
        """Close at once; bytes on the way are lost."""
        self.fail(None)

    def is_closing(self) -> bool:
        """Whether close or a loss has begun."""
        return self._closing

    def pause_reading(self) -> None:
        """Hold what arrives."""
        self._reading = False

    def resume_reading(self) -> None:
        """Deliver what was held."""
        self._reading = True
        self._schedule_delivery()

    def is_reading(self) -> bool:
        """Whether bytes are delivered."""
        return self._reading and not self._closing

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Who gets the bytes."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Who gets the bytes."""
        return cast("asyncio.BaseProtocol", self._protocol)

    def set_write_buffer_limits(
        self, high: int | None = None, low: int | None = None
    ) -> None:
        """The pipe has no limit."""

    def get_write_buffer_size(self) -> int:
        """Bytes still on the wire."""
        return sum(len(data) for _, data in self._wire if data)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """The pipe has no limit."""
        return (0, 1 << 30)

    # -- the test's hand ----------------------------------------------------

    def fail(self, exc: Exception | None) -> None:
        """This end breaks now (``exc``), the other sees the connection end."""
        if self._lost:
            return
        self._closing = True
        if self._wire_timer is not None:
            self._wire_timer.cancel()
        self._wire.clear()
        self._inbox.clear()
        self._loop.call_soon(self._lose, exc)
        peer = self._peer
        if peer is not None and not peer._lost:
            peer._inbox.append(None)
            peer._schedule_delivery()

    # -- inside -------------------------------------------------------------

    def _put(self, data: bytes | None) -> None:
        if self._pace == UNPACED and not self._wire:
            self._deliver_to_peer(data)
            return
        now = self._loop.time()
        rate, lump = self._pace.bytes_per_s, self._pace.lump or len(data or b"") or 1
        self._wire_free = max(self._wire_free, now)
        pieces = [None] if data is None else _cut(data, lump)
        for piece in pieces:
            if rate:
                self._wire_free += len(piece or b"") / rate
            self._wire.append((self._wire_free + self._pace.latency_s, piece))
        if self._wire_timer is None:
            self._arm()

    def _arm(self) -> None:
        self._wire_timer = (
            self._loop.call_at(self._wire[0][0], self._arrive) if self._wire else None
        )

    def _arrive(self) -> None:
        now = self._loop.time()
        while self._wire and self._wire[0][0] <= now:
            self._deliver_to_peer(self._wire.popleft()[1])
        self._arm()

    def _deliver_to_peer(self, data: bytes | None) -> None:
        peer = self._peer
        if peer is None or peer._lost:
            return
        peer._inbox.append(data)
        peer._schedule_delivery()

    def _schedule_delivery(self) -> None:
        if self._delivery is None and self._inbox and self._reading:
            self._delivery = self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        self._delivery = None
        while self._inbox and self._reading and not self._lost:
            data = self._inbox.popleft()
            if data is None:
                self._end_of_stream()
                return
            if not self._closing:
                self._protocol.data_received(data)

    def _end_of_stream(self) -> None:
        stay = not self._closing and self._protocol.eof_received()
        if not stay:
            self._closing = True
            self._lose(None)

    def _lose(self, exc: Exception | None) -> None:
        if self._lost:
            return
        self._lost = True
        self._protocol.connection_lost(exc)


def _cut(data: bytes, lump: int) -> list[bytes | None]:
    return [data[i : i + lump] for i in range(0, len(data), lump)]


def make_pipe(
    loop: asyncio.AbstractEventLoop, pace: Pace = UNPACED
) -> tuple[PipeTransport, PipeTransport]:
    """Two transports joined to each other; protocols are not set yet."""
    left, right = PipeTransport(loop, pace), PipeTransport(loop, pace)
    left._peer, right._peer = right, left
    return left, right


class _FakeSocket:
    """What ``server.sockets`` is asked for: its name."""

    def __init__(self, host: str, port: int) -> None:
        self._name = (host, port)

    def getsockname(self) -> tuple[str, int]:
        """(host, port)."""
        return self._name


class PipeServer(asyncio.AbstractServer):
    """What listens at one (host, port)."""

    def __init__(
        self, net: Network, key: tuple[str, int], factory: Callable[[], Any]
    ) -> None:
        self._net = net
        self._key = key
        self.factory = factory
        self.connections: list[PipeTransport] = []
        """The server's ends of all connections ever accepted."""
        self._closed: asyncio.Future[None] = net.loop.create_future()

    @property
    def sockets(self) -> tuple[_FakeSocket, ...]:
        """One name while listening, none after."""
        return () if self._closed.done() else (_FakeSocket(*self._key),)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._key[1]

    def close(self) -> None:
        """Stop listening; open connections stay."""
        if not self._closed.done():
            self._net.servers.pop(self._key, None)
            self._closed.set_result(None)

    def drop_connections(self) -> None:
        """Break every open connection, as a server that crashes."""
        for transport in self.connections:
            transport.fail(None)
        self.connections.clear()

    async def wait_closed(self) -> None:
        """Until :meth:`close` was called (connections are not waited for)."""
        await asyncio.shield(self._closed)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop."""
        return self._net.loop

    def is_serving(self) -> bool:
        """Whether it listens."""
        return not self._closed.done()

    async def start_serving(self) -> None:
        """It already does."""

    async def serve_forever(self) -> None:
        """Until closed or cancelled."""
        try:
            await self.wait_closed()
        finally:
            self.close()


class Network:
    """What listens where, and how it can be reached."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.servers: dict[tuple[str, int], PipeServer] = {}
        self.black_holes: set[tuple[str, int]] = set()
        """Here connecting never ends: no answer, no refusal."""
        self.pace = UNPACED
        """Of connections made from now on."""
        self.attempts: list[tuple[float, str, int]] = []
        """Every attempt to connect: loop time, host, port."""
        self._next_port = _FIRST_PORT

    def listen(
        self, factory: Callable[[], Any], host: str = "127.0.0.1", port: int = 0
    ) -> PipeServer:
        """Serve connections to (host, port); raises OSError where it is taken."""
        if port == 0:
            port, self._next_port = self._next_port, self._next_port + 1
        key = (_plain(host), port)
        if key in self.servers:
            raise OSError(errno.EADDRINUSE, f"{key} is taken")
        server = PipeServer(self, key, factory)
        self.servers[key] = server
        return server

    async def connect(
        self, factory: Callable[[], Any], host: str, port: int
    ) -> tuple[PipeTransport, Any]:
        """Connect; raises ConnectionRefusedError where nobody listens."""
        key = (_plain(host), port)
        self.attempts.append((self.loop.time(), *key))
        await asyncio.sleep(self.pace.latency_s)
        if key in self.black_holes:
            await self.loop.create_future()
        server = self.servers.get(key) or self.servers.get(("", port))
        if server is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"nobody listens at {key}")
        near, far = make_pipe(self.loop, self.pace)
        near._extra = {"peername": key, "sockname": ("127.0.0.1", 1)}  # type: ignore[attr-defined]
        far._extra = {"peername": ("127.0.0.1", 1), "sockname": key}  # type: ignore[attr-defined]
        protocol, served = factory(), server.factory()
        near.set_protocol(protocol)
        far.set_protocol(served)
        server.connections.append(far)
        served.connection_made(far)
        protocol.connection_made(near)
        # As the real loop: the caller goes on in a turn after connection_made.
        await asyncio.sleep(0)
        return near, protocol


def _plain(host: str) -> str:
    if host in {"", "0.0.0.0", "::"}:  # noqa: S104 compared, not bound
        return ""
    return "127.0.0.1" if host in {"localhost", "::1"} else host


class Line:
    """A serial line by its stable name: the gateway's port and the devices' side."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, name: str, pace: Pace | None = None
    ) -> None:
        self._loop = loop
        self.name = name
        self.pace = pace or UNPACED
        self._devices: Callable[[], Any] | None = None
        self._present = True
        self.near: PipeTransport | None = None
        """The gateway's end, while open."""
        self.far: PipeTransport | None = None
        """The devices' end, while open."""
        self.opened = 0
        """How often the port was opened."""

    def attach(self, protocol_factory: Callable[[], Any]) -> None:
        """Say what is wired to the line: one protocol that plays all units."""
        self._devices = protocol_factory

    def open_port(self, protocol_factory: Callable[[], Any]) -> PipeTransport:
        """Open the gateway's side.

        Raises:
            FileNotFoundError: The line was unplugged.
            OSError: (EBUSY) The port is open already.
        """
        if not self._present:
            raise FileNotFoundError(errno.ENOENT, f"no such port: {self.name}")
        if self.near is not None and not self.near.is_closing():
            raise OSError(errno.EBUSY, f"{self.name} is open already")
        near, far = make_pipe(self._loop, self.pace)
        # Whether bytes take their time on the wire, as a port of drivers says it.
        near._extra = {"paced": self.pace.bytes_per_s > 0}  # type: ignore[attr-defined]
        near.set_protocol(protocol_factory())
        far.set_protocol(self._devices() if self._devices else asyncio.Protocol())
        self.near, self.far = near, far
        self.opened += 1
        cast("Any", far.get_protocol()).connection_made(far)
        cast("Any", near.get_protocol()).connection_made(near)
        return near

    def unplug(self) -> None:
        """The adapter is pulled: the open port breaks with EIO."""
        self._present = False
        if self.near is not None:
            self.near.fail(OSError(errno.EIO, "Input/output error"))
            self.near = None

    def plug(self) -> None:
        """The adapter is back under the same stable name."""
        self._present = True
