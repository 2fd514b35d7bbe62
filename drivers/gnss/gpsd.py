"""gpsd as a source: its JSON reports, read into the same epochs.

    -> ?WATCH={"enable":true,"json":true};
    <- {"class":"VERSION",...}  {"class":"DEVICES",...}  {"class":"WATCH",...}
    <- {"class":"TPV","device":"/dev/ttyACM0","mode":3,"lat":39.63041,"lon":118.18012,
        "time":"2026-08-05T05:52:34.000Z",...}  {"class":"SKY",...}  {"class":"GST",...}

Reports with the same ``time`` are one epoch; the last TPV of an epoch is the complete
one. What gpsd estimates by itself is left out: ``eph`` and its like come from the
geometry and a constant where the receiver tells no error, so accuracy is GST's. Of
several receivers behind one gpsd the first that reports is read, the others counted:
their positions are not one position.

Source: gpsd_json(5), protocol 3; gpsd/gpsd_json.c for which fields are left out when.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from drivers.gnss.epoch import DAY_MS, Epoch, on_circle

if TYPE_CHECKING:
    from drivers.gnss.clockcheck import ClockCheck

WATCH = b'?WATCH={"enable":true,"json":true};\n'
LONGEST = 65_536
"""Bytes of one report; a SKY of 140 satellites has 15 kB."""
_KIND = {1: 1, 2: 2, 3: 4, 4: 5, 5: 6, 6: 6, 7: 7, 8: 8}
"""TPV status as GGA's quality: 3 RTK fixed, 4 RTK float, 5 and 6 dead reckoning, 7 a
surveyed place, 8 simulated. Not there: normal, or unknown."""
_CONSTELLATION = {0: "gps", 1: "sbas", 2: "galileo", 3: "beidou", 5: "qzss",
                  6: "glonass", 7: "navic"}  # fmt: skip
_FIX, _FIX_3D = 2, 3
_WGS84 = ("", "W84", "WGS84", "WGS-84")


class _Satellite(msgspec.Struct):
    prn: int = msgspec.field(name="PRN", default=0)
    used: bool = False
    gnssid: int | None = None
    svid: int | None = None


class _Said(msgspec.Struct):
    """Any report; of a class only what it has is set."""

    class_: str = msgspec.field(name="class", default="")
    device: str = ""
    time: str = ""
    mode: int = 0
    status: int | None = None
    lat: float | None = None
    lon: float | None = None
    alt: float | None = None
    alt_msl: float | None = msgspec.field(name="altMSL", default=None)
    separation: float | None = msgspec.field(name="geoidSep", default=None)
    speed: float | None = None
    track: float | None = None
    datum: str = ""
    hdop: float | None = None
    vdop: float | None = None
    pdop: float | None = None
    satellites: list[_Satellite] | None = None


_DECODER = msgspec.json.Decoder(_Said)


class GpsdReader:
    """Reads one connection to gpsd; the same ways as ``reader.NmeaReader``."""

    def __init__(self, clock: ClockCheck | None = None) -> None:
        """Begin; see ``reader.NmeaReader``."""
        self.good = 0
        self.malformed = 0
        """Lines that are no JSON, or not as the protocol says."""
        self.other = 0
        """Reports of another receiver, or of a class that is not read."""
        self.stragglers = 0
        self._clock = clock
        self._rest = bytearray()
        self._device = ""
        self._came_s = 0.0
        self._tpv: _Said | None = None
        self._sky: _Said | None = None
        self._gst: _Said | None = None
        self._line = b""
        self._closed = ""

    @property
    def waiting(self) -> bool:
        """Whether silence would complete an epoch."""
        return self._tpv is not None

    def feed(self, data: bytes, now: float = 0.0) -> list[Epoch]:
        """Take bytes as they come; the epochs that they complete."""
        epochs: list[Epoch] = []
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = bytes(self._rest) + lines[0]
            self._rest.clear()
        self._rest += rest
        if len(self._rest) > LONGEST:
            self.malformed += 1
            self._rest.clear()
        for line in lines:
            if line.strip():
                epochs += self._take(line.strip(), now)
        return epochs

    def idle(self) -> list[Epoch]:
        """The connection is silent: an epoch has ended."""
        return self._close()

    def end(self) -> list[Epoch]:
        """Nothing follows."""
        return self._close()

    def _take(self, line: bytes, now: float) -> list[Epoch]:
        try:
            said = _DECODER.decode(line)
        except (msgspec.DecodeError, RecursionError):
            self.malformed += 1
            return []
        if said.class_ not in ("TPV", "SKY", "GST"):
            self.other += 1
            return []
        self._device = self._device or said.device
        if said.device != self._device:
            self.other += 1
            return []
        self.good += 1
        epochs: list[Epoch] = []
        if self._tpv is not None and said.time not in (self._tpv.time, ""):
            epochs = self._close()
        if said.class_ == "TPV":
            if said.time and said.time == self._closed:
                self.stragglers += 1
                return epochs
            if self._tpv is None:
                self._came_s = now
            self._tpv, self._line = said, line
        elif said.class_ == "SKY":
            self._sky = said
        else:
            self._gst = said
        return epochs

    def _close(self) -> list[Epoch]:
        tpv, sky, gst = self._tpv, self._sky, self._gst
        self._tpv = None
        if tpv is None:
            return []
        self._closed = tpv.time
        fits = tpv.time
        if sky is not None and sky.time in (fits, ""):
            self._sky = None
        else:
            sky = None
        if gst is not None and gst.time in (fits, ""):
            self._gst = None
        else:
            gst = None
        epoch = _epoch(tpv, sky, gst, self._came_s, self._line)
        if epoch is None:
            return []
        return [epoch if self._clock is None else self._clock.judge(epoch)]


def _epoch(
    tpv: _Said, sky: _Said | None, gst: _Said | None, came_s: float, line: bytes
) -> Epoch | None:
    utc_ms = _utc_ms(tpv.time)
    place, flaw = _place(tpv)
    if utc_ms is None and not flaw:
        flaw = "not_sent"
        place = None
    time_flaw = flaw or ("not_sent" if utc_ms is None else "")
    used = in_view = None
    if sky is not None and sky.satellites is not None:
        used, in_view = _count(sky.satellites, used=True), _count(sky.satellites)
    sky = sky or _Said()
    return Epoch(
        came_s=came_s,
        time_ms=(utc_ms or 0) % DAY_MS,
        utc_ms=utc_ms,
        time_flaw=time_flaw,
        place=place,
        flaw=flaw,
        doubt=_doubt(tpv),
        flat=tpv.mode < _FIX_3D,
        kind=0 if tpv.mode < _FIX else _KIND.get(tpv.status or 0),
        altitude_m=tpv.alt if tpv.alt_msl is None else tpv.alt_msl,
        separation_m=tpv.separation,
        speed_ms=None if (tpv.speed or 0.0) < 0 else tpv.speed,
        course_deg=on_circle(tpv.track),
        hdop=sky.hdop,
        vdop=sky.vdop,
        pdop=sky.pdop,
        accuracy_m=_accuracy(gst),
        altitude_accuracy_m=gst.alt if gst else None,
        used=used,
        used_total=sum(used.values()) if used is not None else None,
        used_all=used is not None and "other" not in used,
        in_view=in_view,
        place_witnesses=2,
        date_witnesses=2,
        lines={"TPV": line},
    )


def _place(tpv: _Said) -> tuple[tuple[float, float] | None, str]:
    if tpv.mode < _FIX or tpv.lat is None or tpv.lon is None:
        return None, "no_fix"
    if tpv.status == 8:  # noqa: PLR2004 - simulated, see _KIND
        return None, "simulated"
    there = abs(tpv.lat) <= 90 and abs(tpv.lon) <= 180  # noqa: PLR2004 - degrees
    if not there or (tpv.lat == 0 and tpv.lon == 0):
        return None, "impossible_position"
    return (tpv.lat, tpv.lon), ""


def _doubt(tpv: _Said) -> str:
    if tpv.datum.upper() not in _WGS84:
        return "other_datum"
    kind = _KIND.get(tpv.status or 0)
    return {6: "estimated", 7: "manual_position"}.get(kind or 0, "")


def _count(satellites: list[_Satellite], *, used: bool = False) -> dict[str, int]:
    """Satellites by constellation, each once though it sends several signals."""
    found: dict[str, set[int]] = {}
    for one in satellites:
        if used and not one.used:
            continue
        whose = "other" if one.gnssid is None else _CONSTELLATION.get(one.gnssid)
        number = one.svid if one.svid is not None else one.prn
        found.setdefault(whose or "other", set()).add(number)
    return {name: len(numbers) for name, numbers in found.items()}


def _accuracy(gst: _Said | None) -> float | None:
    """GST's deviations: ``lat`` and ``lon`` are metres there."""
    if gst is None or gst.lat is None or gst.lon is None:
        return None
    return round(math.hypot(gst.lat, gst.lon), 3)


def _utc_ms(text: str) -> int | None:
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        return None
    if told.tzinfo is None:
        return None
    return round((told - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)
