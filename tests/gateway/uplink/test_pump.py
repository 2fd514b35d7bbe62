"""The pump against a platform in memory, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random

import pytest
import zstandard

from buffer import PriorityClass
from gateway.config.model import MqttTarget
from gateway.meta import KEEP_MS, MetaStore
from gateway.record import Event, Scan, encode
from gateway.uplink.link import (
    CredentialsError,
    LinkLimits,
    RefusedError,
    TakenOverError,
)
from gateway.uplink.pump import Pump
from tests.support.memory_link import FakeSource, MemoryPlatform
from tests.support.virtual import VirtualClock, virtual

SITE = {"gateway": {"id": "site-07"}, "points": []}


class Bench:
    """A pump between a fake buffer and a platform in memory."""

    def __init__(self, tmp_path, *, source=None, platform=None, **target):
        self.clock = VirtualClock()
        self.loop = asyncio.get_running_loop()
        self.source = source or FakeSource()
        self.platform = platform or MemoryPlatform()
        self.metas = MetaStore(tmp_path / "meta", wall_ms=self.clock.wall_ms)
        self.meta = self.metas.adopt(SITE, high=0)
        self.changes = []
        self.aside = []
        self.promises = []
        self.pump = Pump(
            MqttTarget(name="platform", host="memory", **target),
            self.source,
            self.platform.connector,
            self.metas,
            gateway="site-07",
            version="0.1.0",
            wall_ms=self.clock.wall_ms,
            promise=self.promises.append,
            on_change=lambda health: self.changes.append(health.state),
            on_set_aside=lambda seq, reason: self.aside.append((seq, reason)),
            rng=random.Random(7),
        )

    def scan(self, device="d", meta=None, **values):
        at = self.clock.now()
        return self.source.append(encode(Scan(device, at, values), meta or self.meta))

    def event(self):
        event = Event(id="e", type="door", severity="alarm", at=self.clock.now())
        return self.source.append(encode(event, self.meta), PriorityClass.EVENT)

    async def __aenter__(self):
        self.task = asyncio.create_task(self.pump.run())
        return self

    async def __aexit__(self, *_exc):
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


@virtual
async def test_status_then_meta_then_records_and_the_cursor_follows(tmp_path):
    async with Bench(tmp_path) as bench:
        bench.scan(x=1.5)
        await asyncio.sleep(0.1)
        bench.scan(x=2.5)
        await asyncio.sleep(0.1)

    topics = [
        m.topic.removeprefix("ecogate/v1/site-07/") for m in bench.platform.arrived
    ]
    assert topics == ["status", f"meta/{bench.meta}", "data", "data", "status"]
    assert bench.source.resolved == [(1, 1), (2, 2)]
    old, body = (message.body for message in bench.platform.messages("/data"))
    assert old["lane"] == "backfill", "older than the connection"
    assert body | {"records": [], "sent": 0} == {
        "v": 1,
        "gw": "site-07",
        "store": "5f2c9a01",
        "meta": bench.meta,
        "lane": "live",
        "sent": 0,
        "records": [],
    }


@virtual
async def test_a_record_leaves_at_once_on_an_idle_link(tmp_path):
    platform = MemoryPlatform(delay_s=0.2)
    async with Bench(tmp_path, platform=platform) as bench:
        await asyncio.sleep(5)
        born = bench.loop.time()
        bench.scan(x=1)
        await asyncio.sleep(1)

    assert platform.messages("/data")[0].time_s - born < 0.001


@virtual
async def test_what_accumulates_before_the_proof_travels_together(tmp_path):
    platform = MemoryPlatform(delay_s=0.5)
    async with Bench(tmp_path, platform=platform) as bench:
        await asyncio.sleep(2)
        for _ in range(45):
            bench.scan(x=1)
            await asyncio.sleep(0.01)
        await asyncio.sleep(2)

    sizes = [len(m.body["records"]) for m in platform.messages("/data")]
    assert sizes == [1, 44]
    assert platform.seqs() == list(range(1, 46))


@virtual
async def test_a_backlog_leaves_in_full_messages_and_never_more_than_the_window(
    tmp_path,
):
    source = FakeSource(on_disk_below=900)
    platform = MemoryPlatform(delay_s=0.1, limits=LinkLimits(receive_max=4))
    bench = Bench(
        tmp_path, source=source, platform=platform, in_flight=20, batch_records=50
    )
    for _ in range(1000):
        bench.scan(x=1)
    async with bench:
        await asyncio.sleep(5)

    assert platform.seqs() == list(range(1, 1001))
    assert platform.most_in_flight <= 3, "half of the window is left for what is new"
    assert source.reads > 0
    assert {len(m.body["records"]) for m in platform.messages("/data")} <= {50, 49, 1}
    assert source.floor("platform") == 1000


@virtual
async def test_with_a_window_of_one_everything_still_gets_through(tmp_path):
    platform = MemoryPlatform(limits=LinkLimits(receive_max=1))
    async with Bench(tmp_path, platform=platform) as bench:
        for _ in range(20):
            bench.scan(x=1)
            await asyncio.sleep(0.05)
        await asyncio.sleep(61)

    assert platform.seqs() == list(range(1, 21))
    assert platform.most_in_flight == 1
    assert len(platform.messages("/status")) >= 3


@virtual
async def test_messages_stay_below_the_platforms_limit(tmp_path):
    platform = MemoryPlatform(limits=LinkLimits(max_packet=2_000))
    bench = Bench(tmp_path, platform=platform)
    for n in range(200):
        bench.scan(device=f"device-{n}", x=n / 7)
    async with bench:
        await asyncio.sleep(5)

    assert platform.seqs() == list(range(1, 201))
    sizes = [len(m.payload) + len(m.topic) for m in platform.messages("/data")]
    assert max(sizes) <= 2_000
    assert sum(size > 1_700 for size in sizes) > len(sizes) / 2


@virtual
async def test_one_record_above_the_limit_is_set_aside_and_the_rest_flows(tmp_path):
    platform = MemoryPlatform(limits=LinkLimits(max_packet=10_000))
    bench = Bench(tmp_path, platform=platform)
    bench.scan(text="x" * 20_000)
    for _ in range(1000):
        bench.scan(x=1)
    async with bench:
        await asyncio.sleep(5)

    assert platform.seqs() == list(range(2, 1002))
    assert [seq for seq, _ in bench.aside] == [1]
    assert "the platform takes" in bench.aside[0][1]
    assert bench.pump.health().set_aside == 1
    assert bench.source.floor("platform") == 1001


@virtual
async def test_a_record_larger_than_our_batch_travels_alone(tmp_path):
    bench = Bench(tmp_path, batch_bytes=1_000)
    bench.scan(x=1)
    bench.scan(text="x" * 5_000)
    bench.scan(x=1)
    async with bench:
        await asyncio.sleep(1)

    assert [len(m.body["records"]) for m in bench.platform.messages("/data")] == [1] * 3


@virtual
@pytest.mark.sentence(4)
async def test_unproved_messages_are_sent_again_with_the_same_ids_and_bytes(tmp_path):
    platform = MemoryPlatform()
    async with Bench(tmp_path, platform=platform) as bench:
        await asyncio.sleep(1)
        platform.prove = False
        for n in range(30):
            bench.scan(x=n)
            await asyncio.sleep(0.01)
        platform.cut()
        first = platform.records()
        platform.prove = True
        await asyncio.sleep(3)

    again = platform.records()[len(first) :]
    assert len(first) == 1, "one message on its way, the rest waits for its proof"
    assert json.dumps(again[0]) == json.dumps(first[0])
    assert [r["seq"] for r in again] == list(range(1, 31))


@virtual
async def test_proofs_that_never_come_end_the_connection(tmp_path):
    platform = MemoryPlatform()
    async with Bench(tmp_path, platform=platform) as bench:
        await asyncio.sleep(1)
        platform.prove = False
        bench.scan(x=1)
        await asyncio.sleep(10)
        assert platform.attempts == 1
        await asyncio.sleep(8)
        platform.prove = True
        await asyncio.sleep(20)

    assert platform.attempts >= 2
    assert set(platform.seqs()) == {1}
    assert bench.source.floor("platform") == 1


@virtual
@pytest.mark.parametrize("forgotten", ["event", "scan"])
@pytest.mark.sentence(2)
async def test_a_proof_that_never_comes_ends_it_though_later_ones_do(
    tmp_path, forgotten
):
    platform = MemoryPlatform()
    async with Bench(tmp_path, platform=platform) as bench:
        await asyncio.sleep(1)
        platform.prove = False  # as brokers do that drop what is above a quota
        getattr(bench, forgotten)()
        platform.prove = True
        for n in range(60):
            await asyncio.sleep(1)
            if forgotten == "scan":
                bench.event()
            else:
                bench.scan(x=n)
        await asyncio.sleep(5)

    assert bench.source.floor("platform") == bench.source.high


@virtual
async def test_status_that_is_never_proved_does_not_close_the_window_for_ever(
    tmp_path,
):
    platform = MemoryPlatform()
    async with Bench(tmp_path, platform=platform, in_flight=1) as bench:
        await asyncio.sleep(1)
        platform.prove = False
        bench.pump.status_changed()
        await asyncio.sleep(3)
        platform.prove = True
        bench.scan(x=1)
        await asyncio.sleep(150)

    assert bench.source.floor("platform") == 1


@virtual
async def test_a_slow_line_is_not_taken_for_a_dead_one(tmp_path):
    platform = MemoryPlatform(delay_s=60.0)
    bench = Bench(tmp_path, platform=platform, in_flight=3)
    for _ in range(10):
        bench.scan(text="x" * 100_000)
    async with bench:
        await asyncio.sleep(600)

    assert platform.attempts == 1
    assert platform.seqs() == list(range(1, 11))


@pytest.mark.parametrize("outage_s", [0.5, 60, 3600])
def test_after_any_outage_the_first_message_comes_within_a_second_and_a_half(
    tmp_path, outage_s, caplog
):
    caplog.set_level(logging.INFO)

    @virtual
    async def run():
        platform = MemoryPlatform(delay_s=0.05)
        async with Bench(tmp_path, platform=platform) as bench:
            await asyncio.sleep(1)
            platform.down()
            for _ in range(10):
                bench.scan(x=1)
                await asyncio.sleep(outage_s / 10)
            platform.up()
            await asyncio.sleep(3)
            first = platform.messages("/data")[0].time_s
            assert first - platform.returned_s <= 1.5
            assert platform.seqs() == list(range(1, 11))

    run()
    lines = [r.getMessage() for r in caplog.records if "platform" in r.getMessage()]
    assert len(lines) == 3, "one line per change of state"


@virtual
@pytest.mark.sentence(2, 3)
async def test_flapping_loses_nothing_and_keeps_the_order(tmp_path, seed):
    rng = random.Random(seed)
    platform = MemoryPlatform(delay_s=0.05)
    async with Bench(
        tmp_path, platform=platform, in_flight=5, batch_records=7
    ) as bench:
        for _ in range(40):
            for _ in range(rng.randrange(30)):
                bench.scan(x=1)
                await asyncio.sleep(rng.random() * 0.05)
            platform.down()
            await asyncio.sleep(rng.random() * 2)
            platform.up()
            await asyncio.sleep(rng.random())
        await asyncio.sleep(10)

    seen = set()
    newest = {"event": 0, "live": 0, "backfill": 0}
    for lane, seq in platform.lanes():
        if seq not in seen:
            assert seq > newest[lane], f"seed {seed}: {seq} after {newest} on {lane}"
            newest[lane] = seq
            seen.add(seq)
    assert seen == set(range(1, bench.source.high + 1)), f"seed {seed}"
    repeats = len(platform.seqs()) - len(seen)
    assert repeats <= 40 * 5 * 7, f"seed {seed}"


@virtual
async def test_a_batch_never_mixes_versions_and_each_is_described_first(tmp_path):
    bench = Bench(tmp_path)
    old = bench.meta
    for _ in range(3):
        bench.scan(x=1)
    new = bench.metas.adopt(SITE | {"points": [{"n": 1}]}, high=3)
    for _ in range(3):
        bench.scan(meta=new, x=1)
    async with bench:
        await asyncio.sleep(1)

    seen = []
    for message in bench.platform.arrived:
        if "/meta/" in message.topic:
            seen.append(message.topic[-8:])
        elif message.topic.endswith("/data"):
            assert message.body["meta"] in seen
    data = bench.platform.messages("/data")
    assert [(m.body["meta"], len(m.body["records"])) for m in data] == [
        (old, 3),
        (new, 3),
    ]
    assert bench.platform.retained.keys() >= {
        f"ecogate/v1/site-07/meta/{old}",
        f"ecogate/v1/site-07/meta/{new}",
    }


@virtual
async def test_the_topic_of_an_unused_version_is_emptied_after_a_week(tmp_path):
    async with Bench(tmp_path) as bench:
        old = bench.meta
        bench.scan(x=1)
        await asyncio.sleep(1)
        bench.metas.adopt(SITE | {"points": [{"n": 1}]}, high=1)
        await asyncio.sleep(KEEP_MS / 1000 - 200)
        assert f"ecogate/v1/site-07/meta/{old}" in bench.platform.retained
        await asyncio.sleep(400)

        assert f"ecogate/v1/site-07/meta/{old}" not in bench.platform.retained
        assert bench.metas.payload(old) is None


@virtual
@pytest.mark.sentence(5)
async def test_events_have_a_topic_of_their_own_and_go_first(tmp_path):
    bench = Bench(tmp_path)
    bench.scan(x=1)
    bench.event()
    bench.scan(x=1)
    async with bench:
        await asyncio.sleep(1)

    arrived = [
        (m.topic.rpartition("/")[2], [r["seq"] for r in m.body["records"]])
        for m in bench.platform.arrived
        if m.topic.endswith(("/data", "/event"))
    ]
    assert arrived == [("event", [2]), ("data", [1, 3])]


def refusing(seqs, reason=0x99):
    def refuse(topic, payload):
        if topic.endswith("/data") and any(
            record["seq"] in seqs for record in json.loads(payload)["records"]
        ):
            return RefusedError(f"0x{reason:02x}", blames_message=reason != 0x87)
        return None

    return refuse


@virtual
async def test_a_refused_record_is_found_in_its_message_and_set_aside(tmp_path):
    platform = MemoryPlatform()
    bench = Bench(tmp_path, platform=platform, batch_records=10)
    platform.refuse = refusing({7, 8})
    for _ in range(100):
        bench.scan(x=1)
    async with bench:
        await asyncio.sleep(30)

    assert [seq for seq, _ in bench.aside] == [7, 8]
    assert set(platform.seqs()) == set(range(1, 101)) - {7, 8}
    assert bench.source.floor("platform") == 100


@virtual
async def test_a_platform_that_refuses_whatever_comes_loses_nothing(tmp_path):
    platform = MemoryPlatform()
    bench = Bench(tmp_path, platform=platform, batch_records=10)
    platform.refuse = refusing(set(range(1, 1000)), reason=0x87)
    for _ in range(50):
        bench.scan(x=1)
    async with bench:
        await asyncio.sleep(20)
        assert bench.pump.health().state == "refused"
        platform.refuse = lambda _topic, _payload: None
        await asyncio.sleep(60)
        assert bench.pump.health().state == "online"

    assert bench.aside == []
    assert platform.seqs() == list(range(1, 51))


@virtual
async def test_refusals_of_every_record_are_no_proof_against_any(tmp_path):
    platform = MemoryPlatform()
    bench = Bench(tmp_path, platform=platform)
    platform.refuse = refusing(set(range(1, 1000)), reason=0x80)
    for _ in range(50):
        bench.scan(x=1)
    async with bench:
        await asyncio.sleep(3600)
        assert bench.aside == []
        platform.refuse = lambda _topic, _payload: None
        await asyncio.sleep(120)

    assert bench.aside == []
    assert set(platform.seqs()) == set(range(1, 51))


@virtual
async def test_a_record_that_makes_the_platform_hang_up_is_set_aside_in_the_end(
    tmp_path,
):
    platform = MemoryPlatform()
    bench = Bench(tmp_path, platform=platform, batch_records=10)
    platform.hang_up = lambda topic, payload: b'"seq":5,' in payload
    for _ in range(30):
        bench.scan(x=1)
    async with bench:
        await asyncio.sleep(120)

    assert [seq for seq, _ in bench.aside] == [5]
    assert set(platform.seqs()) == set(range(1, 31)) - {5}


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
@pytest.mark.parametrize("seed", range(3))
@virtual
async def test_a_line_that_breaks_all_the_time_is_no_records_fault(
    tmp_path, share, seed
):
    line = random.Random(seed)
    platform = MemoryPlatform()
    bench = Bench(tmp_path, platform=platform)
    platform.hang_up = lambda topic, _payload: (
        topic.endswith("/data") and line.random() < share
    )
    async with bench:
        for _ in range(600):
            bench.scan(x=1)
            await asyncio.sleep(5)
        platform.hang_up = lambda _topic, _payload: False
        await asyncio.sleep(300)

    assert bench.aside == []
    assert set(platform.seqs()) == set(range(1, 601))


@virtual
async def test_a_record_of_an_unknown_release_does_not_block_the_rest(tmp_path):
    bench = Bench(tmp_path)
    bench.scan(x=1)
    bench.source.append(b"\x09" * 40)
    bench.scan(x=1)
    async with bench:
        await asyncio.sleep(1)

    assert bench.platform.seqs() == [1, 3]
    assert bench.aside[0][0] == 2
    assert "version 1, got 9" in bench.aside[0][1]


@virtual
async def test_a_bug_in_a_callback_ends_the_connection_and_is_seen(tmp_path):
    bench = Bench(tmp_path)
    bench.source.resolve = None
    bench.event()

    with pytest.raises(TypeError):  # and the supervisor starts it again
        async with asyncio.timeout(5):
            await bench.pump.run()


@virtual
async def test_wrong_credentials_are_tried_rarely(tmp_path):
    platform = MemoryPlatform()
    platform.connect_error = CredentialsError("bad user name or password")
    async with Bench(tmp_path, platform=platform) as bench:
        await asyncio.sleep(600)
        assert bench.pump.health().state == "refused"
        assert platform.attempts <= 30
        platform.connect_error = None
        await asyncio.sleep(35)
        assert bench.pump.health().state == "online"


@pytest.mark.parametrize("cause", [TakenOverError("taken over"), None])
def test_two_gateways_with_one_id_are_named_and_slow_down(tmp_path, caplog, cause):
    caplog.set_level(logging.WARNING)

    @virtual
    async def run():
        platform = MemoryPlatform()
        async with Bench(tmp_path, platform=platform) as bench:
            for _ in range(60):
                await asyncio.sleep(1)
                platform.cut(cause)
            assert bench.pump.health().state == "taken_over"
            before = platform.attempts
            for _ in range(120):
                await asyncio.sleep(1)
                platform.cut(cause)
            assert platform.attempts - before <= 5
            await asyncio.sleep(40)
            assert bench.pump.health().state == "online"
            await asyncio.sleep(100)
            platform.cut()
            await asyncio.sleep(1.5)
            assert bench.pump.health().state == "online"

    run()
    assert "ecogate-site-07-platform" in caplog.text


@virtual
async def test_status_is_said_every_minute_and_soon_after_a_change(tmp_path):
    async with Bench(tmp_path) as bench:
        await asyncio.sleep(0.5)
        bench.pump.status_changed()
        await asyncio.sleep(1.5)
        soon = len(bench.platform.messages("/status"))
        await asyncio.sleep(300)
        status = bench.platform.messages("/status")

    assert soon == 2
    assert len(status) == 7
    assert status[-1].body["state"] == "online"
    assert status[-1].retain
    last = json.loads(bench.platform.retained["ecogate/v1/site-07/status"])
    assert last["state"] == "stopped"


@virtual
async def test_a_clean_stop_waits_a_moment_for_proofs(tmp_path):
    platform = MemoryPlatform(delay_s=0.3)
    bench = Bench(tmp_path, platform=platform)
    async with bench:
        await asyncio.sleep(2)
        bench.scan(x=1)
        await asyncio.sleep(0.01)
        began = bench.loop.time()

    assert bench.source.resolved == [(1, 1)]
    assert bench.loop.time() - began <= 1.1
    assert bench.pump.health().state == "stopped"


@virtual
async def test_a_clean_stop_does_not_wait_for_a_platform_that_is_silent(tmp_path):
    platform = MemoryPlatform()
    bench = Bench(tmp_path, platform=platform)
    async with bench:
        await asyncio.sleep(2)
        platform.prove = False
        bench.scan(x=1)
        await asyncio.sleep(0.01)
        began = bench.loop.time()

    assert bench.loop.time() - began <= 1.1
    assert bench.source.resolved == []


@virtual
async def test_the_loop_keeps_giving_signs_of_life(tmp_path):
    platform = MemoryPlatform()
    async with Bench(tmp_path, platform=platform) as bench:
        await asyncio.sleep(60)
        online = len(bench.promises)
        platform.down()
        await asyncio.sleep(60)

        assert 12 <= online <= 16
        assert bench.promises[-1] > bench.loop.time() - 60
        assert len(bench.promises) > online + 30
        assert min(bench.promises[online:]) > bench.loop.time() - 60


@virtual
async def test_lingering_gathers_records_of_a_fast_site(tmp_path):
    async with Bench(tmp_path, linger_s=0.5) as bench:
        await asyncio.sleep(1)
        for _ in range(20):
            bench.scan(x=1)
            await asyncio.sleep(0.1)
        await asyncio.sleep(1)

    sizes = [len(m.body["records"]) for m in bench.platform.messages("/data")]
    assert sum(sizes) == 20
    assert len(sizes) <= 5


@virtual
async def test_compressed_messages_are_smaller_and_the_same(tmp_path):
    bench = Bench(tmp_path, compress=True)
    for n in range(100):
        bench.scan(x=n)
    async with bench:
        await asyncio.sleep(1)

    packed = [message.payload for message in bench.platform.messages("/data")]
    plain = [zstandard.ZstdDecompressor().decompress(payload) for payload in packed]
    assert sum(len(json.loads(one)["records"]) for one in plain) == 100
    assert sum(map(len, packed)) < sum(map(len, plain)) / 3


@virtual
async def test_the_description_of_thousands_of_points_travels_packed(tmp_path):
    async with Bench(tmp_path) as bench:
        points = [{"n": n, "device": "plc", "name": f"r{n}"} for n in range(16_000)]
        meta = bench.metas.adopt(SITE | {"points": points}, high=0)
        bench.scan(meta=meta, x=1)
        await asyncio.sleep(1)

    payload = bench.platform.retained[f"ecogate/v1/site-07/meta/{meta}"]
    assert len(payload) < 128_000
    assert len(json.loads(zstandard.decompress(payload))["points"]) == 16_000
    assert bench.source.resolved == [(1, 1)]


@virtual
async def test_a_description_nobody_takes_is_left_out_and_records_flow(
    tmp_path, caplog
):
    platform = MemoryPlatform(limits=LinkLimits(version="memory", max_packet=600))
    async with Bench(tmp_path, platform=platform) as bench:
        noise = [{"name": random.Random(n).randbytes(30).hex()} for n in range(3000)]
        meta = bench.metas.adopt(SITE | {"points": noise}, high=0)
        for n in range(3):
            bench.scan(meta=meta, x=n)
        await asyncio.sleep(5)

    assert f"ecogate/v1/site-07/meta/{meta}" not in platform.retained
    assert bench.source.resolved[-1][1] == 3
    said = [record for record in caplog.records if meta in record.getMessage()]
    assert len(said) == 1
