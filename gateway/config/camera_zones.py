"""Reads where in the picture a camera looks, and where it stands.

zones:
  stack: {area: [[0.4, 0.0], [0.7, 0.0], [0.7, 0.5], [0.4, 0.5]], labels: [dark_smoke]}
  road: {area: [[0, 0.8], [1, 0.8], [1, 1], [0, 1]], use: ignore}
  flats: {area: [[0, 0.3], [0.2, 0.3], [0.2, 0.6], [0, 0.6]], use: private}
mount: {position: [118.18012, 39.63041], bearing: 132, view: 60}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from drivers.profiles.reading import Section, Word, closest, shown
from gateway.config.buses import check_name
from gateway.config.place_keys import read_place
from gateway.judge.earth import crossing, distance_m, inside
from vision.messages import LABELS, Label, Mount, Zone

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from drivers.profiles.document import Node
    from gateway.judge.earth import Place

ZONE_KEYS = ("area", "use", "labels")
MOUNT_KEYS = ("position", "bearing", "view")
USES = ("watch", "ignore", "private")
LEAST_CORNERS, MOST_CORNERS, MOST_ZONES = 3, 64, 32
_LEAST_AREA = 0.0005
"""Of the picture: a square of some 2 percent of its width; less watches nothing."""
_POINTS = tuple(((x + 0.5) / 40, (y + 0.5) / 24) for y in range(24) for x in range(40))
"""The middles of the cells that a model looks at."""
_FAR_M = 50_000.0
"""No camera of a site stands farther from it; swapped or mistyped degrees do."""


def read_zones(section: Section) -> tuple[Zone, ...]:
    """The ``zones`` of a camera, in the order of the file."""
    report, found = section.report, []
    entries = section.entries("zones")
    if len(entries) > MOST_ZONES:
        section.wrong("zones", "camera_many_zones", most=MOST_ZONES, found=len(entries))
    for name, node, _ in entries:
        path = section.path_of("zones")
        check_name(report, name, section.at("zones"), path)
        inner = Section.open(report, node, f"{path}.{name}", ZONE_KEYS)
        if inner is None:
            continue
        area = _area(inner)
        use = inner.choice("use", USES) or "watch"
        labels = read_labels(inner, "labels")
        if use == "private" and inner.has("labels"):
            inner.wrong("labels", "camera_private_labels")
        if area is not None:
            zone = Zone(
                name=name, area=area, use=cast("Any", use), labels=labels or LABELS
            )
            found.append(zone)
    return tuple(found)


def warn_unwatched(
    section: Section, zones: Sequence[Zone], labels: Iterable[Label]
) -> None:
    """Say what is looked for nowhere: zones leave nothing of the picture for it."""
    blind = [label for label in labels if not _watched(zones, label)]
    if blind:
        found = ", ".join(blind) or "-"
        section.wrong("zones", "camera_blind", found=found, warning=True)


def _watched(zones: Sequence[Zone], label: Label) -> bool:
    watch = [z.area for z in zones if z.use == "watch" and label in z.labels]
    out = [
        z.area
        for z in zones
        if z.use == "private" or (z.use == "ignore" and label in z.labels)
    ]
    return any(
        (not watch or any(inside(point, area) for area in watch))
        and not any(inside(point, area) for area in out)
        for point in _POINTS
    )


def read_labels(section: Section, key: str) -> tuple[Label, ...] | None:
    """Some of what can be looked for."""
    node = section.get(key)
    found: list[str] = []
    for item in section.items(key):
        if isinstance(item.value, str) and item.value in LABELS:
            found.append(item.value)
        else:
            section.report.add(
                item,
                section.path_of(key),
                "choice",
                choices=", ".join(LABELS),
                found=shown(item),
                meant=closest(item.text, LABELS) if item.text else "",
            )
    if node is not None and node.value == []:
        section.wrong(key, "empty", found=Word("list"))
    return cast("tuple[Label, ...]", tuple(dict.fromkeys(found))) or None


def read_mount(section: Section, site: Place | None) -> Mount:
    """The ``mount`` of a camera; without a position of its own it has the site's."""
    node = section.get("mount")
    path = section.path_of("mount")
    inner = Section.open(section.report, node, path, MOUNT_KEYS) if node else None
    if inner is None:
        return Mount(position=site)
    position = site
    if inner.has("position"):
        place = inner.at("position")
        position = read_place(section.report, place, inner.path_of("position"))
        if position and site and distance_m(position, site) > _FAR_M:
            far = round(distance_m(position, site) / 1000)
            inner.wrong("position", "camera_far", kilometres=far, warning=True)
    bearing = _degrees(inner, "bearing", 0.0)
    view = _degrees(inner, "view", 1.0)
    if view is not None and not inner.has("bearing"):
        inner.wrong("view", "goes_with", one="view", two="bearing", warning=True)
    return Mount(position=position, bearing=bearing, view=view)


def _degrees(section: Section, key: str, low: float) -> float | None:
    number = section.number(key)
    if number is not None and not low <= number <= 360:  # noqa: PLR2004 - a circle
        section.wrong(key, "range", low=low, high=360, found=section.at(key).text)
        return None
    return None if number is None else float(number)


def _area(section: Section) -> tuple[tuple[float, float], ...] | None:
    section.get("area", required=True)
    nodes = section.items("area")
    if not isinstance(section.at("area").value, list) or not section.has("area"):
        return None
    corners = [_corner(section, node) for node in nodes]
    sound = [corner for corner in corners if corner is not None]
    if len(sound) < len(corners):
        return None
    if len(sound) > 1 and sound[0] == sound[-1]:
        sound.pop()  # closed as GeoJSON closes it
    if not LEAST_CORNERS <= len(sound) <= MOST_CORNERS:
        low, high = LEAST_CORNERS, MOST_CORNERS
        section.wrong("area", "fence_corners", low=low, high=high, count=len(nodes))
    elif crossing(sound):
        section.wrong("area", "camera_zone_crossing")
    elif _size(sound) < _LEAST_AREA:
        section.wrong("area", "camera_zone_small")
    else:
        return tuple(sound)
    return None


def _corner(section: Section, node: Node) -> tuple[float, float] | None:
    path = section.path_of("area")
    numbers = [
        child.value
        for child in (node.value if isinstance(node.value, list) else ())
        if isinstance(child.value, int | float) and not isinstance(child.value, bool)
    ]
    if not isinstance(node.value, list) or len(numbers) != 2 or len(node.value) != 2:  # noqa: PLR2004 - a pair
        section.report.add(node, path, "camera_corner", found=shown(node))
        return None
    x, y = (float(number) for number in numbers)
    if not (0 <= x <= 1 and 0 <= y <= 1):
        section.report.add(node, path, "camera_corner_range", found=f"[{x:g}, {y:g}]")
        return None
    return x, y


def _size(corners: list[tuple[float, float]]) -> float:
    """Area of a polygon, by the shoelace formula."""
    pairs = zip(corners, corners[1:] + corners[:1], strict=True)
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in pairs)) / 2
