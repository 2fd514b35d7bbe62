"""`read` doubts an order of bytes that makes no real reading, and no other."""

import struct

import pytest

from drivers.profiles.model import ModbusPoint
from gateway.cli.trouble import other_orders
from gateway.texts import set_language


@pytest.fixture(autouse=True)
def _english():
    set_language("en")
    yield
    set_language(None)


def point(order, type_="float32", **more):
    return ModbusPoint(
        name="v", table="input", address=0, type=type_, word_order=order, **more
    )


def read_as(order, raw):
    """What a float32 in this order of bytes reads as."""
    places = {"ABCD": (0, 1, 2, 3), "CDAB": (2, 3, 0, 1)}
    places |= {"BADC": (1, 0, 3, 2), "DCBA": (3, 2, 1, 0)}
    return struct.unpack(">f", bytes(raw[i] for i in places[order]))[0]


@pytest.mark.parametrize("order", ["CDAB", "BADC", "DCBA"])
def test_a_wrong_order_is_met_with_the_right_one(order):
    raw = struct.pack(">f", 230.1)

    hint = other_orders(point(order), raw, read_as(order, raw), "")

    assert "the value of v does not look real" in hint
    assert "ABCD it would be 230.1" in hint


@pytest.mark.parametrize("value", [230.1, 0.0, -12.5, 45224.836, 0.05])
def test_the_right_order_is_not_doubted(value):
    raw = struct.pack(">f", value)

    assert other_orders(point("ABCD"), raw, value, "") == ""


def test_a_whole_number_outside_its_range_is_doubted():
    raw = struct.pack(">I", 4711)
    wrong = point("CDAB", "uint32", maximum=10_000.0)

    hint = other_orders(wrong, raw, 4711 << 16, "out_of_range")

    assert "ABCD it would be 4711" in hint


def test_without_a_better_order_nothing_is_said():
    raw = struct.pack(">f", 1e-20)

    assert "ABCD" not in other_orders(point("ABCD"), raw, 1e-20, "")


def test_single_registers_and_silence_have_no_order():
    assert other_orders(point("ABCD", "uint16"), b"\0\1", 1, "out_of_range") == ""
    assert other_orders(point("ABCD"), b"", None, "timeout") == ""


def test_the_hint_speaks_chinese():
    set_language("zh")
    raw = struct.pack(">f", 230.1)

    hint = other_orders(point("CDAB"), raw, read_as("CDAB", raw), "")

    assert "不像真实读数" in hint
