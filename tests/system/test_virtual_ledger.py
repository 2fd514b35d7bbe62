"""The gateway's own ledger and a platform's counts of what arrived are the same."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import random
import shutil
from collections import Counter

import msgspec
import pytest

from drivers.profiles.model import ModbusPoint
from gateway.config.model import MqttTarget
from gateway.spread import HOUR_MS
from gateway.uplink.link import RefusedError
from simulators.consumer import Consumer
from tests.support.clock import EPOCH_MS, VirtualClock
from tests.support.ledger_audit import Counts, audit, kept
from tests.support.memory_link import MemoryPlatform
from tests.support.virtual import run_virtual, running_loop
from tests.support.virtual_site import VirtualSite, make_site

SLOW = ModbusPoint(
    name="slow", table="holding", address=90, type="uint16", every_s=60.0
)


def platform_counts(platform):
    bodies = [json.loads(m.payload) for m in platform.arrived if _has_records(m)]
    metas = {
        json.loads(m.payload)["meta"]: json.loads(m.payload)
        for m in platform.arrived
        if "/meta/" in m.topic and m.payload
    }
    return audit(bodies, metas)


def _has_records(message):
    return message.topic.endswith(("/data", "/event"))


def verdict(platform):
    consumer = Consumer(from_seq=1)
    for message in platform.arrived:
        if "/meta/" in message.topic:
            consumer.feed(message.topic, message.payload, 0)
    for message in platform.arrived:
        if _has_records(message):
            consumer.feed(message.topic, message.payload, message.time_s * 1000)
    return consumer.verdict()


def two_periods(site, name):
    devices = dict(site.devices)
    one = devices[name]
    devices[name] = msgspec.structs.replace(one, points=(*one.points, SLOW))
    return msgspec.structs.replace(site, devices=devices)


def without(site, name):
    rest = {n: d for n, d in site.devices.items() if n != name}
    return msgspec.structs.replace(site, devices=rest)


def changed(site, name, **more):
    devices = dict(site.devices)
    devices[name] = msgspec.structs.replace(devices[name], **more)
    return msgspec.structs.replace(site, devices=devices)


class Life(VirtualSite):
    """A gateway that is stopped, killed and given other sites, with one platform."""

    def __init__(self, folder, site, **more):
        super().__init__(folder, site, **more)
        self._folder, self._lives = folder, 0
        self.told = []
        """What happened when: for a test that fails."""

    def say(self, what):
        self.told.append(f"{running_loop().time() - 1000:.1f}: {what}")

    async def reload(self, site):
        self.site = self.next_site = site
        await self.app.reload()

    async def rest(self, seconds, site=None):
        """A clean stop, and a start after a while, perhaps with another site."""
        await self.stop()
        await asyncio.sleep(seconds)
        self._begin(site or self.site)

    async def kill(self, seconds, site=None):
        """The power goes; what is on the disk then is what there is after a while."""
        self._lives += 1
        data = self._folder / f"data-{self._lives}"
        skip = shutil.ignore_patterns("control.sock", "lock")
        shutil.copytree(self.site.buffer.path, data, ignore=skip)
        was_up = self.platform.is_up
        self.platform.down()
        await self.stop()  # nobody hears or keeps what it says any more
        self.platform.is_up = was_up
        await asyncio.sleep(seconds)
        site = site or self.site
        limits = msgspec.structs.replace(site.buffer, path=data)
        self._begin(msgspec.structs.replace(site, buffer=limits))

    def _begin(self, site):
        self.site = site
        self.start()

    async def settle(self):
        """Until the platform has all there is, and no gap is open."""
        for endpoint in self.endpoints.values():
            endpoint.dead.clear()
        self.platform.up()
        await asyncio.sleep(60)
        return self.app.books.lines(72)


def judged(platform):
    """The consumer's verdict on the line of seqs and the lines of slots."""
    found = verdict(platform)
    troubles = {
        name: getattr(found, name)
        for name in found.TROUBLES
        if getattr(found, name) and name not in {"wrong", "retimed"}
    }
    return troubles, [*found.examples, *found.slot_examples]


