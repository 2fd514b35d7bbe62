"""Which part of a 640x384 picture a training crop shows, and how large.

A view maps every pixel of the crop (256x192) to a place in the picture, so pictures,
boxes and cells are cut by the same affine map.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from vision.train.book import CELL, HEIGHT, WIDTH
from vision.train.chance import between, decades, often

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from vision.train import raster
    from vision.train.book import Box
    from vision.train.chance import Dice

CROP_HEIGHT, CROP_WIDTH = 192, 256
ZOOM_LOW, ZOOM_HIGH = 0.5, 1.6
_MOST_TILT = 0.1  # radians: cameras on towers hang a little askew
_TILTED = 0.4
_SOFTEN, _SOFTEN_MORE = 0.8, 0.6


class View(NamedTuple):
    """An affine look at a picture.

    Attributes:
        matrix: (2, 3), from pixels of the crop to pixels of the picture.
        zoom: Pixels of the crop for one of the picture.
        height: Rows of the crop.
        width: Columns of the crop.
    """

    matrix: NDArray[np.float64]
    zoom: float
    height: int
    width: int

    def picture(self, image: raster.Bytes) -> raster.Bytes:
        """The crop of an RGB picture."""
        if self.zoom < _SOFTEN:  # a shrunk picture must not alias
            side = 2 if self.zoom > _SOFTEN_MORE else 3
            image = np.asarray(cv2.blur(image, (side, side)), np.uint8)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = (self.width, self.height)
        mode = cv2.BORDER_REFLECT_101
        return cv2.warpAffine(image, self.matrix, size, flags=flags, borderMode=mode)  # type: ignore[return-value]

    def cells(self, cells: NDArray[np.float16]) -> raster.Field:
        """The crop of (n, 24, 40) opacity cells, as (n, h, w) smooth opacity."""
        matrix = (self.matrix + np.array([[0, 0, 0.5]])) / CELL
        matrix[:, 2] -= 0.5
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = (self.width, self.height)
        layers = np.ascontiguousarray(cells.transpose(1, 2, 0), dtype=np.float32)
        mode = cv2.BORDER_REFLECT_101
        cut = cv2.warpAffine(layers, matrix, size, flags=flags, borderMode=mode)
        return np.ascontiguousarray(cut.transpose(2, 0, 1), dtype=np.float32)

    def boxes(self, boxes: Iterable[Box]) -> tuple[raster.Field, raster.Field]:
        """Where boxes, and the ellipses inside them, lie in the crop: 0..1 a pixel."""
        box_mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        ellipse = np.zeros((HEIGHT, WIDTH), np.uint8)
        for _, x0, y0, x1, y1 in boxes:
            corners = (round(x0), round(y0)), (round(x1), round(y1))
            cv2.rectangle(box_mask, *corners, (255.0,), -1)
            centre = (round((x0 + x1) / 2), round((y0 + y1) / 2))
            axes = (max(round((x1 - x0) / 2), 1), max(round((y1 - y0) / 2), 1))
            cv2.ellipse(ellipse, centre, axes, 0, 0, 360, (255.0,), -1)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = (self.width, self.height)
        mode = cv2.BORDER_REFLECT_101
        both = (
            cv2.warpAffine(m, self.matrix, size, flags=flags, borderMode=mode)
            for m in (box_mask, ellipse)
        )
        first, second = (np.asarray(m, np.float32) / 255 for m in both)
        return first, second


def whole(height: int = HEIGHT, width: int = WIDTH) -> View:
    """The whole picture as it is."""
    return View(np.array([[1.0, 0, 0], [0, 1.0, 0]]), 1.0, height, width)


def anywhere(rng: Dice, low: float = ZOOM_LOW, high: float = ZOOM_HIGH) -> View:
    """A crop from anywhere in the picture, in any allowed size, flipped or not."""
    zoom = decades(rng, low, high)
    reach_x, reach_y = CROP_WIDTH / zoom / 2, CROP_HEIGHT / zoom / 2
    x = between(rng, reach_x, max(WIDTH - reach_x, reach_x))
    y = between(rng, reach_y, max(HEIGHT - reach_y, reach_y))
    return _view(rng, zoom, x, y)


def around(rng: Dice, box: Box) -> View:
    """A crop that shows a good part of a box, seldom in its middle."""
    zoom = decades(rng, ZOOM_LOW, ZOOM_HIGH)
    across, down = CROP_WIDTH / zoom, CROP_HEIGHT / zoom
    x = between(rng, box.x0, box.x1) + (rng.random() - 0.5) * across * 0.8
    y = between(rng, box.y0, box.y1) + (rng.random() - 0.5) * down * 0.8
    x = min(max(x, across / 2), max(WIDTH - across / 2, across / 2))
    y = min(max(y, down / 2), max(HEIGHT - down / 2, down / 2))
    return _view(rng, zoom, x, y)


def _view(rng: Dice, zoom: float, x: float, y: float) -> View:
    angle = between(rng, -_MOST_TILT, _MOST_TILT) if often(rng, _TILTED) else 0.0
    side = -1.0 if often(rng, 0.5) else 1.0
    cos, sin = np.cos(angle) / zoom, np.sin(angle) / zoom
    matrix = np.array([[side * cos, -sin, 0.0], [side * sin, cos, 0.0]])
    middle = np.array([(CROP_WIDTH - 1) / 2, (CROP_HEIGHT - 1) / 2])
    matrix[:, 2] = np.array([x, y]) - matrix[:, :2] @ middle
    return View(matrix, zoom, CROP_HEIGHT, CROP_WIDTH)
