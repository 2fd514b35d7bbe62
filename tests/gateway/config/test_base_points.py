"""Points of a site file that build on a point of their device's profile."""

from __future__ import annotations

from fractions import Fraction

import pytest

from drivers.modbus.decode import decoder
from gateway.config import load_problems

PROFILE = """\
profile: ai8
maker: Any
models: [AI-8]
evidence: generic
source: a test
points:
  - name: ai1
    table: input
    address: "pdu:0"
    type: uint16
    scale: 0.001
    unit: mA
    maximum: 22
    label: {zh: 通道1, en: Channel 1}
    code: x1
  - {name: ai2, table: input, address: "pdu:1", type: uint16, scale: 0.001, unit: mA}
  - {name: ai3, table: input, address: "pdu:2", type: int16, unit: "1",
     not_available: [-32768]}
"""
SITE = """\
gateway: g
buffer: {path: ./data}
buses:
  line: {protocol: modbus-tcp, tcp: "127.0.0.1:502"}
devices:
  adc:
    bus: line
    address: 1
    profile: ai8
    every: 1s
    %s
    points:
%s
"""


@pytest.fixture
def load(tmp_path):
    folder = tmp_path / "profiles"
    folder.mkdir()
    (folder / "ai8.yaml").write_text(PROFILE, "utf-8")

    def read(*points, more="pause: 0s", site=SITE):
        file = tmp_path / "site.yaml"
        lines = "\n".join(f"      - {point}" for point in points)
        file.write_text(site % (more, lines), "utf-8")
        loaded, problems = load_problems(file)
        said = [
            (p.line, p.column, p.path, p.code, p.meant)
            for p in problems
            if not p.warning
        ]
        return loaded and {p.name: p for p in loaded.devices["adc"].points}, said

    return read


def test_a_channel_takes_its_place_and_type_and_stands_for_something_else(load):
    points, problems = load(
        "{base: ai1, name: tank_level, unit: m, loop: {low: 0, high: 5}}"
    )

    level = points["tank_level"]
    assert problems == []
    assert list(points) == ["ai2", "ai3", "tank_level"]
    assert (level.table, level.address, level.type) == ("input", 0, "uint16")
    assert level.scale == Fraction(1, 1000)
    assert (level.unit, level.loop.low, level.loop.high) == ("m", 0, 5)
    # What belongs to the channel's name, or to the bare signal, stays with it.
    assert (level.label, level.code, level.maximum) == ({}, None, None)


def test_what_a_point_says_itself_goes_first(load):
    points, problems = load("{base: ai3, name: flow, scale: 0.5, unit: m3/h}")

    assert problems == []
    assert points["flow"].scale == Fraction(1, 2)
    assert points["flow"].not_available == (0x8000,)


def test_what_was_meant_for_another_scale_is_not_taken_over(load):
    points, problems = load(
        "{base: ai1, name: loop_current, unit: A, scale: 0.000001}",
        "{base: ai1, name: again, label: {en: x}, table: holding}",
    )

    assert problems == []
    assert points["loop_current"].maximum is None
    assert (points["again"].maximum, points["again"].unit) == (22, "mA")


def test_only_named_points_are_polled_where_the_device_says_so(load):
    points, problems = load(
        "{base: ai2, name: ph, unit: '1', loop: {low: 0, high: 14}}",
        more="only: named",
    )

    assert problems == []
    assert list(points) == ["ph"]


