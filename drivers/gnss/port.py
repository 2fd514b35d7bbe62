"""The port of a receiver: it speaks unasked, the port keeps its last words.

What comes is kept with the moment it came, and becomes epochs when a device asks, or
when it is much. A few epochs are kept, with a number each, so that every device knows
which it has seen. Silence ends an epoch: a timer runs only while somebody waits for it.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from drivers.errors import BusError
from drivers.gnss.clockcheck import ClockCheck
from drivers.gnss.diagnosis import KEPT_BYTES, Diagnosis, diagnose
from drivers.gnss.gpsd import WATCH, GpsdReader
from drivers.gnss.reader import NmeaReader
from drivers.gnss.stats import GnssStats
from drivers.port import cannot_open
from drivers.serial_port import open_serial
from drivers.tcp_port import open_tcp

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivers.gnss.epoch import Epoch

    OpenStream = Callable[[Callable[[], asyncio.Protocol]], Any]
    """Given a protocol factory: a transport, or an awaitable of one. Raises OSError."""

KEPT_EPOCHS = 32
"""3 s of a receiver at 10 Hz: what is older was overtaken."""
MOST_PENDING = 8192
_IDLE_S = 0.08
"""A USB adapter hands bytes over every 16 ms, a GPRS modem is worse: see _WIDEST_S."""
_WIDEST_S = 0.5
_TICK_S = 0.001
"""Timers of a loop may come this early."""


class Heard(NamedTuple):
    """An epoch and its number, counted since the port was made."""

    number: int
    epoch: Epoch


class GnssPort:
    """One receiver behind a serial port, a TCP endpoint or gpsd."""

    def __init__(
        self,
        name: str,
        open_stream: OpenStream,
        *,
        gpsd: bool = False,
        past_ms: int = 0,
    ) -> None:
        """Name it; nothing is opened yet.

        Args:
            name: As people know it: the port's path, or host:port.
            open_stream: Opens it.
            gpsd: The other end is gpsd, not a receiver.
            past_ms: A moment that is certainly past, UTC ms: dates before are refused.
        """
        self.name = name
        self._open_stream = open_stream
        self._gpsd = gpsd
        self._clock = ClockCheck(past_ms)
        self._reader: NmeaReader | GpsdReader = self._new_reader()
        self._earlier: Counter[str] = Counter()
        """Counts of the readers of earlier connections."""
        self._stream: _Stream | None = None
        self._ending = "not opened"
        self._heard: deque[Heard] = deque(maxlen=KEPT_EPOCHS)
        self._number = 0
        self._fixes = self._no_fix = self._refused = self._superseded = 0
        self._waiters: set[asyncio.Future[None]] = set()
        self._pending: list[tuple[float, bytes]] = []
        """What came and was not read yet, with its loop time."""
        self._pending_bytes = 0
        self._recent = bytearray()
        self._marks = (0, 0, 0)
        self._idle_s = _IDLE_S
        self._last_s = self._before_s = 0.0
        """When bytes came last, and when those that were read last had come."""
        self._timer: asyncio.TimerHandle | None = None

    # -- the worker's side ----------------------------------------------------

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

    def stats(self, address: object = None) -> GnssStats:
        """What came so far; every device of the port hears the same."""
        del address
        if self._stream is not None:
            self._read()
        return GnssStats(
            epochs=self._number,
            fixes=self._fixes,
            no_fix=self._no_fix,
            refused_fixes=self._refused,
            time_jumps=self._clock.jumps,
            superseded=self._superseded,
            **(self._earlier + self._counts()),
        )

    # -- the devices' side ----------------------------------------------------

    def newest(self, after: int, since_s: float) -> Heard | None:
        """The newest epoch that is not older than that.

        Args:
            after: Numbers up to this one were taken already.
            since_s: Loop time; its bytes must not be older.
        """
        self._check_connected()
        self._read()
        if not self._heard:
            return None
        last = self._heard[-1]
        fresh = last.number > after and last.epoch.came_s >= since_s
        return last if fresh else None

    def newest_sky(self, after: int, since_s: float) -> Heard | None:
        """The newest epoch with a list of the satellites in view."""
        self._check_connected()
        self._read()
        for heard in reversed(self._heard):
            if heard.number <= after or heard.epoch.came_s < since_s:
                return None
            if heard.epoch.in_view is not None:
                return heard
        return None

    def overtook(self, count: int) -> None:
        """Note that so many epochs were not asked for in time."""
        self._superseded += count

    async def wait(self, seconds: float) -> None:
        """Until the next epoch, or for so long.

        Raises:
            BusError: The connection ended.
        """
        self._check_connected()
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        if self._reader.waiting:
            self._arm()
        try:
            async with asyncio.timeout(seconds):
                await waiter
        except TimeoutError:
            return
        finally:
            self._waiters.discard(waiter)

    def diagnose(self) -> Diagnosis:
        """Why there is no measurement, by the bytes since the last one."""
        if isinstance(self._reader, GpsdReader):
            if self._reader.good:
                advice = "gpsd reports no position: ask it with cgps or gpsmon"
            elif self._recent:
                advice = "gpsd knows no receiver: check its devices with gpsmon"
            else:
                advice = "nothing came: is this the port of gpsd?"
            return Diagnosis("no_data", advice)
        good, bad, unchecked = self._marks
        framer = self._reader.framer
        return diagnose(
            bytes(self._recent),
            good=framer.good - good,
            bad=framer.bad_checksum - bad,
            unchecked=framer.no_checksum - unchecked,
        )

    @property
    def recent(self) -> bytes:
        """The last bytes that came without making a measurement."""
        return bytes(self._recent)

    # -- the stream's side ----------------------------------------------------

    def _made(self, stream: _Stream) -> None:
        self._stream = stream
        self._earlier += self._counts()
        self._reader = self._new_reader()
        self._pending.clear()
        self._pending_bytes = 0
        self._marks = (0, 0, 0)
        self._recent.clear()
        if self._gpsd and stream.transport is not None:
            stream.transport.write(WATCH)

    def _received(self, stream: _Stream, data: bytes) -> None:
        """Keep what came, and when; it is read when somebody asks.

        Ten epochs a second come in forty pieces: reading them together costs a third.
        """
        if stream is not self._stream:
            return
        self._last_s = now = asyncio.get_running_loop().time()
        self._pending.append((now, data))
        self._pending_bytes += len(data)
        if self._pending_bytes > MOST_PENDING:
            self._read()
        if self._waiters:
            self._arm()

    def _arm(self) -> None:
        """Look when the line will have been silent long enough."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(self._last_s + self._idle_s, self._look)

    def _look(self) -> None:
        self._timer = None
        self._read()
        if self._waiters and self._reader.waiting:
            self._arm()

    def _read(self) -> None:
        """Make epochs of what came; silence between two pieces has ended one."""
        pending = self._pending
        self._pending, self._pending_bytes = [], 0
        late = self._reader.stragglers
        for now, data in pending:
            self._silence(now)
            self._before_s = now
            self._recent += data
            self._tell(self._reader.feed(data, now))
        del self._recent[:-KEPT_BYTES]
        if self._reader.stragglers > late:
            self._idle_s = min(2 * self._idle_s, _WIDEST_S)
        self._silence(asyncio.get_running_loop().time())

    def _silence(self, now: float) -> None:
        if self._reader.waiting and now >= self._before_s + self._idle_s - _TICK_S:
            self._tell(self._reader.idle())

    def _lost(self, stream: _Stream, exc: Exception | None) -> None:
        if stream is not self._stream:
            return
        self._stream = None
        self._ending = str(exc or "closed by the other side")
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._heard.clear()
        self._pending.clear()
        self._pending_bytes = 0
        for waiter in tuple(self._waiters):
            if not waiter.done():
                waiter.set_exception(self._gone())

    def _tell(self, epochs: list[Epoch]) -> None:
        for epoch in epochs:
            self._number += 1
            self._heard.append(Heard(self._number, epoch))
            if epoch.place is not None:
                self._fixes += 1
            elif epoch.flaw == "no_fix":
                self._no_fix += 1
            else:
                self._refused += 1
        if not epochs:
            return
        self._recent.clear()
        if isinstance(self._reader, NmeaReader):
            framer = self._reader.framer
            self._marks = (framer.good, framer.bad_checksum, framer.no_checksum)
        for waiter in tuple(self._waiters):
            if not waiter.done():
                waiter.set_result(None)

    def _new_reader(self) -> NmeaReader | GpsdReader:
        return GpsdReader(self._clock) if self._gpsd else NmeaReader(self._clock)

    def _check_connected(self) -> None:
        if self._stream is None:
            raise self._gone()

    def _gone(self) -> BusError:
        return BusError(f"{self.name}: the connection is gone ({self._ending})")

    def _counts(self) -> Counter[str]:
        """What the reader of this connection counted."""
        reader = self._reader
        counts = Counter(
            malformed=reader.malformed, other=reader.other, stragglers=reader.stragglers
        )
        if isinstance(reader, GpsdReader):
            return counts + Counter(sentences=reader.good)
        framer = reader.framer
        return counts + Counter(
            sentences=framer.good,
            bad_checksum=framer.bad_checksum,
            no_checksum=framer.no_checksum,
            refused=framer.refused,
            skipped_bytes=framer.skipped,
        )


