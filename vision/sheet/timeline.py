"""Scores over time, with the alarms, and what was held, learned or faulty."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from vision.messages import LABELS, Label
from vision.pen import CARD, FAINT, GRID, INK, LABEL, Colour, fill, width, write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

LEFT, RIGHT, TOP = 150, 24, 44
_LANE, _CHART = 22, 190
_TICKS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400)
_LEAST_PX = 70
_HELD: Colour = (110, 100, 95)
_LEARNING: Colour = (150, 120, 70)
_FAULT: Colour = (80, 80, 210)


class Point(NamedTuple):
    """One frame's numbers."""

    at_s: float
    scores: tuple[float, float, float]
    """Of the strongest warm region of each label."""
    image: tuple[float, float, float] | None
    """Of the whole picture; None: not judged."""
    held: bool
    learning: bool
    faulty: bool


class Span(NamedTuple):
    """An alarm from its raising to its clearing."""

    label: Label
    from_s: float
    until_s: float
    name: str


def timeline(
    points: Sequence[Point],
    spans: Sequence[Span],
    thresholds: Mapping[Label, float],
    words: Mapping[str, str],
    across: int,
) -> NDArray[np.uint8]:
    """Draw it.

    Args:
        points: In order of time; at least one.
        spans: The alarms.
        thresholds: Of the labels that are watched.
        words: For labels and lanes.
        across: Width in pixels.
    """
    lanes = [label for label in LABELS if any(s.label == label for s in spans)]
    states = [
        ("held", _HELD, [p.held and not p.faulty for p in points]),
        ("learning", _LEARNING, [p.learning for p in points]),
        ("fault", _FAULT, [p.faulty for p in points]),
    ]
    states = [state for state in states if any(state[2])]
    bottom = TOP + _CHART
    high = bottom + 34 + _LANE * (len(lanes) + len(states)) + 10
    drawn = np.full((high, across, 3), CARD, np.uint8)
    first_s, last_s = points[0].at_s, max(points[-1].at_s, points[0].at_s + 1)

    def x_of(at_s: float) -> int:
        part = (at_s - first_s) / (last_s - first_s)
        return round(LEFT + min(max(part, 0.0), 1.0) * (across - LEFT - RIGHT))

    def y_of(score: float) -> int:
        return round(bottom - min(max(score, 0.0), 1.0) * _CHART)

    _axes(drawn, first_s, last_s, x_of, y_of, bottom)
    _legend(drawn, thresholds, words)
    for label, threshold in thresholds.items():
        i = LABELS.index(label)
        colour = LABEL[label]
        _dashed(drawn, y_of(threshold), colour, across)
        _curve(
            drawn,
            [(x_of(p.at_s), y_of(p.image[i])) for p in points if p.image],
            _dim(colour),
            1,
        )
        _curve(drawn, [(x_of(p.at_s), y_of(p.scores[i])) for p in points], colour, 2)
    y = bottom + 34
    for label in lanes:
        write(
            drawn, words.get(label, label), (14, y + 15), size=14, colour=LABEL[label]
        )
        for span in (s for s in spans if s.label == label):
            x0, x1 = x_of(span.from_s), x_of(span.until_s)
            fill(drawn, (x0, y + 2, max(x1, x0 + 4), y + 18), LABEL[label])
            _dashed_down(drawn, x0, bottom, LABEL[label])
        y += _LANE
    step_s = (last_s - first_s) / max(1, len(points) - 1)
    for name, colour, on in states:
        write(drawn, words.get(name, name), (14, y + 15), size=14, colour=FAINT)
        for from_s, until_s in _runs(points, on, step_s):
            fill(drawn, (x_of(from_s), y + 5, x_of(until_s) + 1, y + 15), colour)
        y += _LANE
    return drawn


def _axes(drawn, first_s, last_s, x_of, y_of, bottom) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    across = drawn.shape[1]
    for score in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = y_of(score)
        cv2.line(drawn, (LEFT, y), (across - RIGHT, y), GRID, 1)
        write(drawn, f"{score:.2f}", (LEFT - 44, y + 5), size=13, colour=FAINT)
    room = max(1.0, (across - LEFT - RIGHT) / _LEAST_PX)
    step = next((s for s in _TICKS_S if (last_s - first_s) / s <= room), _TICKS_S[-1])
    tick = np.ceil(first_s / step) * step
    while tick <= last_s:
        x = x_of(tick)
        cv2.line(drawn, (x, bottom), (x, bottom + 5), FAINT, 1)
        text = clock(tick, tenths=False)
        write(
            drawn, text, (x - width(text, 13) // 2, bottom + 21), size=13, colour=FAINT
        )
        tick += step


def _runs(
    points: Sequence[Point], on: Sequence[bool], step_s: float
) -> list[tuple[float, float]]:
    """From when to when something held, without breaks."""
    runs: list[tuple[float, float]] = []
    for point, is_on, was_on in zip(points, on, [False, *on], strict=False):
        if not is_on:
            continue
        from_s = runs.pop()[0] if was_on else point.at_s
        runs.append((from_s, point.at_s + step_s))
    return runs


def _legend(
    drawn: NDArray[np.uint8],
    thresholds: Mapping[Label, float],
    words: Mapping[str, str],
) -> None:
    x = LEFT
    for label, threshold in thresholds.items():
        fill(drawn, (x, 17, x + 18, 22), LABEL[label])
        text = f"{words.get(label, label)}  ≥ {threshold:.2f}"
        x = write(drawn, text, (x + 26, 25), size=15, colour=INK) + 34
    write(drawn, words.get("curves", ""), (x, 25), size=13, colour=FAINT)


def _curve(
    drawn: NDArray[np.uint8],
    corners: list[tuple[int, int]],
    colour: Colour,
    thick: int,
) -> None:
    if len(corners) > 1:
        line = np.array(corners, np.int32).reshape(-1, 1, 2)
        cv2.polylines(drawn, [line], False, colour, thick, cv2.LINE_AA)


def _dashed(drawn: NDArray[np.uint8], y: int, colour: Colour, across: int) -> None:
    for x in range(LEFT, across - RIGHT, 12):
        cv2.line(drawn, (x, y), (x + 5, y), _dim(colour), 1)


def _dashed_down(drawn: NDArray[np.uint8], x: int, bottom: int, colour: Colour) -> None:
    for y in range(TOP, bottom + 34, 10):
        cv2.line(drawn, (x, y), (x, min(y + 4, bottom + 34)), colour, 1)


def _dim(colour: Colour) -> Colour:
    blue, green, red = (
        int(part * 0.45 + ground * 0.55)
        for part, ground in zip(colour, CARD, strict=True)
    )
    return blue, green, red


def clock(at_s: float, *, tenths: bool = True) -> str:
    """Minutes and seconds of a trial, hours where there are any."""
    whole = int(at_s * 10 + 0.5) if tenths else int(at_s + 0.5) * 10
    hours, rest = divmod(whole, 36000)
    minutes, rest = divmod(rest, 600)
    seconds = f"{rest // 10:02d}" + (f".{rest % 10}" if tenths else "")
    return f"{hours}:{minutes:02d}:{seconds}" if hours else f"{minutes}:{seconds}"
