from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from buffer.cursor import STORED_INTERVALS, Cursor, resolved_by_all
from buffer.intervals import Intervals

runs = st.lists(
    st.tuples(st.booleans(), st.integers(1, 60), st.integers(0, 12)), max_size=25
)


def built(steps) -> tuple[Intervals, set[int]]:
    ours, model = Intervals(), set()
    for add, first, length in steps:
        span = range(first, first + length)
        if add:
            ours.add(first, first + length - 1)
            model.update(span)
        else:
            ours.remove(first, first + length - 1)
            model.difference_update(span)
    return ours, model


def members(intervals: Intervals) -> set[int]:
    return {s for a, b in intervals.pairs() for s in range(a, b + 1)}


@given(runs, st.integers(1, 70), st.integers(0, 30))
def test_a_set_of_seqs_behaves_like_a_set(steps, first, length) -> None:
    ours, model = built(steps)
    last = first + length - 1
    span = set(range(first, last + 1))

    assert members(ours) == model
    assert ours.total() == len(model)
    assert ours.edges == sorted(set(ours.edges)), "disjoint, sorted, not touching"
    assert ours.covers(first, last) == (span <= model)
    assert ours.touches(first, last) == bool(span & model)
    assert members(ours.clip(first, last)) == span & model
    gaps = [s for a, b in ours.gaps(first, last) for s in range(a, b + 1)]
    assert gaps == sorted(span - model)
    assert (first in ours) == (first in model)


@given(runs, runs)
def test_two_sets_combine_like_sets(left_steps, right_steps) -> None:
    left, left_model = built(left_steps)
    right, right_model = built(right_steps)

    assert members(left | right) == left_model | right_model
    assert members(left & right) == left_model & right_model
    assert members(left - right) == left_model - right_model
    assert Intervals.of(left.pairs()) == left


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 9)), max_size=25))
def test_a_cursor_is_floor_and_runs_of_one_set(steps) -> None:
    cursor, model = Cursor(), set()
    for first, length in steps:
        cursor.resolve(first, first + length - 1)
        model.update(range(first, first + length))

    floor = 0
    while floor + 1 in model:
        floor += 1
    assert cursor.floor == floor
    assert members(cursor.resolved()) == model
    assert cursor.owed(80) == 80 - len(model)
    owed = [s for a, b in cursor.unresolved(5, 80) for s in range(a, b + 1)]
    assert owed == [s for s in range(5, 81) if s not in model]
    assert members(Cursor.load(cursor.dump()).resolved()) == model


def test_more_runs_than_are_stored_cost_repeats_never_loss() -> None:
    cursor = Cursor()
    for seq in range(2, 2 * STORED_INTERVALS + 100, 2):
        cursor.resolve(seq, seq)

    stored = Cursor.load(cursor.dump())

    assert len(stored.above) == STORED_INTERVALS
    assert not stored.resolved() - cursor.resolved()


def test_without_targets_nothing_is_resolved_by_all() -> None:
    assert not resolved_by_all([])
    a, b = Cursor(10), Cursor(4, [6, 9])
    assert members(resolved_by_all([a, b])) == {1, 2, 3, 4, 6, 7, 8}
