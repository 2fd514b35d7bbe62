"""A receiver's time is believed when it is plausible, again and again."""

from __future__ import annotations

import pytest

from gateway.offers import FIXES, ROLLOVER_MS, Fixes, refusal
from gateway.release import EXPIRES_MS, RELEASED_MS

FLOOR = RELEASED_MS + 30 * 86_400_000
NOW = FLOOR + 5_000


@pytest.mark.parametrize(
    ("wall_ms", "reason"),
    [
        (NOW, None),
        (FLOOR - 30_000, None),
        (FLOOR - 3_600_000, "before_last"),
        (315_964_800_000, "before_release"),
        (1_377_993_600_000, "before_release"),
        (NOW - ROLLOVER_MS, "rollover"),
        (NOW - 2 * ROLLOVER_MS, "rollover"),
        (NOW + ROLLOVER_MS, "rollover"),
        (NOW + 200 * 86_400_000, None),
        (EXPIRES_MS + ROLLOVER_MS // 2, "rollover"),
        (-(2**40), "before_release"),
    ],
)
def test_dates_that_cannot_be_right_are_refused_with_their_reason(wall_ms, reason):
    assert refusal(wall_ms, FLOOR) == reason


def test_no_date_is_believed_twenty_years_after_the_release():
    assert refusal(EXPIRES_MS, EXPIRES_MS - 86_400_000) == "too_late"


def test_enough_fixes_over_some_seconds_that_agree_are_a_time():
    fixes = Fixes()
    jitter = [0, 180, -120, 40, 90, -60, 10, 70, 20]

    found = [fixes.add(NOW + j, 1000 * n) for n, j in enumerate(jitter)]

    assert found[: FIXES - 1] == [None] * (FIXES - 1)
    assert abs(found[-1] - NOW) <= 100


def test_one_fix_that_disagrees_begins_the_count_anew():
    fixes = Fixes()
    for n in range(FIXES - 1):
        fixes.add(NOW, 1000 * n)

    odd = fixes.add(NOW + 2_000, 1000 * FIXES)
    after = [fixes.add(NOW, 1000 * (FIXES + n)) for n in range(1, FIXES)]

    assert odd is None
    assert after == [None] * (FIXES - 1)


def test_a_burst_of_one_second_is_no_proof():
    fixes = Fixes()

    assert [fixes.add(NOW, n) for n in range(2 * FIXES)] == [None] * (2 * FIXES)


def test_the_same_moment_does_not_count_twice():
    fixes = Fixes()

    assert [fixes.add(NOW, 10_000) for _ in range(2 * FIXES)] == [None] * (2 * FIXES)
