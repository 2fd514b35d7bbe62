"""Numbers as they are taken in, kept, and written.

    reading 20.1 (float)  -> 201/10      the decimal that its record shows
    derived value         -> whole grains of 1e-12, half to even, once per sample
    output                -> digits, half to even, once, at the very end

Sums of grains are sums of whole numbers: the same in any order, after any restart.
Only ``shown`` makes digits.

Source: HJ 212-2017, 6.3.2 (type Nm.n: up to m digits, a point, n digits, a sign).
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Final

import msgspec

GRAINS_PER_UNIT: Final = 10**12
_FORMAT = re.compile(r"N([1-9][0-9]?)(?:\.([1-9][0-9]?))?\Z")


def exact(value: float | Decimal | str) -> Fraction:
    """A reading as the decimal that stands in its record: 0.1 is one tenth.

    Raises:
        ValueError: It is no finite number.
    """
    if isinstance(value, int):
        return Fraction(value)
    try:
        number = value if isinstance(value, Decimal) else Decimal(str(value))
        return Fraction(*number.as_integer_ratio())
    except (ArithmeticError, ValueError) as exc:
        raise ValueError(f"expected a finite number, found {value!r}") from exc


def grains(value: Fraction) -> int:
    """A value in whole grains (1e-12 of its unit), half to even."""
    return half_even(value.numerator * GRAINS_PER_UNIT, value.denominator)


def of_grains(count: int) -> Fraction:
    """Grains as a value again."""
    return Fraction(count, GRAINS_PER_UNIT)


def half_even(numerator: int, denominator: int) -> int:
    """The nearest whole number of a ratio; of two as near, the even one.

    Args:
        numerator: Any.
        denominator: Above zero.
    """
    whole, rest = divmod(numerator, denominator)
    twice = 2 * rest
    if twice > denominator or (twice == denominator and whole & 1):
        return whole + 1
    return whole


def shown(value: Fraction, decimals: int) -> str:
    """The digits: rounded half to even, no exponent, no minus before nothing.

    Args:
        value: Exact.
        decimals: Digits behind the point; 0: no point either.

    Raises:
        ValueError: ``decimals`` is negative.
    """
    count = half_even(value.numerator * _power(decimals), value.denominator)
    digits = str(abs(count))
    sign = "-" if count < 0 else ""
    if not decimals:
        return sign + digits
    digits = digits.rjust(decimals + 1, "0")
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"


class Format(msgspec.Struct, frozen=True):
    """A numeric type of HJ 212: N5.2 has five digits before the point, two behind."""

    digits: int
    decimals: int = 0

    def __str__(self) -> str:
        return f"N{self.digits}.{self.decimals}" if self.decimals else f"N{self.digits}"

    @classmethod
    def read(cls, text: str) -> Format:
        """What ``N5.2`` or ``N4`` stands for.

        Raises:
            ValueError: It is written otherwise.
        """
        found = _FORMAT.match(text)
        if found is None:
            raise ValueError(f"expected a type such as N5.2 or N4, found {text!r}")
        return cls(int(found[1]), int(found[2] or 0))

    @property
    def greatest(self) -> Fraction:
        """The largest number it can write: 99999.99 of N5.2."""
        return _power(self.digits) - Fraction(1, _power(self.decimals))


def _power(exponent: int) -> int:
    if exponent < 0:
        raise ValueError(f"expected 0 decimals or more, found {exponent}")
    return int(10**exponent)
