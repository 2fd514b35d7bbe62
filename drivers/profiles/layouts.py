"""How texts and times stand in registers: the words a profile has for it.

Texts: ``high_low`` (two characters a register, the first in the high byte),
``low_high``, or ``low`` (one a register, in the low byte).

Times: ``unix32``, ``unix64`` (seconds) and ``unix64ms``, or a form and its fields in
the order of the wire::

    words:YMDhms      each field a register; a year below 100 is one of 2000 to 2099
    bytes:YMDhms      each field a byte
    bcd:YYMDhms       each field two decimal digits in a byte

Fields: Y year (YY: four digits or sixteen bits), M month, D day, h hour, m minute,
s second, W day of the week (not looked at), x anything (not looked at). Seconds may be
missing; nothing else may.
"""

from __future__ import annotations

import re
from typing import NamedTuple

TEXT_LAYOUTS = ("high_low", "low_high", "low")
UNIX_LAYOUTS = {"unix32": 2, "unix64": 4, "unix64ms": 4}
"""And the registers they take."""
EXAMPLES = ("words:YMDhms", "bytes:YMDhms", "bcd:YYMDhms", *UNIX_LAYOUTS)
PATTERN = r"(words|bytes|bcd):[YMDhmsWx]{4,16}"
_LAYOUT = re.compile(PATTERN)
_NEEDED = "MDhm"
_ONCE = "MDhmsW"


class Layout(NamedTuple):
    """A time's form and fields."""

    form: str
    fields: str
    registers: int


def layout_of(text: str) -> Layout | None:
    """What a time's layout says; None: it is none."""
    if text in UNIX_LAYOUTS:
        return Layout(text, "", UNIX_LAYOUTS[text])
    if not _LAYOUT.fullmatch(text):
        return None
    form, _, fields = text.partition(":")
    wide = form == "words"
    years = ("Y",) if wide else ("Y", "YY")
    if (
        any(letter not in fields for letter in _NEEDED)
        or any(fields.count(letter) > 1 for letter in _ONCE)
        or re.sub("[^Y]+", " ", fields).strip() not in years
        or (not wide and len(fields) % 2)
    ):
        return None
    return Layout(form, fields, len(fields) if wide else len(fields) // 2)
