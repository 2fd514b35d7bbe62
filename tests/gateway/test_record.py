"""Records: nothing changes on the way into the store and out to the wire."""

from __future__ import annotations

import json
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.values import Flaw, Quality
from gateway.clock import Instant
from gateway.media import Media, MediaRef
from gateway.record import (
    DatedTime,
    Event,
    Gap,
    Lost,
    RecordError,
    Scan,
    decode,
    encode,
    head,
    meta_of,
    to_wire,
)

AT = Instant(1_763_712_000_123, 55_555, "0a0b0c0d", trusted=True)
META = "9c41d07a"

instants = st.builds(
    Instant,
    st.integers(-(2**62), 2**62),
    st.integers(0, 2**62),
    st.integers(0, 2**32 - 1).map(lambda n: f"{n:08x}"),
    st.booleans(),
)
texts = st.text(max_size=20)
numbers = (
    st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
)
values = st.dictionaries(texts, numbers | texts, max_size=8)
flaws = st.dictionaries(
    texts,
    st.builds(Flaw, st.sampled_from([Quality.BAD, Quality.UNCERTAIN]), texts),
    max_size=4,
)
counts = st.dictionaries(texts, st.integers(0, 2**40), max_size=4)
records = st.one_of(
    st.builds(Scan, texts, instants, values, flaws),
    st.builds(
        Scan,
        texts,
        instants,
        values,
        flaws,
        flags=st.none() | st.dictionaries(texts, texts, min_size=1),
        sampled=st.none() | st.dictionaries(texts, st.integers(0, 2**50), min_size=1),
        age_ms=st.none() | st.dictionaries(texts, st.integers(0, 2**40), min_size=1),
        pos=st.none() | st.dictionaries(texts, st.floats(-180, 180), min_size=1),
    ),
    st.builds(
        Gap,
        texts,
        st.lists(texts, max_size=3).map(tuple),
        instants,
        instants,
        st.integers(0, 2**40),
        texts,
        st.booleans(),
    ),
    st.builds(
        Lost,
        st.integers(1, 2**50),
        st.integers(1, 2**50),
        st.integers(0, 2**50),
        st.integers(0, 2**50),
        counts,
        texts,
        st.booleans(),
        st.integers(0, 2**50),
        instants,
    ),
    st.builds(
        Event,
        id=texts,
        type=texts,
        severity=st.sampled_from(["info", "warning", "alarm"]),
        state=st.sampled_from(["raised", "updated", "acknowledged", "cleared"]),
        at=instants,
        until=st.none() | instants,
        device=st.none() | texts,
        bus=st.none() | texts,
        asset=st.none() | texts,
        values=values,
        text=st.dictionaries(st.sampled_from(["zh", "en"]), texts),
        media=st.lists(
            st.builds(
                MediaRef,
                st.integers(0, 99),
                texts,
                st.integers(0, 2**40),
                st.sampled_from(["before", "at", "heartbeat"]),
                annotated=st.booleans(),
            ),
            max_size=2,
        ).map(tuple),
    ),
    st.builds(
        Media,
        event=texts,
        n=st.integers(0, 99),
        part=st.integers(1, 9),
        parts=st.integers(1, 9),
        offset=st.integers(0, 2**40),
        size=st.integers(0, 2**40),
        sha256=texts,
        type=st.sampled_from(["image/jpeg", "video/mp4"]),
        role=st.sampled_from(["at", "snapshot"]),
        annotated=st.booleans(),
        camera=texts,
        name=texts,
        at=instants,
        data=st.binary(max_size=50),
    ),
)


@given(records, st.integers(0, 2**32 - 1).map(lambda n: f"{n:08x}"))
@pytest.mark.sentence(4)
def test_a_stored_record_comes_back_as_it_was(record, meta):
    data = encode(record, meta)

    assert decode(data) == (record, meta)
    assert head(data).meta == meta
    assert meta_of(data).hex() == meta


@given(records, st.integers(1, 2**53))
def test_every_record_is_one_json_object_with_its_seq_and_no_null(record, seq):
    wire = json.loads(
        to_wire(seq, encode(record, META)),
        parse_constant=lambda word: pytest.fail(f"{word} on the wire"),
    )

    assert wire["seq"] == seq
    assert wire["kind"] == type(record).__name__.lower()
    assert None not in wire.values()
    if isinstance(record, Scan):
        assert wire["values"] == record.values
        assert set(wire.get("q", {})) == set(record.flaws)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_never_passes(number):
    with pytest.raises(RecordError, match=r"scan of fan-2, current: expected a finite"):
        encode(Scan("fan-2", AT, {"ok": 1.0, "current": number}), META)
    event = Event(id="e", type="t", severity="info", at=AT, values={"x": number})
    with pytest.raises(RecordError, match="event e, x"):
        encode(event, META)


