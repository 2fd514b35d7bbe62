"""A satellite receiver: where it is, what it sees, and what goes wrong with it. Pure.

It drives along its route and back, and says at any moment what a receiver would. What
goes wrong stands in a list of spells: from one second of its life to another.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from simulators.nmea import FIRST_NUMBER, Moment, Satellite

if TYPE_CHECKING:
    from collections.abc import Sequence

TANGSHAN = (39.63041, 118.18012)
WEEK_MS = 7 * 86_400_000
_EARTH_M = 6_371_000.0
_SATELLITES = {"GP": 10, "GL": 7, "GA": 8, "GB": 12, "GQ": 3}


class Trouble(StrEnum):
    """What may happen to a receiver."""

    NO_FIX = "no-fix"
    """It sees satellites, but too few."""
    JAM = "jam"
    """Noise on the band: all signals sink and are lost within two seconds."""
    LEAP_WEEKS = "leap-weeks"
    """Its date is 1024 weeks back."""
    COLD = "cold"
    """It has no idea of the date: 6 January 1980."""
    SILENT = "silent"
    """Nothing comes out of it."""
    SIMULATED = "simulated"
    """Somebody left it in its simulator mode."""
    ESTIMATED = "estimated"
    """Dead reckoning, as in a tunnel."""


class Spell(NamedTuple):
    """A trouble, and when."""

    what: Trouble
    since_s: float
    until_s: float


@dataclass(frozen=True)
class Receiver:
    """One receiver; the same seed says the same."""

    start_utc_ms: int
    route: Sequence[tuple[float, float]] = (TANGSHAN,)
    """Waypoints: latitude, longitude in degrees."""
    speed_ms: float = 0.0
    systems: Sequence[str] = ("GP", "GB")
    """Talkers of the constellations it receives."""
    spells: Sequence[Spell] = ()
    sigma: float | None = None
    quality: int = 1
    altitude: float = 32.5
    seed: int = 1
    _legs: list[float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        legs = [_metres(a, b) for a, b in zip(self.route, self.route[1:], strict=False)]
        object.__setattr__(self, "_legs", legs)

    def troubles(self, at_s: float) -> set[Trouble]:
        """What is wrong at this second of its life."""
        return {s.what for s in self.spells if s.since_s <= at_s < s.until_s}

    def truth(self, at_s: float) -> tuple[float, float, float]:
        """Where it really is, and which way it goes: degrees."""
        total = sum(self._legs)
        if not total or not self.speed_ms:
            return (*self.route[0], 0.0)
        gone = self.speed_ms * at_s % (2 * total)
        back = gone > total
        gone = 2 * total - gone if back else gone
        for (start, end), leg in zip(
            zip(self.route, self.route[1:], strict=False), self._legs, strict=True
        ):
            if gone <= leg or leg is self._legs[-1]:
                part = min(gone / leg, 1.0) if leg else 0.0
                latitude = start[0] + part * (end[0] - start[0])
                longitude = start[1] + part * (end[1] - start[1])
                course = _course(start, end) + (180.0 if back else 0.0)
                return latitude, longitude, course % 360
            gone -= leg
        raise AssertionError(gone)

    def moment(self, at_s: float) -> Moment:
        """What it knows at this second of its life."""
        troubles = self.troubles(at_s)
        latitude, longitude, course = self.truth(at_s)
        utc_ms = self.start_utc_ms + round(at_s * 1000)
        if Trouble.LEAP_WEEKS in troubles:
            utc_ms -= 1024 * WEEK_MS
        if Trouble.COLD in troubles:
            utc_ms = 315_964_800_000 + round(at_s * 1000)
        sky = self._sky(at_s, troubles)
        used = {
            system: [s.number for s in satellites if s.snr >= 25]  # noqa: PLR2004
            for system, satellites in sky.items()
        }
        count = sum(map(len, used.values()))
        quality = self.quality
        if Trouble.SIMULATED in troubles:
            quality = 8
        elif Trouble.ESTIMATED in troubles:
            quality = 6
        elif count < 4:  # noqa: PLR2004 - unknowns of a fix
            quality, used = 0, {system: [] for system in used}
        return Moment(
            utc_ms,
            latitude,
            longitude,
            self.altitude,
            self.speed_ms if sum(self._legs) else 0.0,
            course,
            quality,
            round(0.6 + 6.0 / max(count, 4), 2),
            sky,
            used,
            self.sigma,
        )

    def _sky(self, at_s: float, troubles: set[Trouble]) -> dict[str, list[Satellite]]:
        jammed = [
            at_s - s.since_s
            for s in self.spells
            if s.what is Trouble.JAM and s.since_s <= at_s < s.until_s
        ]
        weaker = 25 * max(jammed) if jammed else 0.0
        if Trouble.NO_FIX in troubles or Trouble.ESTIMATED in troubles:
            weaker = max(weaker, 22.0)
        sky: dict[str, list[Satellite]] = {}
        for system in self.systems:
            rng = random.Random(f"{self.seed}/{system}")
            seen = []
            for turn in range(_SATELLITES[system]):
                number = FIRST_NUMBER[system] + 2 * turn
                elevation = rng.randrange(8, 85)
                azimuth = (rng.randrange(360) + int(at_s / 240)) % 360
                strength = 28 + elevation // 5 + rng.randrange(-2, 3) - weaker
                snr = int(strength) if strength > 8 else 0  # noqa: PLR2004
                seen.append(Satellite(number, elevation, azimuth, snr))
            sky[system] = seen
        return sky


def _metres(one: tuple[float, float], two: tuple[float, float]) -> float:
    north, east = _apart(one, two)
    return math.hypot(north, east)


def _course(one: tuple[float, float], two: tuple[float, float]) -> float:
    north, east = _apart(one, two)
    return math.degrees(math.atan2(east, north)) % 360


def _apart(one: tuple[float, float], two: tuple[float, float]) -> tuple[float, float]:
    mean = math.radians((one[0] + two[0]) / 2)
    north = math.radians(two[0] - one[0]) * _EARTH_M
    return north, math.radians(two[1] - one[1]) * _EARTH_M * math.cos(mean)
