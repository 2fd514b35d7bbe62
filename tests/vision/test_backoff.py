"""How long a camera is left alone: soon back, and never locked out."""

import itertools

import pytest

from vision.backoff import CAP_S, LOCKING, Backoff

LOST = "vision.source.unreachable"
HALF_AN_HOUR_S = 1800.0
LOCKS_FROM = 5
"""Wrong passwords: the fewest of the makers named there."""


def tries_s(answers, chance=0.0):
    """When each of them came, seconds, each at once after its wait."""
    backoff, found, now_s = Backoff(), [], 0.0
    for why in answers:
        found.append(now_s)
        now_s += backoff.wait_s(why, now_s, chance)
    return found


def most_in_half_an_hour(times_s):
    return max(sum(at <= t < at + HALF_AN_HOUR_S for t in times_s) for at in times_s)


def test_a_lost_camera_is_tried_at_doubling_times_to_a_cap():
    backoff = Backoff()
    waits = [backoff.wait_s(LOST, 0.0, 1.0) for _ in range(7)]

    assert waits == [1, 2, 4, 8, 16, CAP_S, CAP_S]
    assert backoff.wait_s(LOST, 0.0, 0.0) == 0.75 * CAP_S
    assert max(backoff.wait_s(LOST, 0.0, 0.5) for _ in range(2000)) < 30
    backoff.worked()
    assert backoff.wait_s(LOST, 0.0, 1.0) == 1


@pytest.mark.parametrize("lost", [0, 1, 3, 40])
def test_no_camera_locks_us_out_however_often_it_is_lost_in_between(lost):
    answers = ([LOCKING] + [LOST] * lost) * 60
    at_s = tries_s(answers)  # as early as they come

    wrong = [at for at, why in zip(at_s, answers, strict=True) if why == LOCKING]
    assert most_in_half_an_hour(wrong) < LOCKS_FROM


@pytest.mark.parametrize("chance", [0.0, 1.0])
@pytest.mark.parametrize(
    ("boots_s", "back_s"), [(4, 10), (7, 37), (25, 55), (175, 240)]
)
def test_a_camera_that_refuses_while_it_starts_is_soon_back(boots_s, back_s, chance):
    refused = tries_s(itertools.repeat(LOCKING, 8), chance)

    assert next(at for at in refused if at >= boots_s) <= back_s


def test_what_is_refused_on_and_on_is_tried_each_hour():
    at_s = tries_s(itertools.repeat(LOCKING, 30))

    assert at_s[-1] - at_s[-2] == 3600


def test_a_camera_that_was_away_for_long_is_met_with_new_patience():
    backoff = Backoff()
    for n in range(9):
        backoff.wait_s(LOCKING, n * 3600.0, 0.0)
    later_s = 9 * 3600.0

    assert backoff.wait_s(LOCKING, later_s, 0.0) == 3600
    backoff.wait_s(LOST, later_s + 60, 0.0)
    assert backoff.wait_s(LOCKING, later_s + 120, 0.0) == 3600  # not forgotten yet
    backoff.wait_s(LOST, later_s + 180, 0.0)
    assert backoff.wait_s(LOCKING, later_s + 120 + HALF_AN_HOUR_S, 0.0) < 30


def test_without_a_login_to_give_nothing_can_be_locked():
    backoff = Backoff()

    waits = [backoff.wait_s("vision.source.no_login", 0.0, 1.0) for _ in range(9)]

    assert max(waits) == CAP_S


def test_a_login_refused_to_the_process_before_has_one_try():
    """Processes are replaced every ten minutes where a camera beside it hangs."""
    assert Backoff(0.0).wait_s(LOCKING, 1.0, 0.0) == HALF_AN_HOUR_S
    lost = Backoff(0.0)
    lost.wait_s(LOST, 1.0, 0.0)
    assert lost.wait_s(LOCKING, 20.0, 0.0) == HALF_AN_HOUR_S
    # One that was away for long has only started again, and one that worked is well.
    assert lost.wait_s(LOST, 30.0, 0.0) < CAP_S
    assert lost.wait_s(LOCKING, 30.0 + HALF_AN_HOUR_S, 0.0) < CAP_S
    well = Backoff(0.0)
    well.worked()
    assert well.wait_s(LOCKING, 1.0, 0.0) < CAP_S
