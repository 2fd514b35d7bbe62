"""Devices by profile: encoded as the words say, plausible, and computable again."""

from __future__ import annotations

import math
import struct
from fractions import Fraction
from typing import Any

import pytest

from drivers.profiles.library import load_profile, profile_names
from drivers.profiles.model import ModbusPoint, Profile
from simulators.profiled import Expectation, ProfileUnit, to_words
from simulators.units import answer
from simulators.waveform import state, wave
from simulators.wire import RefusedError, parse_request


def point(name: str, address: int, kind: Any = "uint16", **more: Any) -> ModbusPoint:
    return ModbusPoint(name=name, table="holding", address=address, type=kind, **more)


def unit(*points: ModbusPoint, now: float = 1.76e9, **more: Any) -> ProfileUnit:
    profile = Profile(
        profile="x", maker="x", models=("x",), evidence="generic", source="x",
        points=points,
    )  # fmt: skip
    return ProfileUnit(3, profile, seed=1, utc_s=lambda: now, **more)


# 123456.0 as float32 is 47 F1 20 00; 0x12345678 stands for itself.
@pytest.mark.parametrize(
    ("raw", "kind", "order", "wire"),
    [
        (123456.0, "float32", "ABCD", "47f12000"),
        (123456.0, "float32", "CDAB", "200047f1"),
        (123456.0, "float32", "BADC", "f1470020"),
        (123456.0, "float32", "DCBA", "0020f147"),
        (0x12345678, "uint32", "CDAB", "56781234"),
        (-2, "int16", "ABCD", "fffe"),
        (0x0102030405060708, "uint64", "CDAB", "0708050603040102"),
    ],
)
def test_numbers_leave_in_the_order_that_is_named(raw, kind, order, wire) -> None:
    assert struct.pack(f">{len(wire) // 4}H", *to_words(raw, kind, order)).hex() == wire


def test_a_meter_shows_scaled_values_near_what_its_units_promise() -> None:
    device = unit(
        point("voltage", 0, scale=Fraction(1, 10), unit="V"),
        point("energy", 2, "float32", unit="kW.h"),
    )

    voltage, _, high, low = struct.unpack(
        ">4H", device.read("holding", 0, 4, aside=False)
    )
    (energy,) = struct.unpack(">f", struct.pack(">2H", high, low))

    assert 200 < voltage * 0.1 < 260
    assert energy > 100


def test_what_a_device_shows_is_what_a_consumer_expects() -> None:
    points = (point("voltage", 0, scale=Fraction(1, 10), unit="V"),)
    device = unit(*points, now=1.76e9)
    expectation = Expectation(points, seed=1, unit=3)
    (raw,) = struct.unpack(">H", device.read("holding", 0, 1, aside=False))

    assert expectation.wrong("voltage", raw / 10, 1.76e9, 0.5) is None
    assert expectation.wrong("voltage", raw / 10 + 1, 1.76e9, 0.5) is not None
    assert Expectation(points, seed=1, unit=4).wrong("voltage", raw / 10, 1.76e9, 0.5)


def test_bits_states_and_codes_share_registers_and_stay_defined() -> None:
    device = unit(
        point("a", 0, "bool", bit=3),
        point("b", 0, "bool", bit=9),
        point("mode", 1, enum={2: "run", 5: "stop"}),
        point("gone", 2, unit="1", not_available=(100,), minimum=100, maximum=100),
    )
    word, mode, gone = struct.unpack(">3H", device.read("holding", 0, 3, aside=False))

    assert word & ~(1 << 3 | 1 << 9) == 0
    assert mode in {2, 5}
    assert gone != 100


def test_holes_read_as_zero_or_refuse_and_the_outside_always_refuses() -> None:
    points = (point("a", 10, unit="V"), point("b", 14, unit="V"))

    assert unit(*points).read("holding", 11, 3, aside=False) == bytes(6)
    with pytest.raises(RefusedError):
        unit(*points, holes="refuse").read("holding", 10, 5, aside=False)
    with pytest.raises(RefusedError):
        unit(*points).read("holding", 100, 1, aside=False)
    with pytest.raises(RefusedError):
        unit(*points).read("input", 10, 1, aside=False)


def test_a_write_is_taken_where_the_profile_says_so_and_read_back() -> None:
    device = unit(point("set", 0, writable=True), point("fixed", 1))

    good = answer(device, parse_request(3, bytes.fromhex("06000004d2")))
    bad = answer(device, parse_request(3, bytes.fromhex("0600010001")))

    assert (good[0], bad.hex()) == (6, "8602")
    assert device.read("holding", 0, 1, aside=False) == b"\x04\xd2"


def test_waves_stay_in_their_limits_move_slowly_and_count_up() -> None:
    ph = wave(1, 2, "ph", "[pH]", low=0, high=14)
    energy = wave(1, 2, "import", "kW.h")
    at = [1.75e9 + i for i in range(0, 4000, 10)]

    assert all(0 < ph.value(t) < 14 for t in at)
    assert max(abs(ph.value(t + 1) - ph.value(t)) for t in at) <= ph.slope
    assert all(energy.value(t + 10) > energy.value(t) for t in at)
    assert {state(1, 2, "m", t, 3) for t in at} == {0, 1, 2}
    assert math.isfinite(wave(1, 2, "x", "furlong").value(1.75e9))


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_is_shown_in_full_and_agrees_with_what_is_expected(name) -> None:
    profile = load_profile(name)
    if profile.protocol != "modbus":
        return
    device = ProfileUnit(1, profile, seed=5, utc_s=lambda: 1.76e9)
    expectation = Expectation(profile.points, seed=5, unit=1)

    for shown in (s for group in device._shown.values() for s in group):
        point = shown.point
        data = device.read(point.table, point.address, point.registers, aside=False)
        assert len(data) == (
            1 if point.table in ("coil", "discrete") else 2 * point.registers
        )
        value = shown.value(1.76e9)
        assert expectation.wrong(point.name, value, 1.76e9, 0.0) is None
        if point.minimum is not None and not point.bits and not point.enum:
            assert value >= point.minimum, point.name
        if point.maximum is not None and not point.bits and not point.enum:
            assert value <= point.maximum, point.name
