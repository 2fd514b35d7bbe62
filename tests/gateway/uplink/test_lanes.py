"""Lanes, receipts, filters and the pace of a backlog, in virtual time."""

from __future__ import annotations

import asyncio
import itertools
import json
import random

import pytest

from buffer import PriorityClass
from gateway.clock import Instant
from gateway.record import DatedTime, Lost, Scan, encode
from gateway.uplink.aside import NEWEST, AsideList
from gateway.uplink.link import LinkLimits, RefusedError
from gateway.uplink.pace import FIRST_BYTES, LEAST_BYTES, Bucket, Share
from gateway.uplink.receipts import MOST_EVENTS, Awaiting, ReceiptError, parse
from gateway.uplink.source import runs_of
from tests.gateway.uplink.test_pump import Bench
from tests.support.memory_link import FakeEntry, FakeSource, MemoryPlatform
from tests.support.virtual import virtual

RECEIPT = "ecogate/v1/site-07/receipt"


def lanes_of(platform):
    return [
        (m.body["lane"], [r["seq"] for r in m.body["records"]])
        for m in platform.arrived
        if m.topic.endswith(("/data", "/event"))
    ]


def confirm(bench, ok=(), refused=()):
    body = {"store": bench.source.store, "ok": ok, "refused": refused}
    bench.platform.say(RECEIPT, json.dumps(body).encode())


@pytest.mark.sentence(5)
@virtual
async def test_when_a_link_returns_events_and_live_data_flow_at_once(tmp_path):
    platform = MemoryPlatform(delay_s=0.05)
    bench = Bench(tmp_path, platform=platform, batch_records=10)
    for _ in range(2000):
        bench.scan(x=1)
    async with bench:
        await asyncio.sleep(2)
        born = bench.loop.time()
        live, event = bench.scan(x=2), bench.event()
        await asyncio.sleep(1)
        waited = {
            seq: message.time_s - born
            for message in platform.arrived
            if message.topic.endswith(("/data", "/event"))
            for seq in (record["seq"] for record in message.body["records"])
            if seq in {live, event}
        }
        still_owed = bench.source.high - len(set(platform.seqs()))

    assert still_owed > 500, "the backlog is far from done"
    assert max(waited.values()) < 0.01


@pytest.mark.sentence(5)
@virtual
async def test_a_backlog_never_goes_faster_than_its_rate(tmp_path):
    bench = Bench(tmp_path, batch_records=1, backfill_per_s=20.0)
    for _ in range(300):
        bench.scan(x=1)
    async with bench:
        await asyncio.sleep(7)
        bench.platform.cut()
        await asyncio.sleep(20)

    times = [m.time_s for m in bench.platform.messages("/data")]
    assert len(times) == 300
    assert min(b - a for a, b in itertools.pairwise(times)) > 0.0499
    assert times[139] - times[0] < 7.1, "and not much slower"


@virtual
async def test_a_line_of_2_kb_a_second_carries_live_records_within_seconds(tmp_path):
    line = SlowLine(2_000)
    bench = Bench(tmp_path, platform=line)
    for _ in range(3000):
        bench.scan(x=1, text="y" * 50)
    born = {}
    async with bench:
        for _ in range(30):
            await asyncio.sleep(10)
            born[bench.scan(x=2)] = bench.loop.time()
        await asyncio.sleep(20)

    waited = {seq: line.came[seq] - at for seq, at in born.items()}
    assert max(waited.values()) < 3, waited
    assert len(line.came) > 3000 * 0.9, "the rest of the line is the backlog's"


