"""Bytes of an item to numbers, times and texts; what is none of them is said.

    XXX.X     packed BCD, low byte first, a point before the last digits; the top bit
              (80H) of the highest byte is a minus where the item is signed
    YYMMDDWW  hhmmss  YYMMDDhhmm  YYMMDDhhmmss   BCD, last field first
    N12       digits that are a name, leading zeros kept
    A6        ASCII, last character first
    B16       bits, low byte first

Digits above nine are no digits (BAD ``bad_bcd``); all FF says that the item has no
value here (BAD ``not_available``), as a single-phase meter's phases B and C.
"""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from typing import TYPE_CHECKING

from drivers.errors import PointError

if TYPE_CHECKING:
    from drivers.profiles.dlt645_items import Part

Raw = Fraction | int | str
"""A number as written, a word of bits, or a text."""

_SIGN = 0x80
_CENTURY = 2000
_LAST_WEEKDAY = 7


def decode(part: Part, data: bytes) -> Raw:
    """The raw value of one part.

    Args:
        part: How it is written.
        data: Its bytes as received, 33H taken off.

    Raises:
        PointError: There is no value; ``reason`` says why.
    """
    if len(data) != part.size:
        raise PointError(
            f"expected {part.size} bytes of {part.format}, got {len(data)}",
            reason="bad_length",
        )
    kind = part.format[0]
    if data.count(0xFF) == len(data):
        raise PointError(f"{part.format}: all FF", reason="not_available")
    if kind == "B":
        return int.from_bytes(data, "little")
    if kind == "X":
        return _number(part, data)
    if kind == "A":
        return _text(data)
    digits = _digits(part, data[::-1])
    if kind == "N":
        return digits
    if not digits.strip("0") and part.format.startswith("YYMMDD"):
        raise PointError(f"{part.format}: all zero", reason="not_available")
    try:
        return _time(part.format, digits)
    except ValueError as exc:
        raise PointError(f"{part.format}: {digits}", reason="bad_time") from exc


def _number(part: Part, data: bytes) -> Fraction:
    top = data[-1]
    minus = False
    if part.sign != "no" and top & _SIGN:
        if part.sign == "unknown":
            raise PointError(
                f"{part.format}: {data[::-1].hex()} has the top bit set, and nobody"
                " says what it means here",
                reason="sign_unknown",
            )
        minus = True
        top &= ~_SIGN
    digits = _digits(part, bytes((top, *data[-2::-1])))
    decimals = len(part.format.partition(".")[2])
    number = Fraction(int(digits), 10**decimals)
    return -number if minus else number


def _digits(part: Part, data: bytes) -> str:
    digits = data.hex()
    if not digits.isdecimal():
        raise PointError(f"{part.format}: {digits} is no BCD", reason="bad_bcd")
    return digits


def _text(data: bytes) -> str:
    text = data[::-1].strip(b"\x00 ")
    if not text:
        raise PointError("an empty text", reason="not_available")
    if not all(0x20 <= byte < 0x7F for byte in text):  # noqa: PLR2004 - printable ASCII
        raise PointError(f"{text.hex()} is no ASCII text", reason="bad_text")
    return text.decode("ascii")


def _time(form: str, digits: str) -> str:
    """ISO 8601, as far as the meter says it. Raises ValueError: there is none such."""
    if form == "hhmmss":
        at = datetime.strptime(digits, "%H%M%S")  # noqa: DTZ007 - the meter's own
        return at.strftime("%H:%M:%S")
    if form == "YYMMDDWW":
        digits, weekday = digits[:6], int(digits[6:])
        if weekday > _LAST_WEEKDAY:
            raise ValueError(weekday)
    layout = {6: "%y%m%d", 10: "%y%m%d%H%M", 12: "%y%m%d%H%M%S"}[len(digits)]
    # %y is 1969 to 2068; meters of this standard are of this century.
    at = datetime.strptime(digits, layout)  # noqa: DTZ007 - the meter's own
    at = at.replace(year=_CENTURY + at.year % 100)
    if form == "YYMMDDWW":
        return at.date().isoformat()
    return at.isoformat(timespec="seconds" if form.endswith("ss") else "minutes")
