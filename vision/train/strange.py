"""Backgrounds nobody photographed: known scenes turned, enlarged, recoloured, blurred.

Some fifty scenes are too few: a net learns them, and calls a soft dark wall or a close
wing, which it never saw, smoke. What is laid over a strange background is drawn as over
any other, so that softness, darkness or an odd colour alone never tells smoke.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vision.train import raster
from vision.train.chance import between, decades, often

if TYPE_CHECKING:
    from collections.abc import Callable

    from vision.train.chance import Dice

    Change = Callable[[raster.Picture], raster.Picture]

_TURNED, _RECOLOURED, _TONED, _BLURRED = 0.3, 0.6, 0.7, 0.4
_MOST_BLUR = 8.0  # pixels of a crop of 192 rows: a background far out of focus
# Brightness is kept by a turn of hue around the grey axis.
_GREY = np.full((3, 3), 1 / 3, np.float32)


def change(rng: Dice) -> Change:
    """One way of being strange, the same for every picture of a scene."""
    down, across = often(rng, _TURNED), often(rng, 0.5)
    colours = _colours(rng) if often(rng, _RECOLOURED) else None
    tone = _tone(rng) if often(rng, _TONED) else None
    blur = decades(rng, 1.0, _MOST_BLUR) if often(rng, _BLURRED) else 0.0

    def changed(picture: raster.Picture) -> raster.Picture:
        if down:
            picture = picture[::-1]
        if across:
            picture = picture[:, ::-1]
        picture = raster.blurred(np.ascontiguousarray(picture, np.float32), blur)
        if colours is not None:
            picture = np.clip(picture @ colours.T, 0, 255)
        if tone is not None:
            steep, low, high = tone
            picture = low + (high - low) * (picture / 255) ** np.float32(steep)
        return np.asarray(picture, np.float32)

    return changed


def _colours(rng: Dice) -> raster.Field:
    """A turn of hue, a factor on saturation and a cast."""
    angle, strength = between(rng, -np.pi, np.pi), between(rng, 0.0, 1.5)
    axis = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], np.float32) / np.sqrt(3)
    turned = np.cos(angle) * (np.eye(3) - _GREY) + np.sin(angle) * axis
    cast = np.diag([between(rng, 0.85, 1.15) for _ in "rgb"])
    return np.asarray(cast @ (_GREY + strength * turned), np.float32)


def _tone(rng: Dice) -> tuple[float, float, float]:
    """Gamma, black and white: from a dim hall to a picture bleached by haze."""
    low = between(rng, 0, 70) if often(rng, 0.4) else 0.0
    high = between(rng, 90, 255) if often(rng, 0.6) else 255.0
    return decades(rng, 0.5, 2.2), low, max(high, low + 40)
