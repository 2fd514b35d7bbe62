"""Metres near a place, against an independent geodesic (Vincenty's inverse formula)."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.judge import earth

LUANNAN = (118.18012, 39.63041)


def vincenty_m(one, two):
    """Vincenty, Survey Review 23 (1975) 176: inverse, WGS-84."""
    a, f = 6378137.0, 1 / 298.257223563
    b = (1 - f) * a
    u1 = math.atan((1 - f) * math.tan(math.radians(one[1])))
    u2 = math.atan((1 - f) * math.tan(math.radians(two[1])))
    lam = length = math.radians(two[0] - one[0])
    for _ in range(100):
        sin_s = math.hypot(
            math.cos(u2) * math.sin(lam),
            math.cos(u1) * math.sin(u2) - math.sin(u1) * math.cos(u2) * math.cos(lam),
        )
        if sin_s == 0:
            return 0.0
        cos_s = math.sin(u1) * math.sin(u2) + math.cos(u1) * math.cos(u2) * math.cos(
            lam
        )
        sigma = math.atan2(sin_s, cos_s)
        sin_a = math.cos(u1) * math.cos(u2) * math.sin(lam) / sin_s
        cos2_a = 1 - sin_a**2
        cos_2m = cos_s - 2 * math.sin(u1) * math.sin(u2) / cos2_a if cos2_a else 0.0
        c = f / 16 * cos2_a * (4 + f * (4 - 3 * cos2_a))
        inner = cos_2m + c * cos_s * (-1 + 2 * cos_2m**2)
        before = lam
        lam = length + (1 - c) * f * sin_a * (sigma + c * sin_s * inner)
        if abs(lam - before) < 1e-13:
            break
    usq = cos2_a * (a**2 - b**2) / b**2
    big_a = 1 + usq / 16384 * (4096 + usq * (-768 + usq * (320 - 175 * usq)))
    big_b = usq / 1024 * (256 + usq * (-128 + usq * (74 - 47 * usq)))
    ds = (
        big_b
        * sin_s
        * (
            cos_2m
            + big_b
            / 4
            * (
                cos_s * (-1 + 2 * cos_2m**2)
                - big_b / 6 * cos_2m * (-3 + 4 * sin_s**2) * (-3 + 4 * cos_2m**2)
            )
        )
    )
    return b * big_a * (sigma - ds)


@pytest.mark.parametrize(
    ("far_deg", "off_m"), [(0.001, 0.001), (0.01, 0.01), (0.5, 3.0)]
)
def test_distances_at_forty_north_agree_with_a_geodesic(far_deg, off_m):
    for turn in range(0, 360, 15):
        x = LUANNAN[0] + far_deg * math.sin(math.radians(turn))
        y = LUANNAN[1] + far_deg * math.cos(math.radians(turn))

        assert earth.distance_m(LUANNAN, (x, y)) == pytest.approx(
            vincenty_m(LUANNAN, (x, y)), abs=off_m
        ), turn


@given(st.floats(-60, 60), st.floats(-0.05, 0.05), st.floats(-0.05, 0.05))
def test_distances_hold_wherever_fences_are(latitude, dx, dy):
    one, two = (100.0, latitude), (100.0 + dx, latitude + dy)

    assert earth.distance_m(one, two) == pytest.approx(
        vincenty_m(one, two), rel=2e-5, abs=0.01
    )


SQUARE = ((118.0, 39.0), (118.1, 39.0), (118.1, 39.1), (118.0, 39.1))
HORSESHOE = (
    (118.0, 39.0), (118.1, 39.0), (118.1, 39.1), (118.07, 39.1),
    (118.07, 39.03), (118.03, 39.03), (118.03, 39.1), (118.0, 39.1),
)  # fmt: skip


def test_inside_and_outside_of_a_square_and_of_a_horseshoe():
    assert earth.inside((118.05, 39.05), SQUARE)
    assert not earth.inside((118.15, 39.05), SQUARE)
    assert earth.inside((118.01, 39.08), HORSESHOE)
    assert not earth.inside((118.05, 39.08), HORSESHOE)
    assert earth.inside((118.05, 39.01), HORSESHOE)


def test_the_nearest_side_is_measured_square_to_it():
    north_m = earth.edge_m((118.05, 39.101), SQUARE)

    assert north_m == pytest.approx(
        vincenty_m((118.05, 39.1), (118.05, 39.101)), abs=0.1
    )
    corner_m = earth.edge_m((118.101, 39.101), SQUARE)
    assert corner_m == pytest.approx(
        vincenty_m((118.1, 39.1), (118.101, 39.101)), abs=0.1
    )


@given(st.floats(117.9, 118.2), st.floats(38.9, 39.2))
def test_a_convex_polygon_holds_what_lies_left_of_all_its_sides(x, y):
    corners = ((118.0, 39.0), (118.12, 39.01), (118.08, 39.1), (118.01, 39.08))
    turns = []
    for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
        turns.append((x2 - x1) * (y - y1) - (y2 - y1) * (x - x1))
    assume(all(abs(turn) > 1e-12 for turn in turns))

    assert earth.inside((x, y), corners) == all(turn > 0 for turn in turns)


def test_sides_that_cross_are_found():
    bow = ((118.0, 39.0), (118.1, 39.1), (118.1, 39.0), (118.0, 39.1))

    assert earth.crossing(bow)
    assert not earth.crossing(SQUARE)
    assert not earth.crossing(HORSESHOE)


def test_the_antimeridian_is_no_edge_of_the_world():
    assert earth.distance_m((179.9999, 10.0), (-179.9999, 10.0)) == pytest.approx(
        earth.distance_m((10.0, 10.0), (10.0002, 10.0))
    )