class SlowLine(MemoryPlatform):
    """Carries so many bytes a second, one message after the other."""

    def __init__(self, bytes_per_s):
        super().__init__()
        self.came = {}
        self._free_s = 0.0
        self._rate = bytes_per_s
        self.ask = True

    def connector(self, target, terms):
        link = super().connector(target, terms)
        publish = link.publish

        def slowly(topic, payload, *, retain=False):
            loop = asyncio.get_running_loop()
            proof = publish(topic, payload, retain=retain)
            size = len(topic) + len(payload) + 10
            self._free_s = max(self._free_s, loop.time()) + size / self._rate
            if self.unanswered:
                question = self.unanswered.pop()
                loop.call_at(self._free_s, self._carried, question, payload)
            return proof

        link.publish = slowly
        return link

    def _carried(self, question, payload):
        now = asyncio.get_running_loop().time()
        for record in json.loads(payload)["records"]:
            self.came.setdefault(record["seq"], now)
        question.answer()


def test_the_share_of_a_backlog_grows_on_a_quick_line_and_shrinks_on_a_slow_one():
    share = Share(20, 128_000)
    share.proof(0.01)
    for _ in range(12):
        assert share.open
        size = share.message_bytes
        share.sent(size)
        share.ended(size)
        share.proof(0.05, size)
    assert share.message_bytes == 128_000
    for _ in range(12):
        share.proof(5.0, 1000)
    assert share.message_bytes == LEAST_BYTES
    assert FIRST_BYTES > LEAST_BYTES
    share.sent(LEAST_BYTES)
    assert not share.open, "one message is a second of such a line"


def test_a_long_line_is_not_taken_for_a_slow_one():
    share = Share(20, 128_000)
    share.proof(3.0)
    for _ in range(12):
        size = share.message_bytes
        share.sent(size)
        share.ended(size)
        share.proof(3.2, size)
    assert share.message_bytes == 128_000


def test_a_bucket_holds_one_message():
    bucket = Bucket(20.0)
    bucket.take(100.0)
    assert bucket.next_s == pytest.approx(100.05)
    bucket.take(200.0)
    assert bucket.next_s == pytest.approx(200.05), "what was not used is gone"


def test_seqs_become_runs():
    assert runs_of([]) == ()
    assert runs_of([4]) == ((4, 4),)
    assert runs_of([1, 2, 3, 7, 9, 10]) == ((1, 3), (7, 7), (9, 10))


@pytest.mark.sentence(1, 2)
@virtual
async def test_with_receipts_only_the_platforms_word_resolves(tmp_path):
    async with Bench(tmp_path, receipts=True, receipt_wait_s=30.0) as bench:
        await asyncio.sleep(1)
        for _ in range(3):
            bench.scan(x=1)
        await asyncio.sleep(5)
        assert bench.source.resolved == []
        assert bench.pump.health().awaiting_receipt == 3
        confirm(bench, ok=[[1, 2]])
        await asyncio.sleep(0.1)
        assert bench.source.floor("platform") == 2
        await asyncio.sleep(40)
        again = bench.platform.messages("/data")[-1].body
        assert (again["lane"], again["again"]) == ("backfill", True)
        assert [r["seq"] for r in again["records"]] == [3]
        confirm(bench, ok=[[3, 3]])
        await asyncio.sleep(1)

        assert bench.source.floor("platform") == 3
        assert bench.pump.health().awaiting_receipt == 0


@virtual
async def test_a_reconnect_does_not_hasten_what_waits_for_its_receipt(tmp_path):
    async with Bench(tmp_path, receipts=True, receipt_wait_s=60.0) as bench:
        await asyncio.sleep(1)
        bench.scan(x=1)
        await asyncio.sleep(1)
        bench.platform.cut()
        await asyncio.sleep(20)
        assert bench.platform.seqs() == [1]
        await asyncio.sleep(60)

    assert bench.platform.seqs() == [1, 1]


@pytest.mark.sentence(2)
class SlowDisk(FakeSource):
    """Answers late, with what is owed by then."""

    async def read(self, *args, **how):
        await asyncio.sleep(7)
        return await super().read(*args, **how)


