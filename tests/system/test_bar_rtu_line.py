"""Bar 2: ten units on one RTU line at 19200 baud, one of them dead.

The nine miss at most 2 % of their slots and keep their period; the dead one is good
again within 5 s of its return. In virtual time exactly, on a pty as figures.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import replace
from itertools import pairwise

import pytest

from drivers.modbus.rtu import RtuBus
from drivers.profiles.model import ModbusPoint
from gateway.config.model import (
    BufferLimits,
    Bus,
    Device,
    MqttTarget,
    SerialLine,
    Site,
)
from simulators import bench
from simulators.bench import BenchUnit
from simulators.station import RtuServer, Station
from tests.support.site_run import SiteRun, until, watch
from tests.support.virtual import run_virtual, running_loop, serial_pace
from tests.support.virtual_site import VirtualSite

BAUD, BITS = 19_200, 10
UNITS, POINTS = 10, 5  # uint32: ten registers
TURNAROUND_S = 0.01
MISSED = 0.02
PERIOD_MS = 1100
BACK_MS = 5000


def percentile(values, part):
    """The smallest value that ``part`` of all do not exceed."""
    values = sorted(values)
    return values[min(len(values) - 1, int(part * len(values)))]


def judge_nine(scans, seconds):
    """(share of slots missed by the worst, p99 of all their periods)."""
    missed, periods = [], []
    for times in scans.values():
        missed.append(max(0.0, 1 - len(times) / seconds))
        periods += [b - a for a, b in pairwise(times)]
    return max(missed), percentile(periods, 0.99)


def bench_site(folder):
    """One line, ten benchmark units."""
    points = tuple(
        ModbusPoint(
            name=f"r{a}", table="holding", address=a, type="uint32", word_order="ABCD"
        )
        for a in range(0, 2 * POINTS, 2)
    )
    return Site(
        gateway="site-07",
        buffer=BufferLimits(path=folder / "data", max_bytes=50_000_000, keep_free=0),
        buses={
            "line": Bus(
                name="line",
                protocol="modbus-rtu",
                serial=SerialLine(device="line", baud=BAUD, echo="auto"),
                timeout_s=0.5,
            )
        },
        devices={
            f"bench-{n}": Device(
                name=f"bench-{n}", bus="line", address=n, every_s=1.0, points=points
            )
            for n in range(1, UNITS + 1)
        },
        targets={"platform": MqttTarget(name="platform", host="platform")},
    )


class RtuSite(VirtualSite):
    """Units of the simulators, whose codec is not the gateway's, on a paced line."""

    def __init__(self, folder, turnaround_s=TURNAROUND_S):
        super().__init__(folder, site=bench_site(folder))
        self.endpoints = {}
        self._turnaround_s = turnaround_s
        self.ports = replace(self.ports, make_bus=self._bus)

    async def __aenter__(self):
        loop = running_loop()
        started = loop.time()
        self.now_ms = lambda: int((loop.time() - started) * 1000)
        self.station = Station(
            [BenchUnit(n, POINTS, self.now_ms) for n in range(1, UNITS + 1)],
            turnaround_s=self._turnaround_s,
        )
        line = loop.line("line", serial_pace(BAUD, BITS))
        line.attach(lambda: RtuServer(self.station))
        return await super().__aenter__()

    def _bus(self, _conf):
        return RtuBus("line", BAUD, open_port=running_loop().line("line").open_port)

    def good(self, unit):
        """Times of the scans with values."""
        return [scan["t"] for scan in self.scans(f"bench-{unit}") if scan["values"]]


def test_one_of_ten_is_dead_wherever_it_stands_in_the_line(tmp_path, count, figure):
    dead_s = count(120, 1200)
    worst_missed, worst_p99, worst_back = 0.0, 0, 0

    async def main(folder, victim):
        async with RtuSite(folder) as site:
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

    for victim in count((1, 5, 10), range(1, UNITS + 1)):
        folder = tmp_path / str(victim)
        folder.mkdir()
        site, returned, seconds = run_virtual(main(folder, victim))
        others = {n: site.good(n) for n in range(1, UNITS + 1) if n != victim}
        missed, p99 = judge_nine(others, seconds)
        back = next(t for t in site.good(victim) if t >= returned) - returned
        assert missed <= MISSED, (victim, missed)
        assert p99 <= PERIOD_MS, (victim, p99)
        assert back <= BACK_MS, (victim, back)
        worst_missed = max(worst_missed, missed)
        worst_p99, worst_back = max(worst_p99, p99), max(worst_back, back)

    figure("missed_by_the_worst", round(worst_missed, 4))
    figure("period_p99_ms", worst_p99)
    figure("back_after_ms", worst_back)


