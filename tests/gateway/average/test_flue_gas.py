"""Hand-computed: the arithmetic stands beside each number."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.average.derived import Derived
from gateway.average.flue_gas import (
    Surroundings,
    actual_flow,
    converted,
    dry_standard,
    mass_rate,
    nox,
    standard_flow,
    to_dry,
)
from gateway.factors.molar import by_molar_mass
from gateway.factors.number import grains, of_grains, shown

F = Fraction
HOT = Surroundings(
    temperature=F(136.5), pressure=F(-1325), atmosphere=F(101325), moisture=F(8)
)


def value(found: Derived) -> Fraction:
    assert found.value is not None, found.lack
    return found.value


class TestStandardState:
    def test_actual_gas_is_brought_to_the_standard_state(self):
        # (273 + 136.5) / 273 = 409.5 / 273 = 1.5
        # 101325 / (101325 - 1325) = 101325 / 100000 = 1.01325
        # 40 mg/m3 * 1.01325 * 1.5 = 60.795 mg/m3
        assert dry_standard(F(40), "dry_actual", HOT).value == F("60.795")

    def test_wet_gas_loses_its_vapour(self):
        # 46 mg/m3 / (1 - 8/100) = 46 / 0.92 = 50 mg/m3
        assert dry_standard(F(46), "wet_standard", HOT).value == 50
        assert to_dry(F(46), F(8)).value == 50

    def test_wet_actual_gas_takes_both_steps(self):
        # 36.8 * 1.5 * 1.01325 / 0.92 = 40 * 1.519875 = 60.795
        assert dry_standard(F("36.8"), "wet_actual", HOT).value == F("60.795")

    def test_what_is_dry_and_standard_stays(self):
        assert dry_standard(F(40), "dry_standard", Surroundings()).value == 40

    def test_oxygen_measured_wet_becomes_dry(self):
        # 9.2 % / 0.92 = 10 %
        assert to_dry(F("9.2"), F(8)).value == 10

    @pytest.mark.parametrize(
        ("around", "lack"),
        [
            (Surroundings(temperature=F(-273), pressure=F(0)), "temperature"),
            (Surroundings(temperature=F(-300), pressure=F(0)), "temperature"),
            (Surroundings(temperature=F(20), pressure=F(-101325)), "pressure"),
            (Surroundings(pressure=F(0)), "empty"),
            (Surroundings(temperature=F(20)), "empty"),
            (Surroundings(temperature=F(20), pressure=F(0)), "empty"),
            (
                Surroundings(temperature=F(20), pressure=F(0), moisture=F(100)),
                "moisture",
            ),
        ],
    )
    def test_what_cannot_be_has_no_value_and_a_reason(self, around, lack):
        assert dry_standard(F(40), "wet_actual", around) == Derived(None, lack)
        assert standard_flow(F(1000), around) == Derived(None, lack)


class TestConverted:
    def test_at_the_oxygen_of_an_ordinary_boiler(self):
        # 35 mg/m3 * (21 - 6) / (21 - 9) = 35 * 15 / 12 = 43.75
        assert converted(F(35), F(9), F(6)).value == F("43.75")

    def test_at_the_reference_nothing_changes(self):
        assert converted(F(35), F(6), F(6)).value == 35

    def test_at_20_9_percent_the_formula_still_holds(self):
        # (21 - 6) / (21 - 20.9) = 15 / 0.1 = 150;  1.24 mg/m3 * 150 = 186 mg/m3
        assert converted(F("1.24"), F("20.9"), F(6)).value == 186

    def test_at_21_percent_there_is_none(self):
        assert converted(F("1.24"), F(21), F(6)) == Derived(None, "oxygen")

    def test_at_22_percent_there_is_none_and_never_a_negative_one(self):
        # the bare formula would give 1.24 * 15 / -1 = -18.6
        assert converted(F("1.24"), F(22), F(6)) == Derived(None, "oxygen")

    def test_a_negative_zero_drift_is_not_hidden(self):
        # -0.4 * 15 / 12 = -0.5
        assert converted(F("-0.4"), F(9), F(6)).value == F("-0.5")

    @given(
        st.fractions(0, 10_000),
        st.fractions(-1, 25, max_denominator=1000),
        st.sampled_from([F(3), F(6), F(9), F(11), F("16.5")]),
    )
    def test_never_negative_and_never_without_a_reason(self, dry, oxygen, reference):
        found = converted(dry, oxygen, reference)

        if oxygen < 21:
            assert found.lack is None
            assert found.value * (21 - oxygen) == dry * (21 - reference)
            assert found.value >= 0
        else:
            assert found == Derived(None, "oxygen")


class TestNox:
    def test_no_counts_as_no2_by_molar_mass(self):
        # M(NO2) / M(NO) = 46.005 / 30.006 = 1.533193361...
        # 60 mg/m3 * 1.533193361 + 5 mg/m3 = 96.991601...
        assert nox(F(60), F(5)) == 60 * F("46.005") / F("30.006") + 5
        assert shown(nox(F(60), F(5)), 4) == "96.9916"

    def test_ppm_of_no_come_to_the_same_by_both_ways(self):
        # 50 ppm NO: 50 * 30.006 / 22.4 = 66.977679 mg/m3 NO
        #   as NO2:  66.977679 * 46.005 / 30.006 = 50 * 46.005 / 22.4 = 102.689732
        as_no = by_molar_mass("[ppm]", "mg/m3", "no")(F(50))
        as_no2 = by_molar_mass("[ppm]", "mg/m3", "no2")(F(50))

        assert shown(as_no, 6) == "66.977679"
        assert nox(as_no, F(0)) == as_no2
        assert shown(as_no2, 6) == "102.689732"


class TestFlowAndMass:
    def test_flow_of_velocity_and_area(self):
        # 3600 * 7.5 m2 * 12.4 m/s = 334,800 m3/h
        assert actual_flow(F("12.4"), F("7.5")) == 334_800

    def test_dry_standard_flow(self):
        # 334800 / 1.5 / 1.01325 * 0.92
        #   = 223200 / 1.01325 * 0.92 = 220281.2731310 * 0.92 = 202658.7712805...
        found = value(standard_flow(F(334_800), HOT))

        assert found == F(334_800) / F("1.5") / F("1.01325") * F("0.92")
        assert shown(found, 4) == "202658.7713"

    def test_a_meter_that_tells_another_state(self):
        # 1000 m3/h wet, standard: 1000 * 0.92 = 920
        assert standard_flow(F(1000), HOT, "wet_standard").value == 920
        # 1519.875 m3/h dry, actual: 1519.875 / 1.5 / 1.01325 = 1000
        assert standard_flow(F("1519.875"), HOT, "dry_actual").value == 1000
        assert standard_flow(F(1000), Surroundings(), "dry_standard").value == 1000

    def test_mass_per_hour(self):
        # 50 mg/m3 * 200,000 m3/h = 10,000,000 mg/h = 10 kg/h
        assert mass_rate(F(50), F(200_000)) == 10

    def test_mass_is_the_same_from_any_state(self):
        # What leaves the stack does not depend on how it is told: actual wet
        # concentration * actual wet flow = dry standard * dry standard
        flow = actual_flow(F("12.4"), F("7.5"))
        wet = F("36.8")

        dry = value(dry_standard(wet, "wet_actual", HOT))

        assert mass_rate(dry, value(standard_flow(flow, HOT))) == mass_rate(wet, flow)


def test_a_derived_sample_is_rounded_to_its_grain_once():
    # 10 * 15 / (21 - 8.3) = 150 / 12.7 = 11.811023622047|244...
    found = value(converted(F(10), F("8.3"), F(6)))

    assert of_grains(grains(found)) == F("11.811023622047")