def test_hours_of_faults_are_booked_as_the_platform_counts_them(tmp_path):
    async def main():
        site = make_site(tmp_path, buses=2, devices=2, points=4, every_s=10.0)
        site = two_periods(site, "bus-0-dev-1")
        async with Life(tmp_path, site) as run:
            await asyncio.sleep(1200)
            run.endpoints["bus-0"].dead.add(2)
            await asyncio.sleep(3600)
            run.endpoints["bus-1"].down()
            await asyncio.sleep(700)
            await run.endpoints["bus-1"].up()
            run.platform.down()
            await asyncio.sleep(900)
            lines = await run.settle()
            await run.stop()
            lines = run.app.books.lines(72)
        return run, lines

    run, lines = run_virtual(main())

    found, booked = platform_counts(run.platform), kept(lines)
    assert booked == found
    gaps = sum(counts.gap for counts in booked.values())
    assert gaps > 4 * (3600 + 2 * 700) / 10
    for line in lines:
        if line.targets and line.t is not None:
            counts = line.targets["platform"]
            assert counts["proved"] == line.records, line
            assert counts["sent"] >= counts["proved"]
    assert judged(run.platform)[0] == {}


def faults(run, rng):
    """What may happen; each is a coroutine function."""
    first = "bus-0-dev-1"

    async def silent():
        run.endpoints["bus-0"].dead.symmetric_difference_update({2})

    async def bus():
        run.endpoints["bus-1"].down()
        await asyncio.sleep(rng.uniform(1, 200))
        await run.endpoints["bus-1"].up()

    async def platform():
        run.platform.down()
        await asyncio.sleep(rng.uniform(1, 100))
        run.platform.up()

    async def remove():
        full = run.site
        await run.reload(without(run.site, "bus-0-dev-3"))
        await asyncio.sleep(rng.uniform(0, 100))
        limits = run.site.buffer
        await run.reload(msgspec.structs.replace(full, buffer=limits))

    async def other_period():
        every_s = rng.choice([1.0, 2.0, 5.0])
        await run.reload(changed(run.site, first, every_s=every_s))

    async def moved():
        buses = dict(run.site.buses)
        bus = buses["bus-1"]
        pause = {"pause_s": 0.001 if not bus.pause_s else 0.0}
        buses["bus-1"] = msgspec.structs.replace(bus, **pause)
        await run.reload(msgspec.structs.replace(run.site, buses=buses))

    async def rest():
        await run.rest(rng.uniform(0, 100))

    async def rest_and_change():
        await run.rest(
            rng.uniform(0, 100),
            changed(run.site, first, every_s=rng.choice([1.0, 3.0])),
        )

    async def kill():
        await run.kill(rng.uniform(0, 100))

    async def kill_and_remove():
        full = run.site
        await run.kill(rng.uniform(0, 100), without(run.site, "bus-0-dev-3"))
        await asyncio.sleep(rng.uniform(0, 60))
        limits = run.site.buffer
        await run.rest(1, msgspec.structs.replace(full, buffer=limits))

    return [
        silent, bus, platform, remove, other_period, moved, rest, rest_and_change,
        kill, kill_and_remove,
    ]  # fmt: skip


