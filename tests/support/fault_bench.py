"""One run of the fault bar: a bus, faulty benchmark units, and the verdict.

Registers say whose they are and how old (``simulators.bench``), the birth log says
which replies met a fault; so wrong, stale, good and lost polls follow without asking
the driver anything.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

import msgspec

from drivers.errors import BusError, DriverError
from drivers.modbus import Span, Timing
from drivers.modbus.device import ModbusDevice
from drivers.profiles.model import ModbusPoint
from simulators.bench import BenchUnit, check_scan, identity, kind_of
from simulators.births import BirthLog
from simulators.faults import SPOILED, Fault, Switchboard
from simulators.station import Station
from simulators.units import Holey

if TYPE_CHECKING:
    from drivers.modbus.bus import ProvedBus

UNITS = (1, 2, 3)
POINTS = 60
TIMEOUT_S = 0.5
STALE_TIMES = 1.5
REOPEN_S = 0.05
# Neighbours of one length: what a careless master mixes up. Room as the planner gives.
SPANS = (
    Span("holding", 12, 12, 4, 4),
    Span("holding", 24, 12, 4, 4),
    Span("holding", 36, 12, 4, 4),
)


# Four runs of three points, alike in size and pattern, and nothing served between.
RIGID = tuple(12 * run + at for run in range(4) for at in (0, 2, 4))
RIGID_HOLES = frozenset(range(12 * 4)) - {a + i for a in RIGID for i in (0, 1)}


LEARNING_SCANS = 10


class Row(msgspec.Struct, kw_only=True):
    """What became of the polls of one run."""

    fault: str
    factor: float | None
    engine: str
    line: str
    pace: str
    polls: int = 0
    good: int = 0
    wrong: int = 0
    stale: int = 0
    unfaulted: int = 0
    unfaulted_good: int = 0
    unspoiled: int = 0
    unspoiled_good: int = 0
    faulted: int = 0
    reasons: dict[str, int] = {}
    seconds: float = 0.0
    seed: int = 0

    @property
    def share(self) -> float:
        """Good ones among the polls whose reply met no fault."""
        return self.unfaulted_good / self.unfaulted if self.unfaulted else 1.0


class FaultBench:
    """Three units on one bus, and a switchboard that knows the time-out in force."""

    def __init__(
        self,
        kind: Fault,
        *,
        seed: int,
        factor: float | None,
        share: float = 0.3,
        holes: frozenset[int] = frozenset(),
    ) -> None:
        loop = asyncio.get_running_loop()
        self._loop, self._started = loop, loop.time()
        self.bus: ProvedBus | None = None
        self.births = BirthLog()
        board = Switchboard(
            [kind],
            share=share,
            seed=seed,
            timeout_s=self._timeout_in_force,
            late_factor=factor or 1.1,
        )
        self.station = Station(
            [
                Holey(unit, set(holes)) if holes else unit
                for unit in (BenchUnit(n, POINTS, self.now_ms) for n in UNITS)
            ],
            switchboard=board,
            births=self.births,
            now_ms=self.now_ms,
        )

    def now_ms(self) -> int:
        return int((self._loop.time() - self._started) * 1000)

    def _timeout_in_force(self, unit: int) -> float:
        peer = self.bus._peers.get(unit) if self.bus else None
        return peer.timeout_s if peer and peer.timeout_s else TIMEOUT_S

    async def run(
        self,
        bus: ProvedBus,
        row: Row,
        polls: int,
        *,
        every_s: float,
        timing: Timing = Timing(TIMEOUT_S),  # noqa: B008 frozen
        spans: tuple[Span, ...] = SPANS,
    ) -> Row:
        """Poll unit after unit, span after span, and judge each answer."""
        self.bus = bus
        await bus.open()
        loop, started = self._loop, self._loop.time()
        # Back to back: all blocks of a unit in a row. With a period: a block of each
        # unit, the next one in the next period, so that time-outs fit into it.
        order = [(unit, span) for unit in UNITS for span in spans]
        if every_s:
            order = [(unit, span) for span in spans for unit in UNITS]
        turns, next_at = itertools.cycle(order), started
        for number in range(polls):
            if every_s and number % len(UNITS) == 0:
                await asyncio.sleep(max(0.0, next_at - loop.time()))
                next_at += every_s
            unit, span = next(turns)
            await self._poll(bus, unit, span, timing, row)
        row.seconds = round(loop.time() - started, 1)
        await bus.close()
        return row

    async def run_scans(
        self, bus: ProvedBus, row: Row, scans: int, *, every_s: float
    ) -> Row:
        """Scan whole devices whose blocks have no room: what is asked, and when, is
        theirs to choose."""
        self.bus = bus
        await bus.open()
        points = [
            ModbusPoint(name=f"r{a}", table="holding", address=a, type="uint32")
            for a in RIGID
        ]
        names = [point.name for point in points]
        devices = {
            f"bench-{n}": ModbusDevice(f"bench-{n}", n, bus, points, Timing(TIMEOUT_S))
            for n in UNITS
        }
        loop, started = self._loop, self._loop.time()
        next_at, board = started, self.station.switchboard
        assert board is not None
        board.enabled = False  # holes are learned in peace
        for _ in range(LEARNING_SCANS):
            for device in devices.values():
                await device.scan(names)
        board.enabled = True
        for _ in range(scans):
            await asyncio.sleep(max(0.0, next_at - loop.time()))
            next_at += every_s
            for number, (name, device) in enumerate(devices.items(), 1):
                await self._scan(bus, number, name, device, names, row)
        row.seconds = round(loop.time() - started, 1)
        await bus.close()
        return row

    async def _scan(
        self,
        bus: ProvedBus,
        number: int,
        name: str,
        device: ModbusDevice,
        names: list[str],
        row: Row,
    ) -> None:
        seen, begun_ms = len(self.births.births), self.now_ms()
        row.polls += 1
        values: dict[str, Any] = {}
        try:
            answer = await device.scan(names)
        except BusError as exc:
            _count(row.reasons, exc.reason)
            await self._reopen(bus)
        else:
            values = answer.values
            for flaw in answer.flaws.values():
                _count(row.reasons, flaw.reason)
        good = len(values) == len(names)
        row.good += good
        oldest = begun_ms - STALE_TIMES * 1000 * self._timeout_in_force(number)
        told = check_scan(name, values, older_than_ms=oldest - 1)
        row.stale += sum("older than" in text for text in told)
        row.wrong += sum("older than" not in text for text in told)
        if any(birth.fault for birth in self.births.births[seen:]):
            row.faulted += 1
        else:
            row.unfaulted += 1
            row.unfaulted_good += good

    async def _poll(
        self, bus: ProvedBus, unit: int, span: Span, timing: Timing, row: Row
    ) -> None:
        seen = len(self.births.births)
        row.polls += 1
        good = False
        try:
            reply = await bus.read(unit, span, timing)
        except BusError as exc:
            _count(row.reasons, exc.reason)
            await self._reopen(bus)
        except DriverError as exc:
            _count(row.reasons, exc.reason)
        else:
            good = True
            row.good += 1
            self._judge(bus, unit, reply, row)
        faults = {birth.fault for birth in self.births.births[seen:]}
        if not faults - {""}:
            row.unfaulted += 1
            row.unfaulted_good += good
        else:
            row.faulted += 1
        if not faults & SPOILED:
            row.unspoiled += 1
            row.unspoiled_good += good

    async def _reopen(self, bus: ProvedBus) -> None:
        while True:
            await asyncio.sleep(REOPEN_S)
            try:
                await bus.open()
            except BusError:
                continue
            return

    def _judge(self, bus: ProvedBus, unit: int, reply: Any, row: Row) -> None:
        sent_ms = (bus._sent_at - self._started) * 1000
        oldest = sent_ms - STALE_TIMES * 1000 * self._timeout_in_force(unit)
        wrong = stale = False
        for address in range(reply.start, reply.start + reply.count - 1):
            if address % 2:
                continue
            at = 2 * (address - reply.start)
            value = int.from_bytes(reply.data[at : at + 4], "big")
            kind = kind_of(address)
            if kind == "identity":
                wrong |= value != identity(unit, address)
            elif kind == "age":
                stale |= not oldest - 1 <= value <= self.now_ms()
        row.wrong += wrong
        row.stale += stale


def _count(reasons: dict[str, int], word: str) -> None:
    reasons[word] = reasons.get(word, 0) + 1
