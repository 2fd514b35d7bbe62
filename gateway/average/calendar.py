"""Where minutes, hours and days begin and end: on the civil clock of the site.

A minute of 10 begins at hh:00, hh:10 ...; an hour with the civil hour; a day at civil
midnight. China has no summer time, but the zone is configuration: a day may have 23 or
25 hours, and an hour lies where the clock on the wall shows a whole one.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from gateway.aggregate import PeriodKind

HOUR_MS = 3_600_000
_MINUTE_MS = 60_000


class Bounds(NamedTuple):
    """``start_ms <= t < end_ms``, UTC ms."""

    start_ms: int
    end_ms: int

    @property
    def ms(self) -> int:
        """How long it is."""
        return self.end_ms - self.start_ms


class Calendar:
    """The periods of one zone and one length of minutes."""

    def __init__(self, timezone: str, minute_s: int = 60) -> None:
        """Of an IANA zone such as ``Asia/Shanghai``.

        Args:
            timezone: Its name.
            minute_s: Length of the shortest period; divides an hour.
        """
        self.timezone = timezone
        self.minute_ms = 1000 * minute_s
        self._zone = ZoneInfo(timezone)
        self._offset_ms = 0
        self._offset_holds = Bounds(0, 0)
        self._day = lru_cache(maxsize=64)(self._day_of)

    def minute(self, t_ms: int) -> int:
        """Where the minute begins that holds this moment: asked for every reading."""
        holds = self._offset_holds
        if not holds.start_ms <= t_ms < holds.end_ms:
            self._look(t_ms)
        return t_ms - (t_ms + self._offset_ms) % self.minute_ms

    def of(self, kind: PeriodKind, t_ms: int) -> Bounds:
        """The period that holds this moment."""
        if kind == "minute":
            start = self.minute(t_ms)
            return Bounds(start, start + self.minute_ms)
        if kind == "hour":
            self.minute(t_ms)
            start = t_ms - (t_ms + self._offset_ms) % HOUR_MS
            return Bounds(start, start + HOUR_MS)
        local = datetime.fromtimestamp(t_ms / 1000, self._zone)
        return self._day(local.year, local.month, local.day)

    def hour_of_day(self, t_ms: int) -> int:
        """0 to 23, as the clock on the wall shows it."""
        return datetime.fromtimestamp(t_ms / 1000, self._zone).hour

    def parts(self, kind: PeriodKind, bounds: Bounds) -> int:
        """How many shorter periods a full hour or day has."""
        return bounds.ms // (self.minute_ms if kind == "hour" else HOUR_MS)

    def _day_of(self, year: int, month: int, day: int) -> Bounds:
        date = datetime(year, month, day, tzinfo=UTC).date()
        return Bounds(
            self._midnight(datetime.combine(date, time())),
            self._midnight(datetime.combine(date + timedelta(days=1), time())),
        )

    def _midnight(self, local: datetime) -> int:
        """Where a civil day begins; one without midnight begins after the gap."""
        return round(local.replace(tzinfo=self._zone).timestamp() * 1000)

    def _look(self, t_ms: int) -> None:
        """What holds in this quarter of an hour; no zone changes more often."""
        start = t_ms - t_ms % (15 * _MINUTE_MS)
        at = datetime.fromtimestamp(start / 1000, self._zone)
        offset = at.utcoffset() or timedelta()
        self._offset_ms = round(offset.total_seconds() * 1000)
        self._offset_holds = Bounds(start, start + 15 * _MINUTE_MS)
