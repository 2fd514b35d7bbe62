"""A receiver as a bus worker sees it: asked on schedule, though it speaks unasked.

A scan takes the newest epoch that these points were not answered from before; all of
them are answered from that one. Satellites in view come as often as the receiver lists
them, and may be of an earlier epoch: ``age_ms`` says so. What is older than the
device's time-out is no measurement of now, and is not taken.
"""

from __future__ import annotations

import asyncio
from fractions import Fraction
from typing import TYPE_CHECKING

from drivers.errors import read_only
from drivers.flaws import NOT_IN_ENUM, range_flaw
from drivers.gnss.offer import NOT_SENT, Offer, offer
from drivers.profiles.gnss_points import GIVES
from drivers.values import Answer, Flaw, OwnTime, Quality

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drivers.gnss.epoch import Epoch
    from drivers.gnss.port import GnssPort, Heard
    from drivers.profiles.gnss_points import GnssPoint
    from drivers.values import Value

_PLACE = ("latitude", "longitude")
"""These say when they were measured; what else a scan has is of the same instant, or
says its age."""
SKY_S = 10.0
"""A list of satellites in view holds so long: they rise and set in hours."""
_LINES: dict[str, tuple[str, ...]] = {
    "altitude": ("GGA", "GNS"),
    "geoid_separation": ("GGA", "GNS"),
    "accuracy": ("GST",),
    "altitude_accuracy": ("GST",),
    "fix": ("GGA", "GNS"),
    "satellites_in_view": ("GSV",),
    "satellites_used": ("GSA", "GNS", "GGA"),
    "hdop": ("GGA", "GNS", "GSA"),
    "vdop": ("GSA",),
    "pdop": ("GSA",),
    "used": ("GSA",),
    "share": ("GSA",),
    "in": ("GSV",),
}
"""Which sentence shows where a value came from; RMC where nothing stands here."""
_SHOWN = 48


