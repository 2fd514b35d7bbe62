"""Flames: bright tongues over a fire, with or without smoke."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vision.train import raster
from vision.train.chance import between
from vision.train.noise import SIDE, fractal_bank

if TYPE_CHECKING:
    from vision.train.canvas import Canvas
    from vision.train.chance import Dice

# A fire's colours from its rim inwards, RGB.
_RAMP = np.array(
    [[120, 20, 0], [225, 70, 8], [255, 140, 20], [255, 205, 80], [255, 248, 205]],
    np.float32,
)


def flames(
    rng: Dice, canvas: Canvas, x: float, y: float, wide: float, tall: float
) -> None:
    """Lay flames over a scene as it is now.

    Args:
        rng: Dice.
        canvas: The scene.
        x: Middle of the foot, column.
        y: Foot, row.
        wide: Half width at the foot, pixels.
        tall: Height, pixels.
    """
    columns, rows = raster.grid(canvas.height, canvas.width)
    up = (np.float32(y) - rows) / np.float32(max(tall, 2))
    side = (columns - np.float32(x)) / np.float32(max(wide, 2))
    bank = fractal_bank(1.5)[int(rng.integers(6))]
    x0, y0 = (np.float32(rng.integers(SIDE)) for _ in "xy")
    size = float(min(wide, tall))
    step = np.float32(1 / max(size, 4.0))
    tongue = raster.looked_up(
        bank,
        columns * (55 * step) + x0,
        rows * (28 * step) + y0,
    )
    side = side + tongue * np.float32(0.22) * np.maximum(up, 0)
    shape = 1 - side * side * (1 + 1.5 * np.maximum(up, 0)) - np.maximum(up, 0)
    heat = shape + tongue * np.float32(0.35) * (0.4 + np.maximum(up, 0))
    heat = heat * np.clip(up * 6 + 1, 0, 1) * np.clip(4 - 2 * up, 0, 1)
    heat = raster.blurred(np.maximum(heat, 0), 0.6)
    place = np.clip(heat * between(rng, 4, 7), 0, 3.999)
    index = place.astype(np.intp)
    part = (place - index)[..., None].astype(np.float32)
    colour = _RAMP[index] * (1 - part) + _RAMP[index + 1] * part
    colour *= np.float32(between(rng, 0.85, 1.05))
    canvas.lay(raster.smoothstep(0.03, 0.25, heat), colour)
    glow = raster.blurred(np.clip(heat, 0, 1), max(float(size) * 0.6, 2))
    canvas.glow(glow, np.array([90, 45, 8], np.float32))
