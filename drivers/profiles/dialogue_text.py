"""Texts and patterns of a dialogue, taken apart; the matching is the driver's.

**Control characters** are written as manuals write them, ``<CR> <LF> <STX> <ETX> <ESC>
<TAB> <EOT> <ENQ> <ACK> <NL> <SP>``, or by their code, ``<0D>``.

**A text to send** may hold

    {address}     what the site file calls the device; {address:4} with zeros in front
    {id}          one byte, 128 + the address as a number (Thermo); nothing without one
    {crc3} {xor} {sum8} {nmea}   the check of everything before it
    [ ... ]       left out where the device has no address

**A pattern** is matched from left to right, once:

    text          itself; a blank stands for one or more blanks
    {name}        a run of characters that are not blank, up to what follows
    {name:number} the same, of digits, sign, point and exponent only
    {name:text}   everything up to what follows, or to the end
    {_}           a run of characters that is not kept
    {*}           anything up to the text that follows, or to the end
    { }           blanks, or none
    {address}     the device's address where it has one, else a run of characters
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from drivers.profiles.dialogue import Part, Parts

CONTROLS: Final = {
    "NUL": "\0",
    "SOH": "\x01",
    "STX": "\x02",
    "ETX": "\x03",
    "EOT": "\x04",
    "ENQ": "\x05",
    "ACK": "\x06",
    "TAB": "\t",
    "LF": "\n",
    "NL": "\n",
    "CR": "\r",
    "NAK": "\x15",
    "ESC": "\x1b",
    "SP": " ",
}
_FIELDS: Final = ("run", "number", "text")
CHECKS: Final = ("crc3", "xor", "sum8", "nmea")
_CONTROL = re.compile(r"<([A-Z]{2,3}|[0-9A-F]{2})>")
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}\Z")
_BRACE = re.compile(r"\{([^{}]*)\}|([\[\]{}])")
_MOST_PARTS = 64
_MOST_WIDTH = 16


class DialogueTextError(ValueError):
    """A text or a pattern that cannot be read; says what was expected."""


def control(text: str) -> str:
    """The text with its control characters in place of their names."""

    def real(match: re.Match[str]) -> str:
        word = match[1]
        if word in CONTROLS:
            return CONTROLS[word]
        if len(word) == 2 and all(c in "0123456789ABCDEF" for c in word):  # noqa: PLR2004
            return chr(int(word, 16))
        return match[0]

    return _CONTROL.sub(real, text)


def sign(text: str) -> bytes:
    """The bytes of a text without placeholders.

    Raises:
        DialogueTextError: It has characters that no byte stands for.
    """
    try:
        return control(text).encode("latin-1")
    except UnicodeEncodeError as exc:
        raise DialogueTextError("expected characters of one byte each") from exc


def text_parts(text: str) -> Parts:
    """A text to send, or how an answer starts.

    Returns:
        Parts ("lit", text), ("address", width), ("id", ""), ("crc3", "") and so on;
        ("if", "") and ("end", "") around what an address is needed for.

    Raises:
        DialogueTextError: A placeholder is unknown, or a bracket has no other.
    """
    parts: list[Part] = []
    open_at = False
    for piece in _pieces(text):
        kind, word = piece
        if kind == "lit":
            parts.append(_literal(word))
        elif kind == "[":
            if open_at:
                raise DialogueTextError("expected ] before the next [")
            open_at = True
            parts.append(("if", ""))
        elif kind == "]":
            if not open_at:
                raise DialogueTextError("expected [ before ]")
            open_at = False
            parts.append(("end", ""))
        elif word == "address" or word.startswith("address:"):
            parts.append(("address", _width(word)))
        elif word == "id" or word in CHECKS:
            parts.append((word, ""))
        else:
            raise DialogueTextError(
                f"expected {{address}}, {{id}} or a check such as {{crc3}}, found"
                f" {{{word}}}"
            )
    if open_at:
        raise DialogueTextError("expected ] at the end")
    return _few(parts)


def pattern_parts(text: str) -> Parts:
    """A pattern.

    Returns:
        Parts ("lit", text), ("blanks", "" or "1"), ("run", name), ("number", name),
        ("text", name) and ("address", width); what has no name is not kept.

    Raises:
        DialogueTextError: A field is misnamed or named twice, or two fields meet
            without anything between them.
    """
    parts: list[Part] = []
    names: set[str] = set()
    for kind, word in _pieces(text):
        if kind in "[]":
            parts.append(("lit", kind))
        elif kind == "lit":
            literal = control(word)
            sign(literal)
            parts += _blanks_apart(literal)
        elif word == " ":
            parts.append(("blanks", ""))
        elif word in ("*", "_"):
            parts.append(("text" if word == "*" else "run", ""))
        elif word == "address" or word.startswith("address:"):
            parts.append(("address", _width(word)))
        else:
            name, _, form = word.partition(":")
            if not _FIELD.match(name) or form not in ("", "text", "number"):
                raise DialogueTextError(
                    "expected a field such as {value} or {name:text}, found"
                    f" {{{word}}}"
                )
            if name in names:
                raise DialogueTextError(f"expected {{{name}}} once, found it again")
            names.add(name)
            parts.append((form or "run", name))
    for (one, _), (two, _) in pairwise(parts):
        if one in (*_FIELDS, "address") and two in _FIELDS:
            raise DialogueTextError("expected something between two fields")
        if one == "text" and two not in ("lit", "address"):
            raise DialogueTextError("expected text behind {*} and {name:text}")
    return _few(parts)


def fields_of(parts: Parts) -> tuple[str, ...]:
    """The names of a pattern's fields."""
    return tuple(name for kind, name in parts if kind in _FIELDS and name)


def _pieces(text: str) -> list[Part]:
    pieces: list[Part] = []
    at = 0
    for match in _BRACE.finditer(text):
        if match.start() > at:
            pieces.append(("lit", text[at : match.start()]))
        at = match.end()
        if match[2] in ("{", "}"):
            raise DialogueTextError("expected { and } in pairs")
        pieces.append((match[2], "") if match[2] else ("{", match[1]))
    if at < len(text):
        pieces.append(("lit", text[at:]))
    return pieces


def _literal(word: str) -> Part:
    sign(word)
    return ("lit", control(word))


def _blanks_apart(literal: str) -> list[Part]:
    return [
        ("blanks", "1") if piece[0] == " " else ("lit", piece)
        for piece in re.split(r"( +)", literal)
        if piece
    ]


def _width(word: str) -> str:
    _, _, width = word.partition(":")
    if width and (not width.isdecimal() or not 1 <= int(width) <= _MOST_WIDTH):
        raise DialogueTextError(f"expected {{address:4}}, found {{{word}}}")
    return width


def _few(parts: list[Part]) -> Parts:
    if len(parts) > _MOST_PARTS:
        raise DialogueTextError(f"expected at most {_MOST_PARTS} parts")
    return tuple(parts)
