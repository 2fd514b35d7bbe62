"""Expected, acquired, valid, sent, proved: counted by hand."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from gateway.history import Shown, ShownPeriod
from gateway.report import calendar
from gateway.report.count import Counts, count, percent

BEIJING = ZoneInfo("Asia/Shanghai")


def period(t: int, mark: str = "valid", *, avg: str | None = "1.0", rev: int = 0):
    return ShownPeriod("DA001", t, t + 1, rev, {"so2": Shown(avg=avg, mark=mark)})


def test_each_period_is_counted_once_and_where_it_belongs() -> None:
    found = {
        0: period(0),
        1: period(1),
        2: period(2, "maintenance"),
        3: period(3, "link", avg=None),
        4: period(4, "stopped"),
        6: period(6, rev=1),
    }
    fates = {
        (0, 0): "proved",
        (1, 0): "written",
        (2, 0): "proved",
        (3, 0): "sent",
        (4, 0): "proved",
        (6, 0): "proved",  # of the revision before: the newest was never sent
    }

    counts = count(range(8), found, fates, "so2")

    assert counts == Counts(
        expected=7, acquired=4, valid=3, sent=4, proved=2, valid_proved=1, stopped=1
    )
    assert counts.transmission == Fraction(2, 7)
    assert counts.validity == Fraction(1, 2)
    assert counts.effective == Fraction(1, 7)


def test_what_was_declared_to_stand_still_is_not_expected() -> None:
    faulty = period(2, "fault")  # as the rule of 2017 has it of flue gas
    faulty.agg["so2"] = Shown(avg="1", mark="fault", of=12, marks={"stopped": 12})
    half = period(3, "fault")
    half.agg["so2"] = Shown(avg="1", mark="fault", of=12, marks={"stopped": 6})
    found = {1: period(1), 2: faulty, 3: half, 5: period(5, "fault")}

    counts = count(range(8), found, {}, "so2", length_ms=1, stops=[(4, 6)])

    assert counts.stopped == 3  # 2 by its parts, 4 and 5 by what was declared
    assert counts.expected == 5
    assert count([4], {}, {}, "so2", length_ms=2, stops=[(4, 5)]).expected == 1


def test_nothing_expected_has_no_rates_and_nothing_proved_no_validity() -> None:
    assert Counts().transmission is Counts().validity is Counts().effective is None
    none = Counts(expected=4, acquired=4, valid=4)
    assert none.transmission == none.effective == 0
    assert none.validity is None
    assert count(range(3), {}, {}, "so2") == Counts(expected=3)
    other = {0: period(0)}
    assert count([0], other, {(0, 0): "proved"}, "nox") == Counts(expected=1)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (Fraction(1), "100.00 %"),
        (Fraction(99_999, 100_000), "99.99 %"),
        (Fraction(9, 11), "81.82 %"),
        (Fraction(0), "0.00 %"),
        (None, "-"),
    ],
)
def test_a_rate_is_never_rounded_up_to_the_whole(share, text) -> None:
    assert percent(share) == text


def test_days_and_months_on_the_civil_clock() -> None:
    since, until = calendar.bounds("month", date(2025, 11, 21), BEIJING)
    days = list(calendar.parts("month", since, until, BEIJING))
    day = calendar.bounds("day", date(2025, 11, 21), BEIJING)

    assert (until - since) // 86_400_000 == len(days) == 30
    assert days[20] == day == (1_763_654_400_000, 1_763_740_800_000)
    assert len(list(calendar.parts("day", *day, BEIJING))) == 24


def test_a_day_of_23_hours_has_23_hours() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    since, until = calendar.bounds("day", date(2025, 3, 30), berlin)

    assert len(list(calendar.parts("day", since, until, berlin))) == 23
    march = calendar.bounds("month", date(2025, 3, 1), berlin)
    lengths = {b - a for a, b in calendar.parts("month", *march, berlin)}
    assert lengths == {86_400_000, 82_800_000}


def test_what_is_not_over_or_before_the_begin_is_not_due() -> None:
    assert list(calendar.due(0, 600, 60, 100, 400)) == [120, 180, 240, 300]
