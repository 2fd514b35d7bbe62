"""A picture with what was seen drawn into it, and a line of text below it.

The text stands below the picture, so that nothing of it is covered. Its words are the
gateway's; English where none are given or there are no letters for them.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

import cv2
import numpy as np

from vision.evidence.blackout import BLOCK, MARGIN
from vision.pen import (
    DARK,
    FAINT,
    INK,
    LABEL,
    PAPER,
    can_write,
    chip,
    chip_size,
    width,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from vision.messages import Camera, Sight
    from vision.pen import Colour

_SMALLEST_WIDTH = 480
"""Smaller pictures are made this wide before anything is drawn: text has to be read."""


class Drawn(NamedTuple):
    """A picture with something drawn into it."""

    picture: NDArray[np.uint8]
    """(more rows, width, 3) uint8, BGR."""
    rows: int
    """So many of them, from the top, are of the camera's picture."""


def annotated(
    image: NDArray[np.uint8], sight: Sight, camera: Camera, words: Mapping[str, str]
) -> Drawn:
    """The picture with a box around the region, and its line of text.

    Args:
        image: (height, width, 3) uint8, BGR; never changed. Private zones are black.
        sight: What was seen in it.
        camera: Whose name and time zone stand below.
        words: As in ``Evidence``.

    Returns:
        The picture, and below it, from the next coding block on, its line of text.
    """
    height, across = image.shape[:2]
    if across < _SMALLEST_WIDTH:
        across, height = _SMALLEST_WIDTH, round(height * _SMALLEST_WIDTH / across)
        image = cv2.resize(image, (across, height)).astype(np.uint8, copy=False)
    unit = max(1.0, min(across / 640, height / 360))
    below = -(-(height + MARGIN) // BLOCK) * BLOCK
    picture = np.zeros((below + round(30 * unit), across, 3), np.uint8)
    picture[:height] = image
    _box(picture[:height], sight, words, unit)
    picture[below:] = PAPER
    _footer(picture[below:], sight, camera, words, unit)
    return Drawn(picture, height)


def _box(
    picture: NDArray[np.uint8], sight: Sight, words: Mapping[str, str], unit: float
) -> None:
    """The region: a thin frame with strong corners, dark around it on bright skies."""
    height, across = picture.shape[:2]
    x0, y0, x1, y1 = sight.region
    # Far smoke is a few pixels: the frame keeps off what it shows.
    least, edge = 40 * unit, round(3 * unit)
    wide = max(8 * unit, (least - (x1 - x0) * across) / 2)
    high = max(8 * unit, (least - (y1 - y0) * height) / 2)
    left = max(edge, round(x0 * across - wide))
    top = max(edge, round(y0 * height - high))
    right = min(across - 1 - edge, round(x1 * across + wide))
    bottom = min(height - 1 - edge, round(y1 * height + high))
    colour = LABEL[sight.label]
    thin, thick = max(1, round(0.8 * unit)), max(2, round(2 * unit))
    arm = min(round(24 * unit), min(right - left, bottom - top) // 4)
    for ink, more in ((DARK, 2), (colour, 0)):
        size = thin + more
        cv2.rectangle(picture, (left, top), (right, bottom), ink, size, cv2.LINE_AA)
        for x, to_x in ((left, left + arm), (right, right - arm)):
            for y, to_y in ((top, top + arm), (bottom, bottom - arm)):
                cv2.line(picture, (x, y), (to_x, y), ink, thick + more, cv2.LINE_AA)
                cv2.line(picture, (x, y), (x, to_y), ink, thick + more, cv2.LINE_AA)
    label = f"{_word(words, sight.label)} {sight.score:.2f}"
    _tag(picture, label, LABEL[sight.label], (left, top, bottom), unit)


def _tag(
    picture: NDArray[np.uint8],
    text: str,
    colour: Colour,
    box: tuple[int, int, int],
    unit: float,
) -> None:
    """Label and score on the frame's upper edge, below it where there is no room."""
    left, top, bottom = box
    size = round(14 * unit)
    wide, high = chip_size(text, size)
    left = min(left, max(0, picture.shape[1] - wide))
    at = top - high if top >= high else min(bottom, picture.shape[0] - high)
    chip(picture, text, (left, at), colour, size)


def _footer(
    strip: NDArray[np.uint8],
    sight: Sight,
    camera: Camera,
    words: Mapping[str, str],
    unit: float,
) -> None:
    """Where and when on the left; what and by which model on the right."""
    size, pad, base = round(13 * unit), round(9 * unit), round(20 * unit)
    strip[: max(2, round(2 * unit))] = LABEL[sight.label]
    left = f"{camera.name}   {local_time(sight.t_ms, camera.timezone)}"
    end = write(strip, left, (pad, base), size=size, colour=INK)
    right = _facts(sight, words)
    while right:
        at = strip.shape[1] - pad - width(right, size)
        if at >= end + 2 * pad:
            write(strip, right, (at, base), size=size, colour=FAINT)
            return
        right = right.rpartition("   ")[0]


def _facts(sight: Sight, words: Mapping[str, str]) -> str:
    """What the event says as well, the most telling first."""
    facts = [f"{_word(words, 'peak')} {sight.peak:.2f} ≥ {sight.threshold:.2f}"]
    if sight.bearing is not None:
        facts.append(f"{_word(words, 'bearing')} {sight.bearing:.0f}°")
    if sight.night:
        facts.append(_word(words, "night"))
    if sight.model:
        facts.append(sight.model)
    return "   ".join(facts)


def _word(words: Mapping[str, str], name: str) -> str:
    text = words.get(name, "")
    return text if text and can_write(text) else name.replace("_", " ")


def local_time(t_ms: int, timezone: str) -> str:
    """``2025-11-21 16:00:00 +08:00``."""
    at = datetime.fromtimestamp(t_ms / 1000, ZoneInfo(timezone))
    return at.isoformat(" ", "seconds").replace("+", " +")
