"""Private zones, black before anything is encoded or kept.

A decoded JPEG is exactly black only where whole coding blocks are: 16 x 16 pixels where
colour has half the resolution (ITU-T T.81, A.2), and decoders interpolate colour across
their edges. So a zone grows by two pixels and then to the block's borders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from vision.messages import Polygon, Zone

BLOCK = 16
MARGIN = 2


class Blackout:
    """The private zones of one camera, for pictures of whatever size."""

    def __init__(self, zones: Iterable[Zone]) -> None:
        self._areas = tuple(zone.area for zone in zones if zone.use == "private")
        self._masks: dict[tuple[int, int], NDArray[np.bool_]] = {}

    def __bool__(self) -> bool:
        return bool(self._areas)

    def clear(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A picture without what nobody may see.

        Args:
            image: (height, width, 3) uint8; never changed.

        Returns:
            The same where nothing is private, else a copy.
        """
        if not self._areas:
            return image
        found = image.copy()
        self.wipe(found)
        return found

    def wipe(self, image: NDArray[np.uint8]) -> None:
        """The same in place."""
        if self._areas:
            image[self.mask(image.shape[0], image.shape[1])] = 0

    def mask(self, height: int, width: int) -> NDArray[np.bool_]:
        """(height, width) bool: true where it is black."""
        size = (height, width)
        if size not in self._masks:
            if len(self._masks) > 8:  # noqa: PLR2004 - a camera has a size or two
                self._masks.clear()
            self._masks[size] = _mask(self._areas, height, width)
        return self._masks[size]


def _mask(areas: Iterable[Polygon], height: int, width: int) -> NDArray[np.bool_]:
    import cv2  # noqa: PLC0415 - heavy, and only where a zone is private

    drawn = np.zeros((height, width), np.uint8)
    scale = np.array([width, height], np.float64)
    for area in areas:
        corners = np.round(np.array(area, np.float64) * scale).astype(np.int32)
        cv2.fillPoly(drawn, [corners], 255)
        cv2.polylines(drawn, [corners], isClosed=True, color=255, thickness=1)
    grown = cv2.dilate(drawn, np.ones((2 * MARGIN + 1, 2 * MARGIN + 1), np.uint8))
    rows, columns = -(-height // BLOCK), -(-width // BLOCK)
    padded = np.zeros((rows * BLOCK, columns * BLOCK), np.bool_)
    padded[:height, :width] = grown > 0
    blocks = padded.reshape(rows, BLOCK, columns, BLOCK).any(axis=(1, 3))
    whole = blocks.repeat(BLOCK, axis=0).repeat(BLOCK, axis=1)
    return np.ascontiguousarray(whole[:height, :width])
