"""One epoch: all that a receiver said of one instant, and what it is worth together.

A position comes from sentences of one ``hhmmss.sss`` only. Where several tell one they
have to agree; where one says that there is none, there is none. A receiver that sends
RMC is read by its RMC; one that sends none, by GGA, GNS or GLL with ZDA.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import msgspec

from drivers.gnss.decode import KNOT_MS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drivers.gnss.decode import Date, Gga, Gll, Gns, Gst, Place, Rmc, Vtg, Zda
    from drivers.gnss.sky import Counts, Sky

T = TypeVar("T")

AGREE_M = 5.0
"""Sentences of one epoch round differently: three decimals of a minute are 1.9 m."""
DAY_MS = 86_400_000
KIND_OF_MODE = {"N": 0, "A": 1, "D": 2, "P": 3, "R": 4, "F": 5, "E": 6, "M": 7, "S": 8}
"""Mode indicators as GGA's quality says the same."""
_DOUBTS = {6: "estimated", 7: "manual_position"}
_SIMULATED = 8
_EARTH_M = 6_371_000.0
_WGS84 = ("", "W84")


class Gathered:
    """What came of one epoch, unjudged."""

    def __init__(self, came_s: float, sky: Sky) -> None:
        self.came_s = came_s
        self.time_ms: int | None = None
        self.sentences = 0
        self.rmc: list[Rmc] = []
        self.gga: list[Gga] = []
        self.gns: list[Gns] = []
        self.gll: list[Gll] = []
        self.zda: list[Zda] = []
        self.gst: Gst | None = None
        self.vtg: Vtg | None = None
        self.sky = sky
        self.lines: dict[str, bytes] = {}
        """The last sentence of each type, as it came."""


class Epoch(msgspec.Struct, frozen=True, kw_only=True):
    """One instant as a receiver told it. What it did not tell is None."""

    came_s: float
    """Loop time of its first byte."""
    time_ms: int
    """Milliseconds of the UTC day; 0 also where none is told, and then no place is."""
    utc_ms: int | None = None
    """With the date, where one is told and there is such a day."""
    time_flaw: str = ""
    """Why the date and time may not be used."""
    place: tuple[float, float] | None = None
    """Latitude and longitude, degrees; only where it may be used."""
    flaw: str = ""
    """Why there is no place."""
    doubt: str = ""
    """Why the place is uncertain."""
    flat: bool = False
    """A fix in two dimensions: the altitude is not measured."""
    kind: int | None = None
    """GGA's quality."""
    altitude_m: float | None = None
    separation_m: float | None = None
    speed_ms: float | None = None
    course_deg: float | None = None
    hdop: float | None = None
    vdop: float | None = None
    pdop: float | None = None
    accuracy_m: float | None = None
    """One standard deviation, horizontal (2D RMS), from GST."""
    altitude_accuracy_m: float | None = None
    used: dict[str, int] | None = None
    """Satellites used, by constellation."""
    used_total: int | None = None
    used_all: bool = False
    """``used`` names all of them: a constellation that is not there has none."""
    in_view: dict[str, int] | None = None
    place_witnesses: int = 0
    date_witnesses: int = 0
    """Sentences that tell the place, or the date."""
    rmc_fixes: int = 0
    lines: dict[str, bytes] = {}


def judge(gathered: Gathered, *, datum: str = "") -> Epoch | None:
    """What sentences of one epoch say together.

    Args:
        gathered: The sentences.
        datum: What the receiver last said that its positions refer to (DTM).

    Returns:
        None where no sentence tells whether there is a position, or one tells a
        position without a time.
    """
    claims, denials = _claims(gathered)
    time_ms = gathered.time_ms
    if not claims and not denials:
        return None
    if claims and time_ms is None:
        return None
    place, flaw, doubt = _place(claims, denials)
    kind = _kind(gathered, denied=not claims)
    if not flaw and kind == _SIMULATED:
        place, flaw = None, "simulated"
    doubt = _DOUBTS.get(kind or 0, doubt)
    if datum not in _WGS84:
        doubt = "other_datum"
    date, date_witnesses, time_flaw = _date(gathered)
    known = date is not None and time_ms is not None
    utc_ms = _utc_ms(date, time_ms) if known else None  # type: ignore[arg-type]
    if not time_flaw and not claims:
        time_flaw = "no_fix"
    elif not time_flaw and flaw:
        time_flaw = flaw
    sky = gathered.sky
    fixed: list[Gga | Gns] = [*gathered.gga, *gathered.gns]
    speed, course = _motion(gathered)
    used = sky.used()
    total, complete = _used_total(gathered, used)
    sigma = gathered.gst
    return Epoch(
        came_s=gathered.came_s,
        time_ms=time_ms or 0,
        utc_ms=utc_ms,
        time_flaw=time_flaw,
        place=place,
        flaw=flaw,
        doubt=doubt,
        flat=sky.dimension == 2,  # noqa: PLR2004 - dimensions
        kind=kind,
        altitude_m=_first(said.altitude for said in fixed),
        separation_m=_first(said.separation for said in fixed),
        speed_ms=speed,
        course_deg=course,
        hdop=_first([*(said.hdop for said in fixed), sky.hdop]),
        vdop=sky.vdop,
        pdop=sky.pdop,
        accuracy_m=_accuracy(sigma),
        altitude_accuracy_m=sigma.altitude if sigma else None,
        used=used,
        used_total=total,
        used_all=complete,
        in_view=sky.in_view(),
        place_witnesses=len(claims) if place else 0,
        date_witnesses=date_witnesses,
        rmc_fixes=sum(1 for said in gathered.rmc if _fixes(said)),
        lines=gathered.lines,
    )


