"""A counter's steps: growth is silent, anything else is told once, with its time."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.profiles.watches import Counter
from gateway.clock import Instant
from gateway.judge import counter
from gateway.judge.counter import State

WIDTH = 2**16


def at(ms, boot="00000001", trusted=True):
    return Instant(1_763_712_000_000 + ms, ms, boot, trusted)


def run(watch, values, every_ms=1000, state=None):
    state, found = state or State(), []
    for n, value in enumerate(values):
        state, each = counter.step(watch, state, value, at(n * every_ms))
        if each is not None:
            found.append(each)
    return found


def test_growth_is_nothing_to_say():
    assert run(Counter(), [1, 1, 5, 1000, 10**9]) == []


def test_a_rollover_is_told_with_what_was_counted_and_a_total():
    watch = Counter(modulus=Fraction(WIDTH))

    (step,) = run(watch, [65530, 65534, 3, 8, 20])

    assert (step.cause, step.before, step.after) == ("rollover", 65534, 3)
    assert (step.increment, step.total) == (5, WIDTH + 3)
    assert (step.seen, step.at) == (at(1000), at(2000))


def test_the_total_runs_on_over_rollovers_and_begins_anew_at_a_jump():
    watch = Counter(modulus=Fraction(1000))
    values = [990, 5, 500, 990, 4, 8, 600, 3, 5, 980, 996, 2, 3]

    steps = run(watch, values)

    assert [(s.cause, s.total) for s in steps] == [
        ("rollover", 1005),
        ("rollover", 2004),
        ("reset", None),
        ("rollover", 1002),
    ]


def test_a_meter_of_decimal_digits_is_exact():
    watch = Counter(modulus=Fraction(10**6 * 100, 100))

    (step,) = run(watch, [999_999.87, 0.06, 0.06, 0.16])

    assert (step.increment, step.total) == (0.19, 1_000_000.06)


def test_a_fall_that_is_too_long_a_way_round_is_a_reset_or_a_step_back():
    watch = Counter(modulus=Fraction(WIDTH))

    assert [s.cause for s in run(watch, [30_000, 2, 4])] == ["reset"]
    assert [s.cause for s in run(watch, [30_000, 20_000, 20_001])] == ["backwards"]


def test_with_a_rate_the_time_decides_whether_it_can_have_come_round():
    watch = Counter(modulus=Fraction(WIDTH), max_rate=Fraction(10))

    assert [s.cause for s in run(watch, [60_000, 0, 1])] == ["reset"]
    assert [s.cause for s in run(watch, [65_530, 5, 6])] == ["rollover"]
    slow = run(watch, [60_000, 100, 700], every_ms=600_000)
    assert [s.cause for s in slow] == ["rollover"]


def test_faster_than_it_can_is_a_jump_forward():
    watch = Counter(max_rate=Fraction(10))

    (step,) = run(watch, [0, 5, 900_000, 900_001, 900_009])

    assert (step.cause, step.before, step.after) == ("forward", 5, 900_000)
    assert step.total is None


@pytest.mark.parametrize("odd", [0, 7, 65_000])
def test_one_wrong_reading_changes_nothing_but_is_told(odd):
    watch = Counter(modulus=Fraction(WIDTH), max_rate=Fraction(100))

    (step,) = run(watch, [1000, 1010, odd, 1030, 1040])

    assert (step.cause, step.before, step.after) == ("spike", 1010, odd)
    assert step.at == at(2000)


def test_over_a_restart_the_last_reading_is_compared():
    watch = Counter(modulus=Fraction(WIDTH))
    state = State(65_000, at(10_000_000, boot="0000000a"), str(2 * WIDTH))

    (step,) = run(watch, [40, 41], state=state)

    assert (step.cause, step.increment, step.total) == ("rollover", 576, 3 * WIDTH + 40)


@given(
    st.lists(st.integers(0, 300), min_size=2, max_size=60),
    st.integers(0, WIDTH - 1),
)
def test_rollovers_are_what_a_simple_model_says(increments, start):
    total, raw, expected = start, [], []
    for n, increment in enumerate(increments):
        before = total
        total += increment
        raw.append(total % WIDTH)
        if n and total // WIDTH > before // WIDTH:
            expected.append((increment, total))
    base = raw[0] - (start + increments[0])
    watch = Counter(modulus=Fraction(WIDTH), max_rate=Fraction(300))

    steps = run(watch, [*raw, (total + 1) % WIDTH])

    told = [
        (s.increment, s.total - base) for s in steps if s.at.mono_ms < 1000 * len(raw)
    ]
    assert all(step.cause == "rollover" for step in steps)
    assert told == expected


@given(st.lists(st.integers(0, WIDTH - 1), max_size=60), st.booleans())
def test_whatever_comes_nothing_is_invented(values, with_rate):
    rate = Fraction(50) if with_rate else None
    watch = Counter(modulus=Fraction(WIDTH), max_rate=rate)

    for step in run(watch, values):
        assert step.before in values
        assert step.after in values
        if step.increment is not None:
            assert step.increment == (step.after - step.before) % WIDTH