class _Stream(asyncio.Protocol):
    """One connection of a port; a port that moved on no longer listens to it."""

    def __init__(self, port: GnssPort) -> None:
        self._port = port
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._port._made(self)  # noqa: SLF001 - two halves of one thing

    def data_received(self, data: bytes) -> None:
        self._port._received(self, data)  # noqa: SLF001

    def connection_lost(self, exc: Exception | None) -> None:
        self._port._lost(self, exc)  # noqa: SLF001


def serial_port(device: str, baud: int, framing: str, *, past_ms: int = 0) -> GnssPort:
    """A receiver on a serial port; nothing is opened yet."""
    return GnssPort(
        device,
        lambda factory: open_serial(device, baud, framing, factory),
        past_ms=past_ms,
    )


def tcp_port(host: str, port: int, *, past_ms: int = 0) -> GnssPort:
    """A receiver behind a terminal server."""
    return GnssPort(
        f"{host}:{port}",
        lambda factory: open_tcp(host, port, factory),
        past_ms=past_ms,
    )


def gpsd_port(host: str, port: int, *, past_ms: int = 0) -> GnssPort:
    """Gpsd."""
    return GnssPort(
        f"{host}:{port}",
        lambda factory: open_tcp(host, port, factory),
        gpsd=True,
        past_ms=past_ms,
    )
