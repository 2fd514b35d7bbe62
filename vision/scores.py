"""From a map of cells to a score: what the thresholds of a model's card stand for.

The mean of the four strongest 2x2 windows: one hot cell is noise more often than smoke.
A whole picture and a region of it are scored alike, so that one threshold holds for
both; training calibrates it on the same (``vision.train.figures.image_score``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

STRONGEST = 4
"""Cells a score is the mean of, as the model's card calibrates it."""


def blur(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean of each 2x2 window: one cell alone is mostly noise.

    Args:
        maps: (..., rows, columns).

    Returns:
        The same shape; the window of a cell reaches one to the right and one down, so
        that the last row and column are 0 (the windows before them cover them). Grids
        too small for windows come back as they are.
    """
    if small(maps):
        return maps
    blurred = np.zeros_like(maps)
    blurred[..., :-1, :-1] = 0.25 * (
        maps[..., :-1, :-1]
        + maps[..., 1:, :-1]
        + maps[..., :-1, 1:]
        + maps[..., 1:, 1:]
    )
    return blurred


def small(maps: NDArray[np.float32]) -> bool:
    """Whether a grid has too few windows to choose four of."""
    rows, columns = maps.shape[-2:]
    return bool((rows - 1) * (columns - 1) <= STRONGEST)


def image_scores(maps: NDArray[np.float32]) -> tuple[float, float, float]:
    """One score a label for a whole picture; the strongest cell of a small grid.

    Args:
        maps: (3, rows, columns).
    """
    flat = blur(maps).reshape(len(maps), -1)
    strongest = 1 if small(maps) else STRONGEST
    found = np.partition(flat, -strongest, 1)[:, -strongest:].mean(1)
    dark, light, dust = (float(score) for score in found)
    return dark, light, dust
