"""One instrument that pushes HJ 212, as a bus worker sees it.

A scan takes the newest measurement that came in and was not taken before, one for each
command that the asked points come from; nothing is kept from one scan to the next, and
values of two measurements stand in one answer only where two commands were asked for.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, tzinfo
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

from drivers.errors import ProfileError, read_only
from drivers.flaws import NOT_IN_ENUM, range_flaw
from drivers.hj212.fields import OF_FACTOR, is_number, read_time
from drivers.hj212.flags import flaw_of
from drivers.hj212.inbox import Inbox
from drivers.profiles.hj212_points import WORDS
from drivers.values import Answer, Flaw, Quality, Value

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from drivers.hj212.measurement import Measurement
    from drivers.profiles.hj212_points import Hj212Point

NO_DATA = "no_data"
NOT_SENT = Flaw(Quality.BAD, "not_sent")
NOT_A_NUMBER = Flaw(Quality.BAD, "not_a_number")
VERSION_2005 = 2005


class Line(Protocol):
    """What the device asks of its port: ``drivers.hj212.listener.Hj212Port``."""

    name: str

    def subscribe(self, inbox: Inbox) -> None:
        """Fill it from now on."""
        ...

    def unsubscribe(self, inbox: Inbox) -> None:
        """Fill it no more."""
        ...

    async def exchange(
        self,
        inbox: Inbox,
        wanted: Collection[int],
        timeout_s: float,
        readers: Collection[int],
        *,
        look: bool,
    ) -> dict[int, Measurement]:
        """The newest unused measurement of each command."""
        ...

    def trouble(self, address: str | None) -> str:
        """Why nothing is believed; or nothing."""
        ...

    def heard(self) -> list[str]:
        """What came instead."""
        ...


class Hj212Device:
    """One configured instrument; implements ``drivers.values.Device``."""

    def __init__(
        self,
        name: str,
        address: str | None,
        line: Line,
        points: Iterable[Hj212Point],
        *,
        timeout_s: float,
        zone: tzinfo,
        periods: Iterable[Collection[str]] = (),
    ) -> None:
        """Set it up and listen.

        Args:
            name: What the site file calls it; used in messages.
            address: Its MN; None: whoever speaks alone on the line.
            line: Where its frames come in.
            points: Everything that may be asked for.
            timeout_s: The longest wait for what has not come since the last scan.
            zone: In which its times are meant: frames do not say.
            periods: Points that are asked for together; each of these takes every
                measurement for itself. None: all at once.
        """
        self.name = name
        self.address = address
        self._line = line
        self._points = {point.name: point for point in points}
        self._timeout_s = timeout_s
        self._zone = zone
        fields = {point.field for point in self._points.values()}
        groups = [tuple(names) for names in periods] or [tuple(self._points)]
        self._reader = {name: i for i, names in enumerate(groups) for name in names}
        self._inbox = Inbox(
            address,
            fields - OF_FACTOR,
            *({self._points[name].cn for name in names} for names in groups),
        )
        line.subscribe(self._inbox)

    @property
    def points(self) -> tuple[Hj212Point, ...]:
        """Everything that may be asked for."""
        return tuple(self._points.values())

    async def scan(
        self,
        points: Sequence[str],
        *,
        wait_s: float | None = None,
        want_raw: bool = False,
    ) -> Answer:
        """Take what came in; see ``drivers.values.Device.scan``.

        Raises:
            BusError: The port is gone.
            ProfileError: A name is no point of this device.
        """
        for name in points:
            if name not in self._points:
                raise ProfileError(f"device {self.name}: no point named {name!r}")
        asked = [self._points[name] for name in points]
        wanted = {point.cn for point in asked}
        timeout_s = self._timeout_s if wait_s is None else min(wait_s, self._timeout_s)
        began = asyncio.get_running_loop().time()
        readers = {self._reader[name] for name in points}
        found = await self._line.exchange(
            self._inbox, wanted, timeout_s, readers, look=want_raw
        )
        # The scan's time is not before its data: what was waited for is of then.
        at = max([began, *(measurement.arrived_s for measurement in found.values())])
        # One that sends other commands is there, and is to be asked for them.
        speaks = self._inbox.speaks(asyncio.get_running_loop().time())
        reading = _Reading(self._zone, want_raw=want_raw)
        missing = self._line.trouble(self.address) or NO_DATA
        for point in asked:
            measurement = found.get(point.cn)
            if measurement is None:
                reading.flaws[point.name] = Flaw(Quality.BAD, missing)
            else:
                reading.take(point, measurement, at)
        return Answer(
            reading.values,
            reading.flaws,
            bool(found) or speaks,
            reading.raw,
            "" if found else self._missed(timeout_s),
            waited_s=at - began,
            sampled=reading.sampled or None,
            age_ms=reading.age_ms or None,
            flags=reading.flags or None,
        )

    async def write(self, point: str, value: Value) -> None:
        """Refuse: an instrument that reports is told nothing.

        Raises:
            PointError: Always.
        """
        del value
        raise read_only(self.name, point, "an HJ 212 instrument")

    def close(self) -> None:
        """Listen no more: its frames are another device's, or nobody's."""
        self._line.unsubscribe(self._inbox)

    def worst_case_s(self, points: Sequence[str]) -> float:
        """The longest time this scan can hold the bus: one wait."""
        return self._timeout_s if points else 0.0

    def _missed(self, timeout_s: float) -> str:
        who = f"MN {self.address!r}" if self.address is not None else "any instrument"
        missed = (
            f"device {self.name}, {self._line.name}: expected frames of {who}, got none"
            f" since the last scan and in {timeout_s:.2f} s"
        )
        return "\n".join([missed, *self._line.heard()])


class _Reading:
    """The answer of one scan as it grows."""

    def __init__(self, zone: tzinfo, *, want_raw: bool) -> None:
        self.values: dict[str, Value] = {}
        self.flaws: dict[str, Flaw] = {}
        self.raw: dict[str, bytes] | None = {} if want_raw else None
        self.sampled: dict[str, int] = {}
        self.age_ms: dict[str, int] = {}
        self.flags: dict[str, str] = {}
        self._zone = zone

    def take(self, point: Hj212Point, measurement: Measurement, now: float) -> None:
        """Read one point from its measurement."""
        factor = _factor(point, measurement)
        texts = measurement.values
        text = texts.get(f"{factor}-{point.field}")
        name = point.name
        if text is None:
            self.flaws[name] = NOT_SENT
            return
        taken = texts.get(f"{factor}-SampleTime")
        at = read_time(taken) if taken is not None else None
        utc_ms = self._utc_ms(at or measurement.data_time)
        if utc_ms is not None:
            self.sampled[name] = utc_ms
        self.age_ms[name] = round(1000 * (now - measurement.arrived_s))
        flag, own = texts.get(f"{factor}-Flag"), texts.get(f"{factor}-EFlag")
        if flag is not None or own:
            self.flags[name] = f"{flag or ''}/{own}" if own else flag or ""
        if self.raw is not None:
            self.raw[name] = _shown(factor, texts).encode()
        if point.field in WORDS:
            self.values[name] = text
            return
        flaw = flaw_of(flag, measurement.version)
        if flaw is not None and flaw.quality is Quality.BAD:
            self.flaws[name] = flaw
            return
        value, own_flaw = value_of(text, point)
        if value is not None:
            self.values[name] = value
            own_flaw = flaw or own_flaw
        if own_flaw is not None:
            self.flaws[name] = own_flaw

    def _utc_ms(self, local: datetime) -> int | None:
        """None: a clock that was never set may be in a year that UTC does not have."""
        try:
            at = local.replace(tzinfo=self._zone).astimezone(UTC)
        except OverflowError:
            return None
        return round(at.timestamp() * 1000)


def value_of(text: str, point: Hj212Point) -> tuple[Value | None, Flaw | None]:
    """A number as an instrument wrote it, as the point's value; exact until the end.

    Working conditions of HJ 212-2025 are words and stay as they are.
    """
    if not is_number(text):  # a word such as 1e999999999 is no number, nor worked out
        return (text, None) if text.isalpha() else (None, NOT_A_NUMBER)
    exact = Fraction(text)
    if point.enum:
        label = point.enum.get(int(exact)) if exact.denominator == 1 else None
        return (None, NOT_IN_ENUM) if label is None else (label, None)
    exact = exact * point.scale + point.offset
    if point.decimals is not None:
        exact = round(exact, point.decimals)
    whole = point.decimals == 0 or ("." not in text and exact.denominator == 1)
    value = int(exact) if whole else float(exact)
    return value, range_flaw(point, value)


def _factor(point: Hj212Point, measurement: Measurement) -> str:
    """The factor's code in this frame."""
    old = point.factor_2005
    if old is None or measurement.version != VERSION_2005:
        return point.factor
    new = f"{point.factor}-{point.field}" in measurement.values
    return point.factor if new else old


def _shown(factor: str, texts: dict[str, str]) -> str:
    """The item of a factor, as it stood in the frame."""
    return ",".join(
        f"{name}={text}"
        for name, text in texts.items()
        if name.startswith(f"{factor}-")
    )
