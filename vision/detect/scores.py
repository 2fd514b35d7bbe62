"""One score a label for a whole picture, from its cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

STRONGEST = 4


def image_scores(cells: NDArray[np.float32]) -> tuple[float, float, float]:
    """The mean of the four strongest 2x2 neighbourhoods of each map.

    One hot cell is noise more often than smoke; on grids too small for that it is the
    strongest cell. This is what the shipped model's thresholds are calibrated on.

    Args:
        cells: (3, rows, columns).
    """
    blurred = blur(cells)
    flat = blurred.reshape(len(blurred), -1)
    if flat.shape[1] <= STRONGEST:
        found = cells.reshape(len(cells), -1).max(1)
    else:
        found = np.partition(flat, -STRONGEST, 1)[:, -STRONGEST:].mean(1)
    dark, light, dust = (float(score) for score in found)
    return dark, light, dust


def blur(cells: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of every 2x2 neighbourhood, (3, rows-1, columns-1)."""
    if min(cells.shape[1:]) < 2:  # noqa: PLR2004
        return cells
    return (
        cells[:, :-1, :-1] + cells[:, 1:, :-1] + cells[:, :-1, 1:] + cells[:, 1:, 1:]
    ) / np.float32(4)
