from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.backoff import (
    SHORT_WAIT_S,
    Budget,
    pause_s,
    probe_wait,
    reopen_pause_s,
)


def test_first_retry_is_at_once_then_pauses_grow_to_a_second_and_a_half():
    pauses = [pause_s(n) for n in range(1, 12)]

    assert pauses[0] == 0
    assert pauses == sorted(pauses)
    assert pauses[-1] == 1.5


def test_a_lost_port_is_tried_every_half_to_one_second():
    pauses = [reopen_pause_s(n) for n in range(1, 20)]

    assert pauses[0] == 0.5
    assert max(pauses) == 1.0


@given(
    st.lists(st.tuples(st.floats(0.0, 10.0), st.floats(0.05, 1.5)), max_size=400),
)
def test_probes_hold_the_bus_for_a_tenth_of_any_minute_at_most(probes):
    budget, now, spent = Budget(0.0), 0.0, []
    for pause, cost in probes:
        now += pause
        if budget.available(now) >= cost:
            now += cost
            budget.spend(now, cost)
            spent.append((now, cost))

    for end, _ in spent:
        assert sum(c for at, c in spent if end - 60 < at <= end) <= 6.0 + 1e-6


def test_a_probe_takes_the_full_time_out_where_bus_and_budget_have_room():
    assert probe_wait(0.7, 1.5, 0.5, 0.03) == 0.5


def test_a_probe_is_shortened_to_what_the_bus_has_room_for():
    assert probe_wait(0.3, 1.5, 0.5, 0.05) == 0.25


def test_a_probe_on_a_full_bus_or_a_small_budget_waits_fifty_milliseconds():
    assert probe_wait(0.0, 1.5, 0.5, 0.03) == SHORT_WAIT_S
    assert probe_wait(9.0, 0.2, 0.5, 0.03) == SHORT_WAIT_S


def test_a_probe_over_the_budget_is_put_off():
    assert probe_wait(9.0, 0.05, 0.5, 0.03) is None


def test_a_full_budget_pays_for_a_unit_slower_than_the_whole_of_it():
    assert probe_wait(9.0, Budget(0.0).available(0.0), 3.0, 0.1) == 3.0
