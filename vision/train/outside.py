"""A folder of photographs with nothing in them, from anywhere but the data.

The val split's negatives come from few cameras. What a net calls in pictures of other
people, other lenses and other subjects says more about false alarms than they do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from vision.train.book import HEIGHT, WIDTH
from vision.train.frames import Truth

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

KIND = "outside"
_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
NOTHING = Truth(smoke=False, dark=False, light=False, dust=False, far=False)


def covered(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut a picture to the data's size: scaled until it covers it, middle kept."""
    scale = max(WIDTH / image.shape[1], HEIGHT / image.shape[0])
    wide, high = (round(side * scale) for side in (image.shape[1], image.shape[0]))
    wide, high = max(wide, WIDTH), max(high, HEIGHT)
    scaled = cv2.resize(image, (wide, high), interpolation=cv2.INTER_AREA)
    x, y = (wide - WIDTH) // 2, (high - HEIGHT) // 2
    return np.asarray(scaled[y : y + HEIGHT, x : x + WIDTH], np.uint8)


def photographs(folder: Path) -> tuple[list[str], list[NDArray[np.uint8]]]:
    """Read every photograph of a folder: names and (384,640,3) RGB.

    Raises:
        ValueError: a file is no picture, or there is none.
    """
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in _SUFFIXES)
    if not paths:
        raise ValueError(f"{folder}: expected photographs, found none")
    images = []
    for path in paths:
        image = cv2.imread(str(path))
        if image is None:
            raise ValueError(f"{path}: expected a picture, cannot be read")
        images.append(np.ascontiguousarray(covered(image.astype(np.uint8))[..., ::-1]))
    return [p.stem for p in paths], images
