"""4-20 mA: what a signal stands for, exactly; and where it stands for nothing."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.decode import decoder
from drivers.profiles.model import Loop, ModbusPoint

MICRO = Fraction(1, 1000)


def read(raw, loop, **fields):
    """Value and reason of a uint16 that counts microamperes."""
    fields = {"type": "int16", "scale": MICRO, **fields}
    point = ModbusPoint(name="p", table="input", address=0, loop=loop, **fields)
    values, flaws = {}, {}
    data = (raw & 0xFFFF).to_bytes(2, "big")
    decoder([point], 0).decode(data, 0, values, flaws)
    flaw = flaws.get("p")
    return values.get("p"), flaw and f"{flaw.quality.value} {flaw.reason}"


SO2 = Loop(Fraction(0), Fraction(200))


@pytest.mark.parametrize(
    ("raw", "value", "flaw"),
    [
        (4000, 0, None),
        (12000, 100, None),
        (20000, 200, None),
        (7200, 40, None),
        # NAMUR NE 43: 3.8 to 20.5 mA is for measuring...
        (3800, -2.5, None),
        (20500, 206.25, None),
        # ... nobody means what is beyond, up to the failure limits; nothing is clamped.
        (3799, -2.5125, "uncertain out_of_range"),
        (3600, -5, "uncertain out_of_range"),
        (20501, 206.2625, "uncertain out_of_range"),
        (21000, 212.5, "uncertain out_of_range"),
        # ... and there it is a failure.
        (3599, None, "bad wire_break"),
        (0, None, "bad wire_break"),
        (-1, None, "bad wire_break"),
        (21001, None, "bad over_range"),
        (32767, None, "bad over_range"),
    ],
)
def test_four_to_twenty(raw, value, flaw):
    assert read(raw, SO2) == (value, flaw)


@pytest.mark.parametrize(
    ("ends", "raw", "value", "flaw"),
    [
        ((0, 20), 0, 0, None),
        ((0, 20), 10000, 100, None),
        ((0, 20), -400, -4, None),
        ((0, 20), -1000, -10, "uncertain out_of_range"),
        ((0, 20), -1001, None, "bad under_range"),
        ((0, 20), 21001, None, "bad over_range"),
        ((0, 10), 10000, 200, None),
        ((0, 10), 10501, None, "bad over_range"),
        ((1, 5), 1000, 0, None),
        ((1, 5), 899, None, "bad wire_break"),
        ((1, 5), 5251, None, "bad over_range"),
        ((-10, 10), -10000, 0, None),
        ((-10, 10), -10501, None, "bad under_range"),
        ((-10, 10), 0, 100, None),
    ],
)
def test_other_signals_have_the_same_proportions(ends, raw, value, flaw):
    loop = Loop(Fraction(0), Fraction(200), *map(Fraction, ends))

    assert read(raw, loop) == (value, flaw)


def test_a_range_may_fall_and_start_anywhere():
    assert read(4000, Loop(Fraction(14), Fraction(0)))[0] == 14
    assert read(8000, Loop(Fraction(-40), Fraction(80)))[0] == -10


@given(
    st.integers(3800, 20500),
    st.fractions(-1000, 1000, max_denominator=1000),
    st.fractions(-1000, 1000, max_denominator=1000),
)
def test_the_value_is_the_double_nearest_to_the_exact_one(raw, low, high):
    if low == high:
        return
    value, flaw = read(raw, Loop(low, high))

    exact = low + (raw * MICRO - 4) / 16 * (high - low)
    assert flaw is None
    assert value == float(exact)


def test_a_float_module_and_its_rounding():
    point = ModbusPoint(
        name="p", table="input", address=0, type="float32", decimals=2, loop=SO2
    )
    values, flaws = {}, {}
    decoder([point], 0).decode(bytes.fromhex("40c0a3d7"), 0, values, flaws)

    # 6.02 mA
    assert values == {"p": 25.25}
    assert flaws == {}


@pytest.mark.parametrize("bits", ["7fc00000", "7f800000", "ff800000"])
def test_a_float_module_that_has_no_number_has_no_value(bits):
    point = ModbusPoint(name="p", table="input", address=0, type="float32", loop=SO2)
    values, flaws = {}, {}
    decoder([point], 0).decode(bytes.fromhex(bits), 0, values, flaws)

    assert values == {}
    assert flaws["p"].reason == "not_finite"


def test_codes_and_ranges_of_the_point_hold_as_ever():
    assert read(0x7FFF, SO2, not_available=(0x7FFF,)) == (None, "bad not_available")
    assert read(19000, SO2, maximum=150) == (187.5, "uncertain out_of_range")
    # A signal's failure is told, not the range it leaves besides.
    assert read(1000, SO2, minimum=0) == (None, "bad wire_break")


def test_bcd_modules_have_loops_as_well():
    point = ModbusPoint(
        name="p", table="input", address=0, type="bcd16", scale=MICRO, loop=SO2
    )
    values, flaws = {}, {}
    reader = decoder([point], 0)
    reader.decode(bytes.fromhex("8000"), 0, values, flaws)
    assert values == {"p": 50}

    values.clear()
    reader.decode(bytes.fromhex("80A0"), 0, values, flaws)
    assert values == {}
    assert flaws["p"].reason == "bad_bcd"
