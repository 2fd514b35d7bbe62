"""Frames of DL/T 645: every known one, built alike, found among anything."""

from __future__ import annotations

import random
import re
import time
import tracemalloc
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.dlt645.convert import Transformers, take
from drivers.dlt645.formats import decode
from drivers.dlt645.frame import (
    ANY_METER,
    EVERY_METER,
    LONGEST,
    Finder,
    Function,
    di_bytes,
    encode_address,
    matches,
    request,
)
from drivers.dlt645.question import told_address
from drivers.dlt645.refusals import named
from drivers.dlt645.timekeeping import broadcast_data
from drivers.errors import DriverError
from drivers.profiles.dlt645_items import blocks, edition_of, items
from drivers.profiles.dlt645_points import Dlt645Point
from drivers.profiles.document import load_document
from tests.conftest import BARS, STRICT

VECTORS = load_document(
    (Path(__file__).parent / "vectors.yaml").read_text(encoding="utf-8"), "vectors"
).plain()
GOOD = [v for v in VECTORS if v.get("good", True)]
ANSWERS = [bytes.fromhex(v["hex"]) for v in GOOD if v["control"] & 0x80]


def sum_fits(raw):
    """The check, written again: from the first 68 to before CS."""
    total = 0
    for byte in raw[:-2]:
        total = (total + byte) % 256
    return raw[-1] == 0x16 and raw[-2] == total


def found(data):
    finder, buffer, frames = Finder(), bytearray(data), []
    while (frame := finder.find(buffer)) is not None:
        frames.append(frame)
    return frames


@pytest.mark.parametrize("vector", GOOD, ids=lambda v: v["n"])
def test_a_known_frame_decodes_to_what_it_is_said_to(vector):
    (frame,) = found(bytes.fromhex(vector["hex"]))

    assert frame.address == vector["address"]
    assert frame.control == vector["control"]
    assert sum_fits(frame.raw)
    if "di" in vector:
        di = di_bytes(vector["di"])
        assert frame.data.startswith(di)
        body = frame.data[len(di) :]
        if "value" in vector:
            item = items()[vector["di"]]
            point = Dlt645Point(name="x", item=item)
            values, flaws = {}, {}
            take(point, body, Transformers(), values, flaws)
            assert repr(values["x"]) == repr(vector["value"])
            assert not flaws
        if "values" in vector:
            (block,) = [b for b in blocks() if b.di == vector["di"]]
            parts = [items()[di].parts[0] for di in block.items]
            told = [
                float(decode(p, body[3 * i : 3 * i + 3])) for i, p in enumerate(parts)
            ]
            assert told == vector["values"]
    if "told" in vector:
        assert told_address(frame) == vector["told"]
    if "error" in vector:
        assert named(frame.data[0]) == vector["error"]


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS if not v.get("good", True)], ids=lambda v: v["n"]
)
def test_a_frame_with_a_wrong_sum_is_refused(vector):
    finder = Finder()

    assert finder.find(bytearray.fromhex(vector["hex"])) is None
    assert finder.damaged


@pytest.mark.parametrize(
    "vector", [v for v in GOOD if not v["control"] & 0x80], ids=lambda v: v["n"]
)
def test_our_questions_are_the_known_ones_byte_for_byte(vector):
    raw = bytes.fromhex(vector["hex"])
    (frame,) = found(raw)
    preamble = len(raw) - len(frame.raw)

    built = request(Function(frame.control), frame.address, frame.data, preamble)

    assert built == raw


def test_a_time_is_sent_seconds_first():
    at = datetime(2026, 11, 21, 20, 45, 30)  # noqa: DTZ001 - the meter's local time

    sent = request(Function.BROADCAST_TIME, EVERY_METER, broadcast_data(at))

    vector = next(v for v in GOOD if v["n"] == "broadcast time")
    assert sent == bytes.fromhex(vector["hex"])


