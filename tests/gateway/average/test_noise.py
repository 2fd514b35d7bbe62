"""Hand-computed where decibels allow it, by another arithmetic where they do not."""

import math
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.average.noise import (
    Levels,
    by_day,
    day_and_night,
    energy,
    ldn,
    level_of,
)
from gateway.factors.number import GRAINS_PER_UNIT, shown

F = Fraction


def levels(*values):
    found = Levels()
    for value in values:
        assert found.take(F(value))
    return found


def test_a_constant_level_is_its_own_mean():
    assert levels(*["62.3"] * 60).leq == F("62.3")


def test_the_mean_is_one_of_energies():
    # one second of 70 dB among nine of 60 dB: (10^7 + 9 * 10^6) / 10 = 1.9 * 10^6
    # 10 * lg(1.9e6) = 60 + 10 * lg(1.9) = 62.787536009528...
    found = levels(70, *[60] * 9).leq

    assert shown(found, 9) == "62.787536010"


def test_twice_the_energy_is_three_decibels_more():
    # 10 * lg 2 = 3.010299956639811952...
    assert level_of(F(2)) == F("3.010299956640")


def test_percentiles_of_a_hundred_readings_are_the_5th_10th_50th_90th_95th():
    # 41.0, 41.1, ... 50.9 dB, in no order: the loudest is the 1st
    values = [F(410 + index, 10) for index in range(100)]
    found = levels(*values[::2], *values[1::2]).statistics()

    assert found["l5"] == F("50.5")
    assert found["l10"] == F("50.0")
    assert found["l50"] == F("46.0")
    assert found["l90"] == F("42.0")
    assert found["l95"] == F("41.5")
    assert found["lmx"] == F("50.9")
    assert found["lmn"] == F("41.0")


def test_percentiles_of_a_few_readings_round_their_rank_up():
    # of 3 readings: 5 % -> 0.15 -> 1st; 50 % -> 1.5 -> 2nd; 95 % -> 2.85 -> 3rd
    found = levels(50, 60, 70).statistics()

    assert (found["l5"], found["l50"], found["l95"]) == (70, 60, 50)


def test_extremes_are_the_readings_and_classes_a_tenth_of_a_decibel():
    found = levels("50.04", "50.05", "50.15").statistics()

    assert (found["lmn"], found["lmx"]) == (F("50.04"), F("50.15"))
    # 50.05 lies between 50.0 and 50.1, even is 500; 50.15 between 50.1 and 50.2, even
    # is 502
    assert (found["l95"], found["l50"], found["l5"]) == (50, 50, F("50.2"))


def test_nothing_has_no_statistics():
    assert Levels().statistics() == {}
    assert Levels().leq is None
    assert Levels().exceeded(10) is None


def test_what_is_no_sound_level_is_not_counted():
    found = Levels()

    assert not found.take(F(10**9))
    assert found == Levels()


def test_day_is_06_to_22_hours():
    assert [hour for hour in range(24) if by_day(hour)] == list(range(6, 22))


def test_the_night_weighs_ten_decibels_more():
    # ld = 60, ln = 50: (16 * 10^6 + 8 * 10^(5+1)) / 24 = 10^6 -> 60 dB
    assert ldn(F(60), F(50)) == 60
    # ld = 55, ln = 55: 55 + 10 * lg((16 + 8 * 10) / 24) = 55 + 10 * lg 4
    # = 55 + 6.020599913279...
    assert ldn(F(55), F(55)) == F("61.020599913280")


def test_a_day_without_a_night_has_no_ldn():
    day, night = levels(60, 60), levels(50)

    assert day_and_night(day, night) == {"ld": F(60), "ln": F(50), "ldn": F(60)}
    assert day_and_night(day, Levels()) == {"ld": F(60)}
    assert day_and_night(Levels(), night) == {"ln": F(50)}
    assert day_and_night(Levels(), Levels()) == {}


def test_an_energy_is_rounded_to_its_grain():
    assert energy(F(0)) == GRAINS_PER_UNIT
    assert energy(F(60)) == 10**6 * GRAINS_PER_UNIT
    # 10^0.01 = 1.023292992280754130966...
    assert energy(F("0.1")) == 1_023_292_992_281


some = st.lists(st.integers(-100, 1400).map(lambda tenths: F(tenths, 10)), max_size=40)


@given(some, st.randoms(use_true_random=False), st.integers(0, 40))
def test_levels_are_the_same_in_any_order_and_cut_anywhere(values, random, cut):
    whole = levels(*values)
    mixed = random.sample(values, len(values))
    front, back = levels(*mixed[:cut]), levels(*mixed[cut:])
    front = msgspec.json.decode(msgspec.json.encode(front), type=Levels)  # a restart

    front.merge(back)

    assert front == whole
    assert front.statistics() == whole.statistics()


@given(st.lists(st.decimals(20, 140, places=2).map(F), min_size=1, max_size=60))
def test_leq_agrees_with_floating_point_and_lies_among_the_readings(values):
    found = levels(*values)

    mean = math.fsum(10 ** (float(value) / 10) for value in values) / len(values)
    assert float(found.leq) == pytest.approx(10 * math.log10(mean), abs=1e-9)
    slack = F(1, 10**11)
    assert min(values) - slack <= found.leq <= max(values) + slack


@given(st.lists(st.integers(200, 1400), min_size=1, max_size=200))
def test_a_percentile_is_reached_as_often_as_it_says(tenths):
    found = levels(*[F(value, 10) for value in tenths])

    for percent in (5, 10, 50, 90, 95):
        level = found.exceeded(percent)
        reached = sum(F(value, 10) >= level for value in tenths)
        above = sum(F(value, 10) > level for value in tenths)
        assert 100 * reached >= percent * len(tenths)
        assert 100 * above < percent * len(tenths)