def distance_m(one: Place, two: Place) -> float:
    """Metres between two places near each other, on a sphere."""
    east = (two[1] - one[1] + 180) % 360 - 180
    mean = math.radians((one[0] + two[0]) / 2)
    return _EARTH_M * math.radians(math.hypot(two[0] - one[0], east * math.cos(mean)))


def _claims(gathered: Gathered) -> tuple[list[Place | None], int]:
    """The places that are told (None: told, but none that exists), and the denials."""
    claims: list[Place | None] = []
    denials = 0
    for told, valid in (
        *((r.place, r.valid and r.mode != "N") for r in gathered.rmc),
        *((g.place, bool(g.quality)) for g in gathered.gga if g.quality is not None),
        *((g.place, bool(g.modes.strip("N"))) for g in gathered.gns),
        *((g.place, g.valid and g.mode != "N") for g in gathered.gll),
    ):
        if valid:
            claims.append(told)
        else:
            denials += 1
    return claims, denials


def _place(claims: list[Place | None], denials: int) -> tuple[Place | None, str, str]:
    """The place, or why there is none; and why it is in doubt."""
    if not claims:
        return None, "no_fix", ""
    if denials:
        return None, "sentences_disagree", ""
    first = claims[0]
    if first is None:
        return None, "impossible_position", ""
    for other in claims[1:]:
        if other is None or distance_m(first, other) > AGREE_M:
            return None, "sentences_disagree", ""
    return first, "", ""


def _kind(gathered: Gathered, *, denied: bool) -> int | None:
    if denied:
        return 0
    quality = _first(said.quality for said in gathered.gga)
    if quality is not None:
        return quality if quality <= _SIMULATED else None
    modes = "".join(said.modes for said in gathered.gns).replace("N", "")
    modes = modes or "".join(said.mode for said in gathered.rmc)
    modes = modes or "".join(said.mode for said in gathered.gll)
    if not modes:
        return None  # before NMEA 2.3 nothing says which
    if "S" in modes:
        return _SIMULATED
    # Several constellations: the one that is measured best carries the fix.
    return KIND_OF_MODE[min(modes, key="RFPDAEM".find)]


def _date(gathered: Gathered) -> tuple[Date | None, int, str]:
    """The date, how many sentences tell it, and what is wrong with it."""
    said: list[Rmc | Zda] = [*gathered.rmc, *gathered.zda]
    told = [one.date for one in said if one.date]
    if not told:
        return None, 0, "not_sent"
    if any(date != told[0] for date in told):
        return None, 0, "sentences_disagree"
    if _utc_ms(told[0], 0) is None:
        return None, 0, "impossible_date"
    return told[0], len(told), ""


def _utc_ms(date: Date, time_ms: int) -> int | None:
    try:
        midnight = datetime(*date, tzinfo=UTC)
    except ValueError:
        return None
    return int(midnight.timestamp()) * 1000 + time_ms


def _motion(gathered: Gathered) -> tuple[float | None, float | None]:
    """Speed over ground, m/s, and course, degrees."""
    vtg = gathered.vtg
    knots = _first([*(r.knots for r in gathered.rmc), vtg.knots if vtg else None])
    course = _first([*(r.course for r in gathered.rmc), vtg.course if vtg else None])
    if knots is not None and knots < 0:
        knots = None
    return (None if knots is None else round(knots * KNOT_MS, 4)), on_circle(course)


def on_circle(course: float | None) -> float | None:
    """A course, where it is one."""
    there = course is not None and 0 <= course <= 360  # noqa: PLR2004 - degrees
    return course if there else None


def _used_total(gathered: Gathered, used: Counts | None) -> tuple[int | None, bool]:
    """How many satellites are used, and whether GSA named all of them."""
    told = [g.satellites for g in gathered.gns] + [g.satellites for g in gathered.gga]
    most = max((n for n in told if n is not None), default=None)
    if used is None:
        return most, False
    listed = sum(used.values())
    # GGA counts twelve at most in many receivers; GSA's lists may be cut as well.
    complete = "other" not in used and (most is None or listed >= most)
    return (listed if most is None else max(listed, most)), complete


def _accuracy(sigma: Gst | None) -> float | None:
    if sigma is None or sigma.latitude is None or sigma.longitude is None:
        return None
    return round(math.hypot(sigma.latitude, sigma.longitude), 3)


def _fixes(said: Rmc) -> bool:
    return bool(said.valid and said.mode != "N" and said.place and said.date)


def _first(values: Iterable[T | None]) -> T | None:
    return next((value for value in values if value is not None), None)