@virtual
@pytest.mark.sentence(2)
async def test_what_becomes_overdue_while_another_is_read_is_not_forgotten(tmp_path):
    source, platform = SlowDisk(), MemoryPlatform()
    bench = Bench(
        tmp_path,
        source=source,
        platform=platform,
        receipts=True,
        receipt_wait_s=30.0,
    )
    async with bench:
        await asyncio.sleep(1)
        first = bench.scan(x=1)
        await asyncio.sleep(6)
        second = bench.scan(x=2)
        await asyncio.sleep(1)
        source.on_disk_below = 100
        await asyncio.sleep(28)  # the first is being read again, and then confirmed
        confirm(bench, ok=[[first, first]])
        await asyncio.sleep(60)

    assert [seqs for _, seqs in lanes_of(platform)].count([second]) >= 2


@virtual
@pytest.mark.sentence(2)
async def test_a_record_refused_by_receipt_three_times_is_set_aside(tmp_path):
    async with Bench(tmp_path, receipts=True) as bench:
        await asyncio.sleep(1)
        bench.scan(x=1)
        bench.scan(x=2)
        await asyncio.sleep(1)
        for _ in range(3):
            confirm(bench, ok=[[2, 2]], refused=[[1, 1, "unknown device"]])
            confirm(bench, refused=[[1, 1, "unknown device"]])  # said twice, meant once
            await asyncio.sleep(16)

        health = bench.pump.health()
        assert bench.platform.seqs().count(1) == 3
        assert bench.aside == [(1, "unknown device")]
        assert [(a.seq, a.reason) for a in health.aside] == [(1, "unknown device")]
        assert bench.source.floor("platform") == 2


@virtual
async def test_nonsense_about_receipts_is_counted_and_ignored(tmp_path, caplog):
    async with Bench(tmp_path, receipts=True) as bench:
        await asyncio.sleep(1)
        bench.scan(x=1)
        await asyncio.sleep(1)
        for payload in (
            b"",
            b"[]",
            b"\xff",
            b'{"store":"x","ok":[[1,1]]}',
            b"[" * 9000,
        ):
            bench.platform.say(RECEIPT, payload)
        confirm(bench, ok=[[2, 2**53]])
        confirm(bench, ok=[[1, 1]] * 1001)
        await asyncio.sleep(1)

        assert bench.source.resolved == []
        assert bench.pump.health().receipts_ignored == 7
    assert len([r for r in caplog.records if "receipt" in r.getMessage()]) == 3


@virtual
async def test_records_are_held_back_while_the_platform_confirms_nothing(tmp_path):
    bench = Bench(tmp_path, receipts=True, receipt_wait_s=3600.0, backfill_per_s=1000.0)
    for _ in range(20_500):
        bench.scan(x=1)
    async with bench:
        await asyncio.sleep(30)
        sent = len(set(bench.platform.seqs()))
        event = bench.event()
        await asyncio.sleep(1)
        assert event in bench.platform.seqs(), "but not events"
        confirm(bench, ok=[[1, 20_600]])
        await asyncio.sleep(10)

    assert 20_000 <= sent < 20_500
    assert len(set(bench.platform.seqs())) == 20_501


@pytest.mark.parametrize(
    "payload",
    [
        b"{}",
        b'{"store":"s","ok":[[2,1]]}',
        b'{"store":"s","ok":[[0,1]]}',
        b'{"store":"s","ok":[[1,9007199254740993]]}',
        b'{"store":"s","refused":[[1,1]]}',
        b'{"store":"s","ok":{}}',
        b'{"store":"s","ok":' + b"[" * 60_000,
        b'{"store":"' + b"x" * 64_000 + b'"}',
    ],
)
def test_what_is_no_receipt_is_refused(payload):
    with pytest.raises(ReceiptError):
        parse(payload)


def test_a_receipt_may_say_more_than_we_know():
    receipt = parse(b'{"v":1,"store":"s","ok":[[1,2]],"from":{"a":[1]}}')
    assert receipt.ok == ((1, 2),)
    assert receipt.refused == ()


