"""Whose satellites: talkers, system ids and satellite numbers.

Any two letters are a talker; these are the ones that name a constellation. ``GN`` says
that several are mixed: then the system id of NMEA 4.11 tells, else the number itself.
Numbers that several systems use without saying which are ``other``, not guessed.

Source: NMEA 0183 4.11, GSA and GSV (system id, satellite numbers). ``BD`` is BeiDou in
receivers of before 4.11 (BDS National Standard GB/T 39787 keeps ``GB``); ``PQ`` is
Quectel's, whose last field is the system id (Quectel EC2x/EG2x GNSS application note).
Numbers of BeiDou and Galileo under ``GN`` without a system id: u-blox 8 receiver
description, appendix A (extended numbering).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drivers.profiles.gnss_points import Constellation

TALKERS: dict[str, Constellation] = {
    "GP": "gps",
    "GL": "glonass",
    "GA": "galileo",
    "GB": "beidou",
    "BD": "beidou",
    "GQ": "qzss",
    "QZ": "qzss",
    "GI": "navic",
}
SYSTEMS: dict[str, Constellation] = {
    "1": "gps",
    "2": "glonass",
    "3": "galileo",
    "4": "beidou",
    "5": "qzss",
    "6": "navic",
}
_UNDER_GPS: tuple[tuple[range, Constellation], ...] = (
    (range(1, 33), "gps"),
    (range(33, 65), "sbas"),
    (range(120, 159), "sbas"),
    (range(193, 203), "qzss"),
)
_MIXED: tuple[tuple[range, Constellation], ...] = (
    (range(1, 33), "gps"),
    (range(33, 65), "sbas"),
    (range(65, 97), "glonass"),
    (range(120, 159), "sbas"),
    (range(193, 200), "qzss"),
    (range(301, 337), "galileo"),
    (range(401, 438), "beidou"),
)


def constellation(talker: str, system: str, number: int) -> Constellation:
    """Whose satellite this is.

    Args:
        talker: Of the sentence.
        system: Its system id; empty where it has none.
        number: Of the satellite, as sent.
    """
    named = SYSTEMS.get(system) if system else TALKERS.get(talker)
    if named is not None and named != "gps":
        return named
    ranges = _UNDER_GPS if named == "gps" else _MIXED
    for numbers, whose in ranges:
        if number in numbers:
            return whose
    return "other"
