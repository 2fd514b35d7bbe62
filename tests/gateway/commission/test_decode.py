"""One span in every type and order: the right one first for usual instruments."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.commission.decode import ORDERS, arranged, decode


def turned(data, order):
    """As it leaves a device that sends in this order."""
    return arranged(data, order)


SAMPLES = [
    # (what the device means, its bytes in ABCD, type, value as shown)
    ("voltage", struct.pack(">f", 230.1), "float32", "230.1"),
    ("frequency", struct.pack(">f", 50.02), "float32", "50.02"),
    ("pH", struct.pack(">f", 7.21), "float32", "7.21"),
    ("SO2", struct.pack(">f", 12.34), "float32", "12.34"),
    ("temperature", struct.pack(">f", -5.5), "float32", "-5.5"),
]


_CLOCK = struct.pack(">6H", 2025, 11, 21, 9, 30, 15)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("name", "data", "kind", "value"), SAMPLES)
def test_the_right_order_of_a_float_is_first(name, data, kind, value, order):
    best = decode(turned(data, order))[0]

    assert (best.type, best.order, best.value) == (kind, order, value), name


@pytest.mark.parametrize(
    ("data", "kind", "value"),
    [
        (_CLOCK, "Y M D h m s", "2025-11-21 09:30:15"),
        (struct.pack(">H", 2301), "uint16", "2301"),
        (struct.pack(">h", -32), "int16", "-32"),
        (struct.pack(">I", 1_234_567), "uint32", "1234567"),
        (bytes.fromhex("12345678"), "bcd32", "12345678"),
        (b"ADW300\0\0", "text", "'ADW300'"),
        (struct.pack(">I", 1_763_712_000), "unix time", "2025-11-21 08:00:00Z"),
        (bytes.fromhex("251121093015"), "BCD YMDhms", "2025-11-21 09:30:15"),
        (struct.pack(">d", 1234.5678), "float64", "1234.5678"),
    ],
)  # fmt: skip
def test_other_types_are_first_where_they_are_meant(data, kind, value):
    best = decode(data)[0]

    assert (best.type, best.value) == (kind, value)


def test_a_low_word_first_counter_is_first_in_its_order():
    best = decode(turned(struct.pack(">I", 1_234_567), "CDAB"))[0]

    assert (best.type, best.order, best.value) == ("uint32", "CDAB", "1234567")


def printable(data):
    return all(32 <= byte < 127 for byte in data)


def by_chance(reading):
    """A float of few digits, which another order happens to give."""
    digits = reading.value.strip("-0.").replace(".", "")
    return reading.type == "float32" and len(digits) <= 5


def test_no_voltage_is_a_text_though_its_four_bytes_are_characters(count):
    first, last = (int.from_bytes(struct.pack(">f", volts)) for volts in (200.0, 260.0))
    tried = 0
    for bits in range(first, last + 1, count(397, 1)):
        data = bits.to_bytes(4)
        if not printable(data):
            continue
        tried += 1
        best, *_ = [r for r in decode(data) if r.order == "ABCD" or not by_chance(r)]
        assert (best.type, best.order) == ("float32", "ABCD"), (data, best)

    assert tried > 1_000


@pytest.mark.parametrize("volts", [230.2, 227.2634, 202.196, 207.2667])
def test_a_reading_of_printable_bytes_is_first_and_its_text_below(volts):
    data = struct.pack(">f", volts)
    assert printable(data)

    readings = decode(data)

    assert (readings[0].type, readings[0].order) == ("float32", "ABCD")
    assert "text" in {reading.type for reading in readings[1:]}


@given(
    st.floats(0.015625, 100_000, width=32).map(lambda number: struct.pack(">f", number))
)
def test_two_registers_that_are_a_number_are_no_text(data):
    assert decode(data)[0].type != "text" or 0 in data


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"SDM6", "'SDM6'"),
        (b"V1.2", "'V1.2'"),
        (b"2023", "'2023'"),
        (b"Eastron1", "'Eastron1'"),
        (b"EM24\0\0\0\0", "'EM24'"),
        (b"ABB\0", "'ABB'"),
        (b"ABB B23 112-100 ", "'ABB B23 112-100'"),
    ],
)
def test_names_are_texts(data, value):
    best = decode(data)[0]

    assert (best.type, best.value) == ("text", value)


@pytest.mark.parametrize("order", ORDERS)
def test_what_is_no_word_is_below_a_float_in_any_order(order):
    data = turned(struct.pack(">f", 230.2473), order)
    assert printable(data)

    found = {(reading.type, reading.order): reading.weight for reading in decode(data)}

    assert found["float32", order] > max(found["text", ""], found["text", "BA"])


def test_two_voltages_of_printable_bytes_are_no_text():
    data = struct.pack(">2f", 230.2, 230.3)

    assert decode(data)[0].type == "float32"


@given(st.binary(min_size=2, max_size=16).filter(lambda data: len(data) % 2 == 0))
def test_any_registers_are_shown_and_every_integer_is_right(data):
    readings = decode(data)

    weights = [reading.weight for reading in readings]
    assert weights == sorted(weights, reverse=True)
    shown = {(r.registers, r.type, r.order): r.value for r in readings}
    for i in range(len(data) // 2):
        word = int.from_bytes(data[2 * i : 2 * i + 2], "big")
        assert shown[str(i), "uint16", ""] == str(word)
    assert all(abs(r.weight) < 10 for r in readings)
