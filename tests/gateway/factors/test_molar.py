from fractions import Fraction

import pytest

from gateway.factors.molar import by_molar_mass
from gateway.factors.number import shown
from gateway.factors.units import UnitError, conversion

F = Fraction


def test_ppm_becomes_mass_only_when_the_gas_is_named() -> None:
    with pytest.raises(UnitError):
        conversion("[ppm]", "mg/m3")

    to_mass = by_molar_mass("[ppm]", "mg/m3", "so2")

    # 100 ppm * 64.058 g/mol / 22.4 L/mol = 6405.8 / 22.4 = 285.973...
    assert to_mass(F(100)) == F("6405.8") / F("22.4")
    assert shown(to_mass(F(100)), 3) == "285.973"


def test_a_molar_mass_may_be_given() -> None:
    # 100 ppm * 64 / 22.4 = 6400 / 22.4 = 285.714...
    assert shown(by_molar_mass("[ppm]", "mg/m3", F(64))(F(100)), 3) == "285.714"


def test_other_units_of_both_sides_and_the_way_back() -> None:
    # 50 ppb = 0.05 ppm of NO2: 0.05 * 46.005 / 22.4 mg/m3 = 102.69 ug/m3
    to_mass = by_molar_mass("[ppb]", "ug/m3", "NO2")
    back = by_molar_mass("ug/m3", "[ppb]", "no2")

    assert to_mass(F(50)) == F(50) * F("46.005") / F("22.4")
    assert shown(to_mass(F(50)), 2) == "102.69"
    assert back(to_mass(F(50))) == 50


def test_an_unknown_gas_is_told_with_those_known() -> None:
    with pytest.raises(
        UnitError, match="no molar mass of 'tvoc' is known; known are c"
    ):
        by_molar_mass("[ppm]", "mg/m3", "tvoc")


def test_no_pair_of_volume_and_mass_is_refused() -> None:
    with pytest.raises(UnitError):
        by_molar_mass("kg", "mg/m3", "so2")
    with pytest.raises(UnitError):
        by_molar_mass("[ppm]", "%", "so2")
    with pytest.raises(UnitError, match="above 0"):
        by_molar_mass("[ppm]", "mg/m3", F(0))
