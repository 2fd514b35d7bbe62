"""Periods lie on the civil clock, whatever the zone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.average.calendar import Calendar

HOUR = 3_600_000
BEIJING = Calendar("Asia/Shanghai")


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000)


def test_a_day_in_beijing_begins_at_sixteen_utc() -> None:
    bounds = BEIJING.of("day", ms("2026-06-01T15:59:59.999+00:00"))

    assert bounds.end_ms == ms("2026-06-02T00:00:00+08:00")
    assert bounds.ms == 24 * HOUR
    assert BEIJING.parts("day", bounds) == 24


@pytest.mark.parametrize(
    ("moment", "hours"),
    [
        ("2026-03-29T12:00:00+02:00", 23),
        ("2026-10-25T12:00:00+01:00", 25),
        ("2026-10-26T12:00:00+01:00", 24),
    ],
)
def test_days_of_a_zone_with_summer_time(moment: str, hours: int) -> None:
    berlin = Calendar("Europe/Berlin")
    bounds = berlin.of("day", ms(moment))

    assert bounds.ms == hours * HOUR
    assert berlin.parts("day", bounds) == hours
    assert berlin.of("day", bounds.end_ms).start_ms == bounds.end_ms
    starts = {
        berlin.of("hour", t).start_ms
        for t in range(bounds.start_ms, bounds.end_ms, HOUR // 4)
    }
    assert len(starts) == hours


def test_hours_of_a_zone_off_by_three_quarters() -> None:
    bounds = Calendar("Asia/Kathmandu").of("hour", ms("2026-06-01T10:20:00+05:45"))

    assert bounds.start_ms == ms("2026-06-01T10:00:00+05:45")
    assert bounds.ms == HOUR


@pytest.mark.parametrize("minutes", [1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30])
def test_minutes_divide_the_civil_hour(minutes: int) -> None:
    calendar = Calendar("Asia/Shanghai", 60 * minutes)
    hour = calendar.of("hour", ms("2026-06-01T10:20:00+08:00"))
    starts = {calendar.minute(t) for t in range(*hour, 60_000)}

    assert len(starts) == 60 // minutes == calendar.parts("hour", hour)
    assert min(starts) == hour.start_ms
