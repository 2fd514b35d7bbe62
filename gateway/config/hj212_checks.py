"""What of an HJ 212 target only shows beside the stations of the site."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from drivers.profiles.document import Node
from drivers.profiles.reading import closest
from gateway.config.hj212_rights import check_rights
from gateway.config.hj212_targets import KEY
from gateway.config.model import Hj212Target
from gateway.factors.output import FactorError, resolve

if TYPE_CHECKING:
    from drivers.profiles.reading import Report
    from gateway.config.model import Device, Target
    from gateway.config.stations import Station, StationKind

SYSTEM: dict[StationKind, str] = {
    "flue_gas": "31",
    "water": "32",
    "ambient": "22",
    "dust": "39",
    "noise": "23",
    "electricity": "44",
    "conditions": "45",
}
"""ST by the station's kind.

Source: HJ 212-2017, table 5; 44 and 45 (2025) by public implementations.
"""


_NEVER_OF_OTHERS = frozenset(("31", "32"))
"""Dust is told as 22 or 39 from city to city; flue gas and water are not mixed up."""


def finish_hj212(
    report: Report,
    root: Node,
    targets: dict[str, Target],
    stations: dict[str, Station],
    devices: dict[str, Device],
) -> dict[str, Target]:
    """Check the HJ 212 targets against the stations; fill in what follows from them."""
    finished = dict(targets)
    for name, node in _targets(root):
        path = f"targets.{name}"
        station = _station(report, root, node, path, stations)
        if station is not None:
            _check_names(report, node, path, station)
        target = targets.get(name)
        if not isinstance(target, Hj212Target):
            continue  # it has mistakes of its own
        check_rights(report, node, path, target, devices)
        if station is not None:
            _check_factors(report, node, path, target, station)
            _check_st(report, node, path, target, station)
            if not target.st:
                finished[name] = replace(target, st=SYSTEM[station.kind])
    _check_twice(report, root, finished)
    return finished


def _targets(root: Node) -> list[tuple[str, Node]]:
    """Those that speak HJ 212, whatever is wrong with them."""
    targets = root.get("targets")
    if targets is None:
        return []
    return [(name, node) for name, node in targets.items() if node.get(KEY)]


def _station(
    report: Report,
    root: Node,
    node: Node,
    path: str,
    stations: dict[str, Station],
) -> Station | None:
    place = node.get("station")
    if place is None or not isinstance(place.value, str):
        return None
    listed = root.get("stations")
    known = [name for name, _ in listed.items()] if listed is not None else []
    if place.value not in known:
        report.add(
            place,
            f"{path}.station",
            "hj212_no_station",
            choices=", ".join(known) or "-",
            found=place.value,
            meant=closest(place.value, known),
        )
    return stations.get(place.value)


def _check_names(report: Report, node: Node, path: str, station: Station) -> None:
    """Every factor that a target names is one of its station's."""
    names = [factor.name for factor in station.factors]
    factors, only = node.get("factors"), node.get("only")
    named = [(f"factors.{name}", name, at) for name, at in _items(factors)]
    listed = only.value if only and isinstance(only.value, list) else []
    named += [("only", at.text, at) for at in listed if isinstance(at, Node)]
    for key, name, at in named:
        if name not in names:
            report.add(
                at,
                f"{path}.{key}",
                "hj212_no_factor",
                choices=", ".join(names),
                found=name,
                meant=closest(name, names),
            )


def _items(node: Node | None) -> list[tuple[str, Node]]:
    return list(node.items()) if node is not None else []


def _check_factors(
    report: Report, node: Node, path: str, target: Hj212Target, station: Station
) -> None:
    """What of each factor cannot be sent as it is said, or should be looked at."""
    listed = node.get("factors")
    sent = 0
    for factor in station.factors:
        if target.only and factor.name not in target.only:
            continue
        place = (listed.get(factor.name) if listed else None) or node
        where = f"{path}.factors.{factor.name}"
        try:
            output = resolve(factor, target.factors.get(factor.name), target.version)
        except FactorError as exc:
            report.add(
                place,
                where,
                exc.code,
                meant=exc.meant,
                warning=False,
                text=exc.text,
                **exc.values,
            )
            sent += 1
            continue
        if output is None:
            report.add(place, where, "hj212_no_code", warning=True, found=factor.name)
            continue
        sent += 1
        for remark in output.remarks:
            report.add(
                place,
                where,
                remark.code,
                meant=remark.meant,
                warning=True,
                text="",
                **remark.values,
            )
    if not sent:
        report.add(node, path, "hj212_no_codes", station=station.name)


def _check_st(
    report: Report, node: Node, path: str, target: Hj212Target, station: Station
) -> None:
    """Another kind's ST is a slip of the pen more often than a platform's wish."""
    usual = SYSTEM[station.kind]
    mixed = _NEVER_OF_OTHERS & {target.st, usual}
    if target.st and target.st != usual and mixed:
        report.add(
            node.get("st") or node,
            f"{path}.st",
            "hj212_st_of_other",
            warning=True,
            found=target.st,
            kind=station.kind,
            usual=usual,
        )


def _check_twice(report: Report, root: Node, targets: dict[str, Target]) -> None:
    """One MN once at a platform: two connections of it would throw each other out."""
    seen: dict[tuple[str, int, str, str], str] = {}
    for target in targets.values():
        if not isinstance(target, Hj212Target):
            continue
        key = (target.host.lower(), target.port, target.mn, target.st)
        first = seen.setdefault(key, target.name)
        if first != target.name:
            node = _entry(root, target.name)
            report.add(
                node.get("mn") or node,
                f"targets.{target.name}.mn",
                "hj212_twice",
                warning=True,
                found=target.mn,
                other=first,
            )


def _entry(root: Node, name: str) -> Node:
    targets = root.get("targets") or root
    return targets.get(name) or targets
