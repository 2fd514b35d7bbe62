"""Ten units on one RTU line in virtual time: what a dead one costs, and its return."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from itertools import pairwise
from statistics import quantiles

import msgspec
import pytest

from drivers.modbus.rtu import RtuBus
from gateway.config.model import Bus, SerialLine
from tests.support.modbus_fakes import FakeDevice
from tests.support.virtual import run_virtual, running_loop, serial_pace
from tests.support.virtual_site import VirtualSite, make_site

BAUD = 19_200
DEAD = 4


class Units:
    """Ten units that share a line; those in ``dead`` are silent."""

    def __init__(self, turnaround, seed):
        self.dead = set()
        self.random = random.Random(seed)
        self.turnaround = turnaround
        self.device = FakeDevice(tcp=False, script=self._script)

    def _script(self, asked):
        if asked.unit in self.dead:
            return []
        self.device.delay = self.random.uniform(*self.turnaround)
        return self.device.right(asked)


class RtuSite(VirtualSite):
    def __init__(self, folder, seed, turnaround=(0.01, 0.01)):
        site = make_site(folder, devices=10, points=10)
        line = Bus(
            name="bus-0",
            protocol="modbus-rtu",
            serial=SerialLine(device="line", baud=BAUD, echo="no"),
            timeout_s=0.5,
        )
        super().__init__(
            folder, site=msgspec.structs.replace(site, buses={"bus-0": line})
        )
        self.endpoints = {}
        self.units = Units(turnaround, seed)
        self.ports = replace(self.ports, make_bus=self._bus)

    def _bus(self, conf):
        line = running_loop().line("line", serial_pace(BAUD))
        line.attach(self.units.device)
        return RtuBus("line", BAUD, open_port=line.open_port)


@pytest.mark.parametrize("turnaround", [(0.01, 0.01), (0.0, 0.05)])
def test_one_dead_of_ten_costs_the_nine_nothing_and_is_back_in_five_seconds(
    tmp_path, seed, turnaround
):
    async def main():
        async with RtuSite(tmp_path, seed, turnaround) as site:
            await asyncio.sleep(30)
            site.units.dead.add(DEAD)
            await asyncio.sleep(120)
            site.units.dead.clear()
            back = site.clock.wall_ms()
            await asyncio.sleep(20)
            settled = {
                name: sum(job.line.next for job in unit.jobs)
                for name, unit in site.app.workers["bus-0"].units.items()
            }
            await asyncio.sleep(0.4)
        return site, back, settled

    site, back, settled = run_virtual(main())

    for n in range(1, 11):
        name = f"bus-0-dev-{n}"
        scans, gaps = site.scans(name), site.gaps(name)
        told = len(scans) + sum(gap["slots"] for gap in gaps)
        assert settled[name] <= told <= settled[name] + 1, f"seed {seed}: {name}"
        if n == DEAD:
            good = [s["t"] for s in scans if s["values"] and s["t"] >= back]
            assert good[0] - back <= 5000, f"seed {seed}"
        else:
            good = [s["t"] for s in scans if s["values"]][1:]
            periods = [b - a for a, b in pairwise(good)]
            assert len(good) >= 0.98 * 170, f"seed {seed}: {name}"
            p99 = quantiles(periods, n=100)[98]
            assert p99 <= 1100, f"seed {seed}: {name} p99 {p99}"


def test_a_unit_dead_from_the_start_is_found_when_it_comes(tmp_path, seed):
    async def main():
        site = RtuSite(tmp_path, seed)
        site.units.dead.add(DEAD)
        async with site:
            await asyncio.sleep(60)
            site.units.dead.clear()
            back = site.clock.wall_ms()
            await asyncio.sleep(10)
        return site, back

    site, back = run_virtual(main())

    good = [s["t"] for s in site.scans(f"bus-0-dev-{DEAD}") if s["values"]]
    assert 0 <= good[0] - back <= 5000, f"seed {seed}"
    for n in range(1, 11):
        if n != DEAD:
            assert len(site.scans(f"bus-0-dev-{n}")) >= 69, f"seed {seed}"


def test_a_pulled_adapter_is_back_in_five_seconds_under_its_stable_name(tmp_path, seed):
    async def main():
        async with RtuSite(tmp_path, seed) as site:
            line = running_loop().line("line")
            returns = []
            for _ in range(20):
                await asyncio.sleep(5 + site.units.random.random())
                line.unplug()
                await asyncio.sleep(1 + 10 * site.units.random.random())
                line.plug()
                returns.append(site.clock.wall_ms())
                await asyncio.sleep(6)
        return site, returns

    site, returns = run_virtual(main())

    for n in range(1, 11):
        good = [s["t"] for s in site.scans(f"bus-0-dev-{n}") if s["values"]]
        for back in returns:
            first = next(t for t in good if t >= back)
            assert first - back <= 5000, f"seed {seed}"
    assert len([e for e in site.events() if e["type"] == "bus_gone"]) == 40
