"""Stored periods for a platform that asks for them: a stream, never a list of a year.

Source: HJ 212-2017, C.20 to C.24, C.47, C.48: one frame for each DataTime with a QN of
its own; BeginTime and EndTime are labels, both included.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from drivers.hj212.fields import read_time

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from gateway.aggregate import Period, PeriodKind
    from gateway.uplink.hj212.seams import History

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR_MS = 3_600_000
WINDOW_MS = {"minute": 6 * _HOUR_MS, "hour": 240 * _HOUR_MS, "day": 8784 * _HOUR_MS}
"""Read at once, by kind: some hundred periods."""
FARTHEST_MS = 5 * 366 * 24 * _HOUR_MS
"""Nothing is kept for so long; what is asked from before is not looked for."""


def utc_ms(digits: str, timezone: str) -> int | None:
    """UTC ms of ``YYYYMMDDhhmmss`` in a zone's civil time; None: no such time."""
    local = read_time(digits)
    if local is None:
        return None
    try:
        since = local.replace(tzinfo=ZoneInfo(timezone)).astimezone(UTC) - _EPOCH
    except OverflowError:  # at either end of the calendar; a zone makes no difference
        since = local.replace(tzinfo=UTC) - _EPOCH
    return since // timedelta(milliseconds=1)


async def stored(
    history: History, station: str, kind: PeriodKind, since_ms: int, until_ms: int
) -> AsyncGenerator[Period, None]:
    """All periods that begin from the one label to the other, both included.

    Args:
        history: Where they are kept.
        station: Whose.
        kind: Which of them.
        since_ms: First label, UTC ms.
        until_ms: Last label, UTC ms.
    """
    step = WINDOW_MS[kind]
    for begin in range(since_ms, until_ms + 1, step):
        end = min(begin + step, until_ms + 1)
        for period in await history.read(station, kind, begin, end):
            yield period


def clipped(since_ms: int, until_ms: int, now_ms: int) -> tuple[int, int]:
    """What of a span can be stored at all: a platform may ask from the year 1 on."""
    return max(since_ms, now_ms - FARTHEST_MS), min(until_ms, now_ms)