def test_the_word_null_in_a_text_is_no_mistake():
    wire = to_wire(1, encode(Scan("null", AT, {"mode": "null", "x": 1.5}), META))

    assert json.loads(wire)["values"] == {"mode": "null", "x": 1.5}


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (2**53, 2**53),
        (2**53 + 1, "9007199254740993"),
        (2**64 - 1, "18446744073709551615"),
        (-(2**53) - 1, "-9007199254740993"),
    ],
)
def test_a_counter_too_large_for_a_double_travels_as_text(number, said):
    scan = Scan("meter", AT, {"pulses": number, "x": 1})

    assert json.loads(to_wire(1, encode(scan, META)))["values"]["pulses"] == said
    assert scan.values["pulses"] == number


@pytest.mark.sentence(8)
def test_the_clock_is_mentioned_only_when_it_was_not_trusted():
    untrusted = Instant(86_400_000, 12_345, "0a0b0c0d", trusted=False)
    trusted = to_wire(1, encode(Scan("d", AT, {}), META))
    unknown = to_wire(1, encode(Scan("d", untrusted, {}), META))
    corrected = to_wire(
        1,
        encode(Scan("d", untrusted, {}), META),
        lambda at: DatedTime(AT.wall_ms + at.mono_ms, "corrected"),
    )

    assert b"clock" not in trusted
    assert b"mono" not in trusted
    assert json.loads(unknown) | {"values": {}} == {
        "seq": 1,
        "kind": "scan",
        "t": 86_400_000,
        "clock": "unknown",
        "boot": "0a0b0c0d",
        "mono": 12_345,
        "device": "d",
        "values": {},
    }
    assert json.loads(corrected)["t"] == AT.wall_ms + 12_345
    assert json.loads(corrected)["clock"] == "corrected"


@pytest.mark.sentence(8)
def test_a_trusted_time_is_never_dated_again():
    def never(at):
        raise AssertionError(at)

    assert json.loads(to_wire(1, encode(Scan("d", AT, {}), META), never))["t"] == (
        AT.wall_ms
    )


@pytest.mark.sentence(8)
def test_bounds_of_a_boot_that_never_saw_a_clock_travel_along():
    data = encode(Scan("d", Instant(0, 1, "0a0b0c0d", trusted=False), {}), META)

    wire = json.loads(to_wire(1, data, lambda _at: DatedTime(50, "unknown", 40, 60)))

    assert (wire["t"], wire["t_min"], wire["t_max"]) == (50, 40, 60)


def test_the_end_of_a_gap_is_dated_by_its_own_boot():
    since = Instant(1_000_000, 5, "00000001", trusted=True)
    until = Instant(77, 9, "00000002", trusted=False)
    data = encode(Gap("d", ("*",), since, until, 3, "power_off"), META)

    wire = json.loads(to_wire(7, data, lambda at: DatedTime(2_000_000, "corrected")))

    assert (wire["t"], wire["until"]) == (1_000_000, 2_000_000)
    assert (wire["clock"], wire["boot"], wire["mono"]) == ("corrected", "00000002", 9)


@pytest.mark.parametrize(
    ("byte", "value", "said"),
    [
        (0, 2, "expected stored version 1, got 2: written by another release"),
        (1, 0, "expected a kind of 1..10, got 0"),
        (1, 12, "expected a kind of 1..10, got 12"),
    ],
)
def test_what_another_release_wrote_gives_a_clear_error(byte, value, said):
    data = bytearray(encode(Scan("d", AT, {}), META))
    data[byte] = value

    for read in (head, decode, lambda d: to_wire(1, d)):
        with pytest.raises(RecordError, match=said):
            read(bytes(data))


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused_with_our_own_error(data):
    for read in (head, decode, lambda d: to_wire(1, d)):
        try:
            read(data)
        except RecordError:
            continue


@pytest.mark.parametrize("meta", ["", "9c41d07", "9c41d07g", "9c41d07a0"])
def test_an_id_that_is_not_eight_hex_digits_is_refused(meta):
    with pytest.raises(RecordError, match="eight hex digits"):
        encode(Scan("d", AT, {}), meta)


def test_what_a_value_costs_at_100_values_a_scan():
    scan = Scan("cems-1", AT, {f"point_{n}": 100 + n / 7 for n in range(100)})
    small = Scan("cems-1", AT, {f"point_{n}": 100 + n / 7 for n in range(10)})
    data = encode(scan, META)
    rounds = 300

    def us_a_value(work):
        best = math.inf
        for _ in range(5):
            began = time.perf_counter()
            for _ in range(rounds):
                work()
            best = min(best, time.perf_counter() - began)
        return best / rounds / 100 * 1e6

    stored, wire = (
        us_a_value(lambda: encode(scan, META)),
        us_a_value(lambda: to_wire(1042, data)),
    )
    overhead = len(data) - len(json.dumps(scan.values, separators=(",", ":")))
    print(
        f"\nencode {stored:.3f} us, to_wire {wire:.4f} us a value; "
        f"stored {len(data)} B at 100 values, {len(encode(small, META))} B at 10"
    )

    assert overhead < 70
    assert wire < stored, "publishing must only join bytes"
