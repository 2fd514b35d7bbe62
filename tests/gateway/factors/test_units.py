from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.ascii import units as driver_units
from drivers.profiles.library import load_profile, profile_names, quantities
from gateway.factors.table import entry, table
from gateway.factors.units import (
    SAME,
    UnitError,
    alike,
    conversion,
    convert,
    unit,
    units,
)

F = Fraction

CODES = sorted(units())


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        # 1 mg = 1,000,000 ng
        (F(35), "ug/m3", "ng/m3", F(35_000)),
        (F("0.035"), "mg/m3", "ng/m3", F(35_000)),
        # 1 mg/L = 1 g/m3 = 1000 mg/m3
        (F(5), "mg/L", "mg/m3", F(5000)),
        (F(5), "mg/L", "g/m3", F(5)),
        (F("0.25"), "mg/L", "ug/L", F(250)),
        # an hour has 3600 s: 36 m3/h = 10 L/s = 0.01 m3/s
        (F(36), "m3/h", "L/s", F(10)),
        (F(36), "m3/h", "m3/s", F(1, 100)),
        (F(1), "m3/h", "m3/s", F(1, 3600)),
        (F(101325), "Pa", "kPa", F("101.325")),
        (F(1), "bar", "hPa", F(1000)),
        (F(0), "Cel", "K", F("273.15")),
        (F(100), "Cel", "[degF]", F(212)),
        (F(-40), "[degF]", "Cel", F(-40)),
        (F("0.21"), "1", "%", F(21)),
        (F(21), "%", "[ppm]", F(210_000)),
        (F(1234), "W.h", "kW.h", F("1.234")),
        (F(1), "kW.h", "MJ", F("3.6")),
        (F(1500), "g", "kg", F("1.5")),
        (F(2), "t", "kg", F(2000)),
        (F("50.1"), "dB[SPL]", "dB", F("50.1")),
        (F("50.1"), "dB[A]", "dB[SPL]", F("50.1")),
        (F(60), "kg/h", "g/min", F(1000)),
    ],
)
def test_conversion_is_exact(value: F, source: str, target: str, expected: F) -> None:
    assert convert(value, source, target) == expected
    assert convert(expected, target, source) == value


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("mg/m3", "kg"),
        ("[ppm]", "mg/m3"),
        ("W", "V.A"),
        ("var", "W"),
        ("kW.h", "kW"),
        ("dB", "1"),
        ("{r}/min", "Hz"),
        ("mm/h", "m/s"),
        ("[pH]", "1"),
    ],
)
def test_what_is_another_quantity_does_not_convert(source: str, target: str) -> None:
    with pytest.raises(UnitError, match="is no"):
        conversion(source, target)


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("µg/m³", "ug/m3"), ("kWh", "kW.h"), ("℃", "Cel"), ("mg/l", "mg/L")],
)
def test_an_unknown_code_is_told_with_the_one_meant(wrong: str, meant: str) -> None:
    with pytest.raises(UnitError, match=f"meant {meant}"):
        unit(wrong)


def test_nothing_is_guessed_for_nonsense() -> None:
    with pytest.raises(UnitError, match=r"found 'furlong'\Z"):
        unit("furlong")


@given(st.fractions(), st.sampled_from(CODES), st.data())
def test_there_and_back_is_the_same_number(
    value: F, source: str, data: st.DataObject
) -> None:
    target = data.draw(st.sampled_from(alike(source)))

    there = conversion(source, target)

    assert convert(there(value), target, source) == value
    assert there.inverse(there(value)) == value


@given(st.fractions(), st.sampled_from(CODES), st.data())
def test_a_way_over_a_third_unit_is_the_same(
    value: F, source: str, data: st.DataObject
) -> None:
    over = data.draw(st.sampled_from(alike(source)))
    target = data.draw(st.sampled_from(alike(source)))

    steps = conversion(source, over).then(conversion(over, target))

    assert steps(value) == convert(value, source, target)


def test_units_of_one_size_cost_nothing() -> None:
    assert conversion("mg/L", "g/m3") == SAME
    assert conversion("dB", "dB[SPL]") == SAME


def test_every_unit_of_the_vocabulary_is_known() -> None:
    assert {q.unit for q in quantities().values()} <= units().keys()


def test_every_unit_of_every_profile_is_known() -> None:
    found = {
        point.unit for name in profile_names() for point in load_profile(name).points
    }

    assert {code for code in found if code} <= units().keys()


def test_every_code_of_the_vocabulary_is_in_the_table_and_its_unit_converts() -> None:
    for name, quantity in quantities().items():
        for code in filter(None, (quantity.code, *quantity.also)):
            known = entry(code)
            assert known is not None, (name, code)
            assert known.unit is not None, (name, code)
            conversion(quantity.unit, known.unit)


def test_every_total_of_the_table_is_a_mass_or_a_volume() -> None:
    rows = {unit(row.mass).row for row in table().values() if row.mass}

    assert rows == {"mass", "volume"}


def test_what_drivers_convert_is_converted_alike_here() -> None:
    # Drivers know nothing of the gateway: two tables, one truth.
    codes = sorted(
        {code for row in driver_units._ROWS for code in row}
        | driver_units._TEMPERATURES.keys()
    )
    pairs = 0
    for written in codes:
        for wanted in codes:
            found = driver_units.conversion(written, wanted)
            if found is not None and written != wanted:
                here = conversion(written, wanted)
                assert (here.factor, here.offset) == found, (written, wanted)
                pairs += 1
    assert pairs > 100
