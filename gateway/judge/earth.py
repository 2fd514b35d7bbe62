"""Metres on the ellipsoid near a place: enough for fences and tracks of a site or city.

The two radii of curvature of WGS-84 turn small differences of longitude and latitude
into metres; CGCS2000's ellipsoid differs from it by 0.1 mm in the minor axis. Taken at
the middle latitude of two places, a distance of 50 km is right to some metres, one of
a kilometre to a millimetre. No place here lies near a pole.

Source: NIMA TR8350.2, third edition, table 3.1 (WGS-84); Torge, Geodesy, 3rd ed., 4.1.1
(radii of curvature of the meridian and of the prime vertical).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

Place = tuple[float, float]
"""Longitude, latitude in degrees."""

A_M = 6_378_137.0
E2 = 0.00669437999014
"""Semi-major axis and first eccentricity squared of WGS-84."""


class Scale(NamedTuple):
    """How many metres one degree is."""

    east_m: float
    north_m: float


def scale(latitude: float) -> Scale:
    """Metres in a degree of longitude and of latitude, there."""
    sine = math.sin(math.radians(latitude))
    w = 1.0 - E2 * sine * sine
    prime_vertical = A_M / math.sqrt(w)
    meridian = prime_vertical * (1.0 - E2) / w
    return Scale(
        math.radians(prime_vertical * math.cos(math.radians(latitude))),
        math.radians(meridian),
    )


def distance_m(one: Place, two: Place) -> float:
    """How far apart two places are."""
    at = scale((one[1] + two[1]) / 2)
    east = (two[0] - one[0] + 180) % 360 - 180  # over the antimeridian, too
    return math.hypot(east * at.east_m, (two[1] - one[1]) * at.north_m)


def inside(place: Place, corners: Sequence[Place]) -> bool:
    """Whether a place lies in a polygon whose sides are straight on the map.

    Straight in longitude and latitude, as GeoJSON says (RFC 7946, 3.1.1).
    """
    x, y = place
    found = False
    x1, y1 = corners[-1]
    for x2, y2 in corners:
        # A side counts with its lower end and without its upper one: a corner that
        # the ray meets is met once.
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) / (y2 - y1) * (x2 - x1):
            found = not found
        x1, y1 = x2, y2
    return found


def edge_m(place: Place, corners: Sequence[Place]) -> float:
    """How far it is to the nearest side of a polygon."""
    at = scale(place[1])
    flat = [
        ((x - place[0]) * at.east_m, (y - place[1]) * at.north_m) for x, y in corners
    ]
    nearest = math.inf
    x1, y1 = flat[-1]
    for x2, y2 in flat:
        nearest = min(nearest, _from_origin_m(x1, y1, x2, y2))
        x1, y1 = x2, y2
    return nearest


def crossing(corners: Sequence[Place]) -> bool:
    """Whether two sides of a polygon cross: then nobody can say what lies inside."""
    count = len(corners)
    sides = [(corners[i], corners[(i + 1) % count]) for i in range(count)]
    return any(
        _cross(*sides[i], *sides[j])
        for i in range(count)
        for j in range(i + 2, count)
        if (j + 1) % count != i
    )


def _from_origin_m(x1: float, y1: float, x2: float, y2: float) -> float:
    dx, dy = x2 - x1, y2 - y1
    length = dx * dx + dy * dy
    share = 0.0 if length == 0 else -(x1 * dx + y1 * dy) / length
    share = min(1.0, max(0.0, share))
    return math.hypot(x1 + share * dx, y1 + share * dy)


def _cross(a: Place, b: Place, c: Place, d: Place) -> bool:
    return _turn(a, b, c) * _turn(a, b, d) < 0 and _turn(c, d, a) * _turn(c, d, b) < 0


def _turn(a: Place, b: Place, c: Place) -> int:
    area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return (area > 0) - (area < 0)
