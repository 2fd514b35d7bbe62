"""The points of a device that share a period: what one poll asks, what one gap names.

The one place that says so: the worker's jobs, the gaps of a time without power and the
ledger must cut a device alike.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from gateway.clock import Instant
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


Key = tuple[str, tuple[str, ...]]
"""Names a line: its device and what its gaps name."""

_ROUNDED_S = 0.002
"""A place this much before the beginning is one whose time was rounded."""


class Line(NamedTuple):
    """The slots of one period of one device: a grid on the wall clock."""

    device: str
    covers: tuple[str, ...]
    points: int
    """How many, whatever ``covers`` says."""
    every_s: float
    phase_s: float
    """See ``schedule.phase_s``: places lie at whole periods plus this."""

    @property
    def key(self) -> Key:
        """Its name."""
        return self.device, self.covers

    @property
    def every_ms(self) -> int:
        """The period, as gaps state it."""
        return round(1000 * self.every_s)

    def places(self, since_ms: int, until_ms: int) -> tuple[int, int]:
        """The first place of its grid in ``since <= place < until``, and how many.

        Counted on the grid itself: the time by the period is one too few as often as
        not.

        Args:
            since_ms: Wall clock, UTC ms.
            until_ms: The same.
        """
        first = self._place(since_ms / 1000 - _ROUNDED_S)
        count = max(0, self._place(until_ms / 1000) - first)
        return round(1000 * (first * self.every_s + self.phase_s)), count

    def _place(self, not_before_s: float) -> int:
        return math.ceil((not_before_s - self.phase_s) / self.every_s - 1e-9)


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
                phase = phase_s(every_s, place)
                yield Line(device.name, covers, len(points), every_s, phase)


def moved(at: Instant, ms: int) -> Instant:
    """An instant so much later by every clock."""
    return Instant(at.wall_ms + ms, at.mono_ms + ms, at.boot, at.trusted)
