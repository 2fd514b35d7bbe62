"""One frame with what was seen in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from vision.messages import LABELS, Label
from vision.pen import ALARM, FAINT, LABEL, chip, fill, frame, write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_TINT = 0.35


class Standing(NamedTuple):
    """An alarm as it stands at a frame."""

    label: Label
    score: float
    region: tuple[float, float, float, float]
    """x0, y0, x1, y1 from 0 to 1."""


def tile(
    image: NDArray[np.uint8],
    size: tuple[int, int],
    *,
    clock: str,
    warm: NDArray[np.bool_] | None,
    alarms: Sequence[Standing],
    notes: Sequence[str],
    words: Mapping[str, str],
) -> NDArray[np.uint8]:
    """Draw it.

    Args:
        image: (height, width, 3) BGR; not changed.
        size: Width, height wanted; the picture is letterboxed into it.
        clock: The time, as shown.
        warm: (labels, rows, columns), tinted; None: not judged.
        alarms: Open alarms.
        notes: What else holds: held, learning, a fault.
        words: Names of the labels.
    """
    width, height = size
    scale = min(width / image.shape[1], height / image.shape[0])
    inner = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    drawn = np.full((height, width, 3), 12, np.uint8)
    x, y = (width - inner[0]) // 2, (height - inner[1]) // 2
    part = drawn[y : y + inner[1], x : x + inner[0]]
    part[...] = cv2.resize(image, inner, interpolation=cv2.INTER_AREA)
    if warm is not None:
        _tint(part, warm)
    for alarm in alarms:
        _outline(part, alarm, words)
    fill(drawn, (0, height - 26, width, height), (10, 10, 10), 0.55)
    end = write(drawn, clock, (8, height - 8), size=16, bold=True)
    if notes:
        write(drawn, " · ".join(notes), (end + 14, height - 8), size=14, colour=FAINT)
    if alarms:
        frame(drawn, (0, 0, width, height), ALARM, 3)
    return drawn


def _tint(part: NDArray[np.uint8], warm: NDArray[np.bool_]) -> None:
    size = (part.shape[1], part.shape[0])
    for i, label in enumerate(LABELS):
        if not warm[i].any():
            continue
        mask = warm[i].astype(np.float32)
        soft = cv2.resize(mask, size, interpolation=cv2.INTER_LINEAR)[..., None] * _TINT
        part[...] = (part * (1 - soft) + np.array(LABEL[label]) * soft).astype(np.uint8)


def _outline(
    part: NDArray[np.uint8], alarm: Standing, words: Mapping[str, str]
) -> None:
    height, width = part.shape[:2]
    x0, y0, x1, y1 = (
        round(fraction * side)
        for fraction, side in zip(
            alarm.region, (width, height, width, height), strict=True
        )
    )
    colour = LABEL[alarm.label]
    frame(part, (x0, y0, x1, y1), colour, 2)
    text = f"{words.get(alarm.label, alarm.label)} {alarm.score:.2f}"
    at_y = y0 - 24 if y0 >= 24 else min(y1, height - 50)  # noqa: PLR2004 - a chip's height
    chip(part, text, (max(0, min(x0, width - 130)), max(0, at_y)), colour, 14)
