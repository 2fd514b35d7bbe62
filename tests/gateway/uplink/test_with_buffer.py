"""Pump and the real buffer together."""

from __future__ import annotations

import asyncio
import contextlib
import random

import pytest

from buffer import Buffer, Limits, PriorityClass
from gateway.clock import SystemClock
from gateway.config.model import MqttTarget
from gateway.meta import MetaStore
from gateway.record import Scan, encode
from gateway.uplink.pump import Pump
from tests.support.brokers import until
from tests.support.memory_link import MemoryPlatform

LIMITS = Limits(keep_free=0, commit_s=0.05, tail_bytes=20_000)


class Site:
    """One run of a gateway: a buffer, versions, and a pump to a platform in memory."""

    def __init__(self, folder, platform, software):
        self.folder = folder
        self.platform = platform
        self.software = software
        self.clock = SystemClock("always")
        self.scans = 0

    async def __aenter__(self):
        clock = self.clock
        self.buffer = await Buffer.open(
            self.folder / "data", LIMITS, ["p"], wall_ms=clock.wall_ms, boot=clock.boot
        )
        self.metas = MetaStore(self.folder / "meta", wall_ms=clock.wall_ms)
        content = {"gateway": {"id": "site-07", "sw": self.software}}
        self.meta = self.metas.adopt(content, self.buffer.high)
        pump = Pump(
            MqttTarget(name="p", host="memory", batch_records=50),
            self.buffer,
            self.platform.connector,
            self.metas,
            gateway="site-07",
            version=self.software,
            wall_ms=clock.wall_ms,
        )
        self.task = asyncio.create_task(pump.run())
        return self

    async def __aexit__(self, *_exc):
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task
        await self.buffer.close()

    def scan(self, x):
        at = self.clock.now()
        return self.buffer.append(
            encode(Scan("d", at, {"x": x}), self.meta),
            cls=PriorityClass.LIVE,
            subject="d",
            t_ms=at.wall_ms,
        )

    def all_proved(self):
        return self.buffer.floor("p") == self.buffer.high


async def test_a_backlog_made_under_an_old_site_file_keeps_its_own_description(
    tmp_path,
):
    platform = MemoryPlatform()
    platform.down()
    async with Site(tmp_path, platform, "0.1.0") as site:
        old = [site.scan(n) for n in range(1000)]
        first = site.meta
    platform.up()
    async with Site(tmp_path, platform, "0.2.0") as site:
        new = [site.scan(n) for n in range(100)]
        await until(site.all_proved)

    made_under = {
        record["seq"]: message.body["meta"]
        for message in platform.messages("/data")
        for record in message.body["records"]
    }
    assert {made_under[seq] for seq in old} == {first}
    assert {made_under[seq] for seq in new} == {site.meta}
    assert f"ecogate/v1/site-07/meta/{first}" in platform.retained
    assert [r["values"]["x"] for r in platform.records()] == [
        *range(1000),
        *range(100),
    ]


@pytest.mark.sentence(2)
async def test_links_that_come_and_go_and_restarts_lose_nothing(tmp_path, seed):
    rng = random.Random(seed)
    platform = MemoryPlatform(delay_s=0.002)
    made = []
    for software in ("1", "2", "3"):
        async with Site(tmp_path, platform, software) as site:
            for _ in range(8):
                for _ in range(rng.randrange(80)):
                    made.append(site.scan(len(made)))
                    if rng.random() < 0.1:
                        await asyncio.sleep(0.002)
                platform.cut()
                if rng.random() < 0.3:
                    platform.down()
                await asyncio.sleep(rng.random() * 0.2)
                platform.up()
    async with Site(tmp_path, platform, "4") as site:
        await until(site.all_proved)

    values = {}
    for record in platform.records():
        seq, x = record["seq"], record["values"]["x"]
        assert values.setdefault(seq, x) == x, f"seed {seed}"
    assert sorted(values) == made, f"seed {seed}: each once or more"
    assert [values[seq] for seq in made] == list(range(len(made))), f"seed {seed}"
    seen, newest = set(), {"live": 0, "backfill": 0}
    for lane, seq in platform.lanes():
        if seq not in seen:
            assert seq > newest[lane], f"seed {seed}: order on {lane}"
            newest[lane] = seq
            seen.add(seq)
