"""Where instruments push their frames: a serial line, a connection, or a port of ours.

Frames are taken as they come in, put into the inbox of the device they are for, and
confirmed where the frame asks for it and the site lets us speak. Nothing else is sent.

    bytes -> FrameFinder -> parse -> Joiner -> Speakers -> Inbox of a device

Each connection has a finder and a joiner of its own: what came over two is never mixed.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

from drivers.errors import BusError
from drivers.hj212 import commands
from drivers.hj212.frame import FrameFinder
from drivers.hj212.packets import Joiner
from drivers.hj212.reply import reply_to, wants_reply
from drivers.hj212.segment import SegmentError, parse
from drivers.hj212.speakers import Speakers
from drivers.hj212.stats import InstrumentStats
from drivers.port import cannot_open
from drivers.serial_port import open_serial
from drivers.tcp_port import open_tcp, set_options, why

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from drivers.hj212.frame import Frame
    from drivers.hj212.inbox import Inbox
    from drivers.hj212.measurement import Measurement
    from drivers.hj212.segment import Segment

    OpenWay = Callable[[Callable[[], asyncio.Protocol]], Any]
    """Given a protocol factory: awaitable of a transport or server. Raises OSError."""

log = logging.getLogger(__name__)

MOST_CONNECTIONS = 64


class Hj212Port:
    """One bus of instruments that speak HJ 212; stays in use across reconnects."""

    def __init__(
        self, name: str, open_way: OpenWay, *, answer: bool, alone: bool = True
    ) -> None:
        """Name it; nothing is opened yet.

        Args:
            name: As people know it: the port's path, host:port, or listen host:port.
            open_way: Opens it.
            answer: Whether frames that ask for it are confirmed.
            alone: One connection is the whole bus: when it ends, the port is gone.
        """
        self.name = name
        self._open_way = open_way
        self._answer = answer
        self._alone = alone
        self._opened: Any = None
        self._ending = "not opened"
        self._connections: dict[int, _Connection] = {}
        self._count = 0
        self._speakers = Speakers()
        self._refused: Counter[str] = Counter()
        self._tails: Counter[str] = Counter()
        self._skipped = 0
        self._last_refusal = ""

    # -- the worker's side --------------------------------------------------

    async def open(self) -> None:
        """Open it.

        Raises:
            BusError: There is no such port, or nobody answers there.
        """
        await self.close()
        self._speakers.forget()
        for inbox in self._speakers.all():
            inbox.drop()  # of before the port was gone: nobody knows how long ago
        try:
            opened = self._open_way(lambda: _Connection(self))
            if inspect.isawaitable(opened):
                opened = await opened
        except OSError as exc:
            raise cannot_open(self.name, exc) from exc
        self._opened = opened
        if not self._alone:
            self._ending = ""

    async def close(self) -> None:
        """Close it; may be called twice."""
        opened, self._opened = self._opened, None
        if opened is not None and not self._alone:
            opened.close()
        self._end("closed here")
        for connection in list(self._connections.values()):
            connection.abort()
        self._connections.clear()

    # -- the devices' side ---------------------------------------------------

    def subscribe(self, inbox: Inbox) -> None:
        """Fill this inbox from now on, as long as anybody holds it."""
        self._speakers.add(inbox)

    def unsubscribe(self, inbox: Inbox) -> None:
        """Fill it no more."""
        self._speakers.remove(inbox)

    async def exchange(
        self,
        inbox: Inbox,
        wanted: Collection[int],
        timeout_s: float,
        readers: Collection[int] = (0,),
        *,
        look: bool = False,
    ) -> dict[int, Measurement]:
        """The newest unused measurement of each command, waited for if need be.

        Args:
            inbox: The device's.
            wanted: Commands, such as 2011.
            timeout_s: The longest wait for what has not come since the last time.
            readers: Who asks, of those that the inbox has.
            look: They take nothing.

        Returns:
            What there is; commands of which nothing came are absent.

        Raises:
            BusError: The port is gone.
        """
        self._check_open()
        self._close_overdue()
        try:
            async with asyncio.timeout(timeout_s):
                while not (inbox.has(wanted, readers) or self.trouble(inbox.address)):
                    inbox.changed.clear()
                    await inbox.changed.wait()
                    self._check_open()
        except TimeoutError:
            self._close_overdue()
        take = inbox.look if look else inbox.take
        return take(wanted, readers)

    def trouble(self, address: str | None) -> str:
        """The reason why nothing from this instrument is believed now; or nothing."""
        return self._speakers.trouble(address, asyncio.get_running_loop().time())

    def heard(self) -> list[str]:
        """What came instead, for the person who must find a mistake."""
        told = []
        if self._speakers.strangers:
            names = ", ".join(repr(mn) for mn in list(self._speakers.strangers)[:5])
            told.append(
                f"{self.name}: frames of MN {names} are for no device here; give their"
                " device this address"
            )
        if self._refused:
            counts = ", ".join(f"{cause} {n}" for cause, n in self._refused.items())
            told.append(
                f"{self.name}: frames refused: {counts} (last: {self._last_refusal})"
            )
        if not self._alone:
            told.append(f"{self.name}: {len(self._connections)} open connections")
        return told or [f"{self.name}: no frames came"]

    def stats(self, address: str | None) -> InstrumentStats:
        """Counts of one instrument, and of the line it is on."""
        inbox = next((i for i in self._speakers.all() if i.address == address), None)
        counts: dict[str, Any] = {}
        if inbox is not None:
            tally = inbox.tally
            counts = {name: getattr(tally, name) for name in tally.__slots__}
            counts["deviations"] = dict(tally.deviations + self._tails)
        return InstrumentStats(
            **counts,
            refused=dict(self._refused),
            skipped_bytes=self._skipped,
            strangers=dict(self._speakers.strangers),
            other_strangers=self._speakers.other_strangers,
            connections=len(self._connections),
        )

    # -- the connections' side -----------------------------------------------

    def made(self, connection: _Connection) -> int:
        """A connection begins; its number, higher than any before."""
        self._count += 1
        if len(self._connections) >= MOST_CONNECTIONS:
            silent = min(self._connections.values(), key=lambda c: c.heard_s)
            silent.abort()
            self.lost(silent, None)
        self._connections[self._count] = connection
        if self._alone:
            self._ending = ""
        return self._count

    def lost(self, connection: _Connection, exc: Exception | None) -> None:
        """A connection ended."""
        if self._connections.get(connection.number) is not connection:
            return
        del self._connections[connection.number]
        self._close_rows(connection, math.inf)  # what was confirmed is not forgotten
        self._speakers.gone(connection.number)
        if self._alone:
            self._end(str(exc or "closed by the other side"))

    def came(self, connection: _Connection, data: bytes) -> None:
        """Bytes came over a connection."""
        if self._connections.get(connection.number) is not connection:
            return
        now = connection.heard_s = asyncio.get_running_loop().time()
        finder = connection.finder
        for frame in finder.feed(data):
            try:
                self._take(connection, frame, now)
            except SegmentError as exc:
                self._refused[exc.cause] += 1
                self._last_refusal = str(exc)
        for cause, count in finder.refused.items():
            self._refused[cause] += count
            self._last_refusal = cause
        finder.refused.clear()
        self._tails.update(finder.deviations)
        finder.deviations.clear()
        self._skipped += finder.skipped
        finder.skipped = 0

    # -- inside ----------------------------------------------------------------

    def _take(self, connection: _Connection, frame: Frame, now: float) -> None:
        known = {name for inbox in self._speakers.all() for name in inbox.fields}
        segment, noted = parse(frame.segment, known)
        self._speakers.note(segment.mn, connection.number, now)
        inboxes = self._speakers.recipients(segment.mn, now)
        if not inboxes:
            self._tell_stranger(segment.mn)
            return
        for inbox in inboxes:
            inbox.tally.frames += 1
            inbox.tally.deviations.update((*frame.deviations, *noted))
        measurements = (
            connection.joiner.add(segment, now) if segment.cn in commands.DATA else []
        )
        # Only now: what was refused is not confirmed, and is sent again.
        self._confirm(connection, segment, inboxes)
        for measurement in measurements:
            self._deliver(measurement, now)

    def _confirm(
        self, connection: _Connection, segment: Segment, inboxes: list[Inbox]
    ) -> None:
        if not wants_reply(segment):
            return
        reply = reply_to(segment) if self._answer else None
        sent = reply is not None and connection.send(reply)
        for inbox in inboxes:
            inbox.tally.answered += sent
            inbox.tally.unanswered += not sent

    def _deliver(self, measurement: Measurement, now: float) -> None:
        for inbox in self._speakers.recipients(measurement.mn, now):
            inbox.offer(measurement)

    def _close_overdue(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in self._connections.values():
            self._close_rows(connection, now)

    def _close_rows(self, connection: _Connection, until: float) -> None:
        """Hand on what waits for packets since before then."""
        now = asyncio.get_running_loop().time()
        for measurement in connection.joiner.overdue(until):
            self._deliver(measurement, now)

    def _tell_stranger(self, mn: str) -> None:
        if self._speakers.strangers.get(mn) == 1:
            log.warning("%s: frames of MN %r are for no device here", self.name, mn)

    def _check_open(self) -> None:
        if self._ending:
            raise BusError(f"{self.name}: the connection is gone ({self._ending})")

    def _end(self, why_: str) -> None:
        self._ending = self._ending or why_
        for inbox in self._speakers.all():
            inbox.changed.set()


class _Connection(asyncio.Protocol):
    """One of the port's connections, or its serial line."""

    def __init__(self, port: Hj212Port) -> None:
        self.finder = FrameFinder()
        self.joiner = Joiner()
        self.number = 0
        self.heard_s = 0.0
        self._port = port
        self._transport: asyncio.Transport | None = None
        self._stuck = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.heard_s = asyncio.get_running_loop().time()
        set_options(transport)
        self.number = self._port.made(self)

    def data_received(self, data: bytes) -> None:
        self._port.came(self, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._port.lost(self, exc)

    def pause_writing(self) -> None:
        self._stuck = True

    def resume_writing(self) -> None:
        self._stuck = False

    def send(self, frame: bytes) -> bool:
        """Send, unless the other side reads nothing; whether it was sent."""
        if self._transport is None or self._stuck or self._transport.is_closing():
            return False
        self._transport.write(frame)
        return True

    def abort(self) -> None:
        """End it now."""
        if self._transport is not None:
            self._transport.abort()


def serial_port(device: str, baud: int, framing: str, *, answer: bool) -> Hj212Port:
    """An instrument on a serial line; nothing is opened yet."""
    return Hj212Port(
        device,
        lambda factory: open_serial(device, baud, framing, factory),
        answer=answer,
    )


def tcp_port(host: str, port: int, *, answer: bool) -> Hj212Port:
    """An instrument, or a terminal server before one, that waits for us."""
    return Hj212Port(
        f"{host}:{port}", lambda factory: open_tcp(host, port, factory), answer=answer
    )


def listening_port(host: str, port: int, *, answer: bool) -> Hj212Port:
    """A port of ours that instruments connect to."""

    async def listen(factory: Callable[[], asyncio.Protocol]) -> asyncio.AbstractServer:
        loop = asyncio.get_running_loop()
        try:
            return await loop.create_server(factory, host, port)
        except OSError as exc:
            raise OSError(exc.errno, why(exc)) from exc

    name = f"listen {host}:{port}"
    return Hj212Port(name, listen, answer=answer, alone=False)
