"""Bare soil, sand, concrete, walls, water: brown is not dust, grey is not smoke."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vision.train import raster
from vision.train.chance import between, decades, often, one_of
from vision.train.noise import SIDE, billow_bank, fractal_bank

if TYPE_CHECKING:
    from vision.train.canvas import Canvas
    from vision.train.chance import Dice

_SOILS = [
    (150, 115, 80), (185, 150, 105), (205, 180, 140), (120, 90, 65), (165, 100, 60),
    (140, 130, 115), (175, 165, 150), (95, 80, 65), (200, 160, 110), (160, 140, 100),
]  # fmt: skip
_WALLS = [
    (150, 150, 150), (190, 188, 182), (120, 122, 125), (215, 212, 205), (170, 150, 130),
    (90, 92, 95), (200, 190, 170), (160, 90, 70), (235, 235, 232), (60, 62, 66),
]  # fmt: skip


def soil(rng: Dice, canvas: Canvas) -> None:
    """Bare ground from a horizon down, finer with distance, tracks in it."""
    h, w = canvas.height, canvas.width
    line = (
        between(rng, 0.15, 0.65) * h if often(rng, 0.75) else -between(rng, 0.1, 1) * h
    )
    columns, rows = raster.grid(h, w)
    down = np.maximum(rows - np.float32(line), 0.5)
    x0, y0 = (np.float32(rng.integers(SIDE)) for _ in "xy")
    near = np.float32(between(rng, 2500, 9000) * h / 192)
    u = (columns - np.float32(between(rng, 0, 1) * w)) * near / down / 40 + x0
    v = near * 6 / down + y0
    fine = raster.looked_up(fractal_bank(0.9)[int(rng.integers(6))], u, v)
    coarse = raster.looked_up(fractal_bank(2.0)[int(rng.integers(6))], u * 0.2, v * 0.2)
    tone = 1 + between(rng, 0.03, 0.14) * fine + between(rng, 0.03, 0.16) * coarse
    if often(rng, 0.4):
        tone = tone - 0.15 * (np.abs((u * between(rng, 0.02, 0.08)) % 1 - 0.5) < 0.06)  # noqa: PLR2004
    colour = np.array(one_of(rng, _SOILS), np.float32) * np.float32(canvas.level / 230)
    pale = np.clip(1 - down / (0.35 * h), 0, 1)[..., None] * np.float32(
        between(rng, 0, 0.5)
    )
    picture = tone[..., None] * colour
    picture = picture + pale * (canvas.sky - picture)
    edge = np.clip((rows - line) / 1.5, 0, 1)
    canvas.both(edge, picture)


def sand(rng: Dice, canvas: Canvas) -> None:
    """Dunes, heaps of sand and gravel: soft relief lit from the side, no particles."""
    h, w = canvas.height, canvas.width
    columns, rows = raster.grid(h, w)
    size = decades(rng, 0.4, 2.0) * w
    x0, y0 = (np.float32(rng.integers(SIDE)) for _ in "xy")
    step = np.float32(256 / size)
    form = raster.looked_up(
        fractal_bank(2.0)[int(rng.integers(6))],
        columns * step + x0,
        rows * step * 2.5 + y0,
    )
    ripple = raster.looked_up(
        fractal_bank(1.2)[int(rng.integers(6))],
        columns * step * 6 + x0,
        rows * step * 14 + y0,
    )
    dx, dy = raster.slopes(form * size * 0.035 + ripple * between(rng, 0, 0.25))
    steep = (dx * canvas.sun[0] + dy * canvas.sun[1]) * between(rng, 0.3, 1.0)
    lit = 0.85 - 0.4 * np.tanh(steep)
    grain = rng.standard_normal((h, w), np.float32) * np.float32(between(rng, 0, 0.05))
    colour = np.array(one_of(rng, _SOILS), np.float32) * np.float32(canvas.level / 215)
    heap = rows - between(rng, 0.1, 0.6) * h + form * 0.08 * h
    edge = np.clip(heap, 0, 1) if often(rng, 0.8) else np.ones_like(heap)
    canvas.both(edge.astype(np.float32), (lit + grain)[..., None] * colour)


def wall(rng: Dice, canvas: Canvas) -> None:
    """Concrete, plaster, metal: stained, streaked, jointed, unevenly lit."""
    h, w = canvas.height, canvas.width
    columns, rows = raster.grid(h, w)
    size = decades(rng, 0.3, 1.5) * w
    x0, y0 = (np.float32(rng.integers(SIDE)) for _ in "xy")
    step = np.float32(256 / size)
    stain = raster.looked_up(
        fractal_bank(1.5)[int(rng.integers(6))], columns * step + x0, rows * step + y0
    )
    streak = raster.looked_up(
        fractal_bank(1.5)[int(rng.integers(6))],
        columns * step * 4 + x0,
        rows * step * 0.3 + y0,
    )
    tone = 1 + between(rng, 0.01, 0.12) * stain + between(rng, 0, 0.1) * streak
    tone = tone * (
        1
        + between(rng, -0.5, 0.5) * (columns / w - 0.5)
        + between(rng, -0.5, 0.5) * (rows / h - 0.5)
    )
    if often(rng, 0.5):
        wide, tall = between(rng, 10, 90), between(rng, 6, 60)
        joint = (columns + (np.floor(rows / tall) % 2) * wide / 2) % wide < 1.2  # noqa: PLR2004
        tone = tone - between(rng, 0.05, 0.25) * (joint | (rows % tall < 1.2))  # noqa: PLR2004
    colour = np.array(one_of(rng, _WALLS), np.float32) * np.float32(canvas.level / 230)
    angle = between(rng, 0, 6.3)
    side = (columns - w * between(rng, 0, 1)) * np.cos(angle) + (
        rows - h * between(rng, 0, 1)
    ) * np.sin(angle)
    edge = np.ones_like(side) if often(rng, 0.4) else np.clip(side + 0.5, 0, 1)
    canvas.both(edge.astype(np.float32), tone[..., None] * colour)


def water(rng: Dice, canvas: Canvas) -> None:
    """Water with waves and a broken reflection of the sky."""
    h, w = canvas.height, canvas.width
    line = between(rng, 0.2, 0.7) * h
    columns, rows = raster.grid(h, w)
    down = np.maximum(rows - np.float32(line), 0.5)
    x0, y0 = (np.float32(rng.integers(SIDE)) for _ in "xy")
    near = np.float32(between(rng, 25, 110))
    u, v = (columns - w / 2) * near / (down + 15) + x0, np.log(down + 6) * near * 2 + y0
    wave = raster.looked_up(fractal_bank(1.5)[int(rng.integers(6))], u, v)
    wave = wave * np.clip(down / (0.25 * h), 0.2, 1)
    foam = raster.looked_up(billow_bank()[int(rng.integers(6))], u, v)
    deep = np.array(
        one_of(rng, [(50, 75, 85), (70, 90, 80), (90, 95, 95), (40, 60, 90)]),
        np.float32,
    )
    shine = np.clip(0.45 + between(rng, 0.05, 0.2) * wave, 0, 1)[..., None]
    picture = deep + shine * (canvas.sky - deep)
    if often(rng, 0.35):
        crest = raster.smoothstep(0.8, 1.0, foam)[..., None] * np.float32(
            between(rng, 0.3, 0.9)
        )
        picture = picture + crest * (canvas.level - picture)
    canvas.both(np.clip((rows - line) / 1.5, 0, 1), picture)
