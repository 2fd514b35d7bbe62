"""Scenes from nothing, and scenes put together from photographs.

The book has some eighty scenes; a model trained on so few learns the scenes. Here a sky
is painted, a skyline of hills, halls, trees or stacks is cut, and the ground is painted
or taken from a photograph (often enlarged, turned and recoloured beyond recognition).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vision.train import raster
from vision.train.canvas import Canvas, light_of, sun_of
from vision.train.chance import between, decades, often, one_of
from vision.train.ground import sand, soil, wall, water
from vision.train.noise import fractal
from vision.train.structure import shed, stack
from vision.train.weather import cumulus, stratus

if TYPE_CHECKING:
    from vision.train.chance import Dice

# Zenith and horizon: clear, hazy, milky, grey, white, dawn, smog.
_SKIES = [
    ((60, 105, 185), (185, 210, 235)), ((90, 140, 205), (215, 225, 235)),
    ((35, 70, 140), (150, 185, 220)), ((150, 165, 185), (215, 215, 212)),
    ((170, 172, 175), (205, 205, 205)), ((235, 236, 238), (248, 248, 248)),
    ((120, 125, 132), (175, 178, 182)), ((110, 130, 170), (245, 205, 165)),
    ((165, 160, 148), (205, 198, 180)), ((75, 85, 105), (140, 150, 165)),
    ((80, 130, 200), (200, 215, 228)), ((200, 210, 222), (235, 236, 236)),
]  # fmt: skip
_LANDS = [
    (70, 90, 50), (105, 115, 70), (150, 140, 95), (85, 75, 60), (60, 70, 55),
    (120, 125, 120), (170, 150, 110), (95, 110, 60), (50, 60, 45), (140, 135, 130),
]  # fmt: skip


def landscape(
    rng: Dice, height: int, width: int, photo: raster.Picture | None, scene: str
) -> Canvas:
    """Paint a scene.

    Args:
        rng: Dice.
        height: Rows.
        width: Columns.
        photo: A photograph (h, w, 3) of which the ground is made, or None.
        scene: The photograph's scene, for the label.
    """
    zenith, horizon = (np.array(c, np.float32) for c in one_of(rng, _SKIES))
    columns, rows = raster.grid(height, width)
    line = between(rng, 0.25, 0.85) * height
    steep = np.float32(between(rng, 0.4, 1.2))
    up = np.clip((np.float32(line) - rows) / np.float32(max(line, 1.0)), 0, 1) ** steep
    sky = horizon + up[..., None] * (zenith - horizon)
    sky = sky * (1 + between(rng, -0.15, 0.15) * (columns / width - 0.5))[..., None]
    light = np.float32(
        between(rng, 0.75, 1.1) if often(rng, 0.9) else between(rng, 0.2, 0.5)
    )
    sky = sky * light
    level, colour = light_of(sky, rng)
    canvas = Canvas(sky, sky, scene, level, colour, sun_of(rng))
    if often(rng, 0.35):
        (cumulus if often(rng, 0.5) else stratus)(rng, canvas)
        canvas.before = canvas.now
    _hills(rng, canvas, line)
    ground = np.clip(rows - line + 0.5, 0, 1)
    if photo is not None:
        tint = np.exp(rng.normal(0, 0.1, 3)).astype(np.float32)
        turned = photo[:, ::-1] if often(rng, 0.5) else photo
        canvas.both(ground, turned * tint * np.float32(level / 235))
    else:
        one_of(rng, [soil, soil, water, sand, _meadow])(rng, canvas)
    for _ in range(int(rng.integers(0, 5))):
        _built(rng, canvas, line)
    if often(rng, 0.5):
        _trees(rng, canvas, line)
    if often(rng, 0.08):
        wall(rng, canvas)
    return canvas


def _hills(rng: Dice, canvas: Canvas, line: float) -> None:
    """One to three ranges, each nearer one less in the haze."""
    height, width = canvas.height, canvas.width
    _, rows = raster.grid(height, width)
    land = np.array(one_of(rng, _LANDS), np.float32) * np.float32(canvas.level / 230)
    count = int(rng.integers(0, 4))
    for place in range(count):
        rise = between(rng, 0.02, 0.18) * height * (count - place)
        form = fractal(rng, 1, width, decades(rng, 0.3, 1.5) * width, 2.0)[0]
        edge = line - rise * (0.5 + 0.35 * form)
        haze = between(rng, 0.4, 0.9) * (count - place) / count
        grain = 1 + 0.1 * fractal(rng, height, width, 40, 1.0)
        colour = land * grain[..., None]
        colour = colour + np.float32(haze) * (canvas.sky - colour)
        canvas.both(np.clip(rows - edge[None] + 0.5, 0, 1), colour)


def _meadow(rng: Dice, canvas: Canvas) -> None:
    """Fields in strips, grass or stubble."""
    height, width = canvas.height, canvas.width
    _, rows = raster.grid(height, width)
    line = between(rng, 0.3, 0.7) * height
    down = np.maximum(rows - np.float32(line), 0.5)
    colour = np.zeros((height, width, 3), np.float32)
    edges = np.cumsum(decades(rng, 4, 14) * np.array([0, 1, 2.5, 5, 10, 40]))
    for edge in edges:
        land = np.array(one_of(rng, _LANDS), np.float32)
        colour[down[:, 0] >= edge] = land
    grain = (
        fractal(rng, height, width, 14, 0.9) * 0.12
        + fractal(rng, height, width, 80, 1.5) * 0.08
    )
    colour = colour * (1 + grain[..., None]) * np.float32(canvas.level / 220)
    canvas.both(np.clip(rows - line, 0, 1), colour)


def _built(rng: Dice, canvas: Canvas, line: float) -> None:
    height, width = canvas.height, canvas.width
    x = between(rng, -0.05, 1.05) * width
    foot = line + between(rng, 0, 0.35) * height
    if often(rng, 0.3):
        stack(
            rng,
            canvas,
            x,
            line - between(rng, 0.05, 0.5) * height,
            decades(rng, 1.2, 9),
        )
        return
    wide = decades(rng, 0.06, 0.7) * width
    shed(rng, canvas, x, line - between(rng, 0.02, 0.3) * height, wide, foot)


def _trees(rng: Dice, canvas: Canvas, line: float) -> None:
    """A row of trees: ragged crowns, dark, mottled."""
    height, width = canvas.height, canvas.width
    _, rows = raster.grid(height, width)
    foot = line + between(rng, -0.02, 0.3) * height
    tall = decades(rng, 0.03, 0.3) * height
    crown = fractal(rng, height, width, tall * 1.5, 1.2)
    stand = fractal(rng, 1, width, 0.5 * width, 1.5)
    body = (rows - foot + tall * (0.7 + 0.5 * stand)) / tall * 2 + 0.7 * crown
    mask = np.clip(body * 2, 0, 1) * np.clip(foot - rows + 0.5, 0, 1)
    leaf = np.array(
        one_of(
            rng, [(45, 60, 35), (60, 75, 40), (75, 70, 45), (35, 45, 35), (90, 80, 50)]
        ),
        np.float32,
    )
    mottle = 1 + 0.3 * fractal(rng, height, width, 10, 1.0)
    canvas.both(
        mask.astype(np.float32),
        leaf * mottle[..., None] * np.float32(canvas.level / 220),
    )
