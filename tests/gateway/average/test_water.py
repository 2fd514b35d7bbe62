"""Hand-computed: the arithmetic stands beside each number."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.average.water import mass, slice_volume, weighted_mean

F = Fraction


def test_volume_of_a_slice():
    # 12.5 L/s * 5 s / 1000 = 0.0625 m3
    assert slice_volume(F("12.5"), F(5)) == F("0.0625")


def test_mass_of_a_volume():
    # 45 m3 * 38.2 mg/L / 1000 = 1719 g / 1000 = 1.719 kg
    assert mass(F(45), F("38.2")) == F("1.719")


def test_flow_weighted_mean_of_an_hour():
    # slice    flow L/s   600 s: volume m3   COD mg/L   mass kg
    # 1        10         6                  60         0.36
    # 2        10         6                  60         0.36
    # 3        20         12                 30         0.36
    # 4        40         24                 25         0.60
    # 5        0          0                  500        0
    # 6        20         12                 45         0.54
    # sum                 60                            2.22
    flows = [F(10), F(10), F(20), F(40), F(0), F(20)]
    levels = [F(60), F(60), F(30), F(25), F(500), F(45)]
    volumes = [slice_volume(flow, F(600)) for flow in flows]
    masses = [mass(*one) for one in zip(volumes, levels, strict=True)]

    assert sum(volumes) == 60
    assert sum(masses) == F("2.22")
    # 1000 * 2.22 / 60 = 37 mg/L: standing water of 500 mg/L weighs nothing
    assert weighted_mean(sum(volumes), sum(masses)) == 37


@pytest.mark.parametrize("volume", [0, -3])
def test_water_that_stood_still_or_flowed_back_has_no_weighted_mean(volume):
    assert weighted_mean(F(volume), F(1)) is None


slices = st.lists(
    st.tuples(
        st.decimals(0, 100, places=3).map(F), st.decimals(0, 1000, places=3).map(F)
    ),
    min_size=1,
    max_size=12,
)


@given(slices)
def test_a_weighted_mean_lies_between_its_concentrations(parts):
    found = weighted_mean(sum(v for v, _ in parts), sum(mass(v, c) for v, c in parts))

    levels = [level for volume, level in parts if volume]
    assert (found is None) == (not levels)
    assert found is None or min(levels) <= found <= max(levels)
