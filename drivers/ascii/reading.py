"""One field of one message to a point's value, a flaw, or both: exact, never a guess.

A number is read as the decimal it is written as, multiplied and rounded once. What is
no value: one of the marks for it (``not_available``), a unit that is not the point's
and cannot be turned into it (``wrong_unit``), a field that is not there or not written
as the profile says (``unreadable``), a status that says so (the profile's reason).
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from drivers.ascii.cut import field
from drivers.ascii.units import conversion
from drivers.flaws import NOT_IN_ENUM, bad, range_flaw
from drivers.values import Flaw, Quality, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drivers.ascii.cut import Fields
    from drivers.profiles.ascii_points import AsciiPoint, Times
    from drivers.profiles.dialogue import Ask, Cut, Status, Written

NOT_AVAILABLE: Final = Flaw(Quality.BAD, "not_available")
WRONG_UNIT: Final = Flaw(Quality.BAD, "wrong_unit")
UNREADABLE: Final = Flaw(Quality.BAD, "unreadable")
NOT_FINITE: Final = Flaw(Quality.BAD, "not_finite")

# Anchored by match(); every part can only be taken in one way.
_NUMBER: Final = re.compile(
    r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
)
_HEX: Final = re.compile(r"(?:0[xX])?([0-9A-Fa-f]{1,16})\Z")
_LONGEST: Final = 64
_LARGEST_EXPONENT: Final = 400


class Reader:
    """Turns messages of one ask into readings of its points."""

    def __init__(
        self, ask: Ask, points: Sequence[AsciiPoint], invalid: Sequence[str]
    ) -> None:
        """Prepare.

        Args:
            ask: What the messages answer.
            points: Its points.
            invalid: Marks of "no value" that hold for all of them.
        """
        self._ask = ask
        self._points = tuple(points)
        self._marks = {point.name: (*invalid, *point.invalid) for point in self._points}

    def read(
        self,
        fields: Fields,
        names: Sequence[str],
        values: dict[str, Value],
        flaws: dict[str, Flaw],
    ) -> None:
        """Add a reading of each of these points."""
        way = self._ask.cut
        wanted = set(names)
        doubts = [
            (status, verdict)
            for status in self._ask.status
            if (verdict := _judged(status, way, fields)) is not None
        ]
        for point in self._points:
            if point.name not in wanted:
                continue
            spoiled = next(
                (
                    flaw
                    for status, flaw in doubts
                    if (not status.points or point.name in status.points)
                ),
                None,
            )
            if spoiled is not None and point.status:
                bad(point, spoiled, flaws)
            else:
                self._one(point, way, fields, values, flaws)

    def _one(
        self,
        point: AsciiPoint,
        way: Cut,
        fields: Fields,
        values: dict[str, Value],
        flaws: dict[str, Flaw],
    ) -> None:
        text = field(way, fields, point.field)
        if text is None:
            return bad(point, UNREADABLE, flaws)
        text = text if point.written == "byte" else text.strip()
        if is_mark(text, self._marks[point.name]):
            return bad(point, NOT_AVAILABLE, flaws)
        if point.written == "text":
            if not text:
                return bad(point, NOT_AVAILABLE, flaws)
            values[point.name] = text
            return None
        if point.written in ("hex", "byte"):
            return _whole(point, whole(text, point.written), values, flaws)
        return self._number(point, text, way, fields, values, flaws)

    def _number(
        self,
        point: AsciiPoint,
        text: str,
        way: Cut,
        fields: Fields,
        values: dict[str, Value],
        flaws: dict[str, Flaw],
    ) -> None:
        marks = self._marks[point.name]
        split = split_number(text)
        if split is None:
            empty = not text and not point.unit_field
            return bad(point, NOT_AVAILABLE if empty else UNREADABLE, flaws)
        number, unit = split
        if point.unit_field and not unit:
            said = field(way, fields, point.unit_field)
            unit = _status_text(said, point.unit_mask)
        elif point.unit_field or (unit and not point.units):
            return bad(
                point, NOT_AVAILABLE if is_mark(unit, marks) else UNREADABLE, flaws
            )
        if is_mark(unit, marks):
            return bad(point, NOT_AVAILABLE, flaws)
        turned = _turned(point, number, unit)
        if turned is None:
            return bad(point, WRONG_UNIT, flaws)
        for times in point.times:
            factor = _factor(times, way, fields)
            if factor is None:
                return bad(point, UNREADABLE, flaws)
            turned *= factor
        return settle(point, turned, values, flaws)


def _turned(point: AsciiPoint, number: Fraction, unit: str) -> Fraction | None:
    """The number in the point's unit; None: there is no way from what was written."""
    if not point.units:
        return number
    if unit not in point.units:
        return None
    way = conversion(point.units[unit], point.unit)
    return None if way is None else number * way[0] + way[1]


