from fractions import Fraction

import pytest

from gateway.factors.number import Format
from gateway.factors.table import (
    entry,
    molar_masses,
    molar_volume,
    table,
)

F = Fraction

WATER = (
    "w00000 w01001 w01009 w01010 w01012 w01014 w01018 w01019 w20116 w20117 w20120 "
    "w20121 w20122 w20123 w21001 w21003 w21011"
)
GAS = (
    "a00000 a01001 a01002 a01006 a01007 a01008 a01010 a01011 a01012 a01013 a01014 "
    "a01015 a01016 a01017 a01901 a01902 a05001 a05002 a19001 a20057 a21001 a21002 "
    "a21003 a21004 a21005 a21018 a21024 a21026 a21028 a24087 a24088 a25002 a25003 "
    "a25005 a34001 a34002 a34004 a34005 a34013"
)
NOISE = "LA L5 L10 L50 L90 L95 Leq Ldn Ld Ln LMx LMn"


def test_the_standards_factors_are_all_there() -> None:
    listed = {*WATER.split(), *GAS.split(), *NOISE.split()}

    assert {code for code, row in table().items() if row.confirmed} == listed
    assert all(table()[code].n2017 is not None for code in listed)


@pytest.mark.parametrize(
    ("code", "unit", "mass", "form", "old"),
    [
        ("a21026", "mg/m3", "kg", Format(5, 2), "02"),
        ("a00000", "m3/s", "m3", Format(6, 1), "B02"),
        ("a34002", "ng/m3", "g", Format(3, 3), None),
        ("a01001", "Cel", None, Format(3, 1), None),
        ("w01018", "mg/L", "kg", Format(5, 1), "011"),
        ("w00000", "L/s", "m3", Format(5, 2), "B01"),
        ("w20120", "ug/L", "g", Format(4, 0), "027"),
        ("Leq", "dB", None, Format(3, 1), None),
    ],
)
def test_a_row_says_unit_mass_type_and_old_code(
    code: str, unit: str, mass: str | None, form: Format, old: str | None
) -> None:
    found = table()[code]

    assert (found.unit, found.mass, found.n2017, found.old) == (unit, mass, form, old)


def test_2025_has_its_own_type_where_one_is_quoted_and_else_that_of_2017() -> None:
    assert table()["a19001"].format(2017) == Format(3, 1)
    assert table()["a19001"].format(2025) == Format(2, 2)
    assert table()["a21026"].format(2025) == Format(5, 2)
    quoted = {code for code, row in table().items() if row.n2025 is not None}
    assert quoted == {"a01011", "a01013", "a01014", "a19001", "a21002", "a34013"}


def test_a_code_of_a_numbered_device_is_known_by_its_scheme() -> None:
    found = entry("e30107")

    assert found is not None
    assert (found.code, found.unit, found.n2017) == ("e30107", "A", Format(4, 2))


@pytest.mark.parametrize("code", ["e30100", "e301", "e3011", "e301071", "e701xx", ""])
def test_what_the_scheme_does_not_give_is_unknown(code: str) -> None:
    assert entry(code) is None


@pytest.mark.parametrize("code", ["d20105", "p99101", "a50001"])
def test_codes_of_2025_and_of_the_field_are_not_called_confirmed(code: str) -> None:
    found = entry(code)

    assert found is not None
    assert not found.confirmed


def test_old_codes_are_unique() -> None:
    old = [row.old for row in table().values() if row.old]

    assert len(old) == len(set(old))


def test_molar_masses_are_sums_of_atomic_weights() -> None:
    # IUPAC abridged weights, written out
    h, c, n, o = F("1.008"), F("12.011"), F("14.007"), F("15.999")
    f, s, cl = F("18.998"), F("32.06"), F("35.45")

    assert molar_masses() == {
        "so2": s + 2 * o,
        "no": n + o,
        "no2": n + 2 * o,
        "nox": n + 2 * o,
        "co": c + o,
        "co2": c + 2 * o,
        "o3": 3 * o,
        "nh3": n + 3 * h,
        "h2s": 2 * h + s,
        "hcl": h + cl,
        "hf": h + f,
        "ch4": c + 4 * h,
        "c3h8": 3 * c + 8 * h,
        "c6h6": 6 * c + 6 * h,
    }
    assert molar_volume() == F("22.4")
