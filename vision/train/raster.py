"""Pictures as arrays: the few operations every renderer needs, with plain types.

Colour pictures are RGB. ``Field`` is one float32 number a pixel (an opacity, a height,
a noise), ``Picture`` is float32 RGB on the scale 0..255, ``Bytes`` is what a camera
hands over. OpenCV is called from here and from ``camera`` only.
"""

from __future__ import annotations

from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.floating[Any]]
Picture = NDArray[np.floating[Any]]
Bytes = NDArray[np.uint8]


def decode(jpeg: bytes) -> Bytes:
    """A JPEG's pixels, (h, w, 3) RGB.

    Raises:
        ValueError: the bytes are no picture.
    """
    found = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    if found is None:
        raise ValueError(f"expected a JPEG, got {len(jpeg)} bytes that are none")
    return cast("Bytes", found)


def resized(image: Field, height: int, width: int, *, area: bool = False) -> Field:
    """The same picture at another size; ``area`` averages when it shrinks."""
    how = cv2.INTER_AREA if area else cv2.INTER_LINEAR
    return cast("Field", cv2.resize(image, (width, height), interpolation=how))


def enlarged(image: Field, height: int, width: int) -> Field:
    """A small field enlarged without visible facets (bicubic)."""
    size = (width, height)
    return cast("Field", cv2.resize(image, size, interpolation=cv2.INTER_CUBIC))


def blurred(image: Field, sigma: float) -> Field:
    """Gaussian blur; below a fifth of a pixel nothing happens."""
    if sigma < 0.2:  # noqa: PLR2004
        return image
    return cast("Field", cv2.GaussianBlur(image, (0, 0), sigma))


def smeared(image: Field, length: float, angle: float) -> Field:
    """Motion blur along ``angle`` (radians) over ``length`` pixels."""
    size = int(length) | 1
    kernel = np.zeros((size, size), np.float32)
    half = size // 2
    reach = (np.cos(angle) * half, np.sin(angle) * half)
    start = (round(half - reach[0]), round(half - reach[1]))
    end = (round(half + reach[0]), round(half + reach[1]))
    cv2.line(kernel, start, end, (1.0,), 1)
    return cast("Field", cv2.filter2D(image, -1, kernel / max(kernel.sum(), 1.0)))


def looked_up(bank: Field, x: Field, y: Field) -> Field:
    """``bank`` (a tile) read at real coordinates, wrapped around its edges."""
    how = {"interpolation": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_WRAP}
    return cast("Field", cv2.remap(bank, x, y, **how))  # type: ignore[call-overload]


def slopes(field: Field) -> tuple[Field, Field]:
    """Differences to the right and downwards, central, same size."""
    field = np.asarray(field, np.float32)
    dx = cast("Field", cv2.Sobel(field, cv2.CV_32F, 1, 0, ksize=3, scale=0.125))
    dy = cast("Field", cv2.Sobel(field, cv2.CV_32F, 0, 1, ksize=3, scale=0.125))
    return dx, dy


def grid(height: int, width: int) -> tuple[Field, Field]:
    """Pixel coordinates x (h, w) and y (h, w)."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return x, y


def grey(image: Picture) -> Field:
    """Brightness 0..255 (ITU-R BT.601 weights)."""
    weights = np.array([[0.299, 0.587, 0.114]], np.float32)
    return cast("Field", cv2.transform(image, weights))


def over(image: Picture, opacity: Field, colour: Picture | Field) -> Picture:
    """``colour`` laid over ``image`` with an opacity a pixel."""
    share = np.asarray(opacity, np.float32)[..., None]
    return image + share * (np.asarray(colour, np.float32) - image)


def smoothstep(low: float, high: float, value: Field) -> Field:
    """0 below ``low``, 1 above ``high``, without a corner between."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return cast("Field", t * t * (3.0 - 2.0 * t))


def to_bytes(image: Picture) -> Bytes:
    """Rounded and clipped to what a camera can hand over."""
    zero = (0.0, 0.0, 0.0, 0.0)
    return cast("Bytes", cv2.add(image, zero, dtype=cv2.CV_8U))  # type: ignore[call-overload]
