"""Whether a part of the picture changed by light alone: a shadow, the sun, a lamp.

Light multiplies what is there and keeps its texture in proportion; what comes between
adds a brightness of its own and takes from the texture. So the pixels of each cell are
fitted as ``now = slope * usual + own``: of light, ``own`` is next to nothing. Smoke of
a grey level of 40 over ground of 110 makes it 0.13 of the cell's brightness where it
lets two thirds through, 0.27 where it lets half through, and what is dense or curls
does not fit at all. Over a sky or a calm sea, which have no texture, nothing is said.

The model of shadows is that of background subtraction (Cucchiara et al., "Detecting
moving objects, ghosts, and shadows in video streams", 2003), that of smoke the one of
haze (Koschmieder, 1924).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from vision.alarms.grid import block_means

if TYPE_CHECKING:
    from numpy.typing import NDArray

USUAL_S = 60.0
"""Of the usual picture: longer than a plume takes to be confirmed, shorter than the
weather takes to change."""
USUAL_FRAMES = 6
"""And so many frames, however rarely they come."""
LEARN_S = 10.0
"""Before, the usual picture may hold what came."""
CHANGED = 4.0
"""Grey levels of a cell's mean: with less it is no shadow either."""
TEXTURE = 9.0
"""Variance of a cell that has a texture to keep: twice that of coding noise."""
OWN = 0.08
"""Share of a cell's brightness that light does not explain."""
EXPLAINED = 0.65
"""Share of a cell's variance that its usual texture explains."""
MOST = 0.5
"""Of the cells that changed and have a texture: shadows have edges and move, too.
On rendered days of a road and of mountains this, bounded as below, takes 17 false
alarms to 14; unbounded it took them to 11, and made soot 40 s late."""
TOLD, TOLD_SHARE = 6, 0.15
"""Cells that must have changed and have a texture, and their share of those asked."""
HOLDS_S = 5.0
"""Soot as black as shade is not told from it: so long a place is excused, no more."""
AGAIN = 0.1
"""Of a second that it is excused again, for a second that it was not."""


class Light:
    """The usual grey picture of one camera."""

    def __init__(self) -> None:
        self._usual: NDArray[np.float32] | None = None
        self._now: NDArray[np.float32] | None = None
        self._age_s = 0.0
        self._lit: NDArray[np.bool_] | None = None
        self._lit_s: NDArray[np.float32] | None = None

    def step(
        self, grey: NDArray[np.uint8], dt_s: float, suspected: NDArray[np.bool_] | None
    ) -> None:
        """Take in one frame.

        Args:
            grey: (height, width) uint8, always of one size.
            dt_s: Seconds since the frame before.
            suspected: (labels, rows, columns): where smoke may be in the frame before,
                which is not usual.
        """
        if self._now is None:
            dt_s = 0.0
        elif self._usual is None:
            self._usual = self._now
        elif dt_s > 0:
            # The frame before is learned: the one that is asked about is not usual.
            # A plain mean until it is as long as the exponential one.
            tau_s = min(max(USUAL_S, USUAL_FRAMES * dt_s), self._age_s + dt_s)
            weight = np.float32(1.0 - math.exp(-dt_s / tau_s))
            step = (self._now - self._usual) * weight
            if suspected is not None and suspected.any():
                (_, rows, columns), (high, wide) = suspected.shape, step.shape
                down = np.arange(high) * rows // high
                across = np.arange(wide) * columns // wide
                step[suspected[:, down][:, :, across].any(axis=0)] = 0
            self._usual = self._usual + step
        self._now = grey.astype(np.float32)
        self._age_s += dt_s
        if self._lit is not None and self._lit_s is not None:
            rested_s = np.maximum(self._lit_s - np.float32(AGAIN * dt_s), 0)
            self._lit_s = np.where(self._lit, self._lit_s + np.float32(dt_s), rested_s)
            self._lit[...] = False

    def only(self, cells: NDArray[np.bool_]) -> bool:
        """Whether light alone changed these cells lately, as far as can be told.

        Args:
            cells: (rows, columns).
        """
        if not self._light_alone(cells):
            return False
        if self._lit is None or self._lit_s is None or self._lit.shape != cells.shape:
            self._lit = np.zeros(cells.shape, np.bool_)
            self._lit_s = np.zeros(cells.shape, np.float32)
        self._lit |= cells
        return bool(np.median(self._lit_s[cells]) < HOLDS_S)

    def _light_alone(self, cells: NDArray[np.bool_]) -> bool:
        if self._usual is None or self._now is None or self._age_s < LEARN_S:
            return False
        usual, now = self._usual, self._now

        def mean(plane: NDArray[np.float32]) -> NDArray[np.float32]:
            return block_means(plane, *cells.shape)[cells]

        was, level = mean(usual), mean(now)
        texture = mean(usual * usual) - was * was
        told = (texture > TEXTURE) & (np.abs(level - was) > CHANGED)
        if told.sum() < max(TOLD, TOLD_SHARE * told.size):
            return False
        common, varied = mean(usual * now) - was * level, mean(now * now) - level**2
        texture, common, varied = texture[told], common[told], varied[told]
        slope = common / texture
        own = 1 - slope * was[told] / np.maximum(level[told], 1)
        explained = common**2 / (texture * np.maximum(varied, 1))
        lit = (own < OWN) & (slope > 0) & (explained > EXPLAINED)
        return bool(lit.mean() >= MOST)

    def forget(self) -> None:
        """Another scene."""
        self._usual = self._now = self._lit = self._lit_s = None
        self._age_s = 0.0
