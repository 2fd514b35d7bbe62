"""What a fault does to the picture of a simulated camera."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from simulators.camera.faults import CameraFault

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

_STILL = {CameraFault.FREEZE, CameraFault.STALL}
_MOVES = 12.0
"""Grey levels by which a block changed since, to be drawn over the grey."""


class Spoiler:
    """Changes pictures as the faults in force say; remembers what a fault began with.

    Args:
        seed: Of the noise of a black picture.
    """

    def __init__(self, seed: int = 1) -> None:
        self._random = np.random.default_rng(seed)
        self._kept: Image | None = None
        self._whole: Image | None = None
        self._driven = 0

    def picture(self, image: Image, faults: AbstractSet[CameraFault]) -> Image:
        """The picture as this camera gives it; (height, width, 3) uint8, BGR."""
        if faults & _STILL:
            if self._kept is None:
                self._kept = image
            return self._kept
        self._kept = None
        for fault, change in (
            (CameraFault.MOVE, _moved),
            (CameraFault.NIGHT, _infrared),
            (CameraFault.DEFOCUS, _defocused),
            (CameraFault.BLOCK, _blocked),
            (CameraFault.SIZE, _halved),
        ):
            if fault in faults:
                image = change(image)
        self._driven = self._driven + 1 if CameraFault.DRIVE in faults else 0
        if self._driven:
            image = _travelled(image, self._driven)
        if CameraFault.GREY in faults:
            image = self._grey(image)
        else:
            self._whole = None
        return self._black(image) if CameraFault.BLACK in faults else image

    def _black(self, image: Image) -> Image:
        noise = self._random.normal(4.0, 1.5, image.shape[:2])
        return np.repeat(np.clip(noise, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)

    def _grey(self, image: Image) -> Image:
        """What decoders fill in, from a row that sinks to where a slice was lost.

        Below it the last whole row is drawn down as stripes, and below those all is
        luma 128: as FFmpeg conceals what it cannot decode (``error_resilience.c``).
        """
        if self._whole is None:
            self._whole = image
        height, width = image.shape[:2]
        row = height * 5 // 16 // 16 * 16
        stripes = height * 11 // 16 // 16 * 16
        kept = image.copy()
        kept[row:stripes] = self._whole[row - 1][None]
        kept[stripes:] = 130
        # A corner that moves is updated by differences to nothing.
        change = cv2.subtract(image, self._whole, dtype=cv2.CV_32F)
        small = cv2.resize(change, (width // 16, height // 16))
        moving = np.abs(small).mean(axis=2) > _MOVES
        blocks = cv2.resize(
            moving.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST
        ).astype(bool)
        blocks[:stripes] = False
        kept[blocks] = np.clip(130 + change[blocks], 0, 255).astype(np.uint8)
        return kept


def _moved(image: Image) -> Image:
    """Panned; what comes into the picture is what stood at its edge, mirrored."""
    height, width = image.shape[:2]
    # Whole pixels: one in between would be out of focus as well.
    left, down = round(0.1 * width), round(0.02 * height)
    matrix = np.array([[1, 0, -left], [0, 1, down]], np.float32)
    turned = cv2.warpAffine(
        image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101
    )
    return cast("Image", turned)


def _travelled(image: Image, pictures: int) -> Image:
    """Farther along a row of houses: the picture and its mirror, one by the other."""
    row = np.concatenate([image, image[:, ::-1]], axis=1)
    return np.roll(row, -round(0.01 * image.shape[1]) * pictures, 1)[
        :, : image.shape[1]
    ]


def _infrared(image: Image) -> Image:
    height, width = image.shape[:2]
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    far = ((x / width - 0.5) / 0.55) ** 2 + ((y / height - 0.75) / 0.6) ** 2
    lit = grey * (0.08 + 0.75 * np.exp(-far))
    return np.repeat(lit.astype(np.uint8)[:, :, None], 3, axis=2)


def _defocused(image: Image) -> Image:
    return cast("Image", cv2.GaussianBlur(image, (0, 0), image.shape[1] / 90))


def _blocked(image: Image) -> Image:
    """A dark cloth hangs over it, with a soft edge: nothing so near is sharp."""
    height, width = image.shape[:2]
    cover = np.zeros((height, width), np.float32)
    corners = [(0, 0), (0.86, 0), (0.72, 0.45), (0.8, 1), (0, 1)]
    shape = np.array([(x * width, y * height) for x, y in corners], np.int32)
    cv2.fillPoly(cover, [shape], (1.0,))
    soft = cv2.GaussianBlur(cover, (0, 0), width / 50)[:, :, None]
    folds = np.linspace(0, 9, width, dtype=np.float32)
    cloth = (34 + 7 * np.sin(folds) + 5 * np.sin(2.3 * folds))[None, :, None]
    return cast("Image", (image * (1 - soft) + cloth * soft).astype(np.uint8))


def _halved(image: Image) -> Image:
    height, width = image.shape[:2]
    small = cv2.resize(
        image, (width // 4 * 2, height // 4 * 2), interpolation=cv2.INTER_AREA
    )
    return cast("Image", small)
