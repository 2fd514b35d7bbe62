"""Connected cells that are warm together: what an alarm points at."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vision.alarms.grid import dilate
from vision.scores import STRONGEST, small

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Region(NamedTuple):
    """One patch of cells, diagonals joined."""

    mask: NDArray[np.bool_]
    """(rows, columns)."""
    score: float
    """Mean of its four strongest cells: as the image score of a picture that shows
    nothing else, so that the card's thresholds hold for it."""
    cells: int

    @property
    def box(self) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1 from 0 to 1 of the picture."""
        return box_of(self.mask)


def box_of(mask: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """The rectangle around a mask that is not empty, from 0 to 1."""
    rows, columns = mask.shape
    down, across = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    # A blurred cell speaks for its right and lower neighbour too.
    return (
        round(int(across[0]) / columns, 4),
        round(int(down[0]) / rows, 4),
        round(min(int(across[-1]) + 2, columns) / columns, 4),
        round(min(int(down[-1]) + 2, rows) / rows, 4),
    )


def find(warm: NDArray[np.bool_], scores: NDArray[np.float32]) -> list[Region]:
    """The connected patches of a mask, strongest first.

    Args:
        warm: (rows, columns).
        scores: (rows, columns), what the patches are scored by.
    """
    rows, columns = warm.shape
    left = {int(i) for i in np.flatnonzero(warm)}
    found = []
    while left:
        patch, edge = [], [left.pop()]
        while edge:
            cell = edge.pop()
            patch.append(cell)
            row, column = divmod(cell, columns)
            for r in range(max(row - 1, 0), min(row + 2, rows)):
                for c in range(max(column - 1, 0), min(column + 2, columns)):
                    if (beside := r * columns + c) in left:
                        left.remove(beside)
                        edge.append(beside)
        mask = np.zeros(rows * columns, np.bool_)
        mask[patch] = True
        mask = mask.reshape(rows, columns)
        found.append(Region(mask, _score(mask, scores), len(patch)))
    return sorted(found, key=lambda region: -region.score)


def _score(mask: NDArray[np.bool_], scores: NDArray[np.float32]) -> float:
    inside = scores[mask]
    if small(scores):
        return float(inside.max())
    if (short := STRONGEST - inside.size) > 0:
        # A patch of one or two cells is completed by its neighbours, as the image
        # score would; none counts for more than the weakest of the patch.
        beside = np.minimum(scores[dilate(mask) & ~mask], inside.min())
        inside = np.append(inside, np.sort(beside)[-short:])
    return float(np.partition(inside, -STRONGEST)[-STRONGEST:].mean())
