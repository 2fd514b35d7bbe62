"""Reads ``fences`` and ``mobile`` of a site, ``reception`` and ``track`` of a device.

fences:
  yard: {device: gnss-1, rule: stay_in, circle: [118.18012, 39.63041], radius_m: 300}
  spring: {device: gnss-1, rule: keep_out, polygon: [[118.1, 39.6], …], dwell: 10s}
mobile: {position: gnss-1, max_age: 2s}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drivers.profiles.points import labels
from drivers.profiles.reading import Report, Section, Word, shown
from drivers.profiles.watches import SEVERITIES
from gateway.config.places import RULES, Fence, Mobile, Reception, Track
from gateway.config.site_info import in_china
from gateway.judge.earth import Place, crossing
from gateway.judge.fix import LATITUDE, LONGITUDE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drivers.profiles.document import Node
    from drivers.profiles.model import Point

FENCE_KEYS = (
    "device", "rule", "circle", "radius_m", "polygon", "dwell", "margin_m",
    "accuracy_m", "max_hdop", "severity", "label",
)  # fmt: skip
MOBILE_KEYS = ("position", "max_age")
RECEPTION_KEYS = ("no_fix", "jamming")
TRACK_KEYS = ("every", "within_m")

LEAST_CORNERS, MOST_CORNERS = 3, 200
_WIDEST_DEG = 5.0
"""Beyond some 500 km a straight side on the map is no straight line on the ground."""
_LEAST_M, _MOST_M = 1.0, 500_000.0


def read_fence(report: Report, name: str, node: Node, path: str) -> Fence | None:
    """Read one fence; None when anything but a warning was wrong with it."""
    before = len(report.problems)
    section = Section.open(report, node, path, FENCE_KEYS)
    if section is None:
        return None
    rule = section.choice("rule", RULES, required=True)
    fields: dict[str, Any] = {
        "device": section.text("device", required=True),
        "rule": rule,
        **_shape(section),
        "dwell_s": section.duration("dwell", 0.0, 86_400.0),
        "margin_m": _metres(section, "margin_m", 0.0, 10_000.0),
        "accuracy_m": _metres(section, "accuracy_m", 0.1, 10_000.0),
        "max_hdop": _metres(section, "max_hdop", 0.5, 50.0),
        "severity": section.choice("severity", SEVERITIES),
        "label": labels(section, "label"),
    }
    if any(not problem.warning for problem in report.problems[before:]):
        return None
    fence = Fence(name=name, **_said(**fields))
    if fence.rule == "keep_out" and fence.circle and fence.radius_m <= fence.margin_m:
        section.wrong(
            "radius_m", "fence_small", margin=fence.margin_m, found=fence.radius_m
        )
        return None
    return fence


def read_mobile(section: Section) -> Mobile | None:
    """The ``mobile`` of a site file."""
    inner = _open(section, "mobile", MOBILE_KEYS)
    if inner is None:
        return None
    position = inner.text("position", required=True)
    max_age_s = inner.duration("max_age", 0.1, 60.0)
    if position is None:
        return None
    return Mobile(position=position, **_said(max_age_s=max_age_s))


def read_watches(section: Section, points: Iterable[Point]) -> dict[str, Any]:
    """What a device with a position may say of how it is watched."""
    for key in ("reception", "track"):
        if section.has(key) and not has_position(points):
            section.wrong(key, "no_position", key=key)
    return _said(reception=read_reception(section), track=read_track(section))


def has_position(points: Iterable[Point]) -> bool:
    """Whether a device says where it is."""
    return {LATITUDE, LONGITUDE} <= {point.name for point in points}


def read_reception(section: Section) -> Reception | None:
    """The ``reception`` of a device."""
    inner = _open(section, "reception", RECEPTION_KEYS)
    if inner is None:
        return None
    said = _said(jamming=inner.boolean("jamming"))
    if inner.has("no_fix") and inner.at("no_fix").text == "never":
        return Reception(no_fix_s=None, **said)
    return Reception(**_said(no_fix_s=inner.duration("no_fix", 1.0, 86_400.0)), **said)


def read_track(section: Section) -> Track | None:
    """The ``track`` of a device."""
    inner = _open(section, "track", TRACK_KEYS)
    if inner is None:
        return None
    return Track(
        **_said(
            every_s=inner.duration("every", 10.0, 86_400.0),
            within_m=_metres(inner, "within_m", 0.5, 1000.0),
        )
    )


def _said(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - of any field
    """Those that were said; the others keep their defaults."""
    return {key: value for key, value in fields.items() if value is not None}


def _open(section: Section, key: str, keys: tuple[str, ...]) -> Section | None:
    node = section.get(key)
    if node is None:
        return None
    return Section.open(section.report, node, section.path_of(key), keys)


def _metres(section: Section, key: str, low: float, high: float) -> float | None:
    number = section.number(key)
    if number is not None and not low <= number <= high:
        section.wrong(key, "range", low=low, high=high, found=section.at(key).text)
        return None
    return None if number is None else float(number)


def _shape(section: Section) -> dict[str, Any]:
    """A circle or a polygon, not both."""
    if section.has("circle") and section.has("polygon"):
        section.wrong("polygon", "not_both", name="polygon", other="circle")
        return {}
    if section.has("polygon"):
        if section.has("radius_m"):
            section.wrong("radius_m", "not_both", name="radius_m", other="polygon")
        return {"polygon": _polygon(section)}
    if not section.has("circle"):
        choices = "circle, polygon"
        section.report.add(section.node, section.path, "way_missing", choices=choices)
        return {}
    section.get("radius_m", required=True)
    circle = read_place(section.report, section.at("circle"), section.path_of("circle"))
    return {
        "circle": circle,
        "radius_m": _metres(section, "radius_m", _LEAST_M, _MOST_M),
    }


def _polygon(section: Section) -> tuple[Place, ...] | None:
    path = section.path_of("polygon")
    nodes = section.items("polygon")
    read = [read_place(section.report, node, path) for node in nodes]
    corners = [place for place in read if place is not None]
    if len(corners) < len(nodes) or not isinstance(section.at("polygon").value, list):
        return None
    if len(corners) > 1 and corners[0] == corners[-1]:
        corners.pop()  # closed as GeoJSON closes it
    if not LEAST_CORNERS <= len(corners) <= MOST_CORNERS:
        low, high = LEAST_CORNERS, MOST_CORNERS
        section.wrong("polygon", "fence_corners", low=low, high=high, count=len(nodes))
    elif any(
        max(side) - min(side) > _WIDEST_DEG for side in zip(*corners, strict=True)
    ):
        section.wrong("polygon", "fence_wide", most=_WIDEST_DEG)
    elif crossing(corners):
        section.wrong("polygon", "fence_crossing")
    return tuple(corners)


def read_place(report: Report, node: Node, path: str) -> Place | None:
    """Longitude, latitude; a pair that only fits swapped is told so."""
    if not isinstance(node.value, list):
        report.add(node, path, "type", expected=Word("list"), found=shown(node))
        return None
    numbers = [
        child.value
        for child in node.value
        if isinstance(child.value, int | float) and not isinstance(child.value, bool)
    ]
    if len(numbers) != 2 or len(node.value) != 2:  # noqa: PLR2004 - a pair
        report.add(node, path, "position", found=Word("list"))
        return None
    longitude, latitude = numbers
    if not (-180 <= longitude <= 180 and -90 < latitude < 90):  # noqa: PLR2004
        swapped = -180 <= latitude <= 180 and -90 < longitude < 90  # noqa: PLR2004
        meant = f"[{latitude}, {longitude}]" if swapped else ""
        found = f"[{longitude}, {latitude}]"
        report.add(node, path, "position", found=found, meant=meant)
        return None
    if not in_china(longitude, latitude):
        meant = f"[{latitude}, {longitude}]" if in_china(latitude, longitude) else ""
        report.add(
            node,
            path,
            "position_abroad",
            found=f"[{longitude}, {latitude}]",
            meant=meant,
            warning=True,
        )
    return float(longitude), float(latitude)
