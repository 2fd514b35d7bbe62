"""GNSS points as they are written: which of the things a receiver tells they are.

The names are those of ``GIVES``; a point says one with ``of:``. Units and the words of
the kind of fix follow from it and need not be said again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from drivers.profiles.model import Point

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivers.profiles.reading import Section

Constellation = Literal[
    "gps", "glonass", "galileo", "beidou", "qzss", "navic", "sbas", "other"
]
"""``other``: a satellite whose number belongs to no system that we can name."""
CONSTELLATIONS: tuple[Constellation, ...] = get_args(Constellation)
Datum = Literal["WGS-84", "CGCS2000"]
"""What positions refer to. The two differ by centimetres. GCJ-02, the shifted one of
Chinese map services, is neither: no receiver gives it and nothing here makes it."""
DATUMS: tuple[Datum, ...] = get_args(Datum)
FIX_KINDS = {
    0: "none",
    1: "single",
    2: "dgnss",
    3: "pps",
    4: "rtk_fixed",
    5: "rtk_float",
    6: "estimated",
    7: "manual",
    8: "simulated",
}
"""NMEA 0183, GGA, quality indicator."""


class Gives(NamedTuple):
    """One thing that a receiver can tell."""

    unit: str = "1"
    about: Literal["position", "fix", "time", "sky"] = "position"
    """What it stands or falls with: ``position`` needs a fix that is believed, ``fix``
    is told without one too."""


GIVES: Mapping[str, Gives] = {
    "latitude": Gives("deg"),
    "longitude": Gives("deg"),
    "altitude": Gives("m"),
    "geoid_separation": Gives("m"),
    "speed": Gives("m/s"),
    "course": Gives("deg"),
    "datum": Gives(),
    "accuracy": Gives("m"),
    "altitude_accuracy": Gives("m"),
    "fix": Gives(about="fix"),
    "hdop": Gives(),
    "vdop": Gives(),
    "pdop": Gives(),
    "satellites_used": Gives(about="fix"),
    **{f"used_{name}": Gives(about="fix") for name in CONSTELLATIONS},
    **{f"share_{name}": Gives("%", about="fix") for name in CONSTELLATIONS},
    "time": Gives(about="time"),
    "time_valid": Gives(about="fix"),
    "satellites_in_view": Gives(about="sky"),
    **{f"in_view_{name}": Gives(about="sky") for name in CONSTELLATIONS},
}
KEYS = ("of",)


class GnssPoint(Point, frozen=True, kw_only=True):
    """One thing that a receiver tells."""

    of: str
    """One of ``GIVES``."""

    @property
    def where(self) -> str:
        """What of the receiver's words it is."""
        return self.of


def read_gnss(section: Section) -> dict[str, Any]:
    """The fields that only a GNSS point has; None where absent or wrong."""
    of = section.choice("of", tuple(GIVES), required=True)
    if of is None:
        return {}
    fields: dict[str, Any] = {"of": of}
    if not section.has("unit"):
        fields["unit"] = GIVES[of].unit
    if of == "fix" and not section.has("enum"):
        fields["enum"] = FIX_KINDS
    return fields
