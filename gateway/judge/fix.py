"""Where a receiver said it was, taken out of its scan.

Points are found by their names in the vocabulary, so that any device with a
``latitude`` and a ``longitude`` will do, whatever it speaks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from gateway.clock import Instant
from gateway.judge.times import earlier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivers.values import Value
    from gateway.record import Scan

LATITUDE, LONGITUDE = "latitude", "longitude"
ALTITUDE, ACCURACY, HDOP = "altitude", "accuracy", "hdop"
KIND, DATUM = "fix", "datum"
QUALITY_NAMES = (ACCURACY, HDOP)
"""One of these must be told before a fix can be called good."""

NO_PROOF = frozenset({"none", "estimated", "manual", "simulated"})
"""Kinds of fix that are no measurement: NMEA 0183, GGA quality 0, 6, 7 and 8."""
WGS84 = "WGS-84"
"""What NMEA sentences are in unless a DTM sentence says otherwise."""


class Fix(msgspec.Struct, frozen=True):
    """One position that a receiver gave as valid."""

    at: Instant
    """When its data came in."""
    longitude: float
    latitude: float
    altitude: float | None = None
    accuracy_m: float | None = None
    hdop: float | None = None
    kind: str | None = None
    datum: str = WGS84

    @property
    def place(self) -> tuple[float, float]:
        """Longitude, latitude in degrees."""
        return self.longitude, self.latitude


class NoFix(msgspec.Struct, frozen=True):
    """A scan of a receiver without a usable position."""

    at: Instant
    reason: str
    answered: bool
    """Whether the receiver said anything at all."""


def fix_of(scan: Scan) -> Fix | NoFix | None:
    """What a scan says about the position; None: it was not asked for it."""
    values, flaws = scan.values, scan.flaws
    for name in (LATITUDE, LONGITUDE):
        if name in flaws:
            # An uncertain one is no proof of a place, either.
            return NoFix(scan.at, flaws[name].reason, bool(values))
    if LATITUDE not in values or LONGITUDE not in values:
        return None
    latitude, longitude = _number(values, LATITUDE), _number(values, LONGITUDE)
    if latitude is None or longitude is None:
        return NoFix(scan.at, "not_finite", answered=True)
    age_ms = (scan.age_ms or {}).get(LATITUDE, 0)
    kind, datum = values.get(KIND), values.get(DATUM)
    return Fix(
        earlier(scan.at, age_ms),
        longitude,
        latitude,
        _good(scan, ALTITUDE),
        _good(scan, ACCURACY),
        _good(scan, HDOP),
        None if kind is None or KIND in flaws else str(kind),
        WGS84 if datum is None or DATUM in flaws else str(datum),
    )


def _good(scan: Scan, name: str) -> float | None:
    return None if name in scan.flaws else _number(scan.values, name)


def _number(values: Mapping[str, Value], name: str) -> float | None:
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)
