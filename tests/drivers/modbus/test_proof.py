"""No request ever looks like one whose answer could still come."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.proof import Hold, Shape, UnitProof
from drivers.modbus.transaction import Span

WINDOW_S = 1.0
LIFE_S = 2.0


def chosen(proof: UnitProof, span: Span, now: float) -> Shape:
    shape = proof.choose(span, now)
    assert isinstance(shape, Shape), f"no shape before {shape.until}"
    return shape


def good(proof: UnitProof, span: Span, now: float, window_s: float = WINDOW_S) -> Shape:
    shape = chosen(proof, span, now)
    proof.sent(shape, now)
    proof.answered(span, shape, now, window_s)
    return shape


def silent(proof: UnitProof, span: Span, now: float) -> Shape:
    shape = chosen(proof, span, now)
    proof.sent(shape, now)
    proof.silent(span, shape, now, LIFE_S, now)
    return shape


def test_the_first_request_is_the_bare_span() -> None:
    shape = chosen(UnitProof(), Span("holding", 100, 10, 4, 4), 0.0)

    assert (shape.function, shape.start, shape.count, shape.size) == (3, 100, 10, 20)


def test_no_two_of_three_requests_share_a_size_however_slow_the_polls() -> None:
    proof, span = UnitProof(), Span("input", 100, 10, 0, 2)

    sizes = [good(proof, span, 60.0 * i).size for i in range(30)]

    assert all(len(set(sizes[i : i + 3])) == 3 for i in range(28)), sizes


def test_one_spare_register_is_used_by_turns() -> None:
    proof, span = UnitProof(), Span("input", 100, 10, 0, 1)

    sizes = [good(proof, span, 60.0 * i).size for i in range(6)]

    assert sizes == [20, 22, 20, 22, 20, 22]


def test_a_bit_table_is_padded_in_eights() -> None:
    proof, span = UnitProof(), Span("coil", 100, 10, 16, 16)

    shapes = [good(proof, span, 0.0) for _ in range(5)]

    assert [s.size for s in shapes] == [2, 3, 4, 5, 6]
    assert [s.count for s in shapes] == [10, 17, 25, 33, 41]
    assert all(s.start <= 100 and s.start + s.count >= 110 for s in shapes)


def test_tables_of_other_functions_do_not_stand_in_each_others_way() -> None:
    proof = UnitProof()
    good(proof, Span("holding", 0, 10), 0.0)

    assert isinstance(proof.choose(Span("input", 0, 10), 0.0), Shape)


def test_neighbours_of_one_length_take_different_sizes() -> None:
    proof = UnitProof()
    spans = [Span("holding", at, 12, 4, 4) for at in (12, 24, 36, 48)]

    sizes = [good(proof, span, 0.1 * i).size for i, span in enumerate(spans)]

    assert len(set(sizes)) == 4


def test_a_ghosts_shape_is_not_used_while_it_lives() -> None:
    proof, span = UnitProof(), Span("holding", 0, 10)
    silent(proof, span, 0.0)

    held = proof.choose(span, 1.99)

    assert held == Hold(LIFE_S, ghost=True)
    assert isinstance(proof.choose(span, LIFE_S), Shape)


def test_an_answered_shape_is_not_used_within_its_window() -> None:
    proof, span = UnitProof(), Span("holding", 0, 10)
    good(proof, span, 0.0)

    assert proof.choose(span, 0.99) == Hold(WINDOW_S)
    assert isinstance(proof.choose(span, WINDOW_S), Shape)


def test_hold_names_the_earliest_moment_of_a_size_that_is_not_barred() -> None:
    proof, span = UnitProof(), Span("holding", 0, 10, 0, 3)
    for now, window_s in ((0.0, 3.0), (0.1, 2.0), (0.2, 1.0), (0.3, 1.0)):
        good(proof, span, now, window_s)

    assert proof.choose(span, 0.6) == Hold(3.0)


def test_the_last_two_sizes_wait_for_a_third_whose_window_is_longer() -> None:
    """Windows shrink when a time-out is learned; the order must not."""
    proof, span = UnitProof(), Span("holding", 0, 10, 0, 2)
    for now, window_s in ((0.0, 1.0), (0.1, 0.1), (0.2, 0.1)):
        good(proof, span, now, window_s)

    assert proof.choose(span, 0.4) == Hold(1.0)
    assert chosen(proof, span, 1.0).count == 10


def test_two_sizes_alternate_while_a_ghost_holds_the_third() -> None:
    proof, span = UnitProof(), Span("holding", 0, 10, 0, 2)
    silent(proof, span, 0.0)

    counts = [good(proof, span, 0.3 * i, window_s=0.1).count for i in range(1, 6)]

    assert counts == [11, 12, 11, 12, 11]


def test_a_recognised_late_answer_ends_its_ghost_but_its_repeat_is_awaited() -> None:
    proof, span = UnitProof(), Span("holding", 0, 10)
    shape = silent(proof, span, 10.0)

    lateness = proof.late(3, shape.size, 10.7, window_s=0.2)

    assert lateness == pytest.approx(0.7)
    assert proof.choose(span, 10.8) == Hold(pytest.approx(10.9))
    assert proof.late(3, shape.size, 10.85, 0.2) is None
    assert proof.known(3, shape.size)


def test_an_unheard_of_shape_is_foreign() -> None:
    proof = UnitProof()

    assert proof.late(3, 20, 0.0, 1.0) is None
    assert not proof.known(3, 20)


@pytest.mark.parametrize("count", [125, 124])
def test_never_more_than_the_standard_allows(count: int) -> None:
    proof, span = UnitProof(), Span("holding", 50, count, 10, 10)
    counts = set()
    for _ in range(125 - count + 1):
        counts.add(good(proof, span, 0.0).count)

    assert max(counts) == 125
    assert isinstance(proof.choose(span, 0.0), Hold)


def test_padding_stays_inside_the_address_space() -> None:
    proof, low, high = (
        UnitProof(),
        Span("input", 1, 4, 9, 0),
        Span("input", 65530, 5, 0, 9),
    )

    shapes = [good(proof, low, 0.0) for _ in range(2)]
    ends = [good(proof, high, at) for at in (5.0, 7.0)]

    assert min(s.start for s in shapes) == 0
    assert isinstance(proof.choose(low, 0.0), Hold)
    assert max(s.start + s.count for s in ends) == 65536


def test_within_a_window_of_any_answer_no_size_of_the_last_three_is_used() -> None:
    """What a buffer gives out after an answer looks like that one, or one before it."""
    proof = UnitProof()
    sizes = [Span("holding", 10 * size, size) for size in (3, 4, 5, 6)]
    for at, span in enumerate(sizes[:3]):
        good(proof, span, 0.5 * at)  # answered at 0, 0.5 and 1

    assert proof.choose(sizes[0], 1.5) == Hold(2.0)
    good(proof, sizes[3], 1.5)
    assert proof.choose(sizes[1], 2.1) == Hold(2.5)
    assert isinstance(proof.choose(sizes[0], 2.1), Shape)


def test_an_outlook_tells_waiting_from_repeating_and_changes_nothing() -> None:
    proof, one, two = UnitProof(), Span("holding", 0, 3), Span("holding", 50, 4)
    assert proof.outlook(one, 0.0)[:2] == (0.0, False)

    good(proof, one, 0.0, 0.3)
    assert proof.outlook(one, 0.1)[:2] == (pytest.approx(0.2), True)
    assert proof.outlook(one, 0.4)[:2] == (0.0, True)
    assert proof.outlook(two, 0.4)[:2] == (0.0, False)
    good(proof, two, 0.5)
    good(proof, Span("holding", 90, 5), 0.6)
    assert proof.outlook(one, 5.0)[:2] == (0.0, False)
    assert proof.choose(one, 0.4) == proof.choose(one, 0.4)


def test_a_span_whose_exceptions_are_doubted_twice_waits_for_the_ghosts_to_go() -> None:
    """Each doubted exception leaves a ghost, which casts doubt on the next one."""
    proof, span = UnitProof(), Span("holding", 100, 10, 4, 4)
    for at in (0.0, 1.0):
        silent(proof, span, at)
        proof.muddled(span)

    assert proof.choose(span, 1.5) == Hold(1.0 + LIFE_S, ghost=True)
    assert isinstance(proof.choose(Span("holding", 0, 3), 1.5), Shape)
    assert isinstance(proof.choose(span, 3.5), Shape)

    proof.clear(span)
    silent(proof, span, 4.0)
    assert isinstance(proof.choose(span, 4.5), Shape)


def test_refused_padding_is_left_out_from_then_on() -> None:
    proof, span = UnitProof(), Span("holding", 100, 10, 0, 4)
    good(proof, span, 0.0)
    padded = chosen(proof, span, 0.1)
    proof.sent(padded, 0.1)
    proof.refused(span, padded, 0.1)

    assert proof.choose(span, 0.2, bare=True) == Hold(WINDOW_S)
    assert proof.choose(span, 0.2) == Hold(WINDOW_S)
    assert chosen(proof, span, 5.0).count == 10
    assert good(proof, span, 5.0).count == 10


def test_padding_is_tried_again_after_an_hour() -> None:
    proof, span = UnitProof(), Span("holding", 100, 10, 0, 1)
    good(proof, span, 0.0)
    proof.refused(span, chosen(proof, span, 0.1), 0.1)
    good(proof, span, 10.0)

    assert {good(proof, span, 10.0 * i).count for i in range(2, 6)} == {10}
    assert {good(proof, span, 3700.0 + 10.0 * i).count for i in range(2)} == {10, 11}


def test_the_other_side_is_used_when_one_is_refused() -> None:
    proof, span = UnitProof(), Span("holding", 100, 10, 2, 2)
    good(proof, span, 0.0)
    after = chosen(proof, span, 0.1)
    assert (after.start, after.count) == (100, 11)
    proof.refused(span, after, 0.1)

    before = chosen(proof, span, 0.2)

    assert (before.start, before.count) == (99, 11)


def test_when_the_bare_span_is_refused_its_padding_said_nothing() -> None:
    proof, span = UnitProof(), Span("holding", 100, 10, 0, 1)
    good(proof, span, 0.0)
    proof.refused(span, chosen(proof, span, 0.1), 0.1)
    bare = proof.choose(span, 10.0, bare=True)
    assert isinstance(bare, Shape)
    proof.refused(span, bare, 10.0)

    assert {good(proof, span, 20.0 * i).count for i in range(1, 3)} == {10, 11}


def test_silence_outside_the_map_is_doubted_and_a_late_answer_clears_it() -> None:
    proof, span = UnitProof(), Span("holding", 100, 10, 0, 3)
    good(proof, span, 0.0, window_s=0.1)
    padded = chosen(proof, span, 1.0)
    proof.sent(padded, 1.0)
    proof.silent(span, padded, 1.0, LIFE_S, 1.5)

    assert chosen(proof, span, 1.6).count == 10
    proof.late(3, padded.size, 1.7, window_s=0.1)
    good(proof, span, 1.9, window_s=0.1)
    assert chosen(proof, span, 2.5).count > 10


def test_an_exception_is_doubtful_while_a_ghost_of_its_function_lives() -> None:
    proof, span = UnitProof(), Span("holding", 0, 10)
    silent(proof, span, 0.0)

    assert proof.doubtful(3, 2, 1.0)
    assert proof.haunted(3, 1.0)
    assert not proof.doubtful(4, 2, 1.0)
    assert not proof.doubtful(3, 2, LIFE_S)


def test_the_same_exception_again_is_doubtful_for_a_window() -> None:
    proof = UnitProof()
    proof.excepted(3, 2, until=1.0)

    assert proof.doubtful(3, 2, 0.9)
    assert not proof.doubtful(3, 4, 0.9)
    assert not proof.doubtful(3, 2, 1.0)


def test_an_unconfirmed_write_blocks_its_like_and_nothing_else() -> None:
    proof = UnitProof()
    proof.write_silent(16, 100, 2, sent_at=0.0, life_s=LIFE_S)

    assert proof.write_free(16, 100, 2, 1.0) == LIFE_S
    assert proof.write_free(16, 101, 2, 1.0) == 0.0
    assert proof.write_free(16, 100, 3, 1.0) == 0.0
    assert proof.write_free(16, 100, 2, LIFE_S) == 0.0
    assert isinstance(proof.choose(Span("holding", 100, 2), 1.0), Shape)


spans = st.builds(
    Span,
    st.sampled_from(["coil", "discrete", "holding", "input"]),
    st.integers(0, 65000),
    st.integers(1, 60),
    st.integers(0, 20),
    st.integers(0, 20),
)


@given(st.lists(spans, min_size=1, max_size=4), st.integers(0, 2**32), st.data())
def test_whatever_happens_no_shape_could_be_mistaken(
    of: list[Span], seed: int, data: st.DataObject
) -> None:
    del data
    rng, proof, now = random.Random(seed), UnitProof(), 1000.0
    free_at: dict[tuple[int, int], float] = {}
    for _ in range(60):
        now += rng.choice((0.0, 0.01, 0.3, 1.0, 5.0))
        span = rng.choice(of)
        shape = proof.choose(span, now)
        if isinstance(shape, Hold):
            assert shape.until > now
            continue
        key = (shape.function, shape.size)
        assert free_at.get(key, 0.0) <= now, f"seed {seed}: {key} at {now}"
        assert span.start - span.room_before <= shape.start <= span.start
        end = span.start + span.count
        assert end <= shape.start + shape.count <= end + span.room_after
        proof.sent(shape, now)
        now += rng.uniform(0.0, 0.5)
        if rng.random() < 0.3:
            proof.silent(span, shape, now, LIFE_S, now)
            free_at[key] = now + LIFE_S
            if rng.random() < 0.5:
                now += rng.uniform(0.0, 3.0)
                assert proof.late(*key, now, WINDOW_S) is not None
                free_at[key] = now + WINDOW_S
        else:
            proof.answered(span, shape, now, WINDOW_S)
            free_at[key] = now + WINDOW_S


def test_the_silence_of_a_dead_unit_says_nothing_about_its_room() -> None:
    proof, span = UnitProof(), Span("holding", 100, 10, 2, 2)

    counts = [silent(proof, span, 0.1 * i).count for i in range(5)]

    assert counts == [10, 11, 12, 13, 14]
