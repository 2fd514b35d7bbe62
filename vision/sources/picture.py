"""One picture of a folder, decoded whole or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from vision.sources.jpeg import decode
from vision.sources.source import SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

KINDS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
"""Endings of what is a picture, in small letters."""


def read_picture(path: Path) -> NDArray[np.uint8]:
    """A picture file as (height, width, 3) BGR.

    Raises:
        SourceError: It is gone, or no whole picture.
    """
    try:
        data = path.read_bytes()
    except OSError:
        raise SourceError("gone", "vision.source.no_file", path=str(path)) from None
    if path.suffix.lower() in {".jpg", ".jpeg"}:
        return decode(data)
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if found is None:
        raise SourceError("corrupt", "vision.source.undecodable", bytes=str(len(data)))
    return np.asarray(found, np.uint8)
