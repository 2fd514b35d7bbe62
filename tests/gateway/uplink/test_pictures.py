"""Pictures on their way: behind what is new, alone, few at a time; in virtual time."""

from __future__ import annotations

import asyncio
import json

import pytest

from buffer import PriorityClass
from gateway.media import Media
from gateway.record import encode
from gateway.uplink.filters import Filter
from gateway.uplink.link import LinkLimits, RefusedError
from gateway.uplink.pace import Pictures
from tests.gateway.uplink.test_pump import Bench
from tests.support.memory_link import FakeEntry, FakeSource, MemoryPlatform
from tests.support.virtual import virtual

EVIDENCE, MEDIA = PriorityClass.EVIDENCE, PriorityClass.MEDIA


def show(bench, cls=EVIDENCE, parts=4, event="a-1", size=20_000):
    """Append a picture; returns the seqs of its parts."""
    return [
        bench.source.append(
            encode(
                Media(
                    event=event,
                    n=1,
                    part=part,
                    parts=parts,
                    offset=(part - 1) * size,
                    size=parts * size,
                    sha256="0" * 64,
                    type="image/jpeg",
                    role="at" if cls is EVIDENCE else "heartbeat",
                    annotated=False,
                    camera="north",
                    name="north/a-1.jpg",
                    at=bench.clock.now(),
                    data=bytes(size),
                ),
                bench.meta,
            ),
            cls,
            "north",
        )
        for part in range(1, parts + 1)
    ]


def order(platform):
    """What arrived, in words."""
    words = []
    for message in platform.arrived:
        if "/media/" in message.topic:
            head = json.loads(message.payload.partition(b"\n")[0])
            words.append(f"picture {head['event']}")
        elif message.topic.endswith(("/data", "/event")):
            words.append(message.body["lane"])
    return words


@virtual
async def test_events_then_live_then_the_pictures_of_alarms_then_what_is_old(tmp_path):
    platform = MemoryPlatform(delay_s=0.2)
    bench = Bench(tmp_path, platform=platform, in_flight=1)
    show(bench, MEDIA, 1, "heartbeat-old")
    show(bench, EVIDENCE, 1, "old")
    for _ in range(3):
        bench.scan(x=1)
    async with bench:
        await asyncio.sleep(0.3)  # status and description are on their way
        bench.source.append(b"\0", MEDIA, "north")  # unreadable: set aside
        show(bench, MEDIA, 1, "heartbeat")
        show(bench, EVIDENCE, 2, "new")
        bench.scan(x=2)
        bench.event()
        await asyncio.sleep(20)

    assert order(platform)[-8:] == [
        "event",
        "live",
        "picture new",
        "picture new",
        "backfill",
        "picture old",
        "picture heartbeat-old",
        "picture heartbeat",
    ]
    assert [seq for seq, _ in bench.aside] == [6]
    assert bench.source.done == set(range(1, bench.source.high + 1))


@virtual
async def test_at_most_two_parts_are_on_their_way_and_live_data_goes_between(tmp_path):
    platform = MemoryPlatform(delay_s=0.1)
    bench = Bench(tmp_path, platform=platform)
    most = 0
    async with bench:
        await asyncio.sleep(1)
        show(bench, EVIDENCE, 60)
        born = {}
        for _ in range(20):
            born[bench.scan(x=1)] = bench.loop.time()
            await asyncio.sleep(0.1)
            session = bench.pump._session
            most = max(most, sum(f.picture for f in session._window._flights))
        await asyncio.sleep(5)

    came = {
        record["seq"]: message.time_s
        for message in platform.messages("/data")
        for record in message.body["records"]
    }
    assert most == 2
    assert max(came[seq] - at for seq, at in born.items()) < 0.11
    assert len(platform.pictures()) == 60


@virtual
async def test_a_slow_line_carries_live_records_between_two_parts(tmp_path):
    line = SlowLine(8_000)
    bench = Bench(tmp_path, platform=line)
    async with bench:
        await asyncio.sleep(1)
        show(bench, EVIDENCE, 12, size=16_000)
        born = {}
        for _ in range(30):
            await asyncio.sleep(1)
            born[bench.scan(x=2)] = bench.loop.time()
        event = bench.event()
        born[event] = bench.loop.time()
        await asyncio.sleep(60)

    waited = [line.came[seq] - at for seq, at in born.items()]
    assert max(waited) < 2 * 16_500 / 8_000 + 0.2, "one part, and what was behind it"
    assert line.came[event] - born[event] < 16_500 / 8_000 + 0.2
    assert len(set(line.came) - set(born)) == 12


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
        said = json.loads(payload.partition(b"\n")[0])
        for record in said.get("records", [said]):
            self.came.setdefault(record["seq"], now)
        question.answer()


@virtual
async def test_a_backlog_does_not_keep_the_picture_of_an_alarm_waiting(tmp_path):
    platform = MemoryPlatform(delay_s=0.05)
    bench = Bench(tmp_path, platform=platform, batch_records=10)
    for _ in range(3000):
        bench.scan(x=1)
    async with bench:
        await asyncio.sleep(1)
        born = bench.loop.time()
        show(bench, EVIDENCE, 5, size=90_000)
        await asyncio.sleep(1)
        owed = bench.source.high - len(set(platform.seqs()))

    assert owed > 500, "the backlog is far from done"
    assert len(platform.pictures()) == 5
    assert max(p["at"] for p in platform.pictures()) - born < 0.5


