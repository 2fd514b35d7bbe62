"""What sentences say: one small tuple a type, or None where the form is not right.

The form of the whole sentence is checked before anything of it is used: count of
fields, letters where letters belong, digits where digits do. So a sentence that passed
its checksum by chance still has to look like one. Fields that are empty are None;
what is written but cannot be (minutes of 99.9, 12 as a hemisphere) makes no value.

Source: NMEA 0183 4.11, approved sentences RMC, GGA, GNS, GLL, VTG, ZDA, GSA, GSV, GST,
DTM. Older receivers leave out the last fields (mode since 2.3, system and signal id
since 4.10, navigational status since 4.1).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivers.gnss.sentence import Sentence

Date = tuple[int, int, int]
"""Year, month, day as written; whether there is such a day is not asked here."""
Place = tuple[float, float]
"""Latitude and longitude, degrees, north and east positive."""

KNOT_MS = 1852 / 3600
_N = rb"(-?[0-9]{1,9}(?:\.[0-9]{0,9})?|)"
_TIME = rb"([0-2][0-9][0-5][0-9][0-6][0-9](?:\.[0-9]{0,9})?|)"
_PLACE = (
    rb"([0-9]{1,4}(?:\.[0-9]{0,12})?|),([NS]?),([0-9]{1,5}(?:\.[0-9]{0,12})?|),([EW]?)"
)
_MODE = rb"([ADEFMNPRS]?)"
_STATUS = rb"[SCUV]?"
_SIRF = rb"(?:,(?:[0-9]{1,3}\.[0-9]+)?)?"
"""One field more than GGA and GSA have, with decimals or empty: SiRFatlas VI."""
_LATITUDE = re.compile(rb"[0-9]{4}(?:\.[0-9]+)?")
_LONGITUDE = re.compile(rb"[0-9]{5}(?:\.[0-9]+)?")


def _form(text: bytes) -> re.Pattern[bytes]:
    return re.compile(text + rb"\Z")


class Rmc(NamedTuple):
    """Recommended minimum: the only one with time, date and position."""

    time_ms: int | None
    """Milliseconds of the UTC day."""
    valid: bool
    mode: str
    """Empty where the receiver tells none."""
    place: Place | None
    knots: float | None
    course: float | None
    date: Date | None


class Gga(NamedTuple):
    """Fix data."""

    time_ms: int | None
    place: Place | None
    quality: int | None
    satellites: int | None
    hdop: float | None
    altitude: float | None
    separation: float | None


class Gns(NamedTuple):
    """Fix data of several constellations; modes one letter each."""

    time_ms: int | None
    place: Place | None
    modes: str
    satellites: int | None
    hdop: float | None
    altitude: float | None
    separation: float | None


class Gll(NamedTuple):
    """Position."""

    time_ms: int | None
    valid: bool
    mode: str
    place: Place | None


class Vtg(NamedTuple):
    """Course and speed; belongs to the epoch it stands in."""

    course: float | None
    knots: float | None


class Zda(NamedTuple):
    """Time and date with all four digits of the year."""

    time_ms: int | None
    date: Date | None


class Gst(NamedTuple):
    """Standard deviations of the position, metres."""

    time_ms: int | None
    latitude: float | None
    longitude: float | None
    altitude: float | None


class Gsa(NamedTuple):
    """Satellites used, of one constellation where they are many."""

    dimension: int | None
    """1 no fix, 2, 3."""
    numbers: tuple[int, ...]
    pdop: float | None
    hdop: float | None
    vdop: float | None
    system: str


class Gsv(NamedTuple):
    """Some of the satellites in view of one constellation, on one signal."""

    total: int
    number: int
    in_view: int
    numbers: tuple[int, ...]
    signal: str
    system: str


class Dtm(NamedTuple):
    """The datum that positions refer to: ``W84``, ``P90``, ``999`` (the user's)."""

    datum: str


Report = Rmc | Gga | Gns | Gll | Vtg | Zda | Gst | Gsa | Gsv | Dtm


def decode(sentence: Sentence) -> Report | None:
    """Read a sentence of a known type.

    Returns:
        What it says; None where its type is not read here or its form is not right.
    """
    reader = _READERS.get(sentence.type)
    return reader(sentence.fields) if reader else None


_RMC = _form(
    b",".join((_TIME, b"([AV]?)", _PLACE, _N, _N, b"([0-9]{6}|)", _N, b"[EW]?"))
    + rb"(?:,"
    + _MODE
    + rb"(?:,"
    + _STATUS
    + rb")?)?"
)
_FIX = b",".join((_N, b"M?", _N, b"M?"))
_GGA = _form(
    b",".join(
        (_TIME, _PLACE, b"([0-9]?)", b"([0-9]{1,3}|)", _N, _FIX, _N, b"[0-9]{0,4}")
    )
    + _SIRF
)
_GNS = _form(
    b",".join(
        (_TIME, _PLACE, b"([ADEFMNPRS]*)", b"([0-9]{1,3}|)", *(_N,) * 4, b"[0-9]{0,4}")
    )
    + rb"(?:,"
    + _STATUS
    + rb")?"
)
_GLL = _form(b",".join((_PLACE, _TIME, b"([AV]?)")) + rb"(?:," + _MODE + rb")?")
_VTG = _form(
    b",".join((_N, b"T?", _N, b"M?", _N, b"N?", _N, b"K?")) + rb"(?:," + _MODE + rb")?"
)
_ZDA = _form(
    _TIME
    + rb",([0-9]{2}|),([0-9]{2}|),([0-9]{4}|),(?:[+-]?[0-9]{1,2}|),(?:[0-9]{1,2}|)"
)
_GST = _form(b",".join((_TIME, *(_N,) * 7)))
_GSA = _form(
    rb"[AM]?,([123]?),((?:[0-9]{0,3},){12})"
    + b",".join((_N, _N, _N))
    + rb"(?:,([0-9A-F]?))?"
    + _SIRF
)
_GSV = _form(
    rb"([1-9][0-9]?),([1-9][0-9]?),([0-9]{1,2})"
    rb"((?:,[0-9]{0,3},-?[0-9]{0,2},[0-9]{0,3},[0-9]{0,2}){0,4})"
    rb"(?:,([0-9A-F]))?(?:,([0-9A-F]))?"
)
_DTM = _form(
    rb"([A-Z0-9]{3}|),[A-Z]?,"
    + _N
    + rb",[NS]?,"
    + _N
    + rb",[EW]?,"
    + _N
    + rb",(?:[A-Z0-9]{3}|)"
)


def _rmc(fields: bytes) -> Rmc | None:
    match = _RMC.match(fields)
    if match is None:
        return None
    time, status, *place, knots, course, date, _, mode = match.groups()
    return Rmc(
        time_of_day(time),
        status == b"A",
        (mode or b"").decode(),
        place_of(*place),
        number(knots),
        number(course),
        date_of(date),
    )


def _gga(fields: bytes) -> Gga | None:
    match = _GGA.match(fields)
    if match is None:
        return None
    time, *place, quality, used, hdop, altitude, separation, _ = match.groups()
    if place[0] and not quality:
        return None  # a position of which nothing says what it is worth
    return Gga(
        time_of_day(time),
        place_of(*place),
        whole(quality),
        whole(used),
        number(hdop),
        number(altitude),
        number(separation),
    )


def _gns(fields: bytes) -> Gns | None:
    match = _GNS.match(fields)
    if match is None:
        return None
    time, *place, modes, used, hdop, altitude, separation, _ = match.groups()
    if place[0] and not modes:
        return None
    return Gns(
        time_of_day(time),
        place_of(*place),
        modes.decode(),
        whole(used),
        number(hdop),
        number(altitude),
        number(separation),
    )


def _gll(fields: bytes) -> Gll | None:
    match = _GLL.match(fields)
    if match is None:
        return None
    *place, time, status, mode = match.groups()
    valid = status == b"A"
    return Gll(time_of_day(time), valid, (mode or b"").decode(), place_of(*place))


def _vtg(fields: bytes) -> Vtg | None:
    match = _VTG.match(fields)
    if match is None:
        return None
    course, _, knots, _, _ = match.groups()
    return Vtg(number(course), number(knots))


def _zda(fields: bytes) -> Zda | None:
    match = _ZDA.match(fields)
    if match is None:
        return None
    time, day, month, year = match.groups()
    date = (int(year), int(month), int(day)) if year and month and day else None
    return Zda(time_of_day(time), date)


def _gst(fields: bytes) -> Gst | None:
    match = _GST.match(fields)
    if match is None:
        return None
    time, _, _, _, _, latitude, longitude, altitude = match.groups()
    return Gst(time_of_day(time), number(latitude), number(longitude), number(altitude))


def _gsa(fields: bytes) -> Gsa | None:
    match = _GSA.match(fields)
    if match is None:
        return None
    dimension, numbers, pdop, hdop, vdop, system = match.groups()
    used = tuple(int(text) for text in numbers.split(b",") if text)
    return Gsa(
        whole(dimension),
        used,
        number(pdop),
        number(hdop),
        number(vdop),
        (system or b"").decode(),
    )


def _gsv(fields: bytes) -> Gsv | None:
    match = _GSV.match(fields)
    if match is None:
        return None
    total, turn, in_view, blocks, signal, system = match.groups()
    numbers = tuple(int(text) for text in blocks.split(b",")[1::4] if text)
    if int(turn) > int(total):
        return None
    return Gsv(
        int(total),
        int(turn),
        int(in_view),
        numbers,
        (signal or b"").decode(),
        (system or b"").decode(),
    )


def _dtm(fields: bytes) -> Dtm | None:
    match = _DTM.match(fields)
    return Dtm(match[1].decode()) if match else None


def number(text: bytes) -> float | None:
    """A decimal number; None where the field is empty."""
    return float(text) if text else None


def whole(text: bytes) -> int | None:
    """A whole number; None where the field is empty."""
    return int(text) if text else None


def time_of_day(text: bytes) -> int | None:
    """``hhmmss.sss`` as milliseconds of the day; a leap second is the 86,401st."""
    if not text:
        return None
    hours, minutes, seconds = int(text[:2]), int(text[2:4]), int(text[4:6])
    leap = seconds == 60 and hours == 23 and minutes == 59  # noqa: PLR2004
    if hours > 23 or (seconds > 59 and not leap):  # noqa: PLR2004
        return None
    return (
        (hours * 60 + minutes) * 60_000
        + seconds * 1000
        + int(text[7:10].ljust(3, b"0"))
    )


def date_of(text: bytes) -> Date | None:
    """``ddmmyy``; years from 80 are of the last century (GPS began in 1980)."""
    if not text:
        return None
    year = int(text[4:6])
    return (year + (1900 if year >= 80 else 2000), int(text[2:4]), int(text[:2]))  # noqa: PLR2004


def place_of(
    latitude: bytes, north: bytes, longitude: bytes, east: bytes
) -> Place | None:
    """``ddmm.mmm``, ``dddmm.mmm`` and their letters; None where it is no place.

    Receivers without a fix send 9999.9 or zeros: 100 degrees, or a buoy in the Gulf of
    Guinea. Neither is one.
    """
    if not (north and east and _LATITUDE.fullmatch(latitude)):
        return None
    if not _LONGITUDE.fullmatch(longitude):
        return None
    minutes_north, minutes_east = float(latitude[2:]), float(longitude[3:])
    if minutes_north >= 60 or minutes_east >= 60:  # noqa: PLR2004
        return None
    # Through whole minutes: the nearest double to the decimal the receiver meant.
    lat = round(int(latitude[:2]) + minutes_north / 60, 9)
    lon = round(int(longitude[:3]) + minutes_east / 60, 9)
    if lat > 90 or lon > 180 or (lat == 0 and lon == 0):  # noqa: PLR2004
        return None
    return (lat if north == b"N" else -lat, lon if east == b"E" else -lon)


_READERS: dict[str, Callable[[bytes], Report | None]] = {
    "RMC": _rmc,
    "GGA": _gga,
    "GNS": _gns,
    "GLL": _gll,
    "VTG": _vtg,
    "ZDA": _zda,
    "GST": _gst,
    "GSA": _gsa,
    "GSV": _gsv,
    "DTM": _dtm,
}
