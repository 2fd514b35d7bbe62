from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.schedule import (
    EARLY_S,
    TOGETHER,
    TURNS_SHARE,
    Place,
    Slots,
    best_room,
    phase_s,
)

periods = st.sampled_from([0.1, 0.25, 1.0, 2.5, 5.0, 60.0, 3600.0])
starts = st.floats(0.0, 1e6)
walls = st.floats(1.7e9, 1.8e9)


@given(periods, st.floats(0.0, 0.999), starts, walls)
def test_slots_lie_on_the_wall_clock_grid_with_their_phase(every, part, start, wall):
    offset = wall - start
    slots = Slots(every, part * every, start, offset)

    for n in (1, 2, 17, 100_000):
        place = (slots.due(n) + offset - part * every) / every
        assert place == pytest.approx(round(place), abs=2e-5)


@given(periods, st.floats(0.0, 0.999), starts, walls)
def test_first_poll_is_at_once_and_the_second_half_to_one_and_a_half_periods_later(
    every, part, start, wall
):
    slots = Slots(every, part * every, start, wall - start)

    assert slots.due(0) == start
    assert 0.5 - 1e-6 <= (slots.due(1) - start) / every <= 1.5 + 1e-6


@given(periods, st.floats(0.0, 0.999), starts, walls, st.integers(1, 10_000_000))
def test_a_slot_is_current_from_its_due_time_until_the_next(
    every, part, start, wall, n
):
    slots = Slots(every, part * every, start, wall - start)

    assert slots.current(slots.due(n)) == n
    assert slots.current(slots.due(n) + every - 3 * EARLY_S) == n
    assert slots.current(slots.due(n) - 1.5 * EARLY_S) == n - 1


def test_a_week_of_periods_does_not_drift():
    slots = Slots(0.1, 0.03, 12.345, 1_763_712_000.0)

    week = 7 * 86_400 * 10

    assert slots.due(week + 1) - slots.due(1) == pytest.approx(7 * 86_400, abs=1e-6)


@given(
    periods,
    st.floats(0.0, 0.999),
    st.integers(1, 5000),
    st.floats(-1e9, 1e9),
)
def test_a_clock_step_moves_the_grid_by_half_a_period_at_most(every, part, n, step):
    slots = Slots(every, part * every, 1000.0, 1.76e9)
    before = slots.due(n)

    moved = slots.realign(n, 1.76e9 + step)

    assert abs(moved) <= every / 2 + 1e-6
    assert slots.due(n) == pytest.approx(before + moved)
    place = (slots.due(n) + 1.76e9 + step - part * every) / every
    assert place == pytest.approx(round(place), abs=2e-5)


@pytest.mark.parametrize("step", [3600.0, -3600.0, 86_400.0, -20 * 365 * 86_400.0, 0.4])
def test_polls_in_a_minute_stay_sixty_when_the_clock_steps(step):
    slots = Slots(1.0, 0.7, 0.0, 1.76e9)
    slots.realign(30, 1.76e9 + step)

    polls = sum(1 for n in range(1, 200) if 10.0 < slots.due(n) <= 70.0)

    assert abs(polls - 60) <= 1


@pytest.mark.parametrize("every", [0.1, 1.0, 60.0])
@pytest.mark.parametrize("buses", [1, 8, 20, 160])
def test_endpoints_begin_on_a_few_common_beats(every, buses):
    places = [Place("site-07", n, buses) for n in range(buses)]

    beats = Counter(round(phase_s(every, place), 9) for place in places)

    assert len(beats) <= math.ceil(buses / TOGETHER)
    assert max(beats.values()) <= TOGETHER
    assert 0.0 <= min(beats) <= max(beats) < every


def test_a_thousand_gateways_lie_anywhere_in_the_period():
    phases = [phase_s(1.0, Place(f"site-{n}")) for n in range(1000)]

    tenths = Counter(int(10 * phase) for phase in phases)
    assert min(tenths.values()) > 50


def test_the_devices_of_one_bus_follow_each_other_and_leave_a_long_pause():
    parts = [phase_s(1.0, Place("site-07", 0, 1, t, 10)) for t in range(10)]

    offsets = sorted((part - parts[0]) % 1.0 for part in parts)

    assert offsets[-1] <= TURNS_SHARE
    assert all(b - a == pytest.approx(TURNS_SHARE / 10) for a, b in pairwise(offsets))
    assert parts == [phase_s(1.0, Place("site-07", 0, 1, t, 10)) for t in range(10)]


@given(
    st.lists(st.tuples(st.floats(0.0, 3.0), st.floats(0.0, 0.3)), max_size=12),
    st.floats(0.01, 1.0),
)
def test_the_best_room_overlaps_no_poll_and_fits_when_any_does(busy, wanted):
    start, room = best_room(0.0, 1.0, wanted, busy)

    assert 0.0 <= start <= max(1.0, start)
    taken = min(wanted, room)
    for due, seconds in busy:
        # Not while a poll runs, and over before the next is due.
        assert not (due < start < due + seconds - 1e-9) or room == 0.0
        assert not (start + 1e-9 < due < start + taken - 1e-9)


def test_an_empty_bus_has_room_at_once():
    assert best_room(5.0, 6.0, 0.5, []) == (5.0, math.inf)
