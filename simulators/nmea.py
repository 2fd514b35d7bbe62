"""A second writer of NMEA 0183: fields from the standard, form and checksum by pynmea2.

Nothing of the gateway's is in it.

Source: NMEA 0183 4.11: 5.3 (form and checksum), the approved sentences; ids of systems
and signals as in its tables for GSA and GSV.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

import pynmea2

KNOT_MS = 1852 / 3600
SYSTEM = {"GP": 1, "GL": 2, "GA": 3, "GB": 4, "GQ": 5}
FIRST_NUMBER = {"GP": 1, "GL": 65, "GA": 1, "GB": 1, "GQ": 1}
_IN_GSA = 12
_IN_GSV = 4


class Satellite(NamedTuple):
    """One satellite as a receiver sees it."""

    number: int
    elevation: int
    azimuth: int
    snr: int
    """dB-Hz; 0: it is not tracked."""


class Moment(NamedTuple):
    """Everything a receiver knows of one instant."""

    utc_ms: int
    latitude: float
    longitude: float
    altitude: float
    speed_ms: float
    course: float
    quality: int
    """GGA's: 0 none, 1 single, 2 differential, 4 RTK fixed, 5 RTK float, 6 estimated,
    8 simulated."""
    hdop: float
    sky: dict[str, list[Satellite]]
    """In view, by talker."""
    used: dict[str, list[int]]
    """Numbers of those that carry the fix, by talker."""
    sigma: float | None = None
    """Standard deviation of latitude and of longitude, metres; None: not told."""


_MODES = {0: "N", 1: "A", 2: "D", 4: "R", 5: "F", 6: "E", 7: "M", 8: "S"}


def sentence(body: str) -> bytes:
    """With its ``$``, its checksum and the end of the line, as pynmea2 writes them."""
    address, *fields = body.split(",")
    made = pynmea2.TalkerSentence(address[:2], address[2:], fields)
    return f"{made.render()}\r\n".encode("ascii")


def burst(now: Moment, talker: str = "GN", *, sky: bool = True) -> list[bytes]:
    """All sentences of one epoch, in the order that u-blox receivers have.

    Args:
        now: What they say.
        talker: Of those that are about the fix.
        sky: Whether the satellites in view are listed this time.
    """
    lines = [rmc(now, talker), vtg(now, talker), gga(now, talker), *gsa(now, talker)]
    if sky:
        lines += gsv(now)
    lines.append(gll(now, talker))
    if now.sigma is not None:
        lines.append(gst(now, talker))
    lines.append(zda(now, talker))
    return lines


def rmc(now: Moment, talker: str) -> bytes:
    """Recommended minimum."""
    fixed = now.quality > 0
    knots = f"{now.speed_ms / KNOT_MS:.3f}" if fixed else ""
    course = f"{now.course:.2f}" if fixed and now.speed_ms > 0.1 else ""  # noqa: PLR2004
    status, mode = ("A" if fixed else "V"), _MODES[now.quality]
    day = _utc(now).strftime("%d%m%y")
    return sentence(
        f"{talker}RMC,{_time(now)},{status},{_place(now)},{knots},{course},{day},,,"
        f"{mode},V"
    )


def gga(now: Moment, talker: str) -> bytes:
    """Fix data."""
    fixed = now.quality > 0
    count = sum(map(len, now.used.values()))
    height = f"{now.altitude:.1f},M,-8.4,M" if fixed else ",,,"
    hdop = f"{now.hdop:.2f}" if fixed else "99.99"
    return sentence(
        f"{talker}GGA,{_time(now)},{_place(now)},{now.quality},{min(count, 12):02d},"
        f"{hdop},{height},,"
    )


def gll(now: Moment, talker: str) -> bytes:
    """Position."""
    status = "A" if now.quality else "V"
    mode = _MODES[now.quality]
    return sentence(f"{talker}GLL,{_place(now)},{_time(now)},{status},{mode}")


def vtg(now: Moment, talker: str) -> bytes:
    """Course and speed."""
    if not now.quality:
        return sentence(f"{talker}VTG,,,,,,,,,N")
    knots, kmh = now.speed_ms / KNOT_MS, now.speed_ms * 3.6
    course = f"{now.course:.2f}" if now.speed_ms > 0.1 else ""  # noqa: PLR2004
    return sentence(
        f"{talker}VTG,{course},T,,M,{knots:.3f},N,{kmh:.3f},K,{_MODES[now.quality]}"
    )


def zda(now: Moment, talker: str) -> bytes:
    """Time and date."""
    return sentence(f"{talker}ZDA,{_time(now)},{_utc(now):%d,%m,%Y},00,00")


def gst(now: Moment, talker: str) -> bytes:
    """Errors of the position."""
    if not now.quality or now.sigma is None:
        return sentence(f"{talker}GST,{_time(now)},,,,,,,")
    sigma = now.sigma
    return sentence(
        f"{talker}GST,{_time(now)},12,{sigma:.2f},{sigma:.2f},45.0,{sigma:.2f},"
        f"{sigma:.2f},{1.5 * sigma:.2f}"
    )


def gsa(now: Moment, talker: str) -> list[bytes]:
    """Satellites used, a sentence for each constellation."""
    lines = []
    dimension = 3 if now.quality else 1
    dops = f"{1.7 * now.hdop:.2f},{now.hdop:.2f},{1.4 * now.hdop:.2f}"
    for system in now.sky:
        numbers = now.used.get(system, [])
        for start in range(0, max(len(numbers), 1), _IN_GSA):
            some = [f"{n:02d}" for n in numbers[start : start + _IN_GSA]]
            listed = ",".join(some + [""] * (_IN_GSA - len(some)))
            lines.append(
                sentence(f"{talker}GSA,A,{dimension},{listed},{dops},{SYSTEM[system]}")
            )
    return lines


def gsv(now: Moment) -> list[bytes]:
    """Satellites in view, four to a sentence, each system by its own talker."""
    lines = []
    for system, satellites in now.sky.items():
        total = max(1, -(-len(satellites) // _IN_GSV))
        for turn in range(total):
            some = satellites[turn * _IN_GSV : (turn + 1) * _IN_GSV]
            said = "".join(
                f",{s.number:02d},{s.elevation:02d},{s.azimuth:03d},"
                + (f"{s.snr:02d}" if s.snr else "")
                for s in some
            )
            lines.append(
                sentence(
                    f"{system}GSV,{total},{turn + 1},{len(satellites):02d}{said},1"
                )
            )
    return lines


def _utc(now: Moment) -> datetime:
    return datetime.fromtimestamp(now.utc_ms // 1000, UTC)


def _time(now: Moment) -> str:
    return f"{_utc(now):%H%M%S}.{now.utc_ms % 1000:03d}"


def _place(now: Moment) -> str:
    if not now.quality:
        return ",,,"
    return (
        f"{_minutes(now.latitude, 2)},{'N' if now.latitude >= 0 else 'S'},"
        f"{_minutes(now.longitude, 3)},{'E' if now.longitude >= 0 else 'W'}"
    )


def _minutes(degrees: float, width: int) -> str:
    """``ddmm.mmmmm``, rounded as a whole so that 60.00000 minutes cannot come out."""
    hundred_thousandths = round(abs(degrees) * 60 * 100_000)
    whole, rest = divmod(hundred_thousandths, 6_000_000)
    return f"{whole:0{width}d}{rest // 100_000:02d}.{rest % 100_000:05d}"
