"""What commands print: aligned tables with Chinese in them, colours, JSON."""

from __future__ import annotations

import os
import sys
import unicodedata
from typing import TYPE_CHECKING, Literal, TextIO

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Style = Literal["bold", "dim", "red", "green", "yellow", "cyan"]
_CODES: dict[str, str] = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "cyan": "36",
}


def colours(stream: TextIO | None = None) -> bool:
    """Whether to colour: a terminal, no NO_COLOR (no-color.org), no dumb terminal."""
    if os.environ.get("FORCE_COLOR"):
        return True
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return (stream or sys.stdout).isatty()


def paint(text: str, *styles: Style, stream: TextIO | None = None) -> str:
    """The text in these styles, where the stream shows colours."""
    if not styles or not colours(stream):
        return text
    codes = ";".join(_CODES[style] for style in styles)
    return f"\x1b[{codes}m{text}\x1b[0m"


def display_width(text: str) -> int:
    """Columns a text takes: Chinese characters are two wide, escapes and marks none."""
    width, escaped = 0, False
    for character in text:
        if character == "\x1b":
            escaped = True
        elif escaped:
            escaped = character != "m"
        elif not unicodedata.combining(character):
            width += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return width


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """The text filled with blanks to this many columns; ``right`` aligns it right."""
    blanks = " " * max(0, columns - display_width(text))
    return blanks + text if right else text + blanks


def table(
    headers: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Iterable[int] = (),
    gap: str = "  ",
) -> str:
    """Rows under headers, columns aligned; ``right`` lists right-aligned columns."""
    body = [list(row) for row in rows]
    widths = [
        max(display_width(row[column]) for row in [headers, *body])
        for column in range(len(headers))
    ]
    to_right = set(right)

    def line(cells: Sequence[str]) -> str:
        padded = (
            pad(cell, width, right=column in to_right)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return gap.join(padded).rstrip()

    head = paint(line(headers), "bold")
    return "\n".join([head, *(line(row) for row in body)])


def print_json(value: object) -> None:
    """Print any structure of ours as indented JSON."""
    text = msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2)
    print(text.decode())
