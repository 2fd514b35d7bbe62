"""Stations of a site file: short where the standard knows, refused where wrong."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from gateway.config.loader import load_problems

if TYPE_CHECKING:
    from pathlib import Path

    from drivers.profiles.reading import Problem
    from gateway.config.stations import Station

HEAD = """\
gateway: g1
buffer: {path: data}
buses: {b: {protocol: modbus-tcp, tcp: "127.0.0.1:1502"}}
assets: {DA001: {kind: outlet}}
devices:
  cems:
    bus: b
    address: 1
    every: 5s
    points:
      - {name: so2, table: holding, address: "pdu:0", type: float32, unit: mg/m3}
      - {name: no_ppm, table: holding, address: "pdu:2", type: float32, unit: "[ppm]"}
      - {name: o2, table: holding, address: "pdu:4", type: float32, unit: "%"}
      - {name: flue_flow, table: holding, address: "pdu:6", type: float32, unit: m3/h}
      - {name: pm10, table: holding, address: "pdu:8", type: float32, unit: ug/m3}
      - {name: slow, table: input, address: "pdu:0", type: int16, unit: g/L, every: 1h}
      - {name: on, table: coil, address: "pdu:0", type: bool}
stations:
"""
STACK = """\
  S:
    kind: flue_gas
    factors: {a: cems.so2}
    flue_gas: """
NO_WAY = ("factor_unit", 0)
FIRST = HEAD.count("\n") + 1


def read(tmp_path: Path, text: str) -> tuple[Station | None, list[Problem]]:
    path = tmp_path / "site.yaml"
    path.write_text(HEAD + text, encoding="utf-8")
    site, problems = load_problems(path)
    mine = [p for p in problems if p.line >= FIRST]
    return (next(iter(site.stations.values())) if site else None), mine


def test_a_short_factor_has_what_the_standard_says(tmp_path: Path) -> None:
    text = """\
  DA001:
    kind: flue_gas
    factors: {so2: cems.so2, o2: cems.o2, flow: cems.flue_flow}
    flue_gas: {reference_oxygen: 6}
"""
    station, problems = read(tmp_path, text)

    assert problems == []
    assert station is not None
    so2, o2, flow = station.factors
    assert (so2.code, so2.unit, so2.decimals, so2.cou_unit) == (
        "a21026",
        "mg/m3",
        2,
        "kg",
    )
    assert (so2.total, so2.converted, so2.every_ms) == (True, True, 5000)
    assert (o2.code, o2.total, o2.converted) == ("a19001", False, False)
    assert (flow.code, flow.unit, flow.unit_of_point) == ("a00000", "m3/s", "m3/h")
    assert (flow.cou_unit, flow.total, flow.converted) == ("m3", True, False)
    assert station.asset == "DA001"
    assert station.flue_gas is not None
    assert station.flue_gas.oxygen == "o2"
    assert station.flue_gas.flow == "flow"
    assert station.flue_gas.reference_oxygen == Fraction(6)


def test_nano_grams_are_never_guessed_silently(tmp_path: Path) -> None:
    text = "  S: {kind: dust, factors: {pm10: cems.pm10}}\n"
    station, problems = read(tmp_path, text)

    assert station is not None
    assert station.factors[0].unit == "ug/m3"
    assert [(p.code, p.warning) for p in problems] == [("factor_nano", True)]


def test_a_point_of_states_is_told_and_not_averaged(tmp_path: Path) -> None:
    text = "  S: {kind: conditions, factors: {fan: {from: cems.on, code: SB001}}}\n"
    station, problems = read(tmp_path, text)

    assert problems == []
    assert station is not None
    assert station.factors[0].states


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("  S: {kind: dust, factors: {a: cem.so2}}", "unknown_device", 0),
        ("  S: {kind: dust, factors: {a: cems.so3}}", "unknown_point_of", 0),
        ("  S: {kind: dust, factors: {a: cems}}", "factor_from", 0),
        ("  S: {kind: dust}", "missing_key", 0),
        ("  S: {kind: dusty, factors: {a: cems.so2}}", "choice", 0),
        ("  cems: {kind: dust, factors: {a: cems.so2}}", "duplicate_name", 0),
        (
            "  S:\n    kind: dust\n    minute: 7m\n    factors: {a: cems.so2}",
            "choice",
            2,
        ),
        ("  S: {kind: water, factors: {a: cems.slow}}", "factor_slow", 0),
        (
            "  S: {kind: dust, factors: {a: {from: cems.so2, unit: kPa}}}",
            "factor_unit",
            0,
        ),
        (
            "  S: {kind: dust, factors: {a: {from: cems.so2, unit: mg}}}",
            "factor_unit",
            0,
        ),
        (
            "  S: {kind: dust, factors: {a: {from: cems.no_ppm, unit: mg/m3}}}",
            "factor_gas",
            0,
        ),
        (
            "  S: {kind: dust, factors: {a: cems.so2, b: {from: cems.so2}}}",
            "code_twice",
            0,
        ),
        (
            STACK + "{oxygen: o3}",
            "unknown_factor",
            3,
        ),
        (
            STACK + "{reference_oxygen: 21}",
            "range",
            3,
        ),
        (
            "  S:\n    kind: dust\n    factors: {a: cems.so2}\n    water: {}",
            "not_with_kind",
            3,
        ),
        (
            "  S: {kind: dust, factors: {a: {from: cems.on, decimals: 1}}}",
            "factor_states",
            0,
        ),
        ("  S: {kind: dust, asset: DA9, factors: {a: cems.so2}}", "unknown_asset", 0),
        ("  S: {kind: dust, factor: {a: cems.so2}}", "misspelt_key", 0),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(
    tmp_path: Path, text: str, code: str, line: int
) -> None:
    station, problems = read(tmp_path, text + "\n")

    assert station is None
    wrong = [p for p in problems if not p.warning]
    assert (code, FIRST + line) in [(p.code, p.line) for p in wrong]


OUTFALL = """\
  W:
    kind: water
    factors:
      cod: {{from: cems.slow, code: w01018}}
      v: {{from: cems.slow, counter: true}}
    water: {{mean: flow_weighted{volume}}}
"""


@pytest.mark.parametrize(
    ("volume", "code"),
    [("", "weighted_by_nothing"), (", volume: v", "weighted_too_slowly")],
)
def test_a_weighted_mean_wants_what_weighs_it(
    tmp_path: Path, volume: str, code: str
) -> None:
    station, problems = read(tmp_path, OUTFALL.format(volume=volume))

    assert station is None
    assert code in [problem.code for problem in problems]