@pytest.mark.parametrize("turnaround_s", [0.01, 0.03])
def test_a_unit_that_dies_and_returns_costs_the_nine_nothing(
    tmp_path, seed, count, figure, turnaround_s
):
    rng = random.Random(seed)
    victim = rng.randrange(1, UNITS + 1)
    cycles = count(25, 250)

    async def main():
        returns = []
        async with RtuSite(tmp_path, turnaround_s) as site:
            start = site.clock.wall_ms()
            await asyncio.sleep(rng.uniform(2, 4))
            for _ in range(cycles):
                site.station.dead.add(victim)
                # Every stage of the back-off: just noticed, doubted, given up.
                await asyncio.sleep(
                    rng.choice([rng.uniform(0.2, 4), rng.uniform(4, 30)])
                )
                site.station.dead.discard(victim)
                returns.append(site.clock.wall_ms())
                await asyncio.sleep(rng.uniform(5.5, 8))
            seconds = (site.clock.wall_ms() - start) / 1000
            await asyncio.sleep(0.5)
        return site, returns, seconds

    site, returns, seconds = run_virtual(main())

    good = site.good(victim)
    back = [next((t for t in good if t >= at), 10**15) - at for at in returns]
    others = [n for n in range(1, UNITS + 1) if n != victim]
    missed, p99 = judge_nine({n: site.good(n) for n in others}, seconds)
    wrong = [
        text
        for record in site.records()
        if record["kind"] == "scan"
        for text in bench.check_scan(record["device"], record["values"])
    ]
    figure("victim", victim)
    figure("cycles", cycles)
    figure("virtual_s", round(seconds))
    figure("missed_by_the_worst", round(missed, 4))
    figure("period_p99_ms", p99)
    figure("back_after_ms", [percentile(back, 0.5), max(back)])
    assert not wrong, (seed, wrong[:3])
    worst = sorted(zip(back, returns, strict=True))[-3:]
    assert max(back) <= BACK_MS, (seed, victim, worst)
    assert missed <= MISSED, (seed, victim, missed)
    # Each death costs those behind it one learned time-out, once; here it dies twice
    # a minute and more.
    assert p99 <= PERIOD_MS + 200, (seed, victim, p99)


def test_a_unit_that_dies_young_is_back_in_five_seconds(tmp_path, seed, count, figure):
    """Before the gateway has learned anything of it: time-outs are still whole."""
    rng = random.Random(seed)
    rounds = count(12, 100)
    back = []

    async def main(folder, life_s, away_s):
        async with RtuSite(folder) as site:
            await asyncio.sleep(life_s)
            site.station.dead.add(4)
            await asyncio.sleep(away_s)
            site.station.dead.discard(4)
            returned = site.clock.wall_ms()
            await asyncio.sleep(15)
        return next((t for t in site.good(4) if t >= returned), 10**15) - returned

    for number in range(rounds):
        life_s, away_s = rng.uniform(0, 4), rng.uniform(0.5, 12)
        folder = tmp_path / str(number)
        folder.mkdir()
        took = run_virtual(main(folder, life_s, away_s))
        back.append((took, round(life_s, 2), round(away_s, 2)))

    figure("back_after_ms", max(back)[0])
    assert max(back)[0] <= BACK_MS, (seed, sorted(back)[-5:])


@pytest.mark.parametrize("engine", ["own", "pymodbus"])
def test_a_pty_with_the_wire_s_time(tmp_path, count, figure, engine):
    dead_s = count(3, 20)
    live_s = count(3, 20)
    victim = 4
    with SiteRun(
        tmp_path,
        devices=UNITS,
        points=POINTS,
        every="1s",
        serial={"baud": BAUD, "framing": "8N1"},
        bus={"timeout": "500ms", "engine": engine},
        simulate=("--baud", BAUD, "--framing", "8N1", "--turnaround", "10"),
    ) as site:
        site.start()
        site.wait_fresh()
        start = time.time() * 1000
        watch(lambda: False, live_s)
        site.say(site.devices, f"dead {victim}")
        watch(lambda: False, dead_s)
        site.say(site.devices, f"alive {victim}")
        back_ms = site.now_ms()
        back_s = until(
            lambda: site.fresh(back_ms, [victim]), 30, "the unit is good again"
        )
        watch(lambda: False, live_s - 1)
        seconds = (time.time() * 1000 - start) / 1000
        site.gateway.stop()
        watch(lambda: site.witness.verdict().missing == 0, 5)
        verdict = site.witness.verdict()
        scans = {n: [] for n in range(1, UNITS + 1) if n != victim}
        for record in site.witness.records("scan"):
            unit = bench.unit_of(record["device"])
            if unit in scans and record["values"] and record["t"] >= start:
                scans[unit].append(record["t"])
    missed, p99 = judge_nine(scans, int(seconds))
    figure("seconds", round(seconds, 1))
    figure("missed_by_the_worst", round(missed, 4))
    figure("period_p99_ms", p99)
    figure("back_after_s", round(back_s, 2))
    figure("reasons", verdict.reasons)
    # Whatever the machine does meanwhile: nothing wrong, nothing silent.
    assert verdict.wrong == 0, verdict.text()
    assert verdict.missing == 0, verdict.text()
    assert verdict.unexplained_slots == 0, verdict.text()
    if engine == "own":
        assert missed <= 0.25, (missed, verdict.text())
        assert back_s <= 2 * BACK_MS / 1000, verdict.text()
