"""What DL/T 645's data identifiers mean: ``tables/dlt645.yaml``, read once.

Data, not protocol: how long an item is, where its parts stand and which identifier
brings several at once. What bytes mean is decided in ``drivers.dlt645``.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Any, Literal, cast

import msgspec

from drivers.profiles.document import load_document

Sign = Literal["no", "yes", "unknown"]
Ratio = Literal["none", "ct", "pt", "both"]
Edition = Literal["2007", "1997"]

TABLE = "dlt645.yaml"
DATES = ("YYMMDDWW", "hhmmss", "YYMMDDhhmm", "YYMMDDhhmmss")
SIGNS: tuple[Sign, ...] = ("no", "yes", "unknown")
RATIOS: tuple[Ratio, ...] = ("none", "ct", "pt", "both")

_NUMBER = re.compile(r"(X+)(?:\.(X+))?\Z")
_SIZED = re.compile(r"(N|A|B|S)([1-9][0-9]{0,2})\Z")
_DI = re.compile(r"[0-9A-F]{8}\Z|[0-9A-F]{4}\Z")
_DI_1997 = 4


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One thing within an item's data."""

    name: str = ""
    format: str
    unit: str = "1"
    """UCUM code, of the value before a point's scale."""
    sign: Sign = "no"
    ratio: Ratio = "none"

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return size_of(self.format)


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """What one data identifier brings."""

    di: str
    parts: tuple[Part, ...]
    zh: str = ""
    en: str = ""

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return sum(part.size for part in self.parts)

    def place(self, name: str) -> tuple[int, Part] | None:
        """Where a part begins, and the part; the first one has no need of a name."""
        at = 0
        for part in self.parts:
            if part.name == name or not name:
                return at, part
            at += part.size
        return None


class Block(msgspec.Struct, frozen=True):
    """An identifier whose answer is the data of others, one after another."""

    di: str
    items: tuple[str, ...]
    open: bool = False
    """The answer may have fewer or more of them."""


def is_identifier(text: str) -> bool:
    """Whether this is written as an identifier: 8 hex digits, or 4 for 1997."""
    return _DI.match(text) is not None


def edition_of(di: str) -> Edition:
    """Which edition of the standard an identifier belongs to."""
    return "1997" if len(di) == _DI_1997 else "2007"


def size_of(form: str) -> int:
    """Bytes of one format.

    Raises:
        ValueError: There is no such format, or it is no whole number of bytes.
    """
    if form in DATES:
        return len(form) // 2
    number, sized = _NUMBER.match(form), _SIZED.match(form)
    if number:
        digits = len(number[1]) + len(number[2] or "")
        return (digits + 1) // 2
    if sized:
        kind, count = sized[1], int(sized[2])
        per_byte = {"N": 2, "A": 1, "B": 8, "S": 1}[kind]
        if count % per_byte == 0:
            return count // per_byte
    raise ValueError(f"expected a format such as XXX.X, hhmmss, N12, A6 or B16: {form}")


@cache
def items() -> dict[str, Item]:
    """Every identifier of the table."""
    return {
        di: Item(
            di=di,
            parts=tuple(
                msgspec.convert(part, Part)
                for part in fields.get("parts", [_only_part(fields)])
            ),
            zh=fields["zh"],
            en=fields["en"],
        )
        for di, fields in _table()["items"].items()
    }


@cache
def blocks() -> tuple[Block, ...]:
    """Every block identifier of the table."""
    return tuple(
        Block(di, tuple(fields["items"]), fields.get("open", False))
        for di, fields in _table()["blocks"].items()
    )


def _only_part(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key not in ("zh", "en")}


@cache
def _table() -> dict[str, dict[str, dict[str, Any]]]:
    text = resources.files("drivers.profiles").joinpath("tables", TABLE)
    root = load_document(text.read_text("utf-8"), TABLE)
    return cast("dict[str, dict[str, dict[str, Any]]]", root.plain())
