"""What a crop's cells are told: smoke, dark, dust; and what they are not asked.

Targets are (3, h/16, w/16): smoke 0 or 1, the share of dark in the smoke, dust 0 or 1.
Opacity from 0.10 up counts, 0.02 to 0.10 is not asked (weight 0), below is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from vision.train import raster
from vision.train.book import CELL

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMOKE, DARK, DUST = 0, 1, 2
SEEN, UNSEEN = 0.10, 0.02
# Dust masks were drawn on the dense part: the cells around it are not asked.
_DUST_MARGIN = np.ones((3, 3), np.uint8)
_BOX_ANY = 0.02
_ELLIPSE_ENOUGH = 0.35


class Labels(NamedTuple):
    """Targets and weights of one crop, both float32 (3, h/16, w/16)."""

    target: raster.Field
    weight: raster.Field


def pooled(field: raster.Field) -> raster.Field:
    """The mean of every 16-pixel cell."""
    height, width = field.shape[0] // CELL, field.shape[1] // CELL
    return raster.resized(field, height, width, area=True)


def nothing(height: int, width: int) -> Labels:
    """No emission anywhere, every cell asked but "is it dark"."""
    shape = (3, height // CELL, width // CELL)
    weight = np.ones(shape, np.float32)
    weight[DARK] = 0
    return Labels(np.zeros(shape, np.float32), weight)


def from_opacity(dark: raster.Field, light: raster.Field, dust: raster.Field) -> Labels:
    """Labels of an emission whose opacity is known in every cell.

    Args:
        dark: Mean opacity of dark smoke in each cell, 0..1.
        light: Of light smoke.
        dust: Of dust.
    """
    smoke = dark + light
    seen = smoke >= SEEN
    target = np.stack(
        [seen, np.where(seen, dark / np.maximum(smoke, 1e-6), 0), dust >= SEEN]
    )
    weight = np.stack([_asked(smoke), seen, _asked(dust)])
    return Labels(target.astype(np.float32), weight.astype(np.float32))


def from_boxes(box: raster.Field, ellipse: raster.Field) -> Labels:
    """Labels from boxes of smoke: inside the ellipse yes, the rim is not asked.

    Args:
        box: Share of every pixel within a box.
        ellipse: Share within the ellipse a box holds.
    """
    box_share, ellipse_share = pooled(box), pooled(ellipse)
    most = max(float(ellipse_share.max()), 1e-6)
    enough = min(_ELLIPSE_ENOUGH, 0.8 * most)
    seen = (ellipse_share >= enough) & (ellipse_share > _BOX_ANY)
    asked = seen | (box_share < _BOX_ANY)
    zero = np.zeros_like(box_share)
    target = np.stack([seen.astype(np.float32), zero, zero])
    return Labels(target, np.stack([asked, zero, zero + 1]).astype(np.float32))


def dust_margin(labels: Labels, half: float = 0.5) -> Labels:
    """Hand-drawn dust: cells next to it are not asked, smoke in it only half."""
    seen = labels.target[DUST] > 0
    near = cv2.dilate(seen.astype(np.uint8), _DUST_MARGIN) > 0
    weight = labels.weight.copy()
    weight[DUST][near & ~seen] = 0
    weight[SMOKE][near & (labels.target[SMOKE] == 0)] *= half
    return Labels(labels.target, weight)


def without_unseen(labels: Labels, change: raster.Field, least: float) -> Labels:
    """Cells whose emission changes the picture by less than ``least`` are not asked.

    White smoke before a white sky is there and cannot be seen.

    Args:
        labels: Of the crop.
        change: Mean change of brightness in each cell, 0..255.
        least: From here on it counts as seen.
    """
    hidden = (change < least) & ((labels.target[SMOKE] > 0) | (labels.target[DUST] > 0))
    return Labels(labels.target, labels.weight * ~hidden)


def _asked(opacity: raster.Field) -> NDArray[np.bool_]:
    return (opacity >= SEEN) | (opacity <= UNSEEN)
