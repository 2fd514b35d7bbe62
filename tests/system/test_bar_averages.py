"""Bar 3: averages of a whole gateway, to the last digit, over faults and kills.

The oracle has what a platform has: the scans that arrived. It puts each into its slot,
adds decimals, and compares digits. What was killed may only be missing.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
from collections import defaultdict
from decimal import ROUND_HALF_EVEN, Decimal

import msgspec
import pytest

from drivers.profiles.model import ModbusPoint
from gateway.config.stations import Factor, Station
from gateway.periods import lines
from tests.support.modbus_fakes import plain, registers
from tests.support.virtual import run_virtual, running_loop
from tests.support.virtual_site import Endpoint, VirtualSite, make_site

MINUTE, HOUR = 60_000, 3_600_000
LOST_MS = 15_000
"""Ten seconds between two notes, what the store takes to keep one, and a slot."""
POINTS = ("r0", "r1", "r2")
DEVICE = "bus-0-dev-1"


class Alive(Endpoint):
    """Registers that change with time."""

    def _device(self):
        device = super()._device()
        script = device.script

        def right(asked):
            if asked.function not in {3, 4}:
                return [(0.004, device.frame(asked, plain(asked)))]
            now = int(running_loop().time() * 10)
            span = range(asked.address, asked.address + asked.count)
            words = [(now * 7 + n * 131) % 9973 for n in span]
            answer = device.frame(asked, registers(asked.function, words))
            return [(0.004, answer)]

        device.script = lambda asked: right(asked) if script(asked) else []
        return device


def station_site(folder, every_s=5.0):
    site = make_site(folder, devices=1, points=0, every_s=every_s)
    points = tuple(
        ModbusPoint(name=name, table="holding", address=i, type="uint16", unit="mg/m3")
        for i, name in enumerate(POINTS)
    )
    device = msgspec.structs.replace(site.devices[DEVICE], points=points)
    factors = tuple(
        Factor(
            name=f"f{i}",
            device=DEVICE,
            point=name,
            unit="mg/m3",
            decimals=i,
            every_ms=round(1000 * every_s),
        )
        for i, name in enumerate(POINTS)
    )
    station = Station(name="DA001", kind="flue_gas", factors=factors)
    return msgspec.structs.replace(
        site, devices={DEVICE: device}, stations={"DA001": station}
    )


class Life(VirtualSite):
    """A gateway that is killed and comes back, with one platform."""

    def __init__(self, folder, site):
        super().__init__(folder, site)
        self.endpoints = {name: Alive(name) for name in site.buses}
        self._folder, self._lives = folder, 0

    async def kill(self, seconds):
        self._lives += 1
        data = self._folder / f"data-{self._lives}"
        skip = shutil.ignore_patterns("control.sock", "lock")
        shutil.copytree(self.site.buffer.path, data, ignore=skip)
        was_up = self.platform.is_up
        self.platform.down()
        await self.stop()  # nobody hears or keeps what it says any more
        self.platform.is_up = was_up
        await asyncio.sleep(seconds)
        limits = msgspec.structs.replace(self.site.buffer, path=data)
        self.site = msgspec.structs.replace(self.site, buffer=limits)
        self.start()


def arrived(platform):
    """Each record once, by seq."""
    found = {}
    for message in platform.arrived:
        if message.topic.endswith(("/data", "/event")):
            body = json.loads(message.payload)
            for record in body["records"]:
                found[body["store"], record["seq"]] = record
    return list(found.values())


class Oracle:
    """Minutes and hours out of scans."""

    def __init__(self, site, records):
        (line,) = lines(site)
        self.every, self.phase = line.every_ms, round(1000 * line.phase_s)
        self.slots = defaultdict(dict)
        for record in records:
            if record["kind"] == "scan" and "clock" not in record:
                self._take(record)

    def _take(self, scan):
        slot = (scan["t"] + 25 - self.phase) // self.every
        due = slot * self.every + self.phase
        minute = due - due % MINUTE
        for point, value in scan["values"].items():
            if point not in scan.get("q", {}):
                there = self.slots[minute, point].get(slot)
                if there is None or scan["t"] < there[0]:
                    self.slots[minute, point][slot] = scan["t"], value

    def minute(self, start, point):
        values = [Decimal(v) for _, v in self.slots[start, point].values()]
        return len(values), sum(values) / len(values) if values else None


def digits(value, decimals):
    step = Decimal(1).scaleb(-decimals)
    return str(value.quantize(step, rounding=ROUND_HALF_EVEN))


def check(site, records, *, kills=()):
    """Every period once a revision; digits of the last revision are the oracle's.

    Returns:
        How many minutes and hours were compared.
    """
    oracle = Oracle(site, records)
    told = defaultdict(dict)
    for record in records:
        if record["kind"] in ("minute", "hour", "day"):
            key = record["kind"], record["t"]
            same = told[key].setdefault(record["rev"], record["agg"])
            assert same == record["agg"], key
    compared = 0
    last = max((t for kind, t in told if kind == "minute"), default=0)
    for start, point in oracle.slots:
        if start <= last and ("minute", start) not in told:
            n, _ = oracle.minute(start, point)
            killed = sum(start - 15_000 < k < start + 2 * MINUTE for k in kills)
            assert n <= killed * LOST_MS / oracle.every, start
    for (kind, start), revs in sorted(told.items()):
        assert sorted(revs) == list(range(len(revs)))
        agg = revs[max(revs)]
        for i, point in enumerate(POINTS):
            one = agg[f"f{i}"]
            if kind == "minute":
                n, mean = oracle.minute(start, point)
                of = MINUTE // oracle.every
                killed = sum(start - 15_000 < k < start + 2 * MINUTE for k in kills)
                assert one["of"] == of
                lost = n - one["n"]
                assert 0 <= lost <= killed * LOST_MS / oracle.every, (start, one, n)
            elif kind == "hour":
                parts = [
                    told["minute", t][max(told["minute", t])][f"f{i}"]
                    for t in range(start, start + HOUR, MINUTE)
                    if ("minute", t) in told
                ]
                valid = [p for p in parts if "mark" not in p]
                n, of, killed = len(valid), 60, True
                mean = _mean_of_valid(oracle, start, point, told, i)
                killed = any(start - MINUTE < k < start + HOUR for k in kills)
                assert (one["n"], one["of"]) == (n, of)
            else:
                continue
            if mean is not None and one["n"] and not killed:
                assert one["avg"] == digits(mean, i), (kind, start, one, mean)
                compared += 1
    return compared


def _mean_of_valid(oracle, start, point, told, i):
    means = []
    for t in range(start, start + HOUR, MINUTE):
        revs = told.get(("minute", t))
        if revs and "mark" not in revs[max(revs)][f"f{i}"]:
            means.append(oracle.minute(t, point)[1])
    return sum(means) / len(means) if means else None


@pytest.mark.sentence(2, 4)
def test_averages_of_hours_with_faults_are_the_oracles_to_the_last_digit(
    tmp_path, count, figure
):
    hours = count(2, 26)

    async def main():
        async with Life(tmp_path, station_site(tmp_path)) as run:
            await asyncio.sleep(1000)
            run.endpoints["bus-0"].dead.add(1)
            await asyncio.sleep(700)
            run.endpoints["bus-0"].dead.clear()
            await asyncio.sleep(900)
            run.platform.down()
            await asyncio.sleep(1300)
            run.platform.up()
            run.endpoints["bus-0"].down()
            await asyncio.sleep(200)
            await run.endpoints["bus-0"].up()
            await asyncio.sleep(3600 * hours - 4100)
            await asyncio.sleep(60)
        return run

    run = run_virtual(main())

    records = arrived(run.platform)
    compared = check(run.site, records)
    figure("periods_compared", compared)
    assert compared > 3 * 60 * (hours - 1)
    causes = {r["cause"] for r in records if r["kind"] == "gap"}
    assert "backed_off" in causes


@pytest.mark.sentence(2, 4)
def test_kills_take_at_most_their_last_seconds_and_change_nothing_told(
    tmp_path, count, figure, seed
):
    rounds = count(1, 20)
    compared = 0
    for number in range(seed, seed + rounds):
        rng = random.Random(number)
        folder = tmp_path / str(number)
        folder.mkdir()

        async def main(folder=folder, rng=rng):
            kills = []
            async with Life(folder, station_site(folder)) as run:
                for _ in range(6):
                    await asyncio.sleep(rng.uniform(5, 700))
                    kills.append(run.clock.wall_ms())
                    if rng.random() < 0.3:
                        run.platform.down()
                    await run.kill(rng.uniform(0, 100))
                    run.platform.up()
                await asyncio.sleep(400)
            return run, kills

        run, kills = run_virtual(main())

        compared += check(run.site, arrived(run.platform), kills=kills)
    figure("periods_compared", compared)
    assert compared
