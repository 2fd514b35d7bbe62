"""Hand-computed: the arithmetic stands beside each number."""

from fractions import Fraction
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from gateway.average.mass import Total, over

F = Fraction


def test_a_minute_of_mass_out_of_twelve_slots():
    # 12 slots of 5 s at 7.2 kg/h: 60 s * 7.2 / 3600 = 0.12 kg
    total = Total()
    for _ in range(12):
        total = total.with_slot(F("7.2"), 5000)

    assert total.value == F("0.12")
    assert total.ms == 60_000
    assert total.mean_rate == F("7.2")


def test_what_was_not_measured_is_in_no_total():
    # 9 of 12 slots: 45 s * 7.2 / 3600 = 0.09 kg, and the mean rate is still 7.2
    total = reduce(
        lambda so_far, _: so_far.with_slot(F("7.2"), 5000), range(9), Total()
    )

    assert total.value == F("0.09")
    assert total.mean_rate == F("7.2")


def test_slots_of_different_length_weigh_as_long_as_they_are():
    # 10 kg/h for 30 s and 40 kg/h for 10 s: (300 + 400) / 3600 = 7/36 kg
    # mean rate (300 + 400) / 40 = 17.5 kg/h
    total = Total().with_slot(F(10), 30_000).with_slot(F(40), 10_000)

    assert total.value == F(7, 36)
    assert total.mean_rate == F("17.5")


def test_nothing_is_nothing_and_has_no_rate():
    assert Total().value == 0
    assert Total().mean_rate is None


def test_one_rate_over_an_hour():
    assert over(F("7.2"), 3_600_000) == F("7.2")


slots = st.lists(st.tuples(st.fractions(-10, 10**6), st.integers(1, 3_600_000)))


@given(slots, st.randoms(use_true_random=False), st.integers(0, 20))
def test_a_total_is_the_same_in_any_order_and_cut_anywhere(parts, random, cut):
    whole = reduce(lambda total, part: total.with_slot(*part), parts, Total())
    mixed = random.sample(parts, len(parts))
    front = reduce(lambda total, part: total.with_slot(*part), mixed[:cut], Total())
    back = reduce(lambda total, part: total.with_slot(*part), mixed[cut:], Total())

    assert front + back == whole