def test_a_receipt_that_comes_before_the_acknowledgement_counts():
    awaiting = Awaiting(60.0)
    entries = [FakeEntry(seq, b"x" * 40) for seq in (1, 2, 3)]
    awaiting.published(entries, ((1, 3),))

    outcome = awaiting.apply(parse(b'{"store":"s","ok":[[1,2]]}'), 0.0)
    awaiting.taken(((1, 3),), 0.0)
    awaiting.overdue(61.0)

    assert [sent.seq for sent in outcome.ok] == [1, 2]
    assert list(awaiting.again_seqs()) == [3]
    assert outcome.strange == 0


def test_a_wide_receipt_costs_no_more_than_what_is_awaited():
    awaiting = Awaiting(60.0)
    entries = [FakeEntry(seq, b"x" * 40) for seq in range(1, 2001)]
    awaiting.published(entries, ((1, 2000),))
    ranges = ",".join(["[1,9007199254740992]"] * 1000)

    receipt = parse(b'{"store":"s","ok":[%s]}' % ranges.encode())
    outcome = awaiting.apply(receipt, 0.0)

    assert len(outcome.ok) == 2000
    assert len(awaiting) == 0
    assert not awaiting.open


@pytest.mark.sentence(9)
@virtual
async def test_a_filter_sends_what_is_wanted_and_tells_what_is_not(tmp_path):
    platform = MemoryPlatform()
    bench = Bench(tmp_path, platform=platform, devices=("cems-*",), kinds=("scan",))
    source = bench.source

    def scan(device):
        at = bench.clock.now()
        data = encode(Scan(device, at, {"x": 1}), bench.meta)
        return source.append(data, PriorityClass.LIVE, device)

    def lost():
        record = Lost(1, 1, 0, 0, {}, "evicted", True, 1, bench.clock.now())
        return source.append(encode(record, bench.meta), PriorityClass.EVENT, "")

    for device in ("cems-1", "fan-1", "fan-2", "cems-2"):
        scan(device)
    async with bench:
        await asyncio.sleep(1)
        scan("fan-1")
        bench.event()
        lost()
        await asyncio.sleep(1)
        scan("fan-9")
        await asyncio.sleep(65)

    told = [
        run for m in platform.arrived if m.payload for run in m.body.get("skipped", [])
    ]
    assert platform.seqs() == [1, 4, 7]
    assert told == [[2, 3], [5, 6], [8, 8]]
    assert source.floor("platform") == 8
    assert bench.pump.health().filtered == 5


@virtual
async def test_a_wanted_record_does_not_wait_behind_those_filtered_out(tmp_path):
    bench = Bench(tmp_path, devices=("b",), batch_records=10)
    for n in range(2_000):
        device = "b" if n == 1_999 else "a"
        data = encode(Scan(device, bench.clock.now(), {"x": n}), bench.meta)
        bench.source.append(data, subject=device)
    async with bench:
        await asyncio.sleep(1)

    assert bench.platform.seqs() == [2_000]


@virtual
async def test_what_was_skipped_is_told_again_when_the_message_did_not_arrive(tmp_path):
    platform = MemoryPlatform()
    async with Bench(tmp_path, platform=platform, devices=("a",)) as bench:
        at = bench.clock.now()
        data = encode(Scan("b", at, {}), bench.meta)
        await asyncio.sleep(1)
        platform.prove = False
        bench.source.append(data, PriorityClass.LIVE, "b")
        bench.source.append(data, PriorityClass.LIVE, "a")
        await asyncio.sleep(0.1)
        platform.cut()
        platform.prove = True
        await asyncio.sleep(2)

    told = [m.body.get("skipped") for m in platform.messages("/data")]
    said = [m.body.get("skipped") for m in platform.messages("/status")]
    assert told[0] == [[1, 1]]
    assert [[1, 1]] in told[1:] + said


