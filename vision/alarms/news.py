"""Where a frame shows something that no frame before it showed.

Cameras repeat pictures: before a freeze is named (six seconds), and for moments that
are never named. The model sees smoke in each copy, and copies would confirm each other.
So a hit counts towards ``confirm`` only where the picture is another than when it last
counted.

An encoder that is fed one picture again and again makes it a little different each
time. Measured over real RTSP (x264, 0.26 to 5 bits a pixel, 20 freezes under load, read
once and four times a second): after the first frame of the freeze no block of some 700
frames passed for news; at 0.26 bits read five times a second, a few do. Smoke in five
clips of four cameras passes as often as it did to be raised at the same second, but for
a burning house, 1.5 s later at four frames a second: it changes slowly.
"""

from __future__ import annotations

from collections import deque
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
LATELY, LATELY_S = 1.25, 0.75
"""And from the frame before or another of the last moment: what creeps is an encoder
that settles, or the light. From one frame to the next of four a second smoke creeps,
too. What changed before a freeze counts so long after it, so that a place counts once
in such a moment (``persistence.APART_S``)."""
FINE = 4.0
"""Or its pixels, in the mean, from those of the frame before: flames flicker so finely
that the means of blocks hardly do. Nearly twice what coding alone makes."""
COPY = 1.0
"""Where the pixels of no block change by so much, in the mean, all of it is a copy."""
OUTSTANDING = 2.5
"""Where a starved encoder makes all of the picture pump, or a mast shakes: a block's
pixels must change so many times more than the median block's, and its mean as much as
they. Copies at 0.26 bits a pixel, which pump by 3 grey levels: 2.3 times, and 0.9."""


class News:
    """What one camera has shown already."""

    def __init__(self) -> None:
        self._told: NDArray[np.float32] | None = None
        self._lately: deque[tuple[float, NDArray[np.float32]]] = deque()
        self._grey: NDArray[np.float32] | None = None

    def step(
        self, grey: NDArray[np.uint8], mono_s: float, rows: int, columns: int
    ) -> NDArray[np.bool_]:
        """Where this frame is new, or beside it: (rows, columns).

        Args:
            grey: (height, width) uint8, always of one size.
            mono_s: The monotonic clock at the frame.
            rows: Of the grid.
            columns: Of the grid.
        """
        picture = grey.astype(np.float32)
        now = block_means(picture, *_BLOCKS)
        told, before, lately = self._told, self._grey, self._lately
        self._grey = picture
        while len(lately) > 1 and mono_s - lately[0][0] > LATELY_S:
            lately.popleft()
        moves = np.max([_apart(now, one) for _, one in lately], axis=0, initial=0.0)
        lately.append((mono_s, now))
        if told is None or before is None:
            self._told = now
            return np.ones((rows, columns), np.bool_)
        fine = block_means(np.abs(picture - before), *_BLOCKS)
        usual = float(np.median(fine))
        new = (_apart(now, told) >= SINCE) & (moves >= max(LATELY, usual))
        new |= fine >= max(FINE, OUTSTANDING * usual)
        new &= float(fine.max()) >= COPY
        self._told = np.where(new, now, told)
        row = (2 * np.arange(rows) + 1) * _BLOCKS[0] // (2 * rows)
        column = (2 * np.arange(columns) + 1) * _BLOCKS[1] // (2 * columns)
        return np.asarray(dilate(new)[np.ix_(row, column)])

    def forget(self) -> None:
        """The next frame is new whatever it shows."""
        self._told = self._grey = None
        self._lately.clear()


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
