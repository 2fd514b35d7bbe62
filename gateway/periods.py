"""The points of a device that share a period: what one poll asks, what one gap names.

The one place that says so: the worker's jobs, the gaps of a time without power and the
ledger must cut a device alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gateway.schedule import Place, phase_s

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivers.profiles.model import Point
    from gateway.config.model import Device, Site


class Period(NamedTuple):
    """One of a device's periods."""

    every_s: float
    points: tuple[Point, ...]
    """In the order of the device."""
    covers: tuple[str, ...]
    """What a gap of them names: ``("*",)`` where they are all the device has."""


class Line(NamedTuple):
    """The slots of one period of one device: a grid on the wall clock."""

    device: str
    covers: tuple[str, ...]
    names: tuple[str, ...]
    """The points, whatever ``covers`` says."""
    every_s: float
    phase_s: float
    """See ``schedule.phase_s``: places lie at whole periods plus this."""


def periods(device: Device) -> list[Period]:
    """The device's periods, the shortest first."""
    groups: dict[float, list[Point]] = {}
    for point in device.points:
        groups.setdefault(point.every_s or device.every_s, []).append(point)
    alone = len(groups) == 1
    return [
        Period(
            every_s,
            tuple(points),
            ("*",) if alone else tuple(point.name for point in points),
        )
        for every_s, points in sorted(groups.items())
    ]


def lines(site: Site) -> Iterator[Line]:
    """Every line of slots of a site, as its workers lay them."""
    for number, bus in enumerate(site.buses):
        devices = [d for d in site.devices.values() if d.bus == bus]
        for turn, device in enumerate(devices):
            place = Place(site.gateway, number, len(site.buses), turn, len(devices))
            for every_s, points, covers in periods(device):
                names = tuple(point.name for point in points)
                phase = phase_s(every_s, place)
                yield Line(device.name, covers, names, every_s, phase)
