"""The consumer finds every kind of trouble, and nothing in clean traffic."""

from __future__ import annotations

import hashlib
import json
from itertools import pairwise

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from drivers.profiles.model import ModbusPoint
from simulators.bench import identity
from simulators.consumer import Consumer
from simulators.intervals import Intervals
from simulators.platform import expectations
from simulators.profiled import Expectation
from tests.support.mqtt_schema import errors

START_MS = 1_763_712_000_000


class Wire:
    """Makes messages as documented and feeds them."""

    def __init__(self, **options) -> None:
        self.consumer = Consumer(start_utc_ms=START_MS, **options)
        self.meta("aaaa0001", {"bench-3": 1000})

    def meta(self, name, devices) -> None:
        points = [
            {"n": 1, "device": device, "name": point, "unit": "1", "every_ms": every}
            for device, every in devices.items()
            for point in ("r0", "r2", "r4")
        ]
        content = {"v": 1, "meta": name, "gateway": {"id": "g"}, "points": points}
        self.consumer.feed(f"ecogate/v1/g/meta/{name}", json.dumps(content).encode(), 0)

    def send(self, *records, at=0, lane="live", pack=False, **keys) -> None:
        message = {
            "v": 1, "gw": "g", "store": "5f2c9a00", "meta": "aaaa0001",
            "lane": lane, "sent": START_MS, "records": list(records), "new_key": 1,
            **keys,
        }  # fmt: skip
        payload = json.dumps(message).encode()
        if pack:
            payload = zstandard.ZstdCompressor().compress(payload)
        self.consumer.feed("ecogate/v1/g/data", payload, START_MS + at)

    def verdict(self):
        return self.consumer.verdict()


def scan(seq, at=None, *, device="bench-3", **more):
    at = 1000 * seq if at is None else at
    values = {"r0": at, "r2": identity(3, 2), "r4": seq}
    return {"seq": seq, "kind": "scan", "device": device, "t": START_MS + at,
            "values": values} | more  # fmt: skip


def test_clean_traffic_is_clean_and_its_latency_is_from_the_device() -> None:
    wire = Wire(from_seq=1)
    for seq in range(1, 101):
        wire.send(scan(seq), at=1000 * seq + 7, pack=seq % 2 == 0)

    verdict = wire.verdict()
    assert verdict.clean, verdict.text()
    assert (verdict.records, verdict.values, verdict.duplicates) == (100, 300, 0)
    assert verdict.latency_ms == {
        "count": 100, "p50": 7.1, "p95": 7.1, "p99": 7.1, "max": 7.0
    }  # fmt: skip
    assert verdict.seconds == 99.0
    assert json.loads(json.dumps(verdict.as_dict()))["clean"] is True


def part(seq, data, *, n=1, of=1, index=1, whole=None, **more):
    whole = data if whole is None else whole
    head = {
        "v": 1, "gw": "g", "store": "5f2c9a00", "meta": "aaaa0001", "seq": seq,
        "kind": "media", "t": START_MS, "event": "north-1", "n": n, "part": index,
        "parts": of, "offset": 0, "bytes": len(whole),
        "sha256": hashlib.sha256(whole).hexdigest(), "type": "image/jpeg",
        "role": "at", "annotated": True, "camera": "north", "name": "a.jpg",
        "new_key": 1,
    }  # fmt: skip
    return json.dumps(head | more).encode() + b"\n" + data


def picture(wire, payload, event="north-1", n=1):
    wire.consumer.feed(f"ecogate/v1/g/media/{event}/{n}", payload, START_MS + 5)


def test_a_picture_is_joined_from_parts_in_any_order_and_written(tmp_path) -> None:
    wire = Wire(from_seq=1, pictures=tmp_path)
    whole = b"\n\0picture" * 300
    cuts = [whole[:1000], whole[1000:2000], whole[2000:]]
    for seq, index in ((1, 3), (2, 1), (1, 3), (3, 2)):
        picture(wire, part(seq, cuts[index - 1], of=3, index=index, whole=whole))

    verdict = wire.verdict()
    assert verdict.clean, verdict.text()
    assert (verdict.media, verdict.pictures, verdict.duplicates) == (3, 1, 1)
    assert verdict.pictures_open == 0
    assert (tmp_path / "g/north/north-1-1-at.jpg").read_bytes() == whole
    assert wire.consumer.receipts() == [
        ("ecogate/v1/g/receipt", b'{"store":"5f2c9a00","ok":[[1,3]],"refused":[]}')
    ]
    assert "pictures    1" in verdict.text()


