"""A camera's own writing in its picture: date, time and place in a corner or two."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from vision.train.chance import between, dice, often

if TYPE_CHECKING:
    from vision.train import raster

_BLACK, _WHITE = (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)
_LINE = 12  # rows of a letter at size 1


def captioned(image: raster.Bytes, seed: int, minute: int) -> raster.Bytes:
    """The picture with a caption.

    Args:
        image: (h, w, 3) uint8.
        seed: Says where and how it is written: the same for pictures of one camera.
        minute: What its clock says, and only that differs.
    """
    rng = dice(seed)
    image = np.ascontiguousarray(image)
    h, w = image.shape[:2]
    size = between(rng, 0.6, 1.3) * h / 192
    year, month, day = rng.integers((2010, 1, 1), (2031, 13, 29))
    hour, second = rng.integers((0, 0), (24, 60))
    text = f"{year}-{month:02d}-{day:02d} {hour:02d}:{minute % 60:02d}:{second:02d}"
    x, y = int(between(rng, 2, 0.4 * w)), h - 4
    if often(rng, 0.6):
        y = int(_LINE * size) + 2
    tone = _WHITE if often(rng, 0.8) else _BLACK
    if often(rng, 0.3):
        cv2.rectangle(image, (0, y - int(_LINE * size)), (w, y + 3), _BLACK, -1)
        tone = _WHITE
    font = cv2.FONT_HERSHEY_PLAIN
    cv2.putText(image, text, (x, y), font, size, tone, 1)
    if often(rng, 0.4):
        place = f"CAM {int(rng.integers(1, 40)):02d}"
        cv2.putText(image, place, (w - int(60 * size), h - 6), font, size, tone, 1)
    return image
