"""A contact's edges: debounced, dated by the first poll, never of a BAD reading."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from drivers.profiles.watches import Contact
from gateway.clock import Instant
from gateway.judge import contact
from gateway.judge.contact import Edge, Pulse, State


def at(ms, boot="00000001", trusted=True):
    return Instant(1_763_712_000_000 + ms, ms, boot, trusted)


def run(watch, readings, counts=None):
    """Feed (ms, value) pairs; value None: no good reading then."""
    state, found = State(), []
    for n, (ms, value) in enumerate(readings):
        if value is None:
            continue
        count = counts[n] if counts else None
        state, each = contact.step(watch, state, value, at(ms), count)
        if each is not None:
            found.append(each)
    return found


def test_an_edge_has_the_time_of_the_first_poll_that_showed_it():
    polls = [(0, False), (1000, False), (2000, True), (3000, True), (4000, True)]

    found = run(Contact(polls=2), [(-1000, False), *polls])

    assert found[1:] == [Edge(True, False, at(2000), at(1000))]


def test_a_state_that_does_not_last_is_no_edge():
    polls = [(0, False), (1, False), (1000, True), (2000, False), (3000, True)]
    more = [(4000, False), (5000, False)]

    assert run(Contact(polls=2), polls + more)[1:] == []


def test_debounce_is_time_as_well_as_polls():
    polls = [(ms, ms >= 500) for ms in range(0, 5000, 100)]

    found = run(
        Contact(polls=1, debounce_s=2.0), [(-3000, False), (-1000, False), *polls]
    )

    assert [(edge.value, edge.at) for edge in found] == [
        (False, at(-3000)),
        (True, at(500)),
    ]


def test_after_a_gap_the_edge_lies_between_the_two_readings_around_it():
    polls = [
        (0, False),
        (1000, False),
        *[(ms, None) for ms in range(2000, 60_000, 1000)],
    ]

    found = run(Contact(polls=2), [*polls, (60_000, True), (61_000, True)])

    assert found[1:] == [Edge(True, False, at(60_000), at(1000))]


def test_pulses_that_no_poll_saw_are_known_from_the_edge_counter():
    polls = [(ms, False) for ms in range(0, 6000, 1000)]

    found = run(Contact(polls=1, edges="n"), polls, [5, 5, 7, 7, 7, 7])

    assert found[1:] == [Pulse(2, at(2000), at(1000))]


def test_an_edge_that_its_counter_shows_a_poll_early_or_late_is_no_pulse():
    values = [False, False, True, True, True, False, False, False]
    polls = [(1000 * n, value) for n, value in enumerate(values)]
    early, late = [0, 1, 1, 1, 2, 2, 2, 2], [0, 0, 0, 1, 1, 1, 2, 2]

    for counts in (early, late):
        found = run(Contact(polls=1, edges="n"), polls, counts)
        assert [type(each) for each in found] == [Edge, Edge, Edge], counts


def test_a_counter_that_begins_anew_tells_of_no_pulse():
    polls = [(1000 * n, False) for n in range(5)]

    assert run(Contact(polls=1, edges="n"), polls, [9, 9, 0, 0, 0])[1:] == []


def model(readings, polls, debounce_ms):
    """The obvious way: look back over the good readings for a run of one value."""
    good = [(ms, value) for ms, value in readings if value is not None]
    state, edges = None, []
    for end in range(len(good)):
        ms, value = good[end]
        if value == state:
            continue
        start = end
        while start > 0 and good[start - 1][1] == value:
            start -= 1
        run_ = good[start : end + 1]
        # Readings of the run count from where the old state was last seen.
        if len(run_) >= polls and ms - run_[0][0] >= debounce_ms:
            state = value
            edges.append((value, run_[0][0]))
    return edges


READINGS = st.lists(
    st.tuples(st.integers(1, 3000), st.sampled_from([True, False, None, False, True])),
    max_size=60,
)


@given(READINGS, st.integers(1, 4), st.integers(0, 4000))
def test_debouncing_is_what_a_simple_model_says(steps, polls, debounce_ms):
    ms, readings = 0, []
    for step, value in steps:
        ms += step
        readings.append((ms, value))
    watch = Contact(polls=polls, debounce_s=debounce_ms / 1000)

    found = run(watch, readings)

    assert [(e.value, e.at.mono_ms) for e in found] == model(
        readings, polls, debounce_ms
    )
    for one, two in pairwise(found):
        assert one.value != two.value
        assert one.at.mono_ms <= two.seen.mono_ms < two.at.mono_ms