def test_a_picture_named_meta_is_no_meta() -> None:
    wire = Wire()
    picture(wire, part(1, b"x", event="meta"), event="meta")

    assert wire.verdict().pictures == 1


@pytest.mark.parametrize(
    ("first", "second", "trouble"),
    [
        (part(1, b"x", whole=b"y"), None, "wrong"),
        (part(1, b"x", whole=b"xy"), None, "wrong"),
        (part(1, b"x"), part(2, b"x"), "wrong"),
        (part(1, b"x", of=2), part(2, b"y", of=3, index=2), "wrong"),
        (part(1, b"x"), part(1, b"z", whole=b"x"), "conflicts"),
        (part(1, b"x", v=2), None, "unreadable"),
        (part(1, b"").rstrip(b"\n"), None, "unreadable"),
        (b"\xff\xd8\xff", None, "unreadable"),
    ],
)
def test_what_is_no_picture_or_another_one_is_trouble(first, second, trouble) -> None:
    wire = Wire()
    picture(wire, first)
    if second is not None:
        picture(wire, second)

    assert getattr(wire.verdict(), trouble) == 1
    assert not wire.verdict().clean


def test_parts_that_are_missing_leave_a_picture_open() -> None:
    wire = Wire(from_seq=1)
    picture(wire, part(1, b"x", of=2, whole=b"xy"))
    picture(wire, part(3, b"x", n=2), n=2)

    verdict = wire.verdict()
    assert (verdict.pictures, verdict.pictures_open, verdict.missing) == (1, 1, 1)


def test_nothing_at_all_is_not_clean() -> None:
    assert not Wire().verdict().clean


@pytest.mark.parametrize(
    ("trouble", "records"),
    [
        ("missing", [scan(1), scan(3, 2000)]),
        ("conflicts", [scan(1), scan(1, 1001)]),
        ("disordered", [scan(2), scan(1)]),
        ("wrong", [scan(1) | {"values": {"r0": 1000, "r2": identity(3, 8)}}]),
        ("wrong", [scan(1, device="bench-4")]),
        ("wrong", [scan(1) | {"q": {"r0": ["bad", "timeout"]}}]),
        ("wrong", [scan(1) | {"q": {"r6": ["uncertain", "stale"]}}]),
        ("retimed", [scan(1) | {"t": START_MS + 4001}]),
        ("unexplained_slots", [scan(1), scan(2, 5000)]),
        ("unreadable", [{"seq": 1}]),
        (
            "covered_twice",
            [scan(1), {"seq": 2, "kind": "lost", "t": 0, "until": 1, "seq_from": 1,
                       "seq_to": 1, "counts": {}, "certain": True}],
        ),
    ],
)  # fmt: skip
def test_each_trouble_is_found(trouble, records) -> None:
    wire = Wire()
    for record in records:
        wire.send(record)

    verdict = wire.verdict()
    found = {name for name in verdict.TROUBLES if getattr(verdict, name)}
    assert found == {trouble}, verdict.text()
    assert not verdict.clean


def test_duplicates_are_counted_and_allowed() -> None:
    wire = Wire()
    for _ in range(2):
        wire.send(scan(1))

    assert wire.verdict().clean
    assert wire.verdict().duplicates == 1
    assert wire.verdict().values == 3


def test_lost_ranges_cover_their_seqs_and_slots() -> None:
    wire = Wire(from_seq=1)
    lost = {"seq": 5, "kind": "lost", "noted": START_MS, "t": START_MS, "until": 0,
            "seq_from": 1, "seq_to": 3, "counts": {"bench-3": 3}, "cause": "evicted",
            "certain": True, "at_most": 3}  # fmt: skip
    wire.send(scan(4, 4000), lost, scan(6, 5000))

    verdict = wire.verdict()
    assert verdict.clean, verdict.text()
    assert verdict.lost_stated == 3


def test_a_late_scan_is_no_missed_slot() -> None:
    wire = Wire(from_seq=1)
    times = (1000, 2000, 3800, 4700, 5000, 6000, 8000, 9000)
    wire.send(*(scan(n, t) for n, t in enumerate(times, 1)))

    assert wire.verdict().unexplained_slots == 1  # the one at 7 s


def test_a_loss_may_be_stated_again_under_another_seq() -> None:
    wire = Wire(from_seq=1)
    lost = {"seq": 5, "kind": "lost", "noted": START_MS, "t": START_MS, "until": 0,
            "seq_from": 1, "seq_to": 3, "counts": {}, "cause": "damaged",
            "certain": True, "at_most": 3}  # fmt: skip
    wire.send(scan(4, 4000), lost, lost | {"seq": 6, "noted": START_MS + 9000})

    verdict = wire.verdict()
    assert verdict.clean, verdict.text()
    assert (verdict.lost_stated, verdict.duplicates) == (3, 1)


