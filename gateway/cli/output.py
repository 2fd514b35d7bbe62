"""What commands print: aligned tables with Chinese in them, colours, JSON."""

from __future__ import annotations

import os
import re
import shutil
import sys
import unicodedata
from typing import TYPE_CHECKING, Literal, TextIO

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Style = Literal["bold", "dim", "red", "green", "yellow", "cyan"]
_LEAST = 8
"""Columns that a shortened cell keeps."""
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


def terminal_columns() -> int | None:
    """How wide standard output is; None where it is no terminal and nothing wraps."""
    if not sys.stdout.isatty():
        return None
    return shutil.get_terminal_size().columns


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


def clip(text: str, columns: int) -> str:
    """The text in at most this many columns, an ellipsis where some of it went."""
    if display_width(text) <= columns:
        return text
    width, kept, coloured = 0, [], False
    for piece in re.split("(\x1b\\[[0-9;]*m)", text):
        if piece.startswith("\x1b"):
            kept.append(piece)
            coloured = True
            continue
        for character in piece:
            width += display_width(character)
            if width > columns - 1:
                return "".join(kept) + "…" + ("\x1b[0m" if coloured else "")
            kept.append(character)
    return "".join(kept)


def table(
    headers: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Iterable[int] = (),
    gap: str = "  ",
    cut: Iterable[int] = (),
    columns: int | None = None,
) -> str:
    """Rows under headers, columns aligned.

    Args:
        headers: One for each column.
        rows: Their cells.
        right: Columns aligned at their right.
        gap: Between columns.
        cut: Columns shortened, the first listed first, where ``columns`` is too little.
        columns: The room there is; None for as much as it takes.
    """
    body = [list(row) for row in rows]
    widths = [
        max(display_width(row[column]) for row in [headers, *body])
        for column in range(len(headers))
    ]
    to_right = set(right)
    if columns is not None:
        over = sum(widths) + len(gap) * (len(widths) - 1) - columns
        for column in cut:
            least = min(widths[column], max(_LEAST, display_width(headers[column])))
            given = max(0, min(over, widths[column] - least))
            widths[column] -= given
            over -= given
            for row in body:
                row[column] = clip(row[column], widths[column])

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
