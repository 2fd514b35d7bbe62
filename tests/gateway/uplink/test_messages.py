"""What is published is what ``docs/mqtt.md`` and its schema say."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import re
import struct
from fractions import Fraction
from pathlib import Path

import pytest
import yaml

from buffer import PriorityClass
from drivers.values import Flaw, Quality
from gateway.aggregate import FactorPeriod, Period
from gateway.clock import Instant, SystemClock
from gateway.config.model import MqttTarget
from gateway.media import Media, MediaRef
from gateway.meta import MetaStore, describe
from gateway.record import DatedTime, DayLedger, Event, Gap, Lost, Scan, encode
from gateway.uplink import status
from gateway.uplink.message import Bounds, Message, Misfit, Packer
from gateway.uplink.mqtt import MqttConnector
from gateway.uplink.pump import Pump
from gateway.uplink.receipts import parse
from gateway.uplink.topics import topics_of
from tests.gateway.test_meta import make_site
from tests.support.brokers import Mosquitto, Nats, Subscriber, until
from tests.support.memory_link import FakeEntry, FakeSource
from tests.support.mqtt_schema import KINDS, READ, SCHEMA, errors, validator

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden"
T = 1_763_712_000_123
META = "9c41d07a"
TARGET = MqttTarget(name="platform", host="127.0.0.1")
TOPICS = topics_of(TARGET, "site-07")


def at(ms=0, *, trusted=True):
    return Instant(T + ms, 86_400_000 + ms, "0a0b0c0d", trusted)


def when(instant):
    return DatedTime(T + instant.mono_ms - 86_400_000, "corrected")


def records():
    """One of every kind and every shape it may take."""
    bad, unsure = Quality.BAD, Quality.UNCERTAIN
    yield Scan("cems-1", at(), {"so2": 12.34, "mode": "running", "door": False})
    yield Scan(
        "cems-1",
        at(5_000),
        {"cod": 31.0},
        {"nox": Flaw(bad, "timeout"), "cod": Flaw(unsure, "out_of_range")},
    )
    yield Scan("meter", at(5_100), {"pulses": 2**64 - 1, "energy": 2**53})
    yield Scan("meter", at(-80_000_000, trusted=False), {"power": 1.5})
    yield Gap("fan-2", ("*",), at(-10_000), at(), 10, "bus_gone")
    yield Gap("fan-2", ("a", "b"), at(-600_000), at(), 600, "dead", open=True)
    yield Lost(
        first=900,
        last=1040,
        t_ms=T - 4_000_000,
        until_ms=T - 3_900_000,
        counts={"fan-2": 100, "cems-1": 41},
        cause="evicted",
        certain=True,
        at_most=141,
        at=at(),
    )
    yield Lost(1100, 1109, 0, 0, {}, "unclean_stop", False, 10, at())
    yield DayLedger(
        device="cems-1",
        day="2025-11-20",
        tz="Asia/Shanghai",
        t_ms=1_763_568_000_000,
        until_ms=1_763_654_400_000,
        scheduled=172_800,
        value=172_000,
        bad=200,
        gap=600,
        records=17_222,
        lost=2,
        unsure=1,
        targets={"city": {"sent": 17_300, "proved": 17_219, "refused": 1}},
        incomplete=True,
        at=at(),
    )


def periods():
    yield Scan("cems-1", at(), {"so2": 500.0}, states={"so2": "calibration"})
    good = FactorPeriod(
        avg=Fraction(37, 3),
        min=Fraction(119, 10),
        max=Fraction(128, 10),
        cou=Fraction(74, 10_000),
        rate=Fraction(444, 1000),
        over_oxygen=12,
        n=12,
        of=12,
        marks={"valid": 12},
        mark="valid",
    )
    poor = FactorPeriod(n=0, of=12, marks={"link": 12}, mark="fault")
    for kind, rev, why in (("minute", 0, ""), ("hour", 1, "late_reading")):
        yield Period(
            kind=kind,
            station="DA001",
            t_ms=T - T % 3_600_000,
            until_ms=T - T % 3_600_000 + (60_000 if kind == "minute" else 3_600_000),
            rev=rev,
            reason=why,
            factors={"so2": good, "nox": poor},
            figures={"so2": {"avg": "12.33", "cou": "0.007", "rate": "0.444"}},
            flags={"so2": "N", "nox": "D"},
            at=at(),
        )


def events():
    yield Event(
        id="device_offline:cems-1:86400000",
        type="device_offline",
        severity="warning",
        at=at(),
        device="cems-1",
        bus="rs485-1",
        asset="DA001",
        values={"failures": 5},
        text={"zh": "设备 cems-1 离线", "en": "device cems-1 is offline"},
    )
    yield Event(
        id="device_offline:cems-1:86400000",
        type="device_offline",
        severity="info",
        state="cleared",
        at=at(),
        until=at(720_000),
        device="cems-1",
    )


def picture(ms=0, *, trusted=True):
    data = bytes(range(256))
    return Media(
        event="north-1763712000123-1",
        n=1,
        part=2,
        parts=2,
        offset=96_000,
        size=96_256,
        sha256=hashlib.sha256(data).hexdigest(),
        type="image/jpeg",
        role="at",
        annotated=True,
        camera="north",
        name="north/2025-11-21/north-1763712000123-1-1.jpg",
        at=at(ms, trusted=trusted),
        data=data,
    )


def packed(made, first_seq, lane, **how):
    packer = Packer(TOPICS, "site-07", "5f2c9a01", when=when)
    entries = [
        FakeEntry(seq, encode(record, META))
        for seq, record in enumerate(made, first_seq)
    ]
    message = packer.pack(entries, Bounds(200, 128_000), lane, T + 900, **how)
    assert isinstance(message, Message)
    assert message.records == len(entries)
    return message


def messages(tmp_path):
    """Every kind of message with fixed content: name -> (topic, payload)."""
    metas = MetaStore(tmp_path / "meta", wall_ms=lambda: T)
    site = make_site()
    meta = metas.adopt(describe(site, "0.1.0", "EG2511-0042"), high=0)
    vitals = status.Vitals(
        clock="trusted",
        clock_offset_ms=-1.5,
        disk_free=12_000_000_000,
        bytes_per_day=40_000_000,
        temperature_c=51.2,
        uptime_s=3600,
        devices_good=9,
        devices_bad=1,
    )
    progress = status.Progress(
        store="5f2c9a01",
        seq_high=1051,
        backlog={
            "event": status.LaneBacklog(0),
            "live": status.LaneBacklog(1, T),
            "backfill": status.LaneBacklog(7, T - 60_000),
        },
        set_aside=0,
        awaiting_receipt=12,
        skipped=((1039, 1040),),
    )
    online = status.online("site-07", "0.1.0", meta, vitals, progress, T + 900)
    data, event = packed(records(), 1042, "live"), packed(events(), 1050, "event")
    aggregates = packed(periods(), 1060, "live")
    told = b',"skipped":[[1039,1040],[1041,1041]]'
    again = packed([next(records())], 1042, "backfill", again=True, skipped=told)
    return {
        "data": (data.topic, data.payload),
        "data-again": (again.topic, again.payload),
        "data-periods": (aggregates.topic, aggregates.payload),
        "event": (event.topic, event.payload),
        "meta": (TOPICS.meta(meta), metas.payload(meta)),
        "status": (TOPICS.status, online),
        "status-lost": (TOPICS.status, status.will("site-07", T)),
        "status-stopped": (TOPICS.status, status.stopped("site-07", T + 900)),
    }


NAMES = (
    "data",
    "data-again",
    "data-periods",
    "event",
    "meta",
    "status",
    "status-lost",
    "status-stopped",
)


@pytest.mark.parametrize("name", NAMES)
def test_messages_are_the_golden_ones_byte_for_byte(name, tmp_path):
    topic, payload = messages(tmp_path)[name]
    file = GOLDEN / f"{name}.json"
    if os.environ.get("ECOGATE_WRITE_GOLDEN"):
        file.write_bytes(payload + b"\n")

    assert file.read_bytes() == payload + b"\n"
    assert errors(topic, payload) == []


def test_a_part_of_a_picture_is_the_golden_one_byte_for_byte():
    message = packed([picture()], 1070, "media")
    file = GOLDEN / "media.bin"
    if os.environ.get("ECOGATE_WRITE_GOLDEN"):
        file.write_bytes(message.payload)

    assert file.read_bytes() == message.payload
    assert message.topic == f"{TOPICS.prefix}/media/north-1763712000123-1/1"
    assert message.payload.partition(b"\n")[2] == bytes(range(256))
    assert errors(message.topic, message.payload) == []


def test_pictures_travel_alone_and_are_never_compressed():
    packer = Packer(TOPICS, "site-07", "5f2c9a01", when=when, compress=True)
    made = [picture(), *records(), picture()]
    entries = [FakeEntry(n, encode(r, META)) for n, r in enumerate(made, 1)]
    left, sizes = entries, []
    while left:
        message = packer.pack(left, Bounds(200, 128_000), "live", T)
        sizes.append(message.records)
        left = left[message.records :]

    assert sizes == [1, len(entries) - 2, 1]
    alone = packer.pack(entries, Bounds(200, 128_000), "live", T)
    assert alone.payload.startswith(b'{"v":1,"gw":"site-07","store":"5f2c9a01","meta":')


def test_a_picture_of_an_untrusted_clock_says_so():
    message = packed([picture(trusted=False)], 1, "media")

    assert json.loads(message.payload.partition(b"\n")[0])["clock"] == "corrected"
    assert errors(message.topic, message.payload) == []


def test_a_part_too_large_for_the_platform_is_a_misfit_that_says_what_to_do():
    packer = Packer(TOPICS, "site-07", "5f2c9a01", when=when)
    entry = FakeEntry(7, encode(picture(), META))

    found = packer.pack([entry], Bounds(200, 128_000, 600), "media", T)

    assert isinstance(found, Misfit)
    assert "part_bytes" in found.reason


def test_an_event_names_its_pictures_as_the_schema_says():
    made = Event(
        id="north-1763712000123-1",
        type="smoke_seen",
        severity="alarm",
        state="updated",
        at=at(),
        media=(MediaRef(1, "0" * 64, 96_256, "at", annotated=True),),
    )
    message = packed([made], 1, "event")

    assert errors(message.topic, message.payload) == []
    assert json.loads(message.payload)["records"][0]["media"] == [
        {
            "n": 1,
            "sha256": "0" * 64,
            "bytes": 96_256,
            "role": "at",
            "type": "image/jpeg",
            "annotated": True,
        }
    ]


def test_every_golden_file_has_its_message():
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(NAMES)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("data", lambda m: m["records"][0].pop("device")),
        ("data", lambda m: m["records"][0]["values"].update(so2=None)),
        ("data", lambda m: m["records"][1]["q"].update(x=["good", "ok"])),
        ("data", lambda m: m["records"][3].pop("boot")),
        ("data", lambda m: m["records"][6].update(cause="eaten")),
        ("data", lambda m: m.update(surprise=1)),
        ("data", lambda m: m.update(lane="fast")),
        ("data", lambda m: m.update(again=False)),
        ("data", lambda m: m.update(skipped=[[1, 2, 3]])),
        ("event", lambda m: m.update(lane="live")),
        ("event", lambda m: m["records"][0].update(severity="bad")),
        ("meta", lambda m: m["points"][0].update(every_ms="5 s")),
        ("status", lambda m: m.pop("devices")),
        ("status", lambda m: m["backlog"]["live"].pop("records")),
        ("status", lambda m: m["backlog"].pop("event")),
        ("receipt", lambda m: m["ok"].append([1])),
        ("receipt", lambda m: m["refused"].append([1, 2])),
    ],
)
def test_the_schema_notices_what_is_wrong(name, change):
    message = example(name)
    assert list(validator(name).iter_errors(message)) == []

    change(message)

    assert list(validator(name).iter_errors(message)) != []


def example(name):
    """The golden message, or of what platforms send the one in the manual."""
    file = GOLDEN / f"{name}.json"
    if file.exists():
        return json.loads(file.read_bytes())
    manual = (ROOT / "docs" / "mqtt.md").read_text("utf-8")
    return json.loads(re.search(rf"```json {name}\n(.*?)```", manual, re.S)[1])


def test_a_receipt_as_documented_is_read_and_settles_what_it_names():
    receipt = parse(json.dumps(example("receipt")).encode())

    assert receipt.store == "5f2c9a01"
    assert receipt.ok == ((1042, 1043), (1045, 1045))
    assert receipt.refused == ((1044, 1044, "unknown device"),)


def test_the_asyncapi_document_names_our_topics_and_the_schemas_parts():
    text = (ROOT / "docs" / "asyncapi.yaml").read_text("utf-8")
    document = yaml.safe_load(text)
    parts = json.loads(SCHEMA.read_text("utf-8"))["$defs"]

    addresses = {c["address"] for c in document["channels"].values()}
    wanted = {TOPICS.status, TOPICS.data, TOPICS.event, TOPICS.meta("{id}")}
    wanted |= {TOPICS.receipt, TOPICS.media("{event}/{n}")}
    assert {a.replace("{prefix}", TOPICS.prefix) for a in addresses} == wanted
    assert set(document["components"]["messages"]) == set(KINDS + READ)
    for ref in re.findall(r"mqtt\.schema\.json#/\$defs/(\w+)", text):
        assert ref in parts
    for ref in re.findall(r'"#/([\w/]+)"', text):
        place = document
        for step in ref.split("/"):
            place = place[step]


def test_every_example_in_the_manual_is_a_valid_message():
    manual = (ROOT / "docs" / "mqtt.md").read_text("utf-8")
    blocks = re.findall(r"```json (\S+)\n(.*?)```", manual, re.S)

    assert {name.rpartition("/")[2] for name, _ in blocks} >= {
        "data",
        "event",
        "status",
        "receipt",
    }
    for name, block in blocks:
        assert errors(f"ecogate/v1/site-07/{name}", block.encode()) == []


def test_the_manual_names_every_key_of_the_schema():
    manual = (ROOT / "docs" / "mqtt.md").read_text("utf-8")
    keys = set(named(json.loads(SCHEMA.read_text("utf-8"))))

    missing = {k for k in keys if f"`{k}`" not in manual and f'"{k}"' not in manual}
    assert missing == set()


def named(part):
    """All keys that messages may have, by the schema."""
    if isinstance(part, list):
        for each in part:
            yield from named(each)
    elif isinstance(part, dict):
        yield from part.get("properties", {}) if "type" in part else ()
        for each in part.values():
            yield from named(each)


def entry(seq, **values):
    return FakeEntry(seq, encode(Scan("d", at(), values), META))


@pytest.mark.parametrize("hard", [None, 3_000, 700])
def test_packing_takes_every_record_once_and_keeps_the_bounds(hard):
    packer = Packer(TOPICS, "site-07", "5f2c9a01")
    left = [entry(seq, text="x" * (seq % 200)) for seq in range(1, 500)]
    bounds = Bounds(50, 2_000, hard)
    seqs = []
    while left:
        message = packer.pack(left, bounds, "live", T)
        assert isinstance(message, Message)
        assert len(message.payload) <= min(2_000, (hard or 9_999) - len(message.topic))
        got = [r["seq"] for r in json.loads(message.payload)["records"]]
        assert (got[0], got[-1], len(got)) == (
            message.first,
            message.last,
            message.records,
        )
        assert len(got) <= 50
        seqs += got
        del left[: message.records]

    assert seqs == list(range(1, 500))


def test_a_record_that_cannot_be_sent_is_named_with_the_reason():
    packer = Packer(TOPICS, "site-07", "5f2c9a01")

    large = packer.pack([entry(7, text="x" * 900)], Bounds(9, 500, 800), "live", T)
    future = FakeEntry(8, struct.pack(">B40x", 2))
    strange = packer.pack([future], Bounds(9, 500), "live", T)
    cut = encode(Gap("d", ("*",), at(), at(), 1, "x"), META)[:40]
    damaged = packer.pack([FakeEntry(9, cut)], Bounds(9, 500), "live", T)

    assert isinstance(large, Misfit)
    assert isinstance(strange, Misfit)
    assert isinstance(damaged, Misfit)
    assert (large.seq, strange.seq, damaged.seq) == (7, 8, 9)
    assert "version 1, got 2" in strange.reason
    ahead = packer.pack([entry(6), future], Bounds(9, 500), "live", T)
    assert isinstance(ahead, Message)
    assert ahead.records == 1, "what is before an unreadable record still travels"


@pytest.mark.parametrize(
    "broker",
    [
        pytest.param(Mosquitto, marks=pytest.mark.needs("mosquitto"), id="mosquitto"),
        pytest.param(Nats, id="nats"),
    ],
)
async def test_real_traffic_matches_the_schema(broker, tmp_path):
    clock = SystemClock("always")
    source = FakeSource()
    metas = MetaStore(tmp_path / "meta", wall_ms=clock.wall_ms)
    meta = metas.adopt(describe(make_site(), "0.1.0"), high=0)
    with broker(tmp_path / "broker") as server, Subscriber(server.port) as reader:
        pump = Pump(
            MqttTarget(name="p", host="127.0.0.1", port=server.port),
            source,
            MqttConnector(),
            metas,
            gateway="site-07",
            version="0.1.0",
            wall_ms=clock.wall_ms,
            when=when,
        )
        task = asyncio.create_task(pump.run())
        made = [*records(), *events()]
        for record in made:
            event = isinstance(record, Event | Lost)
            cls = PriorityClass.EVENT if event else PriorityClass.LIVE
            source.append(encode(record, meta), cls)
            await asyncio.sleep(0.01)
        source.append(encode(picture(), meta), PriorityClass.EVIDENCE)
        await until(lambda: len(reader.records()) == len(made))
        await until(lambda: any("/media/" in m.topic for m in reader.take()))
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await until(lambda: b"stopped" in reader.take()[-1].payload)
        arrived = reader.take()

    assert {m.topic.split("/")[3] for m in arrived} == set(KINDS)
    assert [e for m in arrived for e in errors(m.topic, m.payload)] == []