@pytest.mark.parametrize("version", ["5.0", "3.1.1"])
@virtual
async def test_a_platform_that_takes_no_pictures_gets_everything_else(
    tmp_path, version
):
    platform = MemoryPlatform(delay_s=0.01)
    if version == "5.0":
        refusal = RefusedError("0x87 not authorized", blames_message=False)
        platform.refuse = lambda topic, _: refusal if "/media/" in topic else None
    else:
        platform.hang_up = lambda topic, _: "/media/" in topic
    bench = Bench(tmp_path, platform=platform)
    async with bench:
        await asyncio.sleep(1)
        show(bench, EVIDENCE, 3)
        for _ in range(600):
            bench.scan(x=1)
            await asyncio.sleep(0.2)
        attempts = platform.attempts
        came = len(set(platform.seqs()))
        refused = bench.aside
        platform.refuse = lambda _t, _p: None
        platform.hang_up = lambda _t, _p: False
        await asyncio.sleep(600)

    assert came == 600
    assert refused == [], "a picture is not to blame for where it is not wanted"
    assert attempts <= 8
    assert len({p["seq"] for p in platform.pictures()}) == 3


@virtual
async def test_a_part_larger_than_the_platform_takes_is_set_aside_with_the_reason(
    tmp_path,
):
    platform = MemoryPlatform(limits=LinkLimits(max_packet=10_000, version="memory"))
    bench = Bench(tmp_path, platform=platform)
    async with bench:
        await asyncio.sleep(1)
        (seq,) = show(bench, EVIDENCE, 1)
        bench.scan(x=1)
        await asyncio.sleep(1)

    assert [found for found, _ in bench.aside] == [seq]
    assert "part_bytes" in bench.aside[0][1]
    assert len(platform.records()) == 1


@pytest.mark.parametrize(
    ("wish", "wanted"), [("all", [1, 2]), ("alarms", [1]), ("none", [])]
)
@virtual
async def test_a_target_says_which_pictures_it_wants(tmp_path, wish, wanted):
    bench = Bench(tmp_path, media=wish)
    async with bench:
        await asyncio.sleep(1)
        show(bench, EVIDENCE, 1)
        show(bench, MEDIA, 1)
        bench.scan(x=1)
        await asyncio.sleep(1)
        skipped = bench.pump.health().filtered
        lanes = bench.pump.health().lanes

    assert [p["seq"] for p in bench.platform.pictures()] == wanted
    assert skipped == 2 - len(wanted)
    assert bench.source.done == {1, 2, 3}
    assert "media" not in lanes


@virtual
async def test_pictures_on_disk_are_read_and_the_health_counts_them(tmp_path):
    source = FakeSource(on_disk_below=1000)
    bench = Bench(tmp_path, source=source)
    show(bench, EVIDENCE, 3)
    show(bench, MEDIA, 2)
    assert bench.pump.health().lanes["media"] == 5
    async with bench:
        await asyncio.sleep(3)

    assert [p["seq"] for p in bench.platform.pictures()] == [1, 2, 3, 4, 5]


@virtual
async def test_with_receipts_a_part_is_resolved_by_its_receipt(tmp_path):
    bench = Bench(tmp_path, receipts=True, receipt_wait_s=5.0)
    async with bench:
        await asyncio.sleep(1)
        seqs = show(bench, EVIDENCE, 3)
        await asyncio.sleep(1)
        early = set(bench.source.done)
        body = {"store": bench.source.store, "ok": [[seqs[0], seqs[1]]]}
        bench.platform.say("ecogate/v1/site-07/receipt", json.dumps(body).encode())
        await asyncio.sleep(12)
        again = [p["seq"] for p in bench.platform.pictures()]
        body["ok"] = [[seqs[2], seqs[2]]]
        bench.platform.say("ecogate/v1/site-07/receipt", json.dumps(body).encode())
        await asyncio.sleep(1)

    assert early == set()
    assert again[:3] == seqs
    assert again[3:], "sent again"
    assert set(again[3:]) == {seqs[2]}
    assert bench.source.done == set(seqs)


def test_one_picture_at_a_time_where_the_line_is_slow():
    pace = Pictures(20)

    assert pace.open(live_waits=True)
    pace.sent()
    assert not pace.open(live_waits=False)
    pace.ended(0.1, live_flying=0)
    pace.sent()
    assert pace.open(live_waits=True), "two, as the last was quick"
    pace.sent()
    assert not pace.open(live_waits=True)
    pace.ended(5.0, live_flying=1)
    pace.ended(5.0, live_flying=1)
    assert not pace.open(live_waits=True), "the live one behind it, and the next"
    assert pace.open(live_waits=False)
    pace.live_answered()
    assert not pace.open(live_waits=True)
    pace.live_answered()
    assert pace.open(live_waits=True)


def test_a_window_of_one_holds_one_picture():
    pace = Pictures(1)
    pace.sent()
    pace.ended(0.1, live_flying=0)
    pace.sent()

    assert not pace.open(live_waits=False)


def test_a_filter_that_wants_no_pictures_wants_the_rest():
    wants = Filter(media="none").wants

    assert wants(FakeEntry(1, b""))
    assert not wants(FakeEntry(1, b"", EVIDENCE))
    assert not wants(FakeEntry(1, b"", MEDIA))