def test_several_channels_and_a_point_of_their_own(load):
    points, problems = load(
        "{base: ai1, name: ph, unit: '1', loop: {low: 0, high: 14}}",
        "{base: ai2, name: level, unit: m, loop: {low: 0, high: 5}}",
        "{name: extra, table: input, address: 'pdu:9', type: uint16, unit: V}",
    )

    assert problems == []
    assert list(points) == ["ai3", "ph", "level", "extra"]


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        # A signal's unit is not the measured quantity's.
        (
            "{base: ai1, name: level, loop: {low: 0, high: 5}}",
            [(13, 9, "devices.adc.points.level", "unit_missing", "")],
        ),
        (
            "{base: ai4, name: level, unit: m}",
            [(13, 16, "devices.adc.points[0].base", "unknown_base", "ai1")],
        ),
        (
            "{base: ai1, name: level, unit: mA, type: bool}",
            [
                (13, 16, "devices.adc.points.level.scale", "scale_bool", ""),
                (13, 9, "devices.adc.points.level", "bit_missing", ""),
            ],
        ),
        (
            "{base: ai1, unit: mA}",
            [(13, 9, "devices.adc.points[0]", "missing_key", "")],
        ),
        (
            "{base: ai1, name: level, unit: mA, skale: 2}",
            [(13, 44, "devices.adc.points.level.skale", "misspelt_key", "scale")],
        ),
        (
            "{base: ai1, name: ai2, unit: mA}",
            [],
        ),
        # The same milliamperes by the name of metres.
        (
            "{base: ai1, name: ai2, unit: m}",
            [(13, 38, "devices.adc.points[0].unit", "base_unit", "")],
        ),
        (
            "{base: ai1, name: level, unit: m, loop: {low: 1, high: 1}}",
            [(13, 64, "devices.adc.points.level.loop.high", "loop_flat", "")],
        ),
        (
            "{base: ai1, name: level, unit: m, loop: {low: 1, high: 2, from: 30}}",
            [(13, 49, "devices.adc.points.level.loop.to", "loop_range", "")],
        ),
        (
            "{base: ai1, name: level, unit: m, loop: {low: 1, to: 30}}",
            [(13, 49, "devices.adc.points.level.loop", "missing_key", "")],
        ),
        (
            "{base: ai1, name: a, unit: m, loop: {low: 1, high: 2}, writable: true}",
            None,
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_cause(load, point, expected):
    _, problems = load(point)

    if expected is None:
        assert "loop_beside" in [code for *_, code, _ in problems]
    else:
        assert sorted(problems) == sorted(expected)


def test_one_channel_cannot_be_two_points(load):
    _, problems = load(
        "{base: ai1, name: ph, unit: mA}", "{base: ai1, name: level, unit: mA}"
    )

    assert [code for *_, code, _ in problems] == ["overlap"]


def test_base_and_only_need_a_profile(tmp_path):
    file = tmp_path / "site.yaml"
    text = SITE.replace("    profile: ai8\n", "") % (
        "only: named",
        "      - {base: ai1, name: ph, unit: '1'}",
    )
    file.write_text(text, "utf-8")

    _, problems = load_problems(file)

    assert {p.code for p in problems if not p.warning} == {"base_alone", "only_alone"}


def test_a_shared_list_builds_on_each_device_s_own_profile(tmp_path, load):
    (tmp_path / "profiles" / "other.yaml").write_text(
        PROFILE.replace("profile: ai8", "profile: other").replace("pdu:0", "pdu:40"),
        "utf-8",
    )
    site = SITE.replace("points:", "points: &channels") + (
        "  adc-2: {bus: line, address: 2, profile: other, every: 1s,"
        " points: *channels}\n"
    )
    file = tmp_path / "site.yaml"
    line = "      - {base: ai1, name: ph, unit: '1', loop: {low: 0, high: 14}}"
    file.write_text(site % ("pause: 0s", line), "utf-8")

    loaded, problems = load_problems(file)

    assert [p for p in problems if not p.warning] == []
    places = {
        name: {p.name: p.address for p in device.points}["ph"]
        for name, device in loaded.devices.items()
    }
    assert places == {"adc": 0, "adc-2": 40}


@pytest.mark.parametrize(
    ("profile", "raw", "level"),
    [
        ("wellpro-wp3082adam", 4095, 5.0),
        ("wellpro-wp3082adam", 819, 0.0),
        ("waveshare-analog-input-8ch", 20_000, 5.0),
        ("waveshare-analog-input-8ch", 4_000, 0.0),
        ("waveshare-analog-input-8ch", 12_345, 2.6078125),
    ],
)
def test_a_channel_of_a_real_module_ends_where_its_range_does(
    tmp_path, profile, raw, level
):
    file = tmp_path / "site.yaml"
    line = "      - {base: ai1, name: level, unit: m, loop: {low: 0, high: 5}}"
    site = SITE.replace("profile: ai8", f"profile: {profile}")
    file.write_text(site % ("only: named", line), "utf-8")
    loaded, _ = load_problems(file)
    values, flaws = {}, {}

    points = loaded.devices["adc"].points
    decoder(points, points[0].address).decode(
        raw.to_bytes(2, "big"), points[0].address, values, flaws
    )

    assert flaws == {}
    assert values["level"] == pytest.approx(level, rel=1e-15, abs=1e-20)


@pytest.mark.parametrize(
    ("profile", "bus", "point", "found"),
    [
        ("generic-dlt645", "dlt645", "base: active_power, unit: kW", ["base_unit"]),
        ("generic-dlt645", "dlt645", "base: active_power, unit: kW, scale: 1", []),
        ("met-one-bam-1020-pm10", "ascii", "base: pm10, unit: mg/m3", ["base_unit"]),
        # Whatever the instrument writes is turned into the point's unit.
        ("thermo-43i", "ascii", 'base: so2_ppb, unit: "[ppm]"', []),
    ],
)
def test_another_unit_alone_is_a_mistake_unless_units_are_turned(
    tmp_path, profile, bus, point, found
):
    file = tmp_path / "site.yaml"
    site = SITE.replace("profile: ai8", f"profile: {profile}")
    site = site.replace("protocol: modbus-tcp", f"protocol: {bus}")
    address = '"202511210001"' if bus == "dlt645" else '"43"'
    site = site.replace("address: 1", f"address: {address}")
    file.write_text(site % ("only: named", f"      - {{name: x, {point}}}"), "utf-8")

    _, problems = load_problems(file)

    assert [p.code for p in problems if not p.warning] == found
