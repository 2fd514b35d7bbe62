"""A station: the units behind one port, on whatever carries bytes.

:class:`RtuServer` and :class:`TcpServer` are asyncio protocols; a socket, a pty or an
in-memory pipe of the tests brings the bytes. Content is taken from the units at the
instant a request is complete, also where the reply leaves later.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from simulators.ascii_wire import AsciiSplitter, ascii_frame
from simulators.births import Birth, BirthLog
from simulators.faults import Exchange, Piece, Plan, Switchboard
from simulators.units import answer
from simulators.wire import (
    READS,
    RefusedError,
    Request,
    RtuSplitter,
    TcpSplitter,
    exception_pdu,
    parse_request,
    read_pdu,
    rtu_frame,
    tcp_frame,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from simulators.units import Unit

_GAP_S = 0.05
"""Silence that ends an incomplete request (t3.5 and a USB adapter's lag)."""
_LUMP_S = 0.016
"""Paced bytes are handed over in lumps this long, as a USB adapter does."""


class Station:
    """Units, their faults and the log of what they answered.

    Args:
        units: The devices; ids must differ.
        switchboard: Faults; None = every reply leaves after ``turnaround_s``.
        births: Where each request is noted; None = nowhere.
        now_ms: Milliseconds since the shared start, for the log.
        turnaround_s: Of healthy replies where there is no switchboard.
    """

    def __init__(
        self,
        units: Iterable[Unit],
        *,
        switchboard: Switchboard | None = None,
        births: BirthLog | None = None,
        now_ms: Callable[[], int] = lambda: 0,
        turnaround_s: float = 0.0,
    ) -> None:
        self.units: dict[int, Unit] = {}
        for unit in units:
            if unit.number in self.units:
                raise ValueError(f"unit {unit.number} stands twice on one port")
            self.units[unit.number] = unit
        self.switchboard = switchboard
        self.births = births
        self.dead: set[int] = set()
        """Unit ids that do not answer; change it while running."""
        self.requests = 0
        """Complete requests received, for whatever unit."""
        self.stale: list[bytes] = []
        """What the next connection receives unasked."""
        self.on_vanish: Callable[[float], None] | None = None
        """Takes the port away for so many seconds; set by who opened it."""
        self._now_ms = now_ms
        self._turnaround_s = turnaround_s

    def plan(
        self, request: Request, frame: Callable[[Request, bytes], bytes], now_s: float
    ) -> Plan | None:
        """What to do with a request; None = the unit is dead or not here."""
        self.requests += 1
        unit = self.units.get(request.unit)
        if unit is None or request.unit in self.dead:
            return None
        reply = frame(request, answer(unit, request))
        if self.switchboard is None:
            plan = Plan([Piece(self._turnaround_s, reply)])
        else:
            plan = self.switchboard.plan(
                Exchange(request, reply, frame, self._aside, now_s)
            )
        if self.births is not None:
            self._note(request, unit, plan)
        return plan

    def refuse(
        self, request: Request, code: int, frame: Callable[[Request, bytes], bytes]
    ) -> Plan | None:
        """The answer to a request that cannot be understood."""
        if request.unit not in self.units or request.unit in self.dead:
            return None
        pdu = exception_pdu(request.function, code)
        return Plan([Piece(self._turnaround_s, frame(request, pdu))])

    def _aside(
        self, number: int, function: int, address: int, count: int
    ) -> bytes | None:
        unit = self.units.get(number)
        if unit is None:
            return None
        try:
            data = unit.read(READS[function], address, count, aside=True)
        except RefusedError:
            return None
        return read_pdu(function, data)

    def _note(self, request: Request, unit: Unit, plan: Plan) -> None:
        cast("BirthLog", self.births).add(
            Birth(
                self._now_ms(),
                request.unit,
                request.function,
                request.address,
                request.count,
                unit.mark(),
                plan.fault,
                plan.beside,
            )
        )


class _Server(asyncio.Protocol):
    """What both framings share: sending what a plan says."""

    def __init__(self, station: Station) -> None:
        self.station = station
        self._transport: Any = None
        self._loop = asyncio.get_running_loop()
        self._timers: set[asyncio.TimerHandle] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A new connection starts with what an earlier one left behind."""
        self._transport = transport
        stale, self.station.stale = self.station.stale, []
        for frame in stale:
            self._transport.write(frame)

    def connection_lost(self, exc: Exception | None) -> None:
        """What was still to be sent is not."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._transport = None

    def _serve(
        self,
        unit: int,
        pdu: bytes,
        frame: Callable[[Request, bytes], bytes],
        *,
        transaction: int,
        raw: bytes,
        wire_s: float = 0.0,
    ) -> None:
        try:
            request = parse_request(unit, pdu, transaction=transaction, raw=raw)
        except RefusedError as exc:
            broken = Request(unit, pdu[0], 0, 0, (), transaction, raw)
            plan = self.station.refuse(broken, exc.code, frame)
        else:
            plan = self.station.plan(request, frame, self._loop.time())
        if plan is not None:
            self._carry_out(plan, wire_s)

    def _carry_out(self, plan: Plan, wire_s: float) -> None:
        for delay, data in plan.pieces:
            self._after(delay + wire_s, self._send, data)
        self.station.stale.extend(plan.on_reconnect)
        if plan.close_after_s is not None:
            self._after(plan.close_after_s + wire_s, self._break)
        if plan.vanish_s is not None and self.station.on_vanish is not None:
            self.station.on_vanish(plan.vanish_s)

    def _after(self, delay: float, act: Callable[..., None], *args: object) -> None:
        if delay <= 0:
            act(*args)
            return

        def run() -> None:
            self._timers.discard(timer)
            act(*args)

        timer = self._loop.call_later(delay, run)
        self._timers.add(timer)

    def _send(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _break(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class TcpServer(_Server):
    """One Modbus TCP connection."""

    def __init__(self, station: Station) -> None:
        super().__init__(station)
        self._splitter = TcpSplitter()

    def data_received(self, data: bytes) -> None:
        """Answer each whole request; close on what is no Modbus TCP."""
        try:
            frames = self._splitter.feed(data)
        except ValueError:
            self._break()
            return
        for transaction, unit, pdu, raw in frames:
            self._serve(unit, pdu, _tcp, transaction=transaction, raw=raw)


class RtuServer(_Server):
    """A serial line with all its units.

    Args:
        station: The units.
        baud: Models the wire where the carrier has none (a pty): requests are complete
            and replies arrive when they would at this rate. 0 = at once.
        bits: On the wire for each byte, parity and stop bits included.
    """

    def __init__(self, station: Station, *, baud: int = 0, bits: int = 11) -> None:
        super().__init__(station)
        self._splitter: RtuSplitter | AsciiSplitter = RtuSplitter()
        self._frame = _rtu
        self._byte_s = bits / baud if baud else 0.0
        self._heard_s = 0.0
        self._line_free_s = 0.0

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        now = self._loop.time()
        if self._splitter.waiting and now - self._heard_s > _GAP_S:
            self._splitter.forget()
        self._heard_s = now
        for unit, pdu, raw in self._splitter.feed(data):
            wire_s = len(raw) * self._byte_s
            self._serve(unit, pdu, self._frame, transaction=0, raw=raw, wire_s=wire_s)

    def _send(self, data: bytes) -> None:
        if not self._byte_s:
            super()._send(data)
            return
        now = self._loop.time()
        self._line_free_s = max(self._line_free_s, now)
        lump = max(1, int(_LUMP_S / self._byte_s))
        for i in range(0, len(data), lump):
            piece = data[i : i + lump]
            self._line_free_s += len(piece) * self._byte_s
            self._after(self._line_free_s - now, super()._send, piece)


class AsciiServer(RtuServer):
    """A serial line whose units speak ASCII: the same, in twice the characters."""

    def __init__(self, station: Station, *, baud: int = 0, bits: int = 10) -> None:
        super().__init__(station, baud=baud, bits=bits)
        self._splitter = AsciiSplitter()
        self._frame = _ascii


def _ascii(request: Request, pdu: bytes) -> bytes:
    return ascii_frame(request.unit, pdu)


def _tcp(request: Request, pdu: bytes) -> bytes:
    return tcp_frame(request.transaction, request.unit, pdu)


def _rtu(request: Request, pdu: bytes) -> bytes:
    return rtu_frame(request.unit, pdu)
