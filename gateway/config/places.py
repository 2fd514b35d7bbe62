"""Where things may be: fences, the position of a station that moves, reception, track.

Lengths are bare numbers in metres, and their keys say so: ``300m`` is five hours in a
site file.
"""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from drivers.profiles.watches import Severity
from gateway.judge.earth import Place

Rule = Literal["stay_in", "keep_out"]
RULES: tuple[str, ...] = get_args(Rule)


class Fence(msgspec.Struct, frozen=True, kw_only=True):
    """A line on the map that a receiver must not cross: a circle or a polygon."""

    name: str
    device: str
    """Whose position is judged."""
    rule: Rule
    circle: Place | None = None
    """Its centre: longitude, latitude in degrees, WGS-84 or CGCS2000."""
    radius_m: float = 0.0
    polygon: tuple[Place, ...] = ()
    dwell_s: float = 30.0
    """It must be on the wrong side for so long."""
    margin_m: float = 10.0
    """It must be so far beyond the line."""
    accuracy_m: float = 30.0
    """Fixes that are worse by their own word are not used."""
    max_hdop: float = 4.0
    """The same by their dilution of precision."""
    severity: Severity = "alarm"
    label: dict[str, str] = {}


class Mobile(msgspec.Struct, frozen=True, kw_only=True):
    """A station that moves: every scan of its instruments says where it was."""

    position: str
    """The device that knows."""
    max_age_s: float = 2.0
    """A position may be taken so long before or after a scan."""


class Reception(msgspec.Struct, frozen=True, kw_only=True):
    """When a receiver without a fix is worth an event."""

    no_fix_s: float | None = 300.0
    """None: never."""
    jamming: bool = True
    """Whether a sudden loss of every constellation is told as suspicion."""


class Track(msgspec.Struct, frozen=True, kw_only=True):
    """A thinned line of where a receiver went."""

    every_s: float = 600.0
    """How often what was gathered is told."""
    within_m: float = 10.0
    """No fix that was left out lies farther from the line, at its own time."""
