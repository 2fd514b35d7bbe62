"""CP, the named values of a segment: items apart by ``;``, of one item by ``,``.

    DataTime=20160801085857;w01018-Rtd=2.2,w01018-Flag=N;i11001-Info=//text; with all//

Values are kept as they stand, because their digits are what the instrument measured.
One walk from left to right: the time is linear whatever comes.

Source: HJ 212-2017, 6.3.3.1; text between ``//``: table B.10 (i11001).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drivers.errors import DriverError
from drivers.hj212.deviations import Deviation, Refusal
from drivers.hj212.fields import OF_FACTOR, OF_FRAME, TEXT, TIMES, fits

if TYPE_CHECKING:
    from collections.abc import Collection

Item = tuple[tuple[str, str], ...]
"""Names and values that belong together: all of one factor, or one name alone."""

_NAME = re.compile(r"([0-9A-Za-z]{1,24})(?:-([0-9A-Za-z]{1,16}))?=")
_VALUE = re.compile(r"[^;,=&#]*")
_QUOTE = "//"
_DATE_DIGITS = 14
_SHOWN = 80


class SegmentError(DriverError):
    """A segment is none that we know how to read; ``cause`` says why."""

    reason = "bad_frame"

    def __init__(self, cause: Refusal, expected: str, found: str) -> None:
        super().__init__(f"{expected}, found {found[:_SHOWN]!r}")
        self.cause = cause


def parse(
    text: str, known: Collection[str], noted: list[Deviation]
) -> tuple[Item, ...]:
    """Read what stands between ``CP=&&`` and ``&&``.

    Args:
        text: It.
        known: Names of fields beside the standard's.
        noted: Gains the known deviations that were met.

    Raises:
        SegmentError: Grammar, names or forms of values are not known.
    """
    return _Reader(text, known, noted).read()


class _Reader:
    def __init__(
        self, text: str, known: Collection[str], noted: list[Deviation]
    ) -> None:
        self._text = text
        self._known = known
        self._noted = noted
        self._at = 0
        self._seen: set[str] = set()
        self._bases: set[str] = set()
        self._items: list[Item] = []
        self._pairs: list[tuple[str, str]] = []
        self._base = ""

    def read(self) -> tuple[Item, ...]:
        text = self._text
        while self._at < len(text):
            base, name, value = self._pair()
            if self._pairs and base != self._base:
                self._noted.append(Deviation.COMMA_BETWEEN_ITEMS)
                self._end_item()
            self._base = base
            self._pairs.append((name, value))
            if not self._separator():
                break
        self._end_item()
        return tuple(self._items)

    def _pair(self) -> tuple[str, str, str]:
        match = _NAME.match(self._text, self._at)
        if match is None:
            raise self._wrong(Refusal.GRAMMAR, "expected name=value")
        factor, field = (match[1], match[2]) if match[2] else ("", match[1])
        if factor and field == "td":  # LA-td, in public frames of a noise station
            self._noted.append(Deviation.TD_FOR_RTD)
            field = "Rtd"
        allowed = OF_FACTOR if factor else OF_FRAME
        if field not in allowed and not (factor and field in self._known):
            raise self._wrong(Refusal.FIELD, "expected a known name")
        if field == "CTime":  # annex C prints what table 4 calls Ctime
            self._noted.append(Deviation.CTIME_CASE)
            field = "Ctime"
        name = f"{factor}-{field}" if factor else field
        if name in self._seen:
            raise self._wrong(Refusal.DUPLICATE, "expected each name once")
        self._seen.add(name)
        self._at = match.end()
        value = self._value(field)
        if not fits(factor, field, value):
            cause = Refusal.TIME if field in TIMES else Refusal.VALUE
            raise SegmentError(cause, f"expected {name} in its form", value)
        if field in TIMES and len(value) > _DATE_DIGITS:
            self._noted.append(Deviation.TIME_WITH_MILLISECONDS)
        return factor or field, name, value

    def _value(self, field: str) -> str:
        begin = self._at
        if field == TEXT and self._text.startswith(_QUOTE, begin):
            end = self._text.find(_QUOTE, begin + len(_QUOTE))
            if end < 0:
                raise self._wrong(Refusal.GRAMMAR, "expected // at the end of a text")
            self._at = end + len(_QUOTE)
        else:
            match = _VALUE.match(self._text, begin)
            assert match is not None  # noqa: S101 - it may be empty
            self._at = match.end()
        value = self._text[begin : self._at]
        if field != TEXT and not value.isascii():
            raise self._wrong(Refusal.TEXT, "expected ASCII outside texts")
        return value

    def _separator(self) -> bool:
        """Step over what ends a value; False at the end of the text."""
        text, at = self._text, self._at
        if at == len(text):
            return False
        mark = text[at]
        if mark not in ";,":
            raise self._wrong(Refusal.GRAMMAR, "expected ; or , after a value")
        at += 1
        if mark == ";" and text.startswith(",", at):
            self._noted.append(Deviation.SEMICOLON_COMMA)
            at += 1
        while text.startswith(" ", at):
            at += 1
            self._noted.append(Deviation.BLANKS)
        self._at = at
        if mark == ";":
            self._end_item()
            if at == len(text):
                self._noted.append(Deviation.TRAILING_SEMICOLON)
        elif at == len(text):
            raise self._wrong(Refusal.GRAMMAR, "expected name=value after ,")
        return True

    def _end_item(self) -> None:
        if not self._pairs:
            return
        if self._base in self._bases:
            self._noted.append(Deviation.ITEM_SPLIT)
        self._bases.add(self._base)
        self._items.append(tuple(self._pairs))
        self._pairs = []

    def _wrong(self, cause: Refusal, expected: str) -> SegmentError:
        return SegmentError(cause, expected, self._text[self._at :])