def test_nothing_but_questions_and_the_time_can_be_built():
    """All 256 control codes: six can leave, none of them writes to a meter's memory."""
    assert {function.value for function in Function} == {1, 2, 8, 0x11, 0x12, 0x13}
    for code in set(range(256)) - {function.value for function in Function}:
        with pytest.raises(ValueError, match="is not a valid Function"):
            Function(code)
    sizes = {1: 2, 2: 2, 8: 6, 0x11: 4, 0x12: 5, 0x13: 0}
    addresses = ("123456789012", ANY_METER, EVERY_METER, "AAAAAAAA9012")
    for function in Function:
        for address in addresses:
            for size in range(61):
                allowed = size == sizes[function.value] and (
                    (address == EVERY_METER) == (function is Function.BROADCAST_TIME)
                )
                if function is Function.READ_ADDRESS:
                    allowed = allowed and address == ANY_METER
                try:
                    sent = request(function, address, bytes(size))
                except ValueError:
                    assert not allowed, (function, address, size)
                    continue
                assert allowed, (function, address, size)
                (frame,) = found(sent)
                assert frame.control == function.value
                assert len(frame.data) == size


def test_bytes_leave_the_package_in_one_place_only():
    """Whoever sends builds by ``request``: no other module touches the wire."""
    package = Path(__file__).parents[3] / "drivers" / "dlt645"
    for path in package.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\.(write|send|writelines)\(", text), path.name
        calls = re.findall(r"wire\.exchange\(\s*([^,]+)", text)
        # What was built by request, or nothing at all: to go on listening.
        assert set(calls) <= {"asked", 'b""'}, path.name
        assert not calls or path.name == "line.py", path.name
    line = (package / "line.py").read_text(encoding="utf-8")
    builds = re.findall(r"^ *asked = (.*?)\(", line, re.MULTILINE)
    assert set(builds) == {"request"}
    assert line.count("Function.BROADCAST_TIME") == 1


@pytest.mark.parametrize(
    "address", ["12345678901", "1234567890123", "12345678901x", "A23456789012", ""]
)
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(ValueError, match="expected twelve digits"):
        encode_address(address)


def test_shortened_addresses():
    assert encode_address("AAAAAAAA9012") == bytes.fromhex("1290AAAAAAAA")
    assert matches("AAAAAAAA9012", "123456789012")
    assert not matches("AAAAAAAA9013", "123456789012")


WHOLE = bytes.fromhex(next(v["hex"] for v in GOOD if v["n"] == "13"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b""),
        (b"\xfe" * 7, b""),
        (b"\x68", b""),
        (b"\x68\x68", b"\x68"),
        (b"\x16\x16", b"\xfe"),
        (b"\x68" * 20, b"\x68" * 20),
        # Looks like the begin of a frame of 255 bytes, and never becomes one.
        (bytes.fromhex("68 11 11 11 11 11 11 68 91 FF"), b""),
        (bytes.fromhex("68 61 01 00 00 00 00 68 11 04 33 33"), b""),
    ],
)
def test_a_frame_is_found_between_noise(before, after):
    frames = found(before + WHOLE + after)

    assert [frame.raw for frame in frames] == [WHOLE[2:]]


def test_a_frame_is_found_byte_by_byte_with_16_and_68_in_its_data():
    data = bytes((0x16 - 0x33 & 0xFF, 0x68 - 0x33, 0x16 - 0x33 & 0xFF, 0x68 - 0x33) * 3)
    body = bytes.fromhex("68 12 90 78 56 34 12 68 91") + bytes((len(data),))
    body += bytes((b + 0x33) & 0xFF for b in data)
    raw = body + bytes((sum(body) & 0xFF, 0x16))
    finder, buffer = Finder(), bytearray()

    for byte in raw[:-1]:
        buffer.append(byte)
        assert finder.find(buffer) is None
    buffer.append(raw[-1])

    frame = finder.find(buffer)
    assert frame is not None
    assert frame.raw == raw
    assert frame.data == data
    assert not buffer


FRAGMENT = st.one_of(
    st.binary(max_size=30),
    st.sampled_from([bytes.fromhex(v["hex"]) for v in VECTORS]),
    st.sampled_from([b"\x68", b"\xfe\xfe", b"\x16", b"\x68" * 9]),
)


@settings(max_examples=20_000 if BARS or STRICT else 2_000)
@given(st.lists(FRAGMENT, max_size=6), st.lists(st.integers(1, 40), max_size=12))
def test_however_bytes_come_every_frame_found_was_there_and_fits(fragments, cuts):
    data = b"".join(fragments)
    finder, buffer, at, frames = Finder(), bytearray(), 0, []
    for cut in [*cuts, len(data)]:
        buffer += data[at : at + cut]
        at += cut
        while (frame := finder.find(buffer)) is not None:
            frames.append(frame)
        assert len(buffer) <= LONGEST

    for frame in frames:
        assert sum_fits(frame.raw)
        assert frame.raw in data
    # What stands between things that cannot begin a frame is not missed.
    quiet = all(0x68 not in f for f in fragments if f.hex(" ").upper() not in KNOWN)
    if quiet:
        known = [f for f in fragments if f in KNOWN_GOOD]
        assert len(frames) >= len(known)


