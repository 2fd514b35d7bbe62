"""Masks of cells, and pictures on their grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

T = TypeVar("T", np.float32, np.bool_)


def dilate(mask: NDArray[np.bool_], cells: int = 1) -> NDArray[np.bool_]:
    """The mask and all that lies at most so many cells beside it, diagonals too."""
    return spread(mask, cells)


def spread(values: NDArray[T], cells: int = 1) -> NDArray[T]:
    """The highest value at most so many cells beside each, diagonals too."""
    for axis in (-1, -2):
        most = values.copy()
        for shift in range(1, cells + 1):
            ahead = [slice(None)] * values.ndim
            behind = [slice(None)] * values.ndim
            ahead[axis], behind[axis] = slice(shift, None), slice(None, -shift)
            to, back = tuple(ahead), tuple(behind)
            np.maximum(most[to], values[back], out=most[to])
            np.maximum(most[back], values[to], out=most[back])
        values = most
    return values


def block_means(
    picture: NDArray[np.float32], rows: int, columns: int
) -> NDArray[np.float32]:
    """Mean of a picture's pixels in each cell of a grid that covers it.

    Args:
        picture: (height, width), at least rows x columns.
        rows: Of the grid; need not divide the height.
        columns: Of the grid.
    """
    height, width = picture.shape
    if height % rows == 0 and width % columns == 0:
        high, wide = height // rows, width // columns
        bands = picture.reshape(rows, high, width).sum(axis=1)  # along memory first
        blocks = bands.reshape(rows, columns, wide).sum(axis=2)
        return np.asarray(blocks / np.float32(high * wide), dtype=np.float32)
    top = np.arange(rows) * height // rows
    left = np.arange(columns) * width // columns
    sums = np.add.reduceat(np.add.reduceat(picture, top, axis=0), left, axis=1)
    tall = np.diff(np.append(top, height))
    broad = np.diff(np.append(left, width))
    return np.asarray(sums / (tall[:, None] * broad[None, :]), dtype=np.float32)