def test_an_uncertain_loss_is_narrowed_by_what_arrived() -> None:
    wire = Wire(from_seq=1)
    lost = {"seq": 9, "kind": "lost", "t": 0, "until": 0, "seq_from": 1, "seq_to": 8,
            "counts": {}, "certain": False, "at_most": 3}  # fmt: skip
    wire.send(scan(1), scan(2), lost)

    verdict = wire.verdict()
    assert verdict.clean, verdict.text()
    assert verdict.lost_stated == 3, "no more records than that, of eight seqs"


def test_a_gap_explains_its_slots_and_a_restated_one_counts_once() -> None:
    wire = Wire()
    gap = {"kind": "gap", "device": "bench-3", "points": ["*"], "cause": "bus_gone",
           "t": START_MS + 2000}  # fmt: skip
    wire.send(
        scan(1),
        gap | {"seq": 2, "until": START_MS + 5000, "slots": 4, "open": True},
        gap | {"seq": 3, "until": START_MS + 9000, "slots": 8},
        scan(4, 10_000),
    )

    verdict = wire.verdict()
    assert verdict.clean, verdict.text()
    assert (verdict.gaps, verdict.gap_slots) == (2, 8)


def test_values_of_profiled_devices_are_checked_against_what_they_showed() -> None:
    point = ModbusPoint(name="u", table="input", address=0, type="float32", unit="V")
    expectation = Expectation((point,), seed=1, unit=9)
    shown = expectation._shown["u"].value(START_MS / 1000)
    wire = Wire(expectations={"meter": expectation})
    good = {"kind": "scan", "device": "meter", "t": START_MS, "values": {"u": shown}}

    wire.send(good | {"seq": 1})
    assert wire.verdict().wrong == 0
    wire.send(good | {"seq": 2, "values": {"u": shown + 3}})

    assert wire.verdict().wrong == 1


def test_status_and_meta_are_kept_and_an_emptied_meta_is_no_error() -> None:
    consumer = Consumer()
    status = {"v": 1, "gw": "g", "state": "online"}
    consumer.feed("ecogate/v1/g/status", msgspec.json.encode(status), 0)
    consumer.feed("ecogate/v1/g/meta/00000001", b"", 0)
    consumer.feed("ecogate/v1/g/reply/1", b"?", 0)

    assert consumer.status["g"]["state"] == "online"
    assert consumer.verdict().unreadable == 0


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 12)), max_size=30))
def test_intervals_are_a_set_of_numbers(ranges) -> None:
    held: set[int] = set()
    intervals = Intervals()
    for first, size in ranges:
        numbers = set(range(first, first + size + 1))
        assert intervals.add(first, first + size) == len(numbers & held)
        held |= numbers

    assert len(intervals) == len(held)
    assert all((n in intervals) == (n in held) for n in range(80))
    missing = {n for a, b in intervals.missing(1) for n in range(a, b + 1)}
    assert missing == set(range(1, max(held, default=0))) - held
    edges = list(intervals)
    assert all(b + 1 < c for (_, b), (c, _) in pairwise(edges))


def test_expectations_are_read_by_device_profile_unit_and_seed(tmp_path) -> None:
    said = {"incomer": {"profile": "eastron-sdm630", "unit": 3, "seed": 1}}
    path = tmp_path / "expect.json"
    path.write_text(json.dumps(said), encoding="utf-8")

    found = expectations(path)["incomer"]

    assert found.wrong("voltage_l1", 1.0, START_MS / 1000, 1.0) is not None
    assert expectations(None) == {}


def receipt(consumer):
    said = consumer.receipts()
    assert not [
        errors(topic, payload) for topic, payload in said if errors(topic, payload)
    ]
    return [(topic, json.loads(payload)) for topic, payload in said]


def test_each_lane_has_an_order_and_a_latency_of_its_own() -> None:
    wire = Wire(from_seq=1)
    wire.send(scan(5), at=5010)
    wire.send(scan(1), scan(2), at=5020, lane="backfill")
    wire.send(scan(6), at=6010)
    wire.send(scan(3), scan(4), at=6020, lane="backfill")

    verdict = wire.verdict()
    assert verdict.clean, verdict.text()
    assert verdict.lanes["live"]["max"] == 10.0
    assert verdict.lanes["backfill"]["count"] == 4
    assert "lane backfill" in verdict.text()

    wire.send(scan(8), scan(7), lane="backfill")
    assert wire.verdict().disordered == 1


