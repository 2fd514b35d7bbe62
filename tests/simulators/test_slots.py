"""A line of slots adds up, and every way it may not is found."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.slots import GapSaid, SlotLine

EVERY = 1000


def line(scans, *gaps):
    made = SlotLine(EVERY)
    for t in scans:
        made.scan(t)
    for since, until, slots, certain in gaps:
        made.gap(GapSaid(since, until, slots, certain))
    return made


def test_a_gap_that_states_too_much_doubles_slots() -> None:
    right = line([1000, 6000], (2000, 6000, 4, True))
    over = line([1000, 6000], (2000, 6000, 6, True))
    under = line([1000, 6000], (2000, 6000, 3, True))

    assert right.add_up() == (4, 0, 0, ())
    assert over.add_up() == (6, 0, 2, ("2 doubled between 1000 and 6000",))
    assert under.add_up() == (3, 1, 0, ("1 unexplained between 1000 and 6000",))


def test_fast_polls_that_are_late_for_a_while_and_catch_up_miss_nothing() -> None:
    late = SlotLine(100)
    for t in (0, 100, 200, 447, 500, 600, 700, 800, 900, 998, 1000, 1100, 1200):
        late.scan(t)

    assert late.add_up()[:3] == (0, 0, 0)


def test_too_much_here_does_not_pay_for_too_little_there() -> None:
    both = line([1000, 6000, 7000, 10_000], (2000, 6000, 6, True))

    assert both.add_up()[:3] == (6, 2, 2)


def test_the_same_slots_in_two_gaps_are_doubled() -> None:
    twice = line([1000, 6000], (2000, 6000, 4, True), (3000, 6000, 3, True))

    assert twice.add_up().doubled == 3


def test_a_scan_without_a_slot_is_doubled() -> None:
    crowd = line([1000, 2000, 2200, 2500, 3000, 4000, 5000])

    assert crowd.add_up()[:3] == (0, 0, 2)


def test_scans_of_a_busy_machine_fill_their_slots_however_late() -> None:
    # Slots at 1.0, 2.0, ...; 3.0 was not asked, and is stated.
    late = line([1000, 2710, 4430, 5180, 6900, 7010, 8000, 9990, 10_010, 11_000],
                (3000, 4000, 1, True))  # fmt: skip

    assert late.add_up()[:3] == (1, 0, 0)


def test_an_uncertain_gap_is_narrowed_by_the_scans_that_arrived() -> None:
    # The store's last sign of life was at 2.0 s; scans got through until 5.0 s.
    cut = line([*range(1000, 5001, 1000), 9300], (2000, 9300, 7, False))

    assert cut.add_up()[:3] == (3, 0, 0)


def test_a_gap_told_again_by_a_clock_that_was_set_counts_once() -> None:
    told = line([1000, 21_300], (2000, 21_300, 20, False), (19_000, 21_300, 3, False))

    assert told.add_up().doubled == 0
    assert told.add_up().unexplained == 0


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["run", "gap", "off"]),
            st.integers(1, 30),
            st.floats(0, 0.3),
            st.integers(0, 999),
        ),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from([0, 1, 2]),
)
def test_what_a_gateway_does_always_adds_up(acts, omit) -> None:
    """Runs, gaps on the grid, and power cuts: an early sign of life, a new grid."""
    made = SlotLine(EVERY)
    grid, hidden = 1_000_000, 0
    times = [grid]
    made.scan(grid)
    for kind, slots, late, phase in acts:
        if kind == "run":
            for n in range(1, slots + 1):
                times.append(grid + n * EVERY + int(late * EVERY * (n % 2)))
                made.scan(times[-1])
            grid += slots * EVERY
        elif kind == "gap":
            made.gap(GapSaid(grid + EVERY, grid + (slots + 1) * EVERY, slots, True))
            grid += (slots + 1) * EVERY
            times.append(grid + int(late * EVERY))
            made.scan(times[-1])
        else:
            start = grid + slots * EVERY + phase
            known = max(times[-1] - (phase % 3) * EVERY, 1_000_000)
            places = math.ceil((start - grid) / EVERY) - math.ceil(
                (known - grid) / EVERY
            )
            made.gap(GapSaid(known, start, max(places, 0), False))
            made.scan(start)
            times.append(start)
            grid = grid + math.ceil((start + EVERY / 2 - grid) / EVERY) * EVERY
            made.scan(grid)
            times.append(grid)
    said = made.add_up()
    assert (said.unexplained, said.doubled) == (0, 0)

    # And a silent hole is found, whatever surrounds it.
    hole = grid + (omit + 3) * EVERY
    made.scan(hole)
    for n in range(1, 5):
        made.scan(hole + n * EVERY)
    hidden = omit + 2
    assert made.add_up().unexplained == pytest.approx(hidden, abs=0)


def test_a_line_that_is_stated_to_end_may_begin_again_later():
    line = SlotLine(1000)
    for t in (*range(0, 10_000, 1000), *range(500_000, 510_000, 1000)):
        line.scan(t)
    assert line.add_up().unexplained == 490

    line.ends.add(9300)

    assert line.add_up()[:3] == (0, 0, 0)


def test_the_first_scan_of_every_run_is_a_slot_of_its_own():
    times = [*range(0, 5000, 1000), 4300, 5000, 5400, 6000, 6300, 7000, 8000]
    line = SlotLine(1000, times)
    assert line.add_up().doubled

    line.starts = {4100, 5200, 6200}

    assert line.add_up()[:3] == (0, 0, 0)
