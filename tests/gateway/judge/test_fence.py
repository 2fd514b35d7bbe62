"""A fence speaks when a good fix proves it, for long enough, and not before."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import Instant
from gateway.config.places import Fence
from gateway.judge import earth, fence
from gateway.judge.fence import State
from gateway.judge.fix import Fix

HOME = (118.18012, 39.63041)
YARD = Fence(
    name="yard", device="g", rule="stay_in", circle=HOME, radius_m=300, dwell_s=30
)
SPRING = Fence(
    name="spring",
    device="g",
    rule="keep_out",
    polygon=((118.2, 39.6), (118.21, 39.6), (118.21, 39.61), (118.2, 39.61)),
    dwell_s=10,
)


def at(ms):
    return Instant(1_763_712_000_000 + ms, ms, "00000001", True)


def north_of(place, metres):
    return place[0], place[1] + metres / earth.scale(place[1]).north_m


def fix(ms, place, *, accuracy=3.0, hdop=0.9, kind="single"):
    return Fix(at(ms), place[0], place[1], None, accuracy, hdop, kind)


def run(conf, fixes, state=None):
    state, found = state or State(), []
    for each in fixes:
        state, crossed = fence.step(conf, state, each)
        if crossed is not None:
            found.append(crossed)
    return state, found


def stay(metres, since_s, until_s, **how):
    return [
        fix(1000 * s, north_of(HOME, metres), **how) for s in range(since_s, until_s)
    ]


def test_leaving_is_told_after_the_dwell_with_the_time_it_began():
    state, found = run(YARD, [*stay(0, 0, 60), *stay(400, 60, 200), *stay(0, 200, 300)])

    gone, back = found[1:]
    assert (gone.wrong, gone.at, gone.seen) == (True, at(60_000), at(59_000))
    assert gone.beyond_m == pytest.approx(100, abs=0.1)
    assert (back.wrong, back.at, back.seen) == (False, at(200_000), at(199_000))
    assert state.wrong is False


def test_a_short_trip_over_the_line_is_none():
    trip = [*stay(0, 0, 60), *stay(400, 60, 85), *stay(0, 85, 200)]

    assert len(run(YARD, trip)[1]) == 1


@pytest.mark.parametrize(
    "poor",
    [
        {"accuracy": 80.0},
        {"hdop": 12.0},
        {"accuracy": None, "hdop": None},
        {"kind": "estimated"},
        {"kind": "simulated"},
    ],
)
def test_no_alarm_on_a_poor_fix_and_no_end_of_one_either(poor):
    state, found = run(YARD, [*stay(0, 0, 60), *stay(5000, 60, 600, **poor)])
    assert len(found) == 1
    assert state.wrong is False

    _, found = run(YARD, [*stay(400, 0, 60), *stay(0, 60, 600, **poor)])
    assert [each.wrong for each in found] == [True]


def test_between_line_and_margin_nothing_changes():
    _, found = run(YARD, [*stay(0, 0, 60), *stay(305, 60, 600), *stay(0, 600, 700)])

    assert len(found) == 1


def test_a_fix_is_beyond_only_by_more_than_its_own_accuracy():
    near = [*stay(0, 0, 60), *stay(320, 60, 600, accuracy=25.0)]

    assert len(run(YARD, near)[1]) == 1
    assert len(run(YARD, [*stay(0, 0, 60), *stay(326, 60, 600, accuracy=25.0)])[1]) == 2


def test_one_outlier_during_the_dwell_begins_it_anew():
    fixes = [*stay(0, 0, 60), *stay(400, 60, 80), *stay(0, 80, 81), *stay(400, 81, 200)]

    _, found = run(YARD, fixes)

    assert found[1].at == at(81_000)


def test_two_fixes_far_apart_are_no_stay():
    fixes = [*stay(0, 0, 60), fix(60_000, north_of(HOME, 400))]
    later = fix(900_000, north_of(HOME, 400))

    assert len(run(YARD, [*fixes, later])[1]) == 1
    third = fix(901_000, north_of(HOME, 400))
    assert run(YARD, [*fixes, later, third])[1][1].at == at(60_000)


def test_a_forbidden_zone_is_entered_and_left():
    inside, outside = (118.205, 39.605), (118.205, 39.62)
    drive = [
        *(fix(1000 * s, outside) for s in range(60)),
        *(fix(1000 * s, inside) for s in range(60, 120)),
        *(fix(1000 * s, outside) for s in range(120, 180)),
    ]

    _, found = run(SPRING, drive)

    assert [(each.wrong, each.at) for each in found[1:]] == [
        (True, at(60_000)),
        (False, at(120_000)),
    ]


def test_who_begins_outside_is_told_as_such():
    _, (found,) = run(YARD, stay(400, 0, 60))

    assert (found.wrong, found.known, found.seen) == (True, False, None)


def model(fixes, dwell_ms):
    """Look back from each usable fix for an unbroken stay on the other side."""
    side, told = None, []
    proofs = []
    for ms, beyond, good in fixes:
        if not good or 0 < beyond <= 10:
            continue
        proofs.append((ms, beyond > 10))
        wrong = proofs[-1][1]
        if wrong == side:
            continue
        stay_ = []
        for when, was in reversed(proofs):
            if was != wrong:
                break
            stay_.append(when)
        if len(stay_) >= 3 and ms - stay_[-1] >= dwell_ms:
            side = wrong
            told.append((wrong, stay_[-1]))
    return told


@given(
    st.lists(
        st.tuples(
            st.integers(100, 9000),
            st.sampled_from([-300.0, -50.0, -1.0, 5.0, 50.0, 400.0]),
            st.sampled_from([True, True, True, False]),
        ),
        max_size=80,
    ),
    st.integers(0, 20_000),
)
def test_fences_are_what_a_simple_model_says(steps, dwell_ms):
    conf = Fence(
        name="f",
        device="g",
        rule="stay_in",
        circle=HOME,
        radius_m=300,
        dwell_s=dwell_ms / 1000,
    )
    ms, fixes, plain = 0, [], []
    for step, beyond, good in steps:
        ms += step
        place = north_of(HOME, 300 + beyond)
        fixes.append(fix(ms, place, hdop=1.0 if good else 9.0))
        plain.append((ms, beyond, good))

    _, found = run(conf, fixes)

    assert [(each.wrong, each.at.mono_ms) for each in found] == model(plain, dwell_ms)


def test_distances_do_not_depend_on_the_side_one_looks_from():
    for turn in range(0, 360, 30):
        scale = earth.scale(HOME[1])
        place = (
            HOME[0] + 310 * math.sin(math.radians(turn)) / scale.east_m,
            HOME[1] + 310 * math.cos(math.radians(turn)) / scale.north_m,
        )

        assert fence.beyond_m(YARD, place) == pytest.approx(10, abs=0.01), turn
