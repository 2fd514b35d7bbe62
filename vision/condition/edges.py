"""Where edges are in a picture, and whether another one has them in the same places.

Edges stay where they are when light and haze change all else; of a picture that was
shifted they tell how far. Figures here are those of ``usual_view``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from vision.look import SIZE

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 8
"""Pixels of an edge picture a block is wide."""
_EDGED, _STANDING = 16.0, 0.5
"""Mean square of a block that has edges, and the correlation of edges that still stand
there."""
_SURE = 0.4
"""Peak of the correlation by which a shift is told: moves have 0.76 and more, another
view 0.19 at most, 70 % covered 0.28."""
_FAR = 0.02
"""Of the picture: three pixels of 160, more than a mast sways; zones bear as much."""


def edge_picture(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Where edges are in a (192, 320) picture: (96, 160), zero mean."""
    return edges_of(halved(grey))


def halved(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(192, 320) to (96, 160): means of four pixels."""
    four = (
        grey[0::2, 0::2].astype(np.float32)
        + grey[1::2, 0::2]
        + grey[0::2, 1::2]
        + grey[1::2, 1::2]
    )
    return np.asarray(four / 4.0, np.float32)


def edges_of(half: NDArray[np.float32]) -> NDArray[np.float32]:
    """Where edges are in a picture that is halved already."""
    strength = np.zeros_like(half)
    strength[:, 1:-1] += np.abs(half[:, 2:] - half[:, :-2])
    strength[1:-1] += np.abs(half[2:] - half[:-2])
    # A strong edge counts no more than a clear one: headlights are not the view.
    strength = np.minimum(strength, 32.0)
    # Softened by a pixel, for a mast sways; and without what is coarser than a tenth
    # of the picture: every view has an empty sky over a rich ground.
    return np.asarray(cv2.blur(strength, (3, 3)) - cv2.blur(strength, (17, 17)))


def agreement(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Normalised correlation of two edge pictures, -1 to 1."""
    scale = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.vdot(a, b)) / scale if scale > 1e-3 else 0.0  # noqa: PLR2004


def standing(edges: NDArray[np.float32], usual: NDArray[np.float32]) -> float:
    """Share of the blocks with edges whose edges still stand there, 0 to 1.

    Args:
        edges: Of a picture, (96, 160).
        usual: The learned ones.
    """
    power = _block_means(usual * usual)
    some = power > max(_EDGED, 3.0 * float(np.quantile(power, 0.1)))
    if not some.any():
        return 1.0
    both = _block_means(edges * usual)[some]
    scale = np.sqrt(_block_means(edges * edges)[some] * power[some])
    return float((both > _STANDING * scale).mean())


def _shift(
    before: NDArray[np.float32], after: NDArray[np.float32]
) -> tuple[int, int, float]:
    """How far ``after`` is shifted against ``before``: right, down, and how surely.

    Source: phase correlation, Kuglin and Hines 1975. The third is the peak's height:
    1 for a pure shift, below 0.1 for pictures that have nothing in common.
    """
    rows, columns = before.shape
    window = np.outer(np.hanning(rows), np.hanning(columns))
    cross = np.fft.rfft2(after * window) * np.conj(np.fft.rfft2(before * window))
    flat = np.fft.irfft2(cross / (np.abs(cross) + 1e-3), s=before.shape)
    # The peak of a shift between pixels is spread over a few.
    spread = sum(np.roll(flat, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1))
    at = int(np.argmax(spread))
    down, right = divmod(at, columns)
    down = down - rows if down > rows // 2 else down
    right = right - columns if right > columns // 2 else right
    return right, down, float(np.reshape(spread, -1)[at])


def moved_by(
    before: NDArray[np.float32], after: NDArray[np.float32]
) -> tuple[int, int] | None:
    """Percent of the picture right and down; None: not far, or not for sure."""
    right, down, peak = _shift(before, after)
    across, along = right / (SIZE[0] // 2), down / (SIZE[1] // 2)
    if peak < _SURE or max(abs(across), abs(along)) < _FAR:
        return None
    return round(100 * across), round(100 * along)


def _block_means(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    size = (plane.shape[1] // BLOCK, plane.shape[0] // BLOCK)
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)