KNOWN = {v["hex"] for v in VECTORS}
KNOWN_GOOD = {bytes.fromhex(v["hex"]) for v in GOOD}


def value_of(data):
    """What a careful reader makes of some bytes: (di, value) of each data answer."""
    told = []
    for frame in found(data):
        if frame.control not in (0x91, 0x81):
            continue
        di = frame.data[: 4 if frame.control == 0x91 else 2][::-1].hex().upper()
        item = items().get(di)
        if item is None:
            continue
        try:
            body = frame.data[len(di) // 2 :]
            told.append((frame.address, di, decode(item.parts[0], body)))
        except DriverError:
            continue
    return told


def test_one_byte_cut_or_changed_gives_no_other_value():
    """Any byte of any known answer, any change: the value, or none."""
    for raw in ANSWERS:
        meant = value_of(raw)
        for at in range(len(raw)):
            assert value_of(raw[:at] + raw[at + 1 :]) in ([], meant)
            for change in range(1, 256):
                bad = bytearray(raw)
                bad[at] ^= change
                assert value_of(bytes(bad)) in ([], meant), (raw.hex(" "), at, change)


def test_mutated_bytes_give_only_what_their_own_check_bears_out(seed, count, figure):
    rng = random.Random(seed)
    cases, values = count(20_000, 1_000_000), 0
    began = time.process_time()
    for _ in range(cases):
        data = bytearray(b"".join(rng.choices(ANSWERS, k=rng.randint(1, 2))))
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(data))
            match rng.randrange(4):
                case 0:
                    data[at] ^= 1 << rng.randrange(8)
                case 1:
                    data[at] = rng.choice((0x68, 0x16, 0xFE, rng.randrange(256)))
                case 2:
                    del data[at]
                case _:
                    data.insert(at, rng.randrange(256))
            if not data:
                break
        for frame in found(data):
            assert sum_fits(frame.raw), (seed, data.hex(" "))
            assert frame.raw in data
            di = frame.data[:4][::-1].hex().upper()
            for known in (di, di[4:]):
                if known in items():
                    part = items()[known].parts[0]
                    try:
                        decode(part, frame.data[len(known) // 2 :])
                    except DriverError:
                        continue
                    values += 1
    figure("cases", cases)
    figure("values_with_a_right_check", values)
    figure("us_a_case", round(1e6 * (time.process_time() - began) / cases, 1))


@pytest.mark.parametrize(
    "pattern",
    [
        b"\x68",
        b"\xfe",
        bytes.fromhex("68 11 11 11 11 11 11 68 91 FF"),
        bytes.fromhex("68 11 11 11 11 11 11 68 91 00"),
        b"\x68" * 9 + b"\xff",
    ],
)
def test_hostile_bytes_cost_linear_time_and_bounded_memory(pattern):
    def feed(size, lump):
        data = pattern * (size // len(pattern) + 1)
        finder, buffer = Finder(), bytearray()
        began = time.process_time()
        for at in range(0, size, lump):
            buffer += data[at : at + lump]
            while finder.find(buffer) is not None:
                pass
            assert len(buffer) <= LONGEST
        return time.process_time() - began

    feed(2_000, 64)
    small = max(min(feed(10_000, 64) for _ in range(3)), 0.002)
    large = feed(80_000, 64)
    tracemalloc.start()
    feed(5_000, 64)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert large < 8 * 3 * small, (small, large)
    assert peak < 100_000


def test_the_table_is_sound():
    for di, item in items().items():
        assert item.di == di
        assert item.size > 0
        assert item.size <= 200
        assert item.zh
        assert item.en
        assert edition_of(di) == ("2007" if len(di) == 8 else "1997")
        names = [part.name for part in item.parts]
        assert len(set(names)) == len(names)
        for part in item.parts:
            assert part.unit.isascii()
    for block in blocks():
        assert block.di not in items()
        sizes = {items()[di].size for di in block.items}
        assert len(sizes) == 1
        assert sum(items()[di].size for di in block.items) <= 200
