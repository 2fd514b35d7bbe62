"""What judging asks of the rest of a site file: devices and points that are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profiles.gpio_points import report_shared
from drivers.profiles.reading import closest
from gateway.config.place_keys import has_position
from gateway.judge.fix import QUALITY_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivers.profiles.document import Node
    from drivers.profiles.reading import Report
    from gateway.config.model import Bus, Device


def check_positions(report: Report, root: Node, devices: dict[str, Device]) -> None:
    """Fences and ``mobile`` name devices that say where they are, and how well."""
    listed = root.get("devices")
    known = [name for name, _ in listed.items()] if listed is not None else []
    for node, path, fence in _named(root):
        name = node.text
        device = devices.get(name)
        if name not in known:
            report.add(
                node,
                path,
                "unknown_device",
                found=name,
                choices=", ".join(known) or "-",
                meant=closest(name, known),
            )
        elif device is None:
            continue  # it has mistakes of its own
        elif not has_position(device.points):
            report.add(node, path, "position_missing", found=name)
        elif fence and not {p.name for p in device.points} & set(QUALITY_NAMES):
            report.add(node, path, "position_unrated", found=name, warning=True)


def check_edges(report: Report, root: Node, devices: dict[str, Device]) -> None:
    """A contact's edge counter is a point of the same device."""
    listed = root.get("devices") or root
    for device in devices.values():
        names = {point.name for point in device.points}
        for point in device.points:
            edges = point.contact.edges if point.contact else None
            if edges is None or (edges in names and edges != point.name):
                continue
            report.add(
                listed.get(device.name) or listed,
                f"devices.{device.name}.points.{point.name}.contact.edges",
                "unknown_point",
                found=edges,
                choices=", ".join(sorted(names - {point.name})) or "-",
                meant=closest(edges, names - {point.name}),
            )


def check_lines(
    report: Report, root: Node, devices: dict[str, Device], buses: dict[str, Bus]
) -> None:
    """Points of one line of a chip agree on how it is set up, on whatever device."""
    listed = root.get("devices") or root
    for bus in buses.values():
        if bus.family != "gpio":
            continue
        points = [
            (point, listed.get(device.name) or listed)
            for device in devices.values()
            if device.bus == bus.name
            for point in device.points
        ]
        report_shared(report, points, f"buses.{bus.name}")


def _named(root: Node) -> Iterator[tuple[Node, str, bool]]:
    """Where devices with a position are named, and whether by a fence."""
    fences = root.get("fences")
    if fences is not None and fences.kind == "map":
        for name, fence in fences.items():
            node = fence.get("device")
            if node is not None and isinstance(node.value, str):
                yield node, f"fences.{name}.device", True
    mobile = root.get("mobile")
    node = mobile.get("position") if mobile is not None else None
    if node is not None and isinstance(node.value, str):
        yield node, "mobile.position", False
