"""A factor over time in a terminal: braille dots, gaps left empty, marks below.

 ppm ┤        ⢀⡀
48.2 ┤  ⢀⡠⠔⠒⠊⠉⠈⠑⠢⢄            ⣀⡠⠤
     │                          ⠉
12.0 ┤
     └┬─────────┬─────────┬─────────
    00:00     06:00     12:00
            DD      ······ M
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from gateway.cli.output import display_width, pad, paint

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from gateway.cli.output import Style

NOTHING = "·"
"""In the line of marks: no record."""
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BLANK = 0x2800
_MINUTE = 60
_DAY = 86_400
_STEPS_S = (
    *(m * _MINUTE for m in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720)),
    *(d * _DAY for d in (1, 2, 5, 7, 14, 28, 56, 91, 182)),
)
_LABEL = 7
"""Columns that a time below the axis takes, with a blank."""


class Dot(NamedTuple):
    """One period of a factor."""

    since_ms: int
    until_ms: int
    value: float | None
    letter: str
    """Its mark; empty: it counts."""


def plot(
    dots: Sequence[Dot],
    since_ms: int,
    until_ms: int,
    zone: ZoneInfo,
    *,
    columns: int,
    rows: int,
    decimals: int,
) -> list[str]:
    """Lines of a chart.

    Args:
        dots: Ascending; what lies between two is a gap where they do not meet.
        since_ms: Left end, UTC ms.
        until_ms: Right end.
        zone: Civil time below the axis.
        columns: Width of all of it.
        rows: Height of the chart alone.
        decimals: Of the numbers beside the axis.
    """
    values = [dot.value for dot in dots if dot.value is not None]
    if not values:
        return []
    low, high = _range(values, decimals)
    names = [f"{high:.{decimals}f}", f"{(low + high) / 2:.{decimals}f}"]
    names.append(f"{low:.{decimals}f}")
    margin = max(map(len, names))
    width = max(10, columns - margin - 3)
    spread = _spread(dots, since_ms, until_ms, 2 * width)
    marks = _marks(dots, since_ms, until_ms, width)
    cells = _cells(spread, low, high, width, rows)
    labelled = {0: names[0], rows // 2: names[1], rows - 1: names[2]}
    lines = []
    for row in range(rows):
        name = labelled.get(row, "")
        axis = "┤" if name else "│"
        dotted = "".join(
            _coloured(cell, mark) for cell, mark in zip(cells[row], marks, strict=True)
        )
        lines.append(f"{name:>{margin}} {axis}{dotted}".rstrip())
    lines += _axis(since_ms, until_ms, zone, width, margin)
    if any(mark != " " for mark in marks):
        shown = "".join(paint(m, *_style(m)) for m in marks)
        lines.append(" " * (margin + 2) + shown.rstrip())
    return lines


def _range(values: Sequence[float], decimals: int) -> tuple[float, float]:
    low, high = min(values), max(values)
    if high - low < 10.0**-decimals:
        half = max(2 * 10.0**-decimals, abs(high) / 100)
        return low - half, high + half
    return low, high


def _spread(
    dots: Sequence[Dot], since_ms: int, until_ms: int, count: int
) -> list[tuple[float, float] | None]:
    """Least and greatest value in each of so many slices of the time."""
    found: list[tuple[float, float] | None] = [None] * count
    span = until_ms - since_ms
    for dot in dots:
        if dot.value is None:
            continue
        for k in _slices(dot, since_ms, span, count):
            known = found[k] or (dot.value, dot.value)
            found[k] = min(known[0], dot.value), max(known[1], dot.value)
    return found


def _slices(dot: Dot, since_ms: int, span_ms: int, count: int) -> range:
    first = (dot.since_ms - since_ms) * count // span_ms
    last = math.ceil((dot.until_ms - since_ms) * count / span_ms) - 1
    return range(max(0, first), min(count, max(first, last) + 1))


def _cells(
    spread: Sequence[tuple[float, float] | None],
    low: float,
    high: float,
    width: int,
    rows: int,
) -> list[list[str]]:
    bits = [[0] * width for _ in range(rows)]
    top = 4 * rows - 1

    def place(value: float) -> int:
        return top - round((value - low) / (high - low) * top)

    before: tuple[int, int] | None = None
    for k, found in enumerate(spread):
        if found is None:
            before = None
            continue
        first, last = place(found[1]), place(found[0])
        if before is not None:  # no hole in a line that goes on
            first, last = min(first, before[1] + 1), max(last, before[0] - 1)
        for y in range(max(0, first), min(top, last) + 1):
            bits[y // 4][k // 2] |= _DOTS[y % 4][k % 2]
        before = place(found[1]), place(found[0])
    return [[chr(_BLANK + bit) if bit else " " for bit in row] for row in bits]


def _marks(dots: Sequence[Dot], since_ms: int, until_ms: int, width: int) -> list[str]:
    """A letter for each column in which something does not count."""
    marks = [NOTHING] * width
    span = until_ms - since_ms
    for dot in dots:
        for k in _slices(dot, since_ms, span, width):
            if marks[k] in (NOTHING, " "):
                marks[k] = dot.letter or " "
    return marks


def _axis(
    since_ms: int, until_ms: int, zone: ZoneInfo, width: int, margin: int
) -> list[str]:
    """The line below, and civil times at round moments."""
    span_s = (until_ms - since_ms) / 1000
    most = max(1, width // (_LABEL + 2))
    step_s = next((s for s in _STEPS_S if span_s / s <= most), _STEPS_S[-1])
    line, names = ["─"] * width, [" "] * (width + _LABEL)
    free = 0
    for at in _ticks(since_ms, until_ms, step_s, zone):
        k = round((at.timestamp() * 1000 - since_ms) / (until_ms - since_ms) * width)
        name = f"{at:%m-%d}" if step_s >= _DAY or not (at.hour or at.minute) else ""
        name = name or f"{at:%H:%M}"
        if k < width:
            line[k] = "┬"
            if k >= free and k + len(name) <= width + margin:
                names[k : k + len(name)] = list(name)
                free = k + len(name) + 1
    left = " " * (margin + 1)
    return [left + "└" + "".join(line), left + " " + "".join(names).rstrip()]


def _ticks(since_ms: int, until_ms: int, step_s: int, zone: ZoneInfo) -> list[datetime]:
    begin = datetime.fromtimestamp(since_ms / 1000, UTC).astimezone(zone)
    day = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    found: list[datetime] = []
    k = 0
    while True:
        at = day + timedelta(seconds=k * step_s)
        at_ms = at.timestamp() * 1000
        if at_ms >= until_ms:
            return found
        if at_ms >= since_ms:
            found.append(at)
        k += 1


def _coloured(cell: str, mark: str) -> str:
    return paint(cell, *_style(mark)) if cell != " " and mark != " " else cell


def _style(mark: str) -> tuple[Style, ...]:
    if mark == NOTHING:
        return ("dim",)
    return () if mark == " " else ("yellow",)


def titled(name: str, unit: str, columns: int, right: str) -> str:
    """The line above a chart: what it is at the left, when at the right."""
    left = f"{paint(name, 'bold')}  {unit}".rstrip()
    room = columns - display_width(right)
    return pad(left, room) + right if display_width(left) < room else left
