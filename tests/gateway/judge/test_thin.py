"""A thinned line keeps its word: every fix within the bound, at its own time."""

from __future__ import annotations

import math
import random
from bisect import bisect_right

from hypothesis import given
from hypothesis import strategies as st

from gateway.judge.earth import distance_m, scale
from gateway.judge.thin import Corner, Thinner

HOME = (118.18012, 39.63041)


def thinned(fixes, within_m):
    thinner = Thinner(within_m)
    corners = [corner for each in fixes if (corner := thinner.add(each))]
    last = thinner.end()
    return corners + ([last] if last else [])


def worst_m(fixes, corners):
    """The farthest that any fix lies from the line at its own time."""
    times = [corner.ms for corner in corners]
    worst = 0.0
    for fix in fixes:
        k = min(bisect_right(times, fix.ms), len(corners) - 1)
        one, two = corners[max(0, k - 1)], corners[k]
        share = 0.0 if two.ms == one.ms else (fix.ms - one.ms) / (two.ms - one.ms)
        x = one.longitude + share * (two.longitude - one.longitude)
        y = one.latitude + share * (two.latitude - one.latitude)
        worst = max(worst, distance_m((x, y), (fix.longitude, fix.latitude)))
    return worst


def walk(rng, count, every_ms=1000):
    """A drive with turns, halts and noise."""
    metres = scale(HOME[1])
    x = y = heading = 0.0
    fixes = []
    for n in range(count):
        speed = 0.0 if n // 120 % 4 == 3 else 12.0
        heading += rng.gauss(0, 0.05) + (math.pi / 2 if n % 200 == 199 else 0)
        x += speed * math.sin(heading) + rng.gauss(0, 0.5)
        y += speed * math.cos(heading) + rng.gauss(0, 0.5)
        place = HOME[0] + x / metres.east_m, HOME[1] + y / metres.north_m
        fixes.append(Corner(n * every_ms, *place))
    return fixes


def test_a_drive_keeps_its_bound_with_a_fraction_of_the_fixes(seed, figure):
    fixes = walk(random.Random(seed), 3600)

    corners = thinned(fixes, 10.0)

    assert set(corners) <= set(fixes), seed
    assert (corners[0], corners[-1]) == (fixes[0], fixes[-1])
    assert worst_m(fixes, corners) <= 10.0, seed
    assert len(corners) < len(fixes) / 5
    figure("corners of 3600 fixes", len(corners))


def test_standing_still_is_two_corners():
    fixes = [Corner(1000 * n, *HOME) for n in range(600)]

    assert thinned(fixes, 5.0) == [fixes[0], fixes[-1]]


def test_the_same_moment_twice_is_taken_once():
    fixes = [Corner(0, *HOME), Corner(1000, *HOME), Corner(1000, 118.2, 39.6)]

    assert thinned(fixes, 5.0) == fixes[:2]


@given(
    st.lists(
        st.tuples(
            st.integers(1, 5000), st.floats(-0.002, 0.002), st.floats(-0.002, 0.002)
        ),
        min_size=1,
        max_size=80,
    ),
    st.floats(0.5, 100),
)
def test_no_fix_lies_beyond_the_bound(steps, within_m):
    ms, x, y, fixes = 0, *HOME, []
    for step, dx, dy in steps:
        ms, x, y = ms + step, x + dx, y + dy
        fixes.append(Corner(ms, x, y))

    corners = thinned(fixes, within_m)

    assert set(corners) <= set(fixes)
    assert [c.ms for c in corners] == sorted({c.ms for c in corners})
    # Half a per mille: the metres of a degree are those at the last corner.
    assert worst_m(fixes, corners) <= within_m * 1.005
