"""Hand-computed: the arithmetic stands beside each number."""

from fractions import Fraction
from functools import reduce
from operator import add

from hypothesis import given
from hypothesis import strategies as st

from gateway.average.derived import Derived
from gateway.average.water import Load, mass, mean_flow, slice_volume

F = Fraction


def test_volume_of_a_slice():
    # 12.5 L/s * 5 s / 1000 = 0.0625 m3
    assert slice_volume(F("12.5"), F(5)) == F("0.0625")


def test_mean_flow_of_a_ten_minute_volume():
    # 7.5 m3 in 600 s: 1000 * 7.5 / 600 = 12.5 L/s
    assert mean_flow(F("7.5"), F(600)).value == F("12.5")
    assert mean_flow(F("7.5"), F(0)) == Derived(None, "empty")


def test_mass_of_a_volume():
    # 45 m3 * 38.2 mg/L / 1000 = 1719 g / 1000 = 1.719 kg
    assert mass(F(45), F("38.2")) == F("1.719")


def test_flow_weighted_and_arithmetic_mean_of_an_hour():
    # slice    flow L/s   600 s: volume m3   COD mg/L   mass kg
    # 1        10         6                  60         0.36
    # 2        10         6                  60         0.36
    # 3        20         12                 30         0.36
    # 4        40         24                 25         0.60
    # 5        0          0                  500        0
    # 6        20         12                 45         0.54
    # sum                 60                 720        2.22
    flows = [F(10), F(10), F(20), F(40), F(0), F(20)]
    levels = [F(60), F(60), F(30), F(25), F(500), F(45)]
    load = Load()
    for flow, level in zip(flows, levels, strict=True):
        load = load.with_slice(level, slice_volume(flow, F(600)))

    assert load.volume == 60
    assert load.mass == F("2.22")
    # 1000 * 2.22 / 60 = 37 mg/L: standing water of 500 mg/L weighs nothing
    assert load.mean("flow_weighted").value == 37
    # 720 / 6 = 120 mg/L
    assert load.mean("arithmetic").value == 120


def test_without_flow_a_weighted_mean_is_none_and_not_another_mean():
    load = Load().with_slice(F(30), F(0)).with_slice(F(40), F(0))

    assert load.mean("flow_weighted") == Derived(None, "no_flow")
    assert load.mean("arithmetic").value == 35
    assert Load().mean("flow_weighted") == Derived(None, "empty")
    assert Load().mean("arithmetic") == Derived(None, "empty")


slices = st.lists(
    st.tuples(
        st.decimals(0, 1000, places=3).map(F), st.decimals(0, 100, places=3).map(F)
    ),
    min_size=1,
    max_size=12,
)


@given(slices, st.randoms(use_true_random=False), st.integers(0, 12))
def test_a_load_is_the_same_in_any_order_and_cut_anywhere(parts, random, cut):
    whole = reduce(lambda load, part: load.with_slice(*part), parts, Load())
    mixed = random.sample(parts, len(parts))
    front = reduce(lambda load, part: load.with_slice(*part), mixed[:cut], Load())
    back = reduce(lambda load, part: load.with_slice(*part), mixed[cut:], Load())

    assert add(front, back) == whole
    assert add(back, front) == whole


@given(slices)
def test_a_weighted_mean_lies_between_its_concentrations(parts):
    load = reduce(lambda load, part: load.with_slice(*part), parts, Load())
    found = load.mean("flow_weighted").value

    levels = [level for level, volume in parts if volume]
    if levels:
        assert min(levels) <= found <= max(levels)
        assert found * load.volume == 1000 * load.mass
    else:
        assert found is None