@pytest.mark.sentence(2, 4, 9)
def test_whatever_happens_every_slot_is_told_once_and_the_books_agree(
    tmp_path, count, figure, seed
):
    rounds, steps = count(2, 60), count(6, 12)
    slots = scans = unsure = 0
    for number in range(seed, seed + rounds):
        rng = random.Random(number)

        async def main(rng=rng, number=number):
            folder = tmp_path / str(number)
            folder.mkdir()
            site = make_site(folder, buses=2, devices=3, points=2, every_s=1.0)
            async with Life(folder, two_periods(site, "bus-0-dev-2")) as run:
                for _ in range(steps):
                    await asyncio.sleep(rng.uniform(0, 120))
                    fault = rng.choice(faults(run, rng))
                    run.say(fault.__name__)
                    await fault()
                lines = await run.settle()
                await run.stop()
            return run, run.app.books.lines(72) or lines

        run, lines = run_virtual(main())

        told = f"round {number}\n" + "\n".join(run.told)
        troubles, examples = judged(run.platform)
        assert troubles == {}, "\n".join([told, *examples])
        found, booked = platform_counts(run.platform), kept(lines)
        shaky = {line.t // HOUR_MS for line in lines if line.incomplete}
        for key in found.keys() | booked.keys():
            platform = found.get(key, Counts())
            gateway = booked.get(key, Counts())
            if key[0] not in shaky:
                assert gateway == platform, (key, told)
            else:
                assert gateway[:3] <= platform[:3], (key, told)
                unsure += 1
        slots += sum(c.gap for c in found.values())
        scans += sum(c.records for c in found.values())
    figure("rounds", rounds)
    figure("records", scans)
    figure("point_slots_in_gaps", slots)
    figure("rows_incomplete", unsure)


def test_three_targets_with_filters_of_their_own_and_one_of_them_dead(tmp_path):
    async def main():
        site = make_site(tmp_path, buses=1, devices=3, points=3)
        some = MqttTarget(name="some", host="some", devices=("bus-0-dev-1", "*-3"))
        events = MqttTarget(name="events", host="events", kinds=("event", "gap"))
        site = msgspec.structs.replace(
            site, targets={**site.targets, "some": some, "events": events}
        )
        platforms = {name: MemoryPlatform() for name in site.targets}
        platforms["platform"].is_up = False
        run = Life(tmp_path, site)

        def connector(target, terms):
            return platforms[target.name].connector(target, terms)

        run.ports = dataclasses.replace(run.ports, make_connector=lambda: connector)
        async with run:
            run.endpoints["bus-0"].dead.add(3)
            await asyncio.sleep(300)
            run.endpoints["bus-0"].dead.clear()
            await asyncio.sleep(60)
            lines = run.app.books.lines(2)
        return run, platforms, lines

    _, platforms, lines = run_virtual(main())

    assert platforms["platform"].records() == []
    kinds = {r["kind"] for r in platforms["events"].records()}
    assert kinds == {"event", "gap"}
    devices = {r.get("device", "") for r in platforms["some"].records()}
    assert devices == {"", "bus-0-dev-1", "bus-0-dev-3"}
    assert {r["kind"] for r in platforms["some"].records()} == {"scan", "event", "gap"}
    for line in lines:
        assert "platform" not in line.targets
        for name, platform in platforms.items():
            if name == "platform":
                continue
            counts = line.targets[name]
            settled = counts["proved"] + counts["filtered"]
            assert line.records - 3 <= settled <= line.records, (name, line)
            mine = {
                r["seq"]
                for r in platform.records()
                if r.get("device", "") == line.device
            }
            assert len(mine) - 3 <= counts["proved"] <= len(mine)
    assert any(
        line.targets["some"]["filtered"] == line.records
        for line in lines
        if line.device == "bus-0-dev-2"
    )


def test_a_day_is_told_after_its_midnight_and_days_away_at_the_next_start(tmp_path):
    async def main():
        site = make_site(tmp_path, buses=1, devices=1, points=2, every_s=60.0)
        late = VirtualClock(EPOCH_MS + 15 * HOUR_MS // 2)
        async with Life(tmp_path, site, clock=late) as run:
            await asyncio.sleep(3600)  # from 23:30 to 00:30 in Shanghai
            await run.rest(40 * 3600)
            await asyncio.sleep(1200)
        return run

    run = run_virtual(main())

    days = [r for r in run.records() if r["kind"] == "ledger"]
    mine = [r for r in days if r.get("device") == "bus-0-dev-1"]
    assert [d["day"] for d in mine] == ["2025-11-21", "2025-11-22"]
    assert all(d["until"] - d["t"] == 24 * HOUR_MS for d in mine)
    first, second = mine
    assert 60 <= first["scheduled"] <= 64
    assert (first["gap"], first["bad"]) == (0, 0)
    assert first["targets"]["platform"]["proved"] == first["records"]
    assert second["scheduled"] in {2880, 2882}
    assert second["gap"] == second["scheduled"] - second["value"] > 2800
    assert not any(d.get("incomplete") for d in days)


@pytest.mark.bars
def test_what_is_evicted_or_refused_is_booked_as_it_is_stated(tmp_path):
    async def main():
        site = make_site(tmp_path, buses=1, devices=4, points=20)
        limits = msgspec.structs.replace(site.buffer, max_bytes=1_000_000)
        site = msgspec.structs.replace(site, buffer=limits)
        async with Life(tmp_path, site) as run:
            await asyncio.sleep(60)
            run.platform.down()
            while not run.app.books.ledger.losses:
                await asyncio.sleep(600)
                assert running_loop().time() < 80_000
            run.platform.up()
            run.platform.refuse = lambda _topic, payload: (
                RefusedError("too large", blames_message=True)
                if b'"seq":100,' in payload or b'"seq":100}' in payload
                else None
            )
            await asyncio.sleep(900)
            lines = run.app.books.lines(72)
        return run, lines

    run, lines = run_virtual(main())

    stated = Counter()
    for record in run.records():
        if record["kind"] == "lost" and record["cause"] == "evicted":
            stated.update(record["counts"])
    booked = Counter()
    for line in lines:
        booked[line.device] += line.lost + line.unsure
    assert sum(stated.values()) > 1000
    assert +booked == +stated
    troubles, examples = judged(run.platform)
    assert troubles == {}, examples
