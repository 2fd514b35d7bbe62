"""Where a frame shows something that no frame before it showed.

Cameras repeat pictures: before a freeze is named (six seconds), and for moments that
are never named. The model sees smoke in each copy, and copies would confirm each other.
So a hit counts towards ``confirm`` only where the picture is another than when it last
counted.

An encoder that is fed one picture again and again makes it a little different each
time. Measured over real RTSP (x264, 640x360 and 320x192, 300 and 1500 kbit/s, read once
and four times a second, 16 freezes under load): after the first frame of the freeze the
mean of a block differs from the frame before by 0.4 at most (300 kbit/s: 1.3), its
pixels by 0.8 (2.3); of 240 blocks in some 600 frames not one passed for news. Smoke in
eight clips of four cameras passes in all hits but one at a frame a second, in three of
four at four frames, for slow smoke changes between some of them and not between all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vision.alarms.grid import block_means, dilate
from vision.alarms.regions import find

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCKS = (12, 20)
"""Sixteen pixels of the small grey picture a side: noise is averaged out, a plume's
edge is not."""
SINCE = 2.0
"""Grey levels a block must differ from when it last was news: as ``motion.LEAST``."""
AT_ONCE = 1.25
"""And from the frame before: what creeps is an encoder that settles, or the light."""
FINE = 4.0
"""Or its pixels, in the mean, from those of the frame before: flames flicker so finely
that the means of blocks hardly do. Nearly twice what coding alone makes."""


class News:
    """What one camera has shown already."""

    def __init__(self) -> None:
        self._told: NDArray[np.float32] | None = None
        self._last: NDArray[np.float32] | None = None
        self._grey: NDArray[np.float32] | None = None

    def step(
        self, grey: NDArray[np.uint8], rows: int, columns: int
    ) -> NDArray[np.bool_]:
        """Where this frame is new, or beside it: (rows, columns).

        Args:
            grey: (height, width) uint8, always of one size.
            rows: Of the grid.
            columns: Of the grid.
        """
        picture = grey.astype(np.float32)
        now = block_means(picture, *_BLOCKS)
        told, last, before = self._told, self._last, self._grey
        self._last, self._grey = now, picture
        if told is None or last is None or before is None:
            self._told = now
            return np.ones((rows, columns), np.bool_)
        new = (_apart(now, told) >= SINCE) & (_apart(now, last) >= AT_ONCE)
        new |= block_means(np.abs(picture - before), *_BLOCKS) >= FINE
        self._told = np.where(new, now, told)
        row = (2 * np.arange(rows) + 1) * _BLOCKS[0] // (2 * rows)
        column = (2 * np.arange(columns) + 1) * _BLOCKS[1] // (2 * columns)
        return np.asarray(dilate(new)[np.ix_(row, column)])

    def forget(self) -> None:
        """The next frame is new whatever it shows."""
        self._told = self._last = self._grey = None


def showing(warm: NDArray[np.bool_], new: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cells of those regions of warm ones that are new somewhere, (rows, columns).

    A plume's edge moves and its middle is black: it is one thing.
    """
    if not (warm & new).any():
        return np.zeros_like(warm)
    regions = find(warm, warm.astype(np.float32))
    shown = [region.mask for region in regions if (region.mask & new).any()]
    return np.asarray(np.any(shown, axis=0))


def _apart(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far blocks differ, but for what all of the picture does alike."""
    off = one - other
    return np.asarray(np.abs(off - np.float32(np.median(off))), np.float32)
