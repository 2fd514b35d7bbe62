"""Days and months on the site's civil clock, and the periods they are made of."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

Length = Literal["day", "month"]
_HOUR_MS = 3_600_000


def bounds(length: Length, first: date, zone: ZoneInfo) -> tuple[int, int]:
    """Begin and end, UTC ms; a month is that in which the date is."""
    if length == "day":
        return midnight(first, zone), midnight(first + timedelta(days=1), zone)
    first = first.replace(day=1)
    after = (first + timedelta(days=31)).replace(day=1)
    return midnight(first, zone), midnight(after, zone)


def midnight(day: date, zone: ZoneInfo) -> int:
    """UTC ms at which a civil day begins."""
    return round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * 1000


def parts(
    length: Length, since_ms: int, until_ms: int, zone: ZoneInfo
) -> Iterator[tuple[int, int]]:
    """The hours of a day, or the days of a month, UTC ms."""
    if length == "day":
        for t in range(since_ms, until_ms, _HOUR_MS):
            yield t, min(t + _HOUR_MS, until_ms)
        return
    day = local(since_ms, zone).date()
    while (begin := midnight(day, zone)) < until_ms:
        day += timedelta(days=1)
        yield begin, midnight(day, zone)


def due(
    since_ms: int, until_ms: int, step_ms: int, from_ms: int, to_ms: int
) -> Iterator[int]:
    """Starts of the periods within a time that had begun and are over.

    Args:
        since_ms: Begin of the time: a period begins with it.
        until_ms: Its end.
        step_ms: Length of a period.
        from_ms: Nothing was due before.
        to_ms: Now: what is not over is not due.
    """
    for t in range(since_ms, until_ms, step_ms):
        if t >= from_ms and t + step_ms <= to_ms:
            yield t


def local(t_ms: int, zone: ZoneInfo) -> datetime:
    """A moment on the civil clock."""
    return datetime.fromtimestamp(t_ms / 1000, UTC).astimezone(zone)
