"""Reads ``stations`` of a site: what is averaged together and reported under one MN.

stations:
  DA001:
    kind: flue_gas
    factors:
      so2: cems-1.so2
      o2: cems-1.o2
      flow: {from: cems-1.flue_velocity, formula: flow}
    flue_gas: {reference_oxygen: 6, area: 3.14}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec

from drivers.profiles.points import labels
from drivers.profiles.reading import Section, join
from gateway.config.buses import check_name
from gateway.config.factor_keys import FactorReader
from gateway.config.site_info import report_unknown
from gateway.config.stations import (
    MINUTES,
    STATION_KINDS,
    Factor,
    FlueGas,
    Station,
    Water,
)
from gateway.factors.units import unit
from gateway.judge import validity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from fractions import Fraction

    from drivers.profiles.document import Node
    from drivers.profiles.reading import Report
    from gateway.config.model import Device
    from gateway.factors.table import Version

STATION_KEYS = (
    "kind", "asset", "minute", "grace", "rules", "factors", "flue_gas", "water",
    "label",
)  # fmt: skip
FLUE_GAS_KEYS = (
    "measured", "oxygen", "oxygen_measured", "reference_oxygen", "moisture",
    "temperature", "pressure", "atmosphere", "velocity", "area", "flow",
)  # fmt: skip
WATER_KEYS = ("flow", "volume", "mean")
MEASURED = ("dry_standard", "dry_actual", "wet_standard", "wet_actual")
OXYGEN_MEASURED = ("dry", "wet")
MEANS = ("flow_weighted", "arithmetic")
MOST_GRACE_S = 600.0

_USUAL_CODES = {
    "oxygen": "a19001",
    "moisture": "a01014",
    "temperature": "a01012",
    "pressure": "a01013",
    "velocity": "a01011",
    "flow": "a00000",
}
"""Whose factor is meant where nobody says which. Source: HJ 212-2017, table B.2."""
_WATER_FLOW = "w00000"
_OPEN_AIR_OXYGEN = 21
"""Percent: at a reference oxygen from here on nothing can be converted."""


def read_stations(
    section: Section, devices: Mapping[str, Device], assets: Iterable[str]
) -> dict[str, Station]:
    """The ``stations`` of a site file."""
    report, stations = section.report, {}
    listed = section.get("devices")
    known = [name for name, _ in listed.items()] if listed is not None else []
    for name, node, mark in section.entries("stations"):
        check_name(report, name, section.at("stations"), "stations")
        path = f"stations.{name}"
        if name in known:
            first = section.at("devices").key_marks[name]
            place = f"{first.line}:{first.column}"
            report.add(mark, path, "duplicate_name", found=name, first=place)
        station = _read(report, name, node, path, devices, known, list(assets))
        if station is not None:
            stations[name] = station
    return stations


def _read(
    report: Report,
    name: str,
    node: Node,
    path: str,
    devices: Mapping[str, Device],
    known: list[str],
    assets: list[str],
) -> Station | None:
    before = len(report.problems)
    section = Section.open(report, node, path, STATION_KEYS)
    if section is None:
        return None
    kind = section.choice("kind", STATION_KINDS, required=True)
    asset = section.text("asset")
    if asset is not None:
        report_unknown(report, section.at("asset"), f"{path}.asset", "asset", assets)
    rules = section.choice("rules", validity.names()) or "2017"
    version: Version = 2025 if rules.startswith("2025") else 2017
    reader = FactorReader(report, devices, known, version)
    minute_s = _minute_s(section)
    grace_s = section.duration("grace", 0.0, MOST_GRACE_S)
    factors = _factors(section, reader, minute_s)
    flue_gas = _flue_gas(section, kind, factors)
    water = _water(section, kind, factors, minute_s)
    label = labels(section, "label")
    if kind is None or any(not p.warning for p in report.problems[before:]):
        return None
    station = Station(
        name=name,
        kind=cast("Any", kind),
        factors=tuple(factors),
        asset=asset or (name if name in assets else None),
        minute_s=minute_s,
        rules=rules,
        flue_gas=flue_gas,
        water=water,
        label=label or {},
    )
    if grace_s is not None:
        station = msgspec.structs.replace(station, grace_s=grace_s)
    return _completed(station, reader)


def _minute_s(section: Section) -> int:
    seconds = section.duration("minute", 1.0, 3600.0)
    if seconds is None:
        return 60
    if seconds / 60 not in MINUTES:
        choices = ", ".join(f"{minutes}m" for minutes in MINUTES)
        text = section.at("minute").text
        section.wrong("minute", "choice", choices=choices, found=text)
        return 60
    return round(seconds)


def _factors(section: Section, reader: FactorReader, minute_s: int) -> list[Factor]:
    report = section.report
    found: list[Factor] = []
    codes: dict[str, str] = {}
    section.get("factors", required=True)
    entries = section.entries("factors")
    listed = section.get("factors")
    if not entries and listed is not None and listed.kind == "map":
        section.wrong("factors", "empty")
    for name, node, _mark in entries:
        path = section.path_of("factors")
        check_name(report, name, section.at("factors"), path)
        factor = reader.read(name, node, join(path, name))
        if factor is None:
            continue
        if factor.code is not None:
            first = codes.setdefault(factor.code, name)
            if first != name:
                report.add(
                    node, join(path, name), "code_twice", found=factor.code, other=first
                )
        slow = factor.every_ms > 1000 * minute_s
        if slow and not (factor.holds_ms or factor.states):
            report.add(
                node,
                join(path, name),
                "factor_slow",
                found=f"{factor.every_ms / 1000:g} s",
                most=f"{minute_s} s",
            )
        found.append(factor)
    return found


# -- how they hang together ---------------------------------------------------


def _flue_gas(
    section: Section, kind: str | None, factors: list[Factor]
) -> FlueGas | None:
    if section.has("flue_gas") and kind not in (None, "flue_gas"):
        section.wrong("flue_gas", "not_with_kind", key="flue_gas", found=kind)
        return None
    node = section.get("flue_gas")
    said: dict[str, Any] = {}
    inner = None
    if node is not None:
        inner = Section.open(
            section.report, node, section.path_of("flue_gas"), FLUE_GAS_KEYS
        )
    if inner is not None:
        said = {
            "measured": inner.choice("measured", MEASURED),
            "oxygen": _name(inner, "oxygen", factors),
            "oxygen_measured": inner.choice("oxygen_measured", OXYGEN_MEASURED),
            "reference_oxygen": _within(inner, "reference_oxygen", 0, _OPEN_AIR_OXYGEN),
            "moisture": _name_or_number(inner, "moisture", factors),
            "temperature": _name_or_number(inner, "temperature", factors),
            "pressure": _name_or_number(inner, "pressure", factors),
            "atmosphere": _name_or_number(inner, "atmosphere", factors),
            "velocity": _name(inner, "velocity", factors),
            "area": _within(inner, "area", 0, 1000),
            "flow": _name(inner, "flow", factors),
        }
    if kind != "flue_gas":
        return None
    for key, code in _USUAL_CODES.items():
        if said.get(key) is None:
            usual = [f.name for f in factors if f.code == code]
            said[key] = usual[0] if usual else None
    _check_reference(section, inner, said, factors)
    worked_out = [f for f in factors if f.formula == "flow"]
    if worked_out and said.get("area") is None:
        section.wrong("flue_gas", "flow_area", found=worked_out[0].name)
    return FlueGas(**{key: value for key, value in said.items() if value is not None})


def _check_reference(
    section: Section,
    inner: Section | None,
    said: dict[str, Any],
    factors: list[Factor],
) -> None:
    """An oxygen without its reference converts nothing; a share is no percentage."""
    if inner is not None and inner.has("reference_oxygen"):
        reference = said.get("reference_oxygen")
        if reference is not None and reference < 1:
            inner.wrong(
                "reference_oxygen",
                "reference_is_percent",
                warning=True,
                found=inner.at("reference_oxygen").text,
            )
        return
    pollutants = [
        f.name for f in factors if not f.states and unit(f.unit).row == "concentration"
    ]
    if said.get("oxygen") is not None and pollutants:
        section.wrong(
            "flue_gas",
            "nothing_converted",
            warning=True,
            found=", ".join(pollutants),
            oxygen=said["oxygen"],
        )


def _water(
    section: Section, kind: str | None, factors: list[Factor], minute_s: int
) -> Water | None:
    if section.has("water") and kind not in (None, "water"):
        section.wrong("water", "not_with_kind", key="water", found=kind)
        return None
    node = section.get("water")
    said: dict[str, Any] = {}
    inner = None
    if node is not None:
        inner = Section.open(section.report, node, section.path_of("water"), WATER_KEYS)
    if inner is not None:
        said = {
            "flow": _name(inner, "flow", factors),
            "volume": _name(inner, "volume", factors),
            "mean": inner.choice("mean", MEANS),
        }
    if kind != "water":
        return None
    if said.get("flow") is None:
        usual = [f.name for f in factors if f.code == _WATER_FLOW]
        said["flow"] = usual[0] if usual else None
    if said.get("mean") is None and said["flow"] is None:
        said["mean"] = "arithmetic"
    elif said.get("mean") == "flow_weighted" and said["flow"] is None:
        volume = next((f for f in factors if f.name == said.get("volume")), None)
        if volume is None:
            section.wrong("water", "weighted_by_nothing")
        elif volume.every_ms > 1000 * minute_s:
            section.wrong("water", "weighted_too_slowly", found=volume.name)
    return Water(**{key: value for key, value in said.items() if value is not None})


def _completed(station: Station, reader: FactorReader) -> Station:
    """Totals and converted values wherever they can be, unless the file says no."""
    flue_gas, water = station.flue_gas, station.water
    flows = {
        part.flow for part in (flue_gas, water) if part is not None and part.flow
    } | ({water.volume} if water is not None and water.volume else set())
    converts = (
        flue_gas is not None
        and flue_gas.oxygen is not None
        and flue_gas.reference_oxygen is not None
    )
    completed = []
    for factor in station.factors:
        said = reader.said.get(factor.name, frozenset())
        concentration = unit(factor.unit).row == "concentration"
        total = factor.total
        if factor.states:
            completed.append(factor)
            continue
        if "total" not in said:
            total = factor.counter or (
                factor.cou_unit is not None
                and bool(flows)
                and (concentration or factor.name in flows)
            )
        converted = factor.converted
        if "converted" not in said:
            converted = converts and concentration
        completed.append(
            msgspec.structs.replace(factor, total=total, converted=converted)
        )
    return msgspec.structs.replace(station, factors=tuple(completed))


def _name(section: Section, key: str, factors: list[Factor]) -> str | None:
    text = section.text(key)
    if text is None:
        return None
    names = [factor.name for factor in factors]
    node = section.at(key)
    report_unknown(section.report, node, section.path_of(key), "factor", names)
    return text


def _name_or_number(
    section: Section, key: str, factors: list[Factor]
) -> str | Fraction | None:
    node = section.get(key)
    if node is not None and node.kind in ("int", "float"):
        return section.fraction(key)
    return _name(section, key, factors)


def _within(section: Section, key: str, low: int, high: int) -> Fraction | None:
    number = section.fraction(key)
    if number is not None and not low < number < high:
        section.wrong(key, "range", low=low, high=high, found=section.at(key).text)
        return None
    return number