class GnssDevice:
    """One receiver."""

    def __init__(
        self,
        name: str,
        port: GnssPort,
        points: Sequence[GnssPoint],
        *,
        timeout_s: float,
        datum: str = "WGS-84",
    ) -> None:
        """Put it before its port.

        Args:
            name: As the site file calls it.
            port: What hears the receiver.
            points: What is wanted of it.
            timeout_s: How long a scan waits for an epoch, and how old one may be.
            datum: What its positions refer to.
        """
        self._name = name
        self._port = port
        self._points = {point.name: point for point in points}
        self._timeout_s = timeout_s
        self._datum = datum
        self._taken: dict[str, int] = {}
        """The number of the epoch that each point was answered from last."""
        self._newest = 0

    async def scan(
        self,
        points: Sequence[str],
        *,
        wait_s: float | None = None,
        want_raw: bool = False,
    ) -> Answer:
        """See ``drivers.values.Device``."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        wanted = [self._points[name] for name in points]
        sky = [p for p in wanted if GIVES[p.of].about == "sky"]
        main = [p for p in wanted if GIVES[p.of].about != "sky"]
        until = began + (self._timeout_s if wait_s is None else wait_s)
        heard: Heard | None = None
        listed: Heard | None = None
        while True:
            now = loop.time()
            if main:
                heard = self._port.newest(self._last(main), now - self._timeout_s)
            if sky:
                listed = self._port.newest_sky(
                    self._last(sky), now - max(SKY_S, self._timeout_s)
                )
            if heard or (listed and not main) or now >= until:
                break
            await self._port.wait(until - now)
        if (heard if main else listed) is None:
            return self._nothing(points)
        return self._answer(main, heard, sky, listed, began, want_raw=want_raw)

    async def write(self, point: str, value: Value) -> None:
        """Nothing of a receiver may be written. Raises PointError."""
        del value
        raise read_only(self._name, point, "a receiver")

    def worst_case_s(self, points: Sequence[str]) -> float:
        """See ``drivers.values.Device``."""
        del points
        return self._timeout_s

    def _last(self, points: Sequence[GnssPoint]) -> int:
        return max(self._taken.get(point.name, 0) for point in points)

    def _nothing(self, points: Sequence[str]) -> Answer:
        reason, advice = self._port.diagnose()
        recent = self._port.recent
        shown = f"; received {recent[-_SHOWN:].hex(' ')}" if recent else ""
        return Answer(
            {},
            dict.fromkeys(points, Flaw(Quality.BAD, reason)),
            answered=False,
            detail=f"{self._port.name}: {advice}{shown}",
        )

    def _answer(
        self,
        main: list[GnssPoint],
        heard: Heard | None,
        sky: list[GnssPoint],
        listed: Heard | None,
        began: float,
        *,
        want_raw: bool,
    ) -> Answer:
        values: dict[str, Value] = {}
        flaws: dict[str, Flaw] = {}
        ages: dict[str, int] = {}
        sampled: dict[str, int] = {}
        raw: dict[str, bytes] = {}
        newest = max(h.epoch.came_s for h in (heard, listed) if h is not None)
        # The scan's time is not before its data: what was waited for is of then.
        at = max(began, newest)
        for group, source in ((main, heard), (sky, listed)):
            if source is None:
                flaws |= {p.name: Flaw(Quality.BAD, NOT_SENT) for p in group}
                continue
            epoch, number = source.epoch, source.number
            age_ms = round(1000 * (at - epoch.came_s))
            for point in group:
                if not want_raw:  # a look takes nothing from the next scan
                    self._taken[point.name] = number
                _put(point, offer(point.of, epoch, self._datum), values, flaws)
                if point.name in values:
                    ages[point.name] = age_ms
                    if point.of in _PLACE and not epoch.time_flaw and epoch.utc_ms:
                        sampled[point.name] = epoch.utc_ms
                if want_raw and (line := _line(point.of, epoch)):
                    raw[point.name] = line
        if heard is not None and not want_raw:
            self._note(heard.number)
        return Answer(
            values,
            flaws,
            answered=True,
            raw=raw if want_raw else None,
            waited_s=at - began,
            sampled=sampled or None,
            age_ms=ages or None,
            own_time=_own_time(heard.epoch) if heard else None,
        )

    def _note(self, number: int) -> None:
        """Count the epochs that were overtaken since the last one taken."""
        if self._newest and number > self._newest + 1:
            self._port.overtook(number - self._newest - 1)
        self._newest = max(self._newest, number)


def _own_time(epoch: Epoch) -> OwnTime | None:
    """Its time, where a position and a date that agree stand behind it."""
    if epoch.place is None or epoch.time_flaw or epoch.utc_ms is None or epoch.doubt:
        return None
    return OwnTime(epoch.utc_ms, epoch.came_s)


def _put(
    point: GnssPoint,
    given: Offer,
    values: dict[str, Value],
    flaws: dict[str, Flaw],
) -> None:
    name, value = point.name, given.value
    if value is None:
        flaws[name] = Flaw(Quality.BAD, given.flaw)
        return
    if point.enum and isinstance(value, int):
        word = point.enum.get(value)
        if word is None:
            flaws[name] = NOT_IN_ENUM
            return
        values[name] = word
    else:
        values[name] = value = _scaled(point, value)
    if given.doubt:
        flaws[name] = Flaw(Quality.UNCERTAIN, given.doubt)
    elif isinstance(value, int | float):
        flaw = range_flaw(point, value)
        if flaw is not None:
            flaws[name] = flaw


def _scaled(point: GnssPoint, value: Value) -> Value:
    if isinstance(value, bool | str):
        return value
    if point.scale != 1 or point.offset:
        value = float(Fraction(repr(value)) * point.scale + point.offset)
    return value if point.decimals is None else round(value, point.decimals)


def _line(of: str, epoch: Epoch) -> bytes:
    """The sentence that a value came from, as received."""
    kind, _, _ = of.partition("_")
    words = _LINES.get(of) or _LINES.get(kind) or ()
    for word in (*words, "RMC", "GGA", "GNS", "GLL", "TPV"):
        if word in epoch.lines:
            return epoch.lines[word]
    return b""
