"""A camera's picture at the size a network is fed with: RGB, with its bars.

Shrinking by more than half first averages whole blocks (OpenCV does those fast), then
interpolates: plain INTER_LINEAR would skip pixels that thin smoke is made of, and
INTER_AREA alone costs ten times as much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from vision.detect.letterbox import GREY, Fit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]


def prepared(image: Bytes, fit: Fit) -> Bytes:
    """Scale, pad and turn a picture.

    Args:
        image: (height, width, 3) BGR.
        fit: Where it lies in what is fed.

    Returns:
        (fit.fed[1], fit.fed[0], 3) RGB.
    """
    inner = scaled(image, fit.width, fit.height)
    rgb = cast("Bytes", cv2.cvtColor(inner, cv2.COLOR_BGR2RGB))
    if fit.whole:
        return rgb
    fed = np.full((fit.fed[1], fit.fed[0], 3), GREY, np.uint8)
    fed[fit.top : fit.top + fit.height, fit.left : fit.left + fit.width] = rgb
    return fed


def scaled(image: Bytes, width: int, height: int) -> Bytes:
    """The picture at another size; as it is where it has it already."""
    block = min(image.shape[1] // width, image.shape[0] // height)
    if block >= 2:  # noqa: PLR2004
        high, wide = image.shape[0] // block, image.shape[1] // block
        # Only whole blocks are quick; a rest of a pixel or two at the edge is cut.
        image = image[: high * block, : wide * block]
        image = cast(
            "Bytes", cv2.resize(image, (wide, high), interpolation=cv2.INTER_AREA)
        )
    if image.shape[:2] == (height, width):
        return image
    found = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return cast("Bytes", found)
