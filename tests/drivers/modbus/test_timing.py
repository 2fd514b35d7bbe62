"""Devices of every tempo share a line; each is given its own time.

Reply times from 50 to 900 ms, a quiet time wanted of 0 to 200 ms, bytes handed over in
lumps as a USB adapter does: with each device's own time-out and pause nothing fails,
and without them much does.
"""

from __future__ import annotations

import asyncio
import random
from typing import NamedTuple

import pytest

from drivers.errors import DriverError
from drivers.modbus import AsciiBus, AsciiTcpBus, RtuBus, RtuTcpBus, Span, Timing
from simulators.bench import BenchUnit
from simulators.faults import Switchboard
from simulators.station import AsciiServer, RtuServer, Station
from tests.support.virtual import Pace, running_loop, virtual

LUMPS = Pace(bytes_per_s=960, lump=16)
"""9600 baud; what came in 16 ms is handed over at once."""


class Tempo(NamedTuple):
    """What a device is like."""

    replies_s: tuple[float, float]
    pause_s: float


TEMPI = {
    1: Tempo((0.05, 0.06), 0.0),
    2: Tempo((0.1, 0.2), 0.05),
    3: Tempo((0.3, 0.6), 0.1),
    4: Tempo((0.6, 0.9), 0.2),
}


class Slow(Switchboard):
    """Each unit takes its own time, and does not hear what comes too soon."""

    def __init__(self, seed: int) -> None:
        super().__init__([], share=0.0, seed=seed)
        self._own = random.Random(seed)
        self.quiet_since = -10.0
        self.deaf = 0

    def plan(self, exchange):
        tempo = TEMPI[exchange.request.unit]
        self.turnaround_s = (t := self._own.uniform(*tempo.replies_s), t)
        plan = super().plan(exchange)
        # A millisecond less: when a request was complete is known to a byte's time.
        if exchange.now_s - self.quiet_since < tempo.pause_s - 0.001:
            self.deaf += 1
            plan.pieces.clear()
        return plan


def serving(kind, station, board):
    """A server that tells the board when its line fell silent."""
    base = AsciiServer if kind.startswith("ascii") else RtuServer

    class Serving(base):
        def _send(self, data):
            super()._send(data)
            chars = len(data) / 960 if kind in ("rtu", "ascii") else 0.0
            board.quiet_since = self._loop.time() + chars

    return lambda: Serving(station)


async def run(kind, timing, rounds, seed):
    """Failed reads, and requests that came too soon."""
    loop = running_loop()
    board = Slow(seed)
    station = Station([BenchUnit(n, 20, lambda: 0) for n in TEMPI], switchboard=board)
    serve = serving(kind, station, board)
    if kind in ("rtu", "ascii"):
        line = loop.line("line", LUMPS)
        line.attach(serve)
        bus_kind = RtuBus if kind == "rtu" else AsciiBus
        bus = bus_kind("line", 9600, open_port=line.open_port)
    else:
        loop.net.listen(serve, "server", 4001)
        bus = (RtuTcpBus if kind == "rtu-tcp" else AsciiTcpBus)("server", 4001)
    await bus.open()
    failed = 0
    for number in range(rounds):
        for unit in TEMPI:
            try:
                await bus.read(unit, Span("holding", 2, 4, 2, 8), timing(unit))
            except DriverError:
                failed += 1
        await asyncio.sleep(0.0 if number % 2 else 1.0)
    await bus.close()
    return failed, board.deaf


@pytest.mark.parametrize("kind", ["rtu", "ascii", "rtu-tcp", "ascii-tcp"])
@virtual
async def test_each_device_is_given_its_own_time(kind, seed, count) -> None:
    def own(unit):
        return Timing(1.5, pause_s=TEMPI[unit].pause_s)

    failed, deaf = await run(kind, own, count(60, 1_000), seed)

    assert (failed, deaf) == (0, 0), seed


@virtual
async def test_one_timing_for_all_fails_those_it_does_not_fit(seed) -> None:
    failed, deaf = await run("rtu", lambda _unit: Timing(0.4), 40, seed)

    assert failed > 20, seed
    assert deaf > 20, seed
