"""A message to named fields, or None where it is not of the form that was expected.

Every way is one pass over the message. A pattern goes from left to right and never
back: what a part has taken stays taken, so that its work is bounded by the message's
length, whatever stands in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from drivers.ascii.sending import padded
from drivers.profiles.dialogue import Columns, Groups, Pairs, Pattern, Positions

if TYPE_CHECKING:
    from drivers.profiles.dialogue import Cut, Parts

Fields = dict[str, str]
_OF_NUMBERS: Final = "0123456789+-.eE"
TWICE: Final = "\0"
"""Stands for a field that came twice: it has no value that could be believed."""


def cut(
    way: Cut,
    text: str,
    address: str | None = None,
    *,
    any_case: bool = False,
    header: tuple[str, ...] | None = None,
) -> Fields | None:
    """The fields of a message.

    Args:
        way: How it is cut.
        text: The message without its signs, its check and its beginning.
        address: The device's, for patterns that have it.
        any_case: Whether capital and small letters of a pattern are the same.
        header: Names of columns, where a line before told them.

    Returns:
        Name -> text, without blanks around it; None: another form.
    """
    match way:
        case Columns():
            return _columns(way, text, header)
        case Pairs():
            return _pairs(way, text)
        case Groups():
            return _groups(way, text)
        case Positions():
            return {"": text} if len(text) == way.size else None
        case Pattern():
            return _pattern(way.parts, text, address, any_case=any_case)


def field(way: Cut, fields: Fields, name: str) -> str | None:
    """One field of a message that was cut; None: it is not there."""
    if isinstance(way, Positions):
        first, _, last = name.partition("-")
        return fields[""][int(first) - 1 : int(last or first)]
    return fields.get(name)


def split(separator: str, text: str, most: int) -> list[str]:
    """Columns of a line; one more than ``most`` where there are more."""
    parts = text.split(separator or None, most + 1)
    return [part.strip() for part in parts]


def _columns(way: Columns, text: str, header: tuple[str, ...] | None) -> Fields | None:
    columns = split(way.separator, text, way.most)
    if not way.least <= len(columns) <= way.most:
        return None
    if not way.header:
        return {str(number): text for number, text in enumerate(columns, 1)}
    if header is None:
        return None
    while len(columns) > len(header) and not columns[-1]:
        columns.pop()  # a trailing separator
    if len(columns) != len(header):
        return None
    fields: Fields = {}
    for name, column in zip(header, columns, strict=True):
        fields[name] = TWICE if name in fields else column
    return fields


def _pairs(way: Pairs, text: str) -> Fields | None:
    fields: Fields = {}
    for part in text.split(way.separator or None):
        name, equals, value = part.partition(way.equals)
        if not equals:
            if part.strip():
                return None
            continue
        name = name.strip()
        fields[name] = TWICE if name in fields else value.strip()
    return fields or None


def _groups(way: Groups, text: str) -> Fields | None:
    columns = [part.strip() for part in text.split(way.separator or None)]
    if len(columns) % way.every:
        return None
    fields: Fields = {}
    for at in range(0, len(columns), way.every):
        group = columns[at : at + way.every]
        name = "".join(group[number - 1] for number in way.name)
        unit = group[way.unit - 1] if way.unit else ""
        fields[name] = TWICE if name in fields else group[way.value - 1] + unit
    return fields or None


def _pattern(
    parts: Parts, text: str, address: str | None, *, any_case: bool
) -> Fields | None:
    shape = text.lower() if any_case else text
    fields: Fields = {}
    at = 0
    for index, (kind, word) in enumerate(parts):
        if kind == "blanks":
            end = _skip_blanks(text, at)
            if word and end == at and at < len(text):
                return None
            at = end
            continue
        if kind == "address" and address:
            kind, word = "lit", padded(address, word)  # noqa: PLW2901
        if kind == "lit":
            wanted = word.lower() if any_case else word
            if not shape.startswith(wanted, at):
                return None
            at += len(word)
            continue
        if kind == "text":
            end = _text_end(parts, index, shape, at, address, any_case=any_case)
        else:
            end = _run_end(parts, index, shape, at, any_case=any_case)
            if end == at or (kind == "number" and text[at:end].strip(_OF_NUMBERS)):
                return None
        if end < 0:
            return None
        if word and kind != "address":
            fields[word] = text[at:end].strip()
        at = end
    return fields if at >= len(text.rstrip()) else None


def _skip_blanks(text: str, at: int) -> int:
    return len(text) - len(text[at:].lstrip(" "))


def _run_end(parts: Parts, index: int, shape: str, at: int, *, any_case: bool) -> int:
    """Where a run of characters ends: at a blank, or at what follows it."""
    stops = " "
    for kind, word in parts[index + 1 :]:
        if kind == "lit":
            stops += word[0].lower() if any_case else word[0]
        if kind != "blanks":
            break
    ends = (shape.find(stop, at) for stop in stops)
    return min((end for end in ends if end >= 0), default=len(shape))


def _text_end(
    parts: Parts,
    index: int,
    shape: str,
    at: int,
    address: str | None,
    *,
    any_case: bool,
) -> int:
    """Where anything ends: at the first place of the text that follows."""
    if index + 1 == len(parts):
        return len(shape)
    kind, word = parts[index + 1]
    if kind == "address":
        if not address:
            return -1
        word = padded(address, word)
    return shape.find(word.lower() if any_case else word, at)