@pytest.mark.sentence(8)
@virtual
async def test_an_undated_record_holds_its_lane_until_it_has_a_date(tmp_path):
    known = []
    bench = Bench(tmp_path)
    bench.pump._kit.packer._when = lambda at: (
        DatedTime(at.wall_ms, "corrected") if known else None
    )
    async with bench:
        await asyncio.sleep(1)
        bench.scan(x=1)
        at = Instant(0, 1000, "0a0b0c0d", False)
        undated = bench.source.append(encode(Scan("d", at, {"x": 2}), bench.meta))
        bench.scan(x=3)
        event = bench.event()
        await asyncio.sleep(30)
        before = bench.platform.seqs()
        known.append(True)
        bench.pump.wake()
        await asyncio.sleep(0.5)

    assert before in ([1, event], [event, 1])
    assert bench.platform.seqs()[2:] == [undated, 3]


@pytest.mark.sentence(2, 6)
@virtual
async def test_what_was_set_aside_is_known_after_a_restart(tmp_path):
    source = FakeSource()
    platform = MemoryPlatform(limits=LinkLimits(max_packet=2_000))
    bench = Bench(tmp_path, source=source, platform=platform)
    bench.scan(text="x" * 5_000)
    bench.scan(x=1)
    async with bench:
        await asyncio.sleep(1)
    again = Bench(tmp_path, source=source)

    (aside,) = again.pump.health().aside
    assert again.pump.health().set_aside == 1
    assert (aside.seq, aside.device) == (1, "d")
    assert aside.size > 5_000
    assert "the platform takes" in aside.reason


def test_the_list_of_records_set_aside_is_bounded_and_survives_damage():
    listed = AsideList()
    for seq in range(1, 251):
        listed.add(seq, "d", 0, "r" * 1000, 10)
    again = AsideList(listed.dump())

    assert (again.count, len(again.newest)) == (250, NEWEST)
    assert again.newest[-1].seq == 250
    assert len(again.dump()) < 50_000
    assert AsideList(b"\xff{").count == 0


@virtual
async def test_refused_records_come_again_marked_so(tmp_path):
    platform = MemoryPlatform()
    tries = random.Random(1)
    platform.refuse = lambda topic, payload: (
        RefusedError("0x99", blames_message=True)
        if topic.endswith("/data")
        and any(r["seq"] == 5 for r in json.loads(payload)["records"])
        and tries.random() < 0.9
        else None
    )
    bench = Bench(tmp_path, platform=platform, batch_records=4)
    for _ in range(40):
        bench.scan(x=1)
    async with bench:
        await asyncio.sleep(60)

    newest = 0
    for message in platform.messages("/data"):
        seqs = [record["seq"] for record in message.body["records"]]
        if not message.body.get("again"):
            assert seqs[0] > newest
            newest = seqs[-1]
    assert set(platform.seqs()) | {seq for seq, _ in bench.aside} == set(range(1, 41))


@virtual
async def test_a_steady_flow_costs_one_look_at_the_buffer_a_record(tmp_path):
    async with Bench(tmp_path) as bench:
        await asyncio.sleep(5)
        bench.scan(x=1)
        await asyncio.sleep(1)
        before = bench.source.peeks
        for _ in range(100):
            bench.scan(x=1)
            await asyncio.sleep(1)

    assert bench.source.peeks - before <= 102


@virtual
@pytest.mark.sentence(5)
async def test_events_that_nobody_confirms_do_not_hold_back_scans(tmp_path):
    """A broker's access list that drops the event topic, and acknowledges it."""
    bench = Bench(tmp_path, receipts=True, receipt_wait_s=300.0, batch_records=1_000)
    async with bench:
        for _ in range(21_500):
            bench.event()
        await asyncio.sleep(10)
        scan = bench.scan(x=1)
        await asyncio.sleep(10)

    assert scan in bench.platform.seqs()
    assert MOST_EVENTS <= bench.pump.health().awaiting_receipt < MOST_EVENTS + 1_001