def test_what_is_sent_again_for_want_of_a_receipt_has_no_order() -> None:
    wire = Wire(from_seq=1)
    wire.send(scan(1), scan(3), scan(4), lane="backfill")
    wire.send(scan(2), lane="backfill", again=True)
    wire.send(scan(5), lane="backfill")

    assert wire.verdict().clean, wire.verdict().text()
    assert wire.verdict().again == 1


def test_what_a_filter_leaves_out_is_covered() -> None:
    wire = Wire(from_seq=1)
    wire.send(scan(1), scan(4, 2000), skipped=[[2, 3]])
    status = {"v": 1, "gw": "g", "store": "5f2c9a00", "seq_high": 9,
              "skipped": [[5, 7]]}  # fmt: skip
    wire.consumer.feed("ecogate/v1/g/status", json.dumps(status).encode(), 0)

    verdict = wire.verdict()
    assert verdict.clean, verdict.text()
    assert (verdict.skipped, verdict.behind) == (5, 2)


def test_receipts_confirm_what_came_and_again_what_came_again() -> None:
    wire = Wire()
    wire.send(scan(1), scan(2), scan(5))
    topic = "ecogate/v1/g/receipt"
    said = {"store": "5f2c9a00", "ok": [[1, 2], [5, 5]], "refused": []}
    assert receipt(wire.consumer) == [(topic, said)]
    assert receipt(wire.consumer) == []

    wire.send(scan(2), again=True)
    assert receipt(wire.consumer) == [(topic, said | {"ok": [[2, 2]]})]


def test_a_refused_record_is_told_with_its_reason_and_has_not_arrived() -> None:
    wire = Wire(refuse=lambda r: "too hot" if r["seq"] in (2, 3, 7) else None)
    wire.send(*(scan(n) for n in range(1, 8)))
    ((_, said),) = receipt(wire.consumer)
    assert said["ok"] == [[1, 1], [4, 6]]
    assert said["refused"] == [[2, 3, "too hot"], [7, 7, "too hot"]]

    lost = {"seq": 8, "kind": "lost", "noted": START_MS, "t": START_MS, "seq_from": 2,
            "seq_to": 3, "counts": {}, "cause": "refused", "certain": False,
            "at_most": 2}  # fmt: skip
    wire.send(lost)
    verdict = wire.verdict()
    assert verdict.clean, verdict.text()
    assert (verdict.refused, verdict.records, verdict.lost_slots) == (3, 5, 2)


def test_many_holes_make_many_receipts_of_a_bounded_size() -> None:
    wire = Wire()
    wire.send(*(scan(n) for n in range(1, 1001, 2)))

    said = [body for _, body in receipt(wire.consumer)]
    assert [len(body["ok"]) for body in said] == [200, 200, 100]
    seqs = [a for body in said for a, b in body["ok"] if a == b]
    assert seqs == list(range(1, 1001, 2))


def test_marked_times_are_counted_and_held_to_their_bounds() -> None:
    wire = Wire()
    unknown = {"clock": "unknown", "boot": "0a0b0c0d", "mono": 1}
    near = {"t_min": START_MS + 500, "t_max": START_MS + 90_000}
    wire.send(
        scan(1) | unknown | near | {"t": START_MS + 60_000},
        scan(2) | unknown | {"t": 5},
        scan(3) | {"clock": "corrected", "boot": "0a0b0c0d", "mono": 1},
    )
    assert wire.verdict().clean, wire.verdict().text()
    assert wire.verdict().clock == {"unknown": 2, "corrected": 1}

    wire.send(scan(4) | unknown | {"t": START_MS + 60_000, "t_min": START_MS + 59_000})
    wire.send(scan(5) | {"clock": "corrected", "t": START_MS + 60_000})
    assert wire.verdict().retimed == 2


def test_a_day_as_the_gateway_sees_it_is_kept() -> None:
    wire = Wire()
    day = {"kind": "ledger", "t": START_MS, "day": "2026-11-21", "device": "bench-3",
           "scheduled": 30, "value": 24, "bad": 2, "gap": 4}  # fmt: skip
    wire.send(scan(1), day | {"seq": 2})
    assert wire.verdict().clean
    assert wire.verdict().ledgers == 1
    assert wire.consumer.ledgers[0]["day"] == "2026-11-21"

    wire.send(day | {"seq": 3, "gap": 5})
    assert wire.verdict().wrong == 1