def split_number(text: str) -> tuple[Fraction, str] | None:
    """The number in front and what stands behind it; None: no number in front."""
    found = _NUMBER.match(text[:_LONGEST])
    if found is None or len(text) > _LONGEST:
        return None
    mantissa, _, exponent = found[0].lower().partition("e")
    if exponent and abs(int(exponent)) > _LARGEST_EXPONENT:
        return None
    number = Fraction(mantissa.removesuffix("."))
    if exponent:
        number *= Fraction(10) ** int(exponent)
    return number, text[found.end() :].strip()


def is_mark(text: str, marks: Sequence[str]) -> bool:
    """Whether a text stands for "no value".

    A mark of one character stands for any number of them (``----``); a mark that is a
    number stands for that number however it is written (``99999.0``).
    """
    for mark in marks:
        if text == mark:
            return True
        if len(mark) == 1 and text and not text.strip(mark):
            return True
        number = split_number(mark)
        if number is not None and not number[1]:
            said = split_number(text)
            if said is not None and said == number:
                return True
    return False


def whole(text: str, written: Written) -> int | None:
    """The whole number that a character, hex digits or decimal digits stand for."""
    if written == "byte":
        return ord(text) if len(text) == 1 else None
    if written == "hex":
        found = _HEX.match(text.strip())
        return int(found[1], 16) if found else None
    found_number = split_number(text.strip())
    if found_number is None or found_number[1]:
        return None
    number = found_number[0]
    return int(number) if number.denominator == 1 else None


def settle(
    point: AsciiPoint,
    number: Fraction,
    values: dict[str, Value],
    flaws: dict[str, Flaw],
) -> None:
    """Scale, round once, and look whether the value is plausible."""
    if point.enum or point.bits or point.mask:
        raw = int(number) if number.denominator == 1 else None
        return _whole(point, raw, values, flaws)
    exact = number * point.scale + point.offset
    try:
        if point.decimals is None:
            value: int | float = float(exact)
        else:
            ten = 10**point.decimals
            value = round(exact * ten) / ten
    except OverflowError:
        return bad(point, NOT_FINITE, flaws)
    if not math.isfinite(value):
        return bad(point, NOT_FINITE, flaws)
    return _plausible(point, value, values, flaws)


def _whole(
    point: AsciiPoint,
    raw: int | None,
    values: dict[str, Value],
    flaws: dict[str, Flaw],
) -> None:
    """A status word: its bits, its name, or the number itself."""
    if raw is None or (raw < 0 and (point.mask or point.bits)):
        return bad(point, UNREADABLE, flaws)  # a number below zero has no bits
    single = point.mask.bit_count() == 1
    if point.mask:
        raw = (raw & point.mask) >> ((point.mask & -point.mask).bit_length() - 1)
    if point.enum:
        label = point.enum.get(raw)
        if label is None:
            return bad(point, NOT_IN_ENUM, flaws)
        values[point.name] = label
        return None
    if single:
        values[point.name] = bool(raw)
        return None
    for bit, word in point.bits.items():
        values[f"{point.name}.{word}"] = bool(raw >> bit & 1)
    if point.scale != 1 or point.offset:
        exact = raw * point.scale + point.offset
        return _plausible(point, float(exact), values, flaws)
    return _plausible(point, raw, values, flaws)


def _plausible(
    point: AsciiPoint,
    value: float,
    values: dict[str, Value],
    flaws: dict[str, Flaw],
) -> None:
    values[point.name] = value
    flaw = range_flaw(point, value)
    if flaw is not None:
        flaws[point.name] = flaw


def _judged(status: Status, way: Cut, fields: Fields) -> Flaw | None:
    """Why the message's values are BAD; None: they may be used."""
    text = _said(field(way, fields, status.field), status.written, status.mask)
    if text is None:
        return UNREADABLE
    return None if text in status.good else Flaw(Quality.BAD, status.reason)


def _factor(times: Times, way: Cut, fields: Fields) -> Fraction | None:
    text = _said(field(way, fields, times.field), times.written, times.mask)
    return None if text is None else times.by.get(text)


def _said(text: str | None, written: Written, mask: int) -> str | None:
    """A field as it is compared: its text, or a whole number as digits."""
    if text is None:
        return None
    if written == "text":
        return text.strip()
    number = whole(text, written)
    if number is None:
        return None
    return str(number & mask if mask else number)


def _status_text(text: str | None, mask: int) -> str:
    if text is None:
        return ""
    return (_said(text, "byte", mask) or "") if mask else text.strip()
