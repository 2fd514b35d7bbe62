"""How high the sun stands.

Source: NOAA Global Monitoring Laboratory, "General Solar Position Calculations"
(gml.noaa.gov/grad/solcalc/solareqns.PDF): the Fourier series of Spencer (1971), good to
some tenths of a degree, without refraction. That is a minute or two of time at dusk.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Literal

Light = Literal["day", "twilight", "night"]

CIVIL = -6.0
"""Degrees: the end of civil twilight, below which there is no usable light."""
RISEN = 6.0
"""Degrees: above it a camera has no reason to be in infrared."""


def elevation(longitude: float, latitude: float, t_ms: int) -> float:
    """Degrees of the sun above the horizon.

    Args:
        longitude: Degrees, east positive.
        latitude: Degrees, north positive.
        t_ms: UTC, milliseconds since 1970.
    """
    at = datetime.fromtimestamp(t_ms / 1000, UTC)
    hours = at.hour + at.minute / 60 + at.second / 3600
    day = at.timetuple().tm_yday
    year = math.tau / 365 * (day - 1 + (hours - 12) / 24)
    equation_min = 229.18 * (
        0.000075
        + 0.001868 * math.cos(year)
        - 0.032077 * math.sin(year)
        - 0.014615 * math.cos(2 * year)
        - 0.040849 * math.sin(2 * year)
    )
    declination = (
        0.006918
        - 0.399912 * math.cos(year)
        + 0.070257 * math.sin(year)
        - 0.006758 * math.cos(2 * year)
        + 0.000907 * math.sin(2 * year)
        - 0.002697 * math.cos(3 * year)
        + 0.00148 * math.sin(3 * year)
    )
    true_solar_min = hours * 60 + equation_min + 4 * longitude
    hour_angle = math.radians(true_solar_min / 4 - 180)
    north = math.radians(latitude)
    height = math.sin(north) * math.sin(declination) + math.cos(north) * math.cos(
        declination
    ) * math.cos(hour_angle)
    return math.degrees(math.asin(max(-1.0, min(1.0, height))))


def light(degrees: float) -> Light:
    """Day, twilight or night by the sun's elevation."""
    if degrees >= RISEN:
        return "day"
    return "night" if degrees < CIVIL else "twilight"
