"""Ten units on an ASCII line, and behind terminal servers: the bars of an RTU line.

The whole gateway in virtual time, its buses as the site file makes them: a dead unit
costs the nine nothing and is back within 5 s, and while every tenth reply meets a fault
no wrong value arrives.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import msgspec
import pytest

from drivers.modbus.ascii_bus import AsciiBus
from gateway import ports
from gateway.config.model import Bus, SerialLine, TcpEndpoint
from simulators import bench
from simulators.bench import BenchUnit
from simulators.faults import Fault, Switchboard
from simulators.station import AsciiServer, RtuServer, Station
from tests.support.virtual import run_virtual, running_loop, serial_pace
from tests.support.virtual_site import VirtualSite
from tests.system.test_bar_rtu_line import (
    BACK_MS,
    MISSED,
    PERIOD_MS,
    POINTS,
    TURNAROUND_S,
    UNITS,
    bench_site,
    judge_nine,
)

BAUD, BITS = 19_200, 10
BUSES = {
    "ascii": Bus(
        name="line",
        protocol="modbus-ascii",
        serial=SerialLine(device="line", baud=BAUD, framing="7E1"),
    ),
    "ascii-tcp": Bus(
        name="line", protocol="modbus-ascii", tcp=TcpEndpoint(host="server", port=4001)
    ),
    "rtu-tcp": Bus(
        name="line",
        protocol="modbus-rtu-tcp",
        tcp=TcpEndpoint(host="server", port=4001),
    ),
}
FAULTS = [
    Fault.LATE,
    Fault.DUPLICATE,
    Fault.SWAP,
    Fault.UNSOLICITED_IDLE,
    Fault.STALE_RECONNECT,
    Fault.NEIGHBOUR,
    Fault.TRUNCATED,
    Fault.GARBAGE,
    Fault.FOREIGN,
    Fault.ECHO,
    Fault.EXCEPTION,
]


class LineSite(VirtualSite):
    """Units of the simulators on a line, or behind a terminal server."""

    def __init__(self, folder, kind, seed, share=0.0):
        site = bench_site(folder)
        super().__init__(
            folder, site=msgspec.structs.replace(site, buses={"line": BUSES[kind]})
        )
        self.endpoints = {}
        self.kind = kind
        self.ports = replace(self.ports, make_bus=self._bus)
        self.board = Switchboard(
            FAULTS,
            share=share,
            seed=seed,
            timeout_s=0.2,
            turnaround_s=(TURNAROUND_S, TURNAROUND_S),
            late_factor=(1.1, 3.0),
        )

    async def __aenter__(self):
        loop = running_loop()
        started = loop.time()
        self.now_ms = lambda: int((loop.time() - started) * 1000)
        self.station = Station(
            [BenchUnit(n, POINTS, self.now_ms) for n in range(1, UNITS + 1)],
            switchboard=self.board,
        )
        serve = RtuServer if self.kind == "rtu-tcp" else AsciiServer
        if self.kind == "ascii":
            line = loop.line("line", serial_pace(BAUD, BITS))
            line.attach(lambda: serve(self.station))
        else:
            loop.net.listen(
                lambda: serve(self.station, baud=BAUD, bits=BITS), "server", 4001
            )
        return await super().__aenter__()

    def _bus(self, conf):
        if self.kind != "ascii":
            return ports.make_bus(conf)
        line = running_loop().line("line")
        return AsciiBus("line", BAUD, "7E1", open_port=line.open_port)

    def good(self, unit):
        return [scan["t"] for scan in self.scans(f"bench-{unit}") if scan["values"]]

    def wrong(self):
        return [
            text
            for record in self.records()
            if record["kind"] == "scan"
            for text in bench.check_scan(record["device"], record["values"])
        ]


@pytest.mark.parametrize("kind", sorted(BUSES))
def test_a_dead_unit_costs_the_nine_nothing_and_is_back(
    tmp_path, seed, kind, count, figure
):
    victim, dead_s = 4, count(30, 600)

    async def main():
        async with LineSite(tmp_path, kind, seed) as site:
            start = site.clock.wall_ms()
            await asyncio.sleep(20)
            site.station.dead.add(victim)
            await asyncio.sleep(dead_s)
            site.station.dead.discard(victim)
            returned = site.clock.wall_ms()
            await asyncio.sleep(10)
            seconds = (site.clock.wall_ms() - start) / 1000
            await asyncio.sleep(0.5)
        return site, returned, seconds

    site, returned, seconds = run_virtual(main())

    others = {n: site.good(n) for n in range(1, UNITS + 1) if n != victim}
    missed, p99 = judge_nine(others, seconds)
    back = next(t for t in site.good(victim) if t >= returned) - returned
    figure("missed_by_the_worst", round(missed, 4))
    figure("period_p99_ms", p99)
    figure("back_after_ms", back)
    assert site.wrong() == [], seed
    assert missed <= MISSED, seed
    assert p99 <= PERIOD_MS, seed
    assert back <= BACK_MS, seed


@pytest.mark.parametrize("kind", sorted(BUSES))
def test_whatever_happens_to_every_tenth_reply_no_value_is_wrong(
    tmp_path, seed, kind, count, figure
):
    seconds = count(60, 1800)

    async def main():
        async with LineSite(tmp_path, kind, seed, share=0.1) as site:
            await asyncio.sleep(seconds)
        return site

    site = run_virtual(main())

    good = sum(len(site.good(n)) for n in range(1, UNITS + 1))
    figure("good_scans", good)
    figure("faults", sum(n for word, n in site.board.met.items() if word))
    assert site.wrong() == [], seed
    assert good >= 0.4 * seconds * UNITS, (seed, good)
