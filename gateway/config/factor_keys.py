"""Reads one factor of a station: its point, and what the standard's tables fill in.

so2: cems-1.so2
nox: {from: [cems-1.no, cems-1.no2], formula: nox, unit: mg/m3, decimals: 1}
cod: {from: cod-1.cod, holds: 4h}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from drivers.profiles.library import quantities
from drivers.profiles.points import labels
from drivers.profiles.reading import Section, closest, join, shown
from gateway.config.stations import FORMULAS, Factor, Source
from gateway.factors.table import Entry, entry, molar_masses
from gateway.factors.units import UnitError, alike, conversion, meant_by, unit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivers.profiles.document import Node
    from drivers.profiles.model import Point
    from drivers.profiles.reading import Report
    from gateway.config.model import Device
    from gateway.factors.table import Version

FACTOR_KEYS = (
    "from", "code", "unit", "decimals", "cou_unit", "cou_decimals", "holds", "counter",
    "converted", "total", "gas", "formula", "label",
)  # fmt: skip
MOST_DECIMALS = 9
_USUAL_DECIMALS = 3
_NANO = "ng/m3"
"""The standard's default of some factors, and hardly a platform's: see ``table``."""


class Fed(NamedTuple):
    """A point that feeds a factor."""

    device: Device
    point: Point


class FactorReader:
    """Reads the factors of one station."""

    def __init__(
        self,
        report: Report,
        devices: Mapping[str, Device],
        known: list[str],
        version: Version,
    ) -> None:
        """Begin.

        Args:
            report: Takes what is wrong.
            devices: Those that could be read.
            known: The names of all, whatever is wrong with them.
            version: Whose numeric types give the decimals.
        """
        self._report = report
        self._devices = devices
        self._known = known
        self._version = version
        self.said: dict[str, frozenset[str]] = {}
        """The keys that a factor's long form has."""

    def read(self, name: str, node: Node, path: str) -> Factor | None:
        """One factor; None where anything but a warning was wrong with it."""
        if node.kind == "map":
            section = Section.open(self._report, node, path, FACTOR_KEYS)
            if section is None:
                return None
            sources = section.get("from", required=True)
            where = join(path, "from")
        else:
            section, sources, where = None, node, path
        before = len(self._report.problems)
        fed = self._sources(sources, where)
        said = _said(section) if section is not None else {}
        if any(not problem.warning for problem in self._report.problems[before:]):
            return None
        if not fed:
            return None
        self.said[name] = frozenset(said)
        return self._factor(name, fed, said, section, node, path)

    # -- points --------------------------------------------------------------

    def _sources(self, node: Node | None, path: str) -> list[Fed]:
        if node is None:
            return []
        listed = node.value if isinstance(node.value, list) else [node]
        if not 1 <= len(listed) <= 2:  # noqa: PLR2004 - NO, and NO2 beside it
            self._report.add(node, path, "factor_from", found=shown(node))
            return []
        fed = [self._source(entry, path) for entry in listed]
        return [one for one in fed if one is not None]

    def _source(self, node: Node, path: str) -> Fed | None:
        text = node.value
        if not isinstance(text, str) or text.count(".") < 1:
            self._report.add(node, path, "factor_from", found=shown(node))
            return None
        name, _, wanted = text.partition(".")
        device = self._devices.get(name)
        if device is None:
            if name not in self._known:
                self._report.add(
                    node,
                    path,
                    "unknown_device",
                    found=name,
                    choices=", ".join(self._known) or "-",
                    meant=_whole(closest(name, self._known), wanted),
                )
            return None  # else it has mistakes of its own
        names = [point.name for point in device.points]
        point = next((p for p in device.points if p.name == wanted), None)
        if point is None:
            self._report.add(
                node,
                path,
                "unknown_point_of",
                found=wanted,
                device=name,
                choices=", ".join(names) or "-",
                meant=_whole(name, closest(wanted, names)),
            )
            return None
        return Fed(device, point)

    # -- what follows from it ------------------------------------------------

    def _factor(
        self,
        name: str,
        fed: list[Fed],
        said: dict[str, Any],
        section: Section | None,
        node: Node,
        path: str,
    ) -> Factor | None:
        device, point = fed[0]
        from_unit = point.unit
        formula = said.get("formula", "nox" if len(fed) > 1 else "point")
        if not _is_number(point):
            return self._of_states(name, fed[0], said, section, node, path)
        code = said.get("code", _usual_code(name, point, formula))
        row = entry(code) if code is not None else None
        gas = said.get("gas")
        unit_code = said.get("unit") or self._unit(name, point, row, formula, gas)
        place = section.at("unit") if section is not None else node
        if not self._converts(place, path, from_unit, unit_code, formula, gas):
            return None
        if row is not None and row.unit == _NANO != unit_code and "unit" not in said:
            self._report.add(
                node, path, "factor_nano", warning=True, code=code, unit=unit_code
            )
        cou_unit = said.get("cou_unit", row.mass if row is not None else None)
        label = said.get("label") or point.label
        if not label and row is not None:
            label = {"zh": row.zh, "en": row.en}
        return Factor(
            name=name,
            device=device.name,
            point=point.name,
            code=code,
            unit=unit_code,
            from_unit="" if from_unit == unit_code else from_unit,
            decimals=self._decimals(said, row, unit_code, point),
            cou_unit=cou_unit,
            every_ms=round(1000 * (point.every_s or device.every_s)),
            counter=said.get("counter", point.counter is not None),
            formula=formula,
            also=_second(fed[1]) if len(fed) > 1 else None,
            gas=gas,
            label=label,
            **{
                key: said[key]
                for key in ("cou_decimals", "holds_ms", "converted", "total")
                if key in said
            },
        )

    def _of_states(
        self,
        name: str,
        fed: Fed,
        said: dict[str, Any],
        section: Section | None,
        node: Node,
        path: str,
    ) -> Factor | None:
        """A factor that is told as it is, and of which there is no average."""
        for key in said:
            if key not in ("code", "label", "holds_ms") and section is not None:
                found = f"{fed.device.name}.{fed.point.name}"
                self._report.add(node, path, "factor_states", key=key, found=found)
                return None
        point = fed.point
        return Factor(
            name=name,
            device=fed.device.name,
            point=point.name,
            code=said.get("code", _usual_code(name, point, "point")),
            unit="1",
            decimals=0,
            every_ms=round(1000 * (point.every_s or fed.device.every_s)),
            holds_ms=said.get("holds_ms", 0),
            states=True,
            label=said.get("label") or point.label,
        )

    def _unit(
        self, name: str, point: Point, row: Entry | None, formula: str, gas: str | None
    ) -> str:
        """What it is reported in where nobody says: the standard's, if it can be."""
        wanted = [row.unit if row is not None else None]
        quantity = quantities().get(name)
        if row is None or row.unit == _NANO:
            wanted = [quantity.unit if quantity else None]
        for code in wanted:
            if code is None:
                continue
            if formula != "point" or gas is not None:
                return code
            try:
                conversion(point.unit, code)
            except UnitError:
                continue
            return code
        return point.unit

    def _decimals(
        self, said: dict[str, Any], row: Entry | None, unit_code: str, point: Point
    ) -> int:
        if "decimals" in said:
            return int(said["decimals"])
        form = row.format(self._version) if row is not None else None
        if form is not None and row is not None and row.unit == unit_code:
            return form.decimals
        return _USUAL_DECIMALS if point.decimals is None else point.decimals

    def _converts(
        self,
        node: Node,
        path: str,
        from_unit: str,
        to_unit: str,
        formula: str,
        gas: str | None,
    ) -> bool:
        """Whether what the point tells can be told in the factor's unit, exactly."""
        try:
            target = unit(to_unit)
        except UnitError:
            meant = meant_by(to_unit) or ""
            self._report.add(node, path, "unit_ascii", found=to_unit, meant=meant)
            return False
        if formula == "flow":
            from_unit, row = "m3/h", "volume flow"
        elif gas is not None or formula == "nox":
            row = "concentration"
        else:
            row = ""
        if row and target.row != row:
            choices = ", ".join(alike("m3/h" if row == "volume flow" else "mg/m3"))
            self._report.add(node, path, "choice", choices=choices, found=to_unit)
            return False
        if gas is not None:
            from_unit = "mg/m3" if _by_volume(from_unit) else from_unit
        if formula == "nox":
            from_unit = "mg/m3"  # of either point; what they tell is checked there
        try:
            conversion(from_unit, to_unit)
        except UnitError:
            hint = _by_volume(from_unit) and target.row == "concentration"
            self._report.add(
                node,
                path,
                "factor_gas" if hint else "factor_unit",
                found=to_unit,
                unit=from_unit,
            )
            return False
        return True


