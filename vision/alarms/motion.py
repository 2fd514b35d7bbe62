"""Where the picture moves: smoke does, a wall does not.

The grey picture is compared with its own running mean, cell by cell. What changes
everywhere alike (a cloud over the sun, the exposure, noise) is taken out by the
picture's own median.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vision.alarms.grid import block_means, dilate

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEAN_S = 10.0
"""The life of a puff; a gust or a bird is over sooner."""
LEAST = 2.0
"""Grey levels of 255 a cell must differ by: coding noise of a still camera is below 1,
thin smoke before a hill 3 and more."""
TIMES_NOISE = 2.5
"""A cell moves when it differs so many times more than the median cell."""
STEP = 12.0
"""Grey levels between two frames: a jump of exposure, scene or camera, not smoke."""
STEP_SHARE = 0.6
"""Of the cells; as for regions, more than smoke ever covers at once."""


class Moved(NamedTuple):
    """What moved in one frame."""

    cells: NDArray[np.bool_]
    """(rows, columns): in the cell or one beside it."""
    stepped: bool
    """The whole picture jumped since the frame before."""


class Motion:
    """The running mean of one camera's grey picture."""

    def __init__(self) -> None:
        self._mean: NDArray[np.float32] | None = None
        self._levels: NDArray[np.float32] | None = None

    def step(
        self, grey: NDArray[np.uint8], dt_s: float, rows: int, columns: int
    ) -> Moved:
        """Compare one frame with those before it.

        Args:
            grey: (height, width) uint8, always of one size.
            dt_s: Seconds since the frame before.
            rows: Of the grid.
            columns: Of the grid.
        """
        now = grey.astype(np.float32)
        levels, before = block_means(now, rows, columns), self._levels
        self._levels = levels
        if self._mean is None or before is None or before.shape != levels.shape:
            self._mean = now
            return Moved(np.zeros((rows, columns), np.bool_), stepped=False)
        moving = differing(now, self._mean, rows, columns)
        stepped = float((np.abs(levels - before) > STEP).mean()) > STEP_SHARE
        weight = np.float32(1.0 - math.exp(-max(dt_s, 0.0) / MEAN_S))
        # After a jump the old exposure would count as motion for ten seconds.
        self._mean = now if stepped else self._mean + (now - self._mean) * weight
        return Moved(dilate(moving), stepped)

    def forget(self) -> None:
        """Begin anew after frames were missed."""
        self._mean = self._levels = None


def differing(
    now: NDArray[np.float32], then: NDArray[np.float32], rows: int, columns: int
) -> NDArray[np.bool_]:
    """Cells in which two grey pictures differ by more than light and noise."""
    off = now - then
    # Every fourth pixel gives the same median for a sixteenth of the time.
    off = np.abs(off - np.float32(np.median(off[::4, ::4])))
    level = block_means(off, rows, columns)
    return np.asarray(level > max(LEAST, TIMES_NOISE * float(np.median(level))))
