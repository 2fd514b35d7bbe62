from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.factors.number import (
    Format,
    exact,
    grains,
    of_grains,
    shown,
)

F = Fraction


@pytest.mark.parametrize(
    ("value", "decimals", "expected"),
    [
        (F(5, 2), 0, "2"),
        (F(7, 2), 0, "4"),
        (F(-5, 2), 0, "-2"),
        (F("0.125"), 2, "0.12"),
        (F("0.375"), 2, "0.38"),
        (F("0.1250000001"), 2, "0.13"),
        (F(-1, 1000), 2, "0.00"),
        (F(-5, 1000), 2, "0.00"),
        (F(-6, 1000), 2, "-0.01"),
        (F(1, 3), 4, "0.3333"),
        (F(2, 3), 4, "0.6667"),
        (F(10**21), 1, "1000000000000000000000.0"),
        (F("1e-9"), 3, "0.000"),
        (F(0), 0, "0"),
        (F(-20), 0, "-20"),
    ],
)
def test_digits_are_rounded_half_to_even(
    value: F, decimals: int, expected: str
) -> None:
    assert shown(value, decimals) == expected


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6), st.integers(0, 6))
def test_digits_agree_with_decimal_arithmetic(value: Decimal, decimals: int) -> None:
    quantum = Decimal(1).scaleb(-decimals)
    # Its own default of 28 digits is not enough for every value.
    exact = Context(prec=400, rounding=ROUND_HALF_EVEN)
    expected = value.quantize(quantum, context=exact)
    plain = format(abs(expected) if expected.is_zero() else expected, "f")

    assert shown(F(value), decimals) == plain


def test_negative_decimals_are_refused() -> None:
    with pytest.raises(ValueError, match="expected 0 decimals or more, found -1"):
        shown(F(1), -1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.1, F(1, 10)),
        (20.1, F(201, 10)),
        (1e-7, F(1, 10**7)),
        (1e22, F(10**22)),
        (-0.0, F(0)),
        (7, F(7)),
        (True, F(1)),
        ("12.50", F(25, 2)),
        (Decimal("0.3"), F(3, 10)),
    ],
)
def test_a_reading_is_the_decimal_of_its_record(value: float, expected: F) -> None:
    assert exact(value) == expected


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "x", Decimal("-inf")])
def test_what_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="expected a finite number"):
        exact(value)


def test_a_third_is_rounded_to_its_grain_and_two_halves_to_the_even_one() -> None:
    assert grains(F(1, 3)) == 333_333_333_333
    assert grains(F(1, 2 * 10**12)) == 0
    assert grains(F(3, 2 * 10**12)) == 2
    assert grains(F(-3, 2 * 10**12)) == -2


@given(st.integers())
def test_grains_survive_the_way_out_and_back(count: int) -> None:
    assert grains(of_grains(count)) == count


@pytest.mark.parametrize(
    ("text", "digits", "decimals", "greatest"),
    [
        ("N5.2", 5, 2, "99999.99"),
        ("N2.2", 2, 2, "99.99"),
        ("N4", 4, 0, "9999"),
        ("N14.2", 14, 2, "99999999999999.99"),
    ],
)
def test_a_type_is_read_and_knows_its_greatest_number(
    text: str, digits: int, decimals: int, greatest: str
) -> None:
    form = Format.read(text)

    assert form == Format(digits, decimals)
    assert str(form) == text
    assert shown(form.greatest, decimals) == greatest


@pytest.mark.parametrize(
    "text", ["5.2", "N", "N0", "N5.", "N5.0", "C6", "n5.2", "N5.2 "]
)
def test_what_is_no_type_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected a type such as N5\.2"):
        Format.read(text)
