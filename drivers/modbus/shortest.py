"""The shortest decimal of a float32, found with two tries and no text.

A finite float32 x of binary exponent e (``math.frexp``) stands for every real nearer
than h = 2**(e - 25) to it. Take the smallest k with 10**-k < 2h. Among the multiples of
10**-k the one nearest to x always lies inside. Among the multiples of 10**-(k - 1),
which are spaced wider than 2h, at most one lies inside, and it is the nearest; every
still shorter decimal inside would be that same number. So these two tries find the
shortest. Products and quotients are exact enough, because numerators stay below 2**34
and powers of ten up to 10**22 are doubles.

Source: that nine digits always read back is IEEE 754-2019, 5.12.2.
"""

from __future__ import annotations

import math
import struct
from fractions import Fraction

_Entry = tuple[int, int, float]


def _entry(e: int) -> _Entry | None:
    """``10**(k-1), 10**k, h`` for a binary exponent; None: leave it to the slow way."""
    if not -48 <= e <= 24:  # noqa: PLR2004 - outside, k is not in 1..22
        return None
    k = 1
    # 10**-k < 2h = 2**(e - 24), in whole numbers
    while 2 ** (24 - e) >= 10**k:
        k += 1
    return 10 ** (k - 1), 10**k, 2.0 ** (e - 25)


_ENTRIES: dict[int, _Entry | None] = {e: _entry(e) for e in range(-148, 130)}
_single = struct.Struct("f")


def decimal32(number: float) -> tuple[int, int]:
    """The shortest decimal that reads back to the same float32, as ``top / bottom``.

    Args:
        number: A finite float32, held in a double.

    Returns:
        Two integers. ``top / bottom`` is the double a parser would make of the decimal.
    """
    mantissa, exponent = math.frexp(number)
    entry = _ENTRIES[exponent]
    # Below a power of two the neighbours stand closer: leave those to the slow way.
    if entry is None or mantissa in {0.5, -0.5}:
        return _decimal32_slow(number)
    coarse, fine, half = entry
    top = round(number * coarse)
    if abs(top / coarse - number) < half:
        return top, coarse
    return round(number * fine), fine


def _decimal32_slow(number: float) -> tuple[int, int]:
    """By text: powers of two, numbers above 2**24, numbers below 1e-14."""
    wanted = _single.pack(number)
    for digits in range(1, 10):
        text = f"{number:.{digits - 1}e}"
        try:
            if _single.pack(float(text)) == wanted:
                break
        except OverflowError:  # 3.4e38 rounded up to 3 digits: beyond float32
            continue
    return Fraction(text).as_integer_ratio()