def _said(section: Section) -> dict[str, Any]:
    """What stands in the long form."""
    holds_s = section.duration("holds", 1.0, 7 * 86_400.0)
    found = {
        "code": section.text("code"),
        "unit": section.text("unit"),
        "decimals": section.integer("decimals", 0, MOST_DECIMALS),
        "cou_unit": section.text("cou_unit"),
        "cou_decimals": section.integer("cou_decimals", 0, MOST_DECIMALS),
        "holds_ms": None if holds_s is None else round(1000 * holds_s),
        "counter": section.boolean("counter"),
        "converted": section.boolean("converted"),
        "total": section.boolean("total"),
        "gas": section.choice("gas", tuple(molar_masses())),
        "formula": section.choice("formula", FORMULAS),
        "label": labels(section, "label") or None,
    }
    cou_unit = found["cou_unit"]
    if isinstance(cou_unit, str):
        try:
            unit(cou_unit)
        except UnitError:
            meant = meant_by(cou_unit) or ""
            section.wrong("cou_unit", "unit_ascii", found=cou_unit, meant=meant)
    return {key: value for key, value in found.items() if value is not None}


def _second(fed: Fed) -> Source:
    return Source(
        device=fed.device.name,
        point=fed.point.name,
        unit=fed.point.unit,
        every_ms=round(1000 * (fed.point.every_s or fed.device.every_s)),
    )


def _usual_code(name: str, point: Point, formula: str) -> str | None:
    """The code of what the point measures, or of what is worked out of it."""
    known = quantities()
    if formula != "point":
        return known["nox" if formula == "nox" else "flue_flow"].code
    for one in (known.get(point.name), known.get(name)):
        if point.code is None and one is not None and one.code is not None:
            return one.code
    return point.code


def _is_number(point: Point) -> bool:
    kind = getattr(point, "type", "float64")
    return not (point.enum or point.bits) and kind not in ("bool", "text", "datetime")


def _by_volume(code: str) -> bool:
    try:
        return unit(code).row == "ratio"
    except UnitError:
        return False


def _whole(device: str, point: str) -> str:
    return f"{device}.{point}" if device and point else ""
