"""Dates that cannot be, and times that jump: told, never repaired, never believed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from drivers.gnss.clockcheck import ROLLOVER_MS, SETTLED_S, ClockCheck, date_flaw
from drivers.gnss.epoch import DAY_MS, Epoch

PAST = int(datetime(2025, 11, 1, tzinfo=UTC).timestamp()) * 1000
NOW = PAST + 40 * DAY_MS


def epoch(second, utc_ms=NOW, **more):
    told = None if utc_ms is None else utc_ms + round(1000 * second)
    return Epoch(
        came_s=50.0 + second,
        time_ms=(told if told is not None else round(1000 * second)) % DAY_MS,
        utc_ms=told,
        place=(39.6, 118.2),
        **more,
    )


def judged(*epochs, past=PAST):
    check = ClockCheck(past)
    return [check.judge(one) for one in epochs]


@pytest.mark.parametrize(
    ("date", "flaw"),
    [
        ("2025-12-11", ""),
        ("2044-01-01", ""),
        ("1980-01-06", "impossible_date"),
        ("1999-08-22", "impossible_date"),
        ("2002-01-01", "impossible_date"),
        ("2013-09-01", "impossible_date"),
        ("2006-04-27", "week_rollover"),
        ("2009-12-11", "week_rollover"),
        ("2080-01-06", "impossible_date"),
    ],
)
def test_dates(date, flaw):
    told = int(datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp()) * 1000

    assert date_flaw(told, PAST) == flaw
    assert date_flaw(told, 0) == ""


def test_a_date_1024_weeks_back_leaves_the_place_and_takes_the_time():
    found = judged(*(epoch(n, NOW - ROLLOVER_MS) for n in range(5)))

    assert {(bool(e.place), e.time_flaw) for e in found} == {(True, "week_rollover")}


@pytest.mark.parametrize(
    ("leap_ms", "reason"),
    [(-ROLLOVER_MS, "week_rollover"), (ROLLOVER_MS, "week_rollover"),
     (3_600_000, "time_jump"), (-7 * DAY_MS, "time_jump"), (5_000, "time_jump")],
)  # fmt: skip
def test_nothing_is_believed_while_the_time_jumps(leap_ms, reason):
    found = judged(
        *(epoch(n) for n in range(5)), *(epoch(n, NOW + leap_ms) for n in range(5, 50))
    )

    assert all(e.place and not e.time_flaw for e in found[:5])
    assert [e.flaw for e in found[5:8]] == [reason] * 3
    assert all(e.place is None and e.time_flaw for e in found[5:8])
    # A place does not depend on the date; the time is not believed for long.
    assert all(e.place for e in found[8:])
    assert all(e.time_flaw for e in found[5 : 5 + int(SETTLED_S)])


def test_a_time_that_jumps_every_second_is_never_believed():
    found = judged(*(epoch(n, NOW + 10_000 * (n % 2)) for n in range(20)))

    assert all(e.place is None for e in found[1:])


def test_a_leap_second_is_no_jump():
    found = judged(
        *(epoch(n) for n in range(3)), *(epoch(n, NOW - 1000) for n in range(3, 6))
    )

    assert all(e.place and not e.time_flaw for e in found)


def test_midnight_is_no_jump_where_no_date_is_told():
    late = DAY_MS - 2000
    found = judged(
        *(
            Epoch(came_s=float(n), time_ms=(late + 1000 * n) % DAY_MS, place=(1.0, 1.0))
            for n in range(5)
        )
    )

    assert all(e.place for e in found)


def test_what_is_not_believed_anyway_teaches_nothing():
    lost = Epoch(came_s=60.0, time_ms=5, utc_ms=5, flaw="no_fix", time_flaw="no_fix")
    found = judged(epoch(0), lost, epoch(11))

    assert found[2].place
