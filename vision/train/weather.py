"""Weather that is taken for smoke: cloud, fog, haze, rain, snow, low sun.

Everything here is laid without a class: its cells are told "none".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from vision.train import canvas as scenes
from vision.train import plume, raster
from vision.train.chance import between, decades, often, one_of
from vision.train.noise import SIDE, billow_bank, fractal, fractal_bank, level_of

if TYPE_CHECKING:
    from vision.train.canvas import Canvas
    from vision.train.chance import Dice


def _bank(
    rng: Dice, canvas: Canvas, slope: float, wide: float, tall: float
) -> raster.Field:
    """Noise with shapes ``wide`` by ``tall`` pixels; slope 0 is cauliflower."""
    level = level_of(256 / min(wide, tall))
    bank = fractal_bank(slope, level) if slope else billow_bank(level)
    tile = bank[int(rng.integers(6))]
    x, y = raster.grid(canvas.height, canvas.width)
    x0, y0 = (np.float32(rng.integers(SIDE)) for _ in "xy")
    return raster.looked_up(
        tile, x * np.float32(256 / wide) + x0, y * np.float32(256 / tall) + y0
    )


def cumulus(rng: Dice, canvas: Canvas) -> None:
    """Heaps of cloud: bright tops, grey flat feet, above the skyline."""
    h, w = canvas.height, canvas.width
    size = decades(rng, 0.35, 2.2) * w
    form = _bank(rng, canvas, 2.0, size, size * between(rng, 0.35, 0.7))
    puff = _bank(rng, canvas, 0, size * 0.9, size * 0.6)
    body = form * 0.5 + (puff - 0.55) * between(rng, 0.8, 1.6) - between(rng, -0.1, 0.7)
    opacity = raster.smoothstep(0.0, between(rng, 0.15, 0.6), body) * between(
        rng, 0.75, 1
    )
    cloud = plume.Cloud(opacity, raster.blurred(body, 1.5) * size * 0.12, opacity)
    lit = plume.shade(cloud, canvas.sun, between(rng, 0.55, 0.8), 1.5)
    thick = np.clip(raster.blurred(body, size * 0.02 + 1), 0, 1)
    lit = lit * (1.08 - between(rng, 0.1, 0.5) * thick)
    tint = np.array(one_of(rng, [(1, 1, 1), (1, 0.98, 0.95), (0.96, 0.98, 1.02)]))
    white = (canvas.level * between(rng, 0.85, 1.1) * tint).astype(np.float32)
    line = scenes.skyline(canvas.now, rng)
    mask = scenes.above(line, h) if often(rng, 0.7) else np.float32(1)
    canvas.lay(opacity * mask, lit[..., None] * white)


def stratus(rng: Dice, canvas: Canvas) -> None:
    """Layers and veils of cloud, drawn out."""
    h, w = canvas.height, canvas.width
    wide = decades(rng, 0.8, 4) * w
    form = _bank(rng, canvas, 1.5, wide, wide * between(rng, 0.1, 0.35))
    opacity = raster.smoothstep(between(rng, -0.6, 0.4), 2.0, form) * between(
        rng, 0.4, 1
    )
    shade = 1 - between(rng, 0, 0.3) * raster.blurred(opacity, 4)
    white = canvas.sky * 0.4 + canvas.level * between(rng, 0.35, 0.65)
    line = scenes.skyline(canvas.now, rng)
    mask = scenes.above(line, h) if often(rng, 0.7) else np.float32(1)
    canvas.lay(opacity * mask, shade[..., None] * white.astype(np.float32))


def overcast(rng: Dice, canvas: Canvas) -> None:
    """A whole sky of grey cloud, dark rain cloud included."""
    h, w = canvas.height, canvas.width
    size = decades(rng, 0.6, 2.5) * w
    form = _bank(rng, canvas, 2.0, size, size * between(rng, 0.2, 0.6))
    puff = _bank(rng, canvas, 0, size, size * 0.5)
    tone = between(rng, 0.3, 0.95) + 0.1 * form + between(rng, 0, 0.25) * (puff - 0.5)
    tint = np.array(
        one_of(rng, [(1, 1, 1), (0.95, 0.98, 1.04), (1.03, 1, 0.97)]), np.float32
    )
    colour = np.clip(tone, 0.15, 1.05)[..., None] * np.float32(canvas.level) * tint
    line = scenes.skyline(canvas.now, rng)
    canvas.lay(scenes.above(line, h) * np.float32(between(rng, 0.85, 1)), colour)


def low_cloud(rng: Dice, canvas: Canvas) -> None:
    """Cloud and fog lying on hills and in valleys, with ragged upper rims."""
    h, w = canvas.height, canvas.width
    _, rows = raster.grid(h, w)
    line = raster.blurred(scenes.skyline(canvas.now, rng)[None], w / 12)[0]
    middle = line[None] + np.float32(between(rng, -0.08, 0.2) * h)
    wide = decades(rng, 0.4, 2.0) * w
    form = _bank(rng, canvas, 2.0, wide, wide * 0.3)
    deep = np.float32(decades(rng, 0.06, 0.35) * h)
    lies = 1 - np.abs(rows - middle) / deep + between(rng, 0.3, 0.9) * form
    opacity = raster.smoothstep(0, between(rng, 0.3, 1.2), lies) * between(rng, 0.6, 1)
    white = canvas.sky * 0.5 + canvas.level * between(rng, 0.3, 0.55)
    canvas.lay(opacity.astype(np.float32), white.astype(np.float32))


def fog(rng: Dice, canvas: Canvas) -> None:
    """A bank of fog: thicker towards the horizon, no source, no outline."""
    h, w = canvas.height, canvas.width
    _, rows = raster.grid(h, w)
    line = float(np.median(scenes.skyline(canvas.now, rng)))
    near = np.clip((rows - line) / (h - line + 1), 0, 1)
    depth = between(rng, 0.8, 5) * np.exp(-near * between(rng, 0.5, 4))
    uneven = fractal(rng, h, w, between(rng, 0.5, 2) * w, 2.0)
    depth = depth * np.exp(between(rng, 0, 0.35) * uneven)
    veil = np.where(rows < line, between(rng, 0.4, 1), 1.0)
    white = canvas.sky * 0.6 + canvas.level * between(rng, 0.2, 0.4)
    canvas.lay((1 - np.exp(-depth * veil)).astype(np.float32), white.astype(np.float32))


def haze(rng: Dice, canvas: Canvas) -> None:
    """Even haze, grey, bluish or yellowish, over everything."""
    h, w = canvas.height, canvas.width
    _, rows = raster.grid(h, w)
    slope = between(rng, -0.4, 0.4)
    opacity = between(rng, 0.15, 0.75) * (1 + slope * (rows / h - 0.5))
    tint = np.array(
        one_of(rng, [(1, 1, 1), (0.94, 0.98, 1.04), (1.06, 1, 0.9), (1.04, 0.99, 0.94)])
    )
    tone = (canvas.level * between(rng, 0.5, 1.0) * tint).astype(np.float32)
    canvas.lay(opacity.astype(np.float32), tone)


def glare(rng: Dice, canvas: Canvas) -> None:
    """The sun in the picture: a burnt-out disc, its veil and its rays."""
    h, w = canvas.height, canvas.width
    columns, rows = raster.grid(h, w)
    x, y = between(rng, -0.1, 1.1) * w, between(rng, -0.1, 0.6) * h
    far = np.hypot(columns - x, rows - y)
    disc = between(rng, 0.02, 0.12) * w
    light = 330 * np.exp(-((far / disc) ** 2)) + between(rng, 60, 190) * np.exp(
        -far / (disc * between(rng, 2.5, 7))
    )
    if often(rng, 0.5):
        turn = np.arctan2(rows - y, columns - x)
        rays = np.abs(np.cos(turn * int(rng.integers(2, 6)) + between(rng, 0, 3))) ** 18
        light = light + rays * 90 * np.exp(-far / (0.3 * w))
    tint = np.array(
        one_of(rng, [(1, 1, 1), (1, 0.95, 0.85), (1, 0.85, 0.6)]), np.float32
    )
    canvas.glow(light, tint)
    for _ in range(int(rng.integers(0, 5))):
        _ghost(rng, canvas, x, y)


def _ghost(rng: Dice, canvas: Canvas, x: float, y: float) -> None:
    """One reflection within the lens, on the line through the picture's middle."""
    h, w = canvas.height, canvas.width
    step = between(rng, -1.2, 1.6)
    spot = np.zeros((h, w), np.float32)
    centre = (int(w / 2 + (w / 2 - x) * step), int(h / 2 + (h / 2 - y) * step))
    cv2.circle(spot, centre, int(decades(rng, 3, 26)), (1.0,), -1)
    tint = np.array(
        one_of(rng, [(0.4, 1, 0.5), (1, 0.6, 0.3), (0.5, 0.6, 1), (1, 1, 1)])
    )
    spot = raster.blurred(spot, between(rng, 0.8, 3))
    canvas.glow(spot, between(rng, 15, 70) * tint)


def sunset(rng: Dice, canvas: Canvas) -> None:
    """A sky of orange, brown and purple, its clouds lit from below, dark ground."""
    h, w = canvas.height, canvas.width
    _, rows = raster.grid(h, w)
    low = np.array(
        one_of(
            rng,
            [
                (255, 190, 90),
                (250, 140, 60),
                (230, 120, 80),
                (200, 150, 100),
                (255, 215, 150),
            ],
        ),
        np.float32,
    )
    high = np.array(
        one_of(
            rng,
            [
                (70, 70, 110),
                (110, 75, 80),
                (150, 100, 80),
                (60, 80, 130),
                (120, 110, 110),
            ],
        ),
        np.float32,
    )
    line = scenes.skyline(canvas.now, rng)
    middle = float(line.mean())
    up = np.clip((middle - rows) / max(middle, 20), 0, 1) ** np.float32(
        between(rng, 0.5, 1.3)
    )
    colour = low + up[..., None] * (high - low)
    wide = decades(rng, 0.6, 3) * w
    form = _bank(rng, canvas, 1.5, wide, wide * between(rng, 0.12, 0.4))
    band = raster.smoothstep(between(rng, 0, 1), 2.2, form)[..., None]
    dark = colour * between(rng, 0.35, 0.8)
    fire = colour * np.array([1.25, 1.0, 0.8], np.float32)
    colour = colour + band * ((dark if often(rng, 0.5) else fire) - colour)
    canvas.lay(scenes.above(line, h), colour * np.float32(between(rng, 0.6, 1)))
    ground = 1 - scenes.above(line, h)
    canvas.lay(
        ground * np.float32(between(rng, 0.2, 0.7)),
        low * np.float32(between(rng, 0.05, 0.35)),
    )


def rain(rng: Dice, canvas: Canvas) -> None:
    """Streaks of rain under a dull sky."""
    _streaks(rng, canvas, between(rng, 6, 22), between(rng, 0.0005, 0.004), 0.6)
    haze(rng, canvas)


def snow(rng: Dice, canvas: Canvas) -> None:
    """Flakes near and far."""
    if often(rng, 0.5):
        haze(rng, canvas)
    _streaks(rng, canvas, between(rng, 1, 5), between(rng, 0.001, 0.005), 1.0)
    _streaks(rng, canvas, between(rng, 3, 9), between(rng, 0.0001, 0.0006), 2.2)


def _streaks(
    rng: Dice, canvas: Canvas, length: float, share: float, size: float
) -> None:
    h, w = canvas.height, canvas.width
    points = (rng.random((h, w)) < share).astype(np.float32)
    points = raster.blurred(points, size) * np.float32(3 * size * size)
    lines = raster.smeared(points, length, np.pi / 2 + between(rng, -0.4, 0.4))
    opacity = np.clip(lines * np.float32(length * 0.5), 0, between(rng, 0.25, 0.85))
    canvas.lay(opacity, np.full(3, canvas.level * between(rng, 0.75, 1.05), np.float32))


def water_spray(rng: Dice, canvas: Canvas) -> None:
    """Water thrown up: bright, grainy, with threads and drops, falling back."""
    h, w = canvas.height, canvas.width
    girth = decades(rng, 4, 22) * h / 192
    angle = -np.pi / 2 + between(rng, -1.2, 1.2)
    how = plume.Cone(
        between(rng, 0.1, 0.9) * w,
        between(rng, 0.5, 1) * h,
        angle,
        bend=float(np.sign(np.cos(angle)) or 1) * between(rng, 0.4, 1.2),
        length=girth * between(rng, 4, 9),
        width=girth * 0.5,
        spread=between(rng, 0.15, 0.4),
        depth=decades(rng, 0.5, 2),
        thinning=0.6,
        billow=0.0,
        ragged=1.5,
        soft=0.7,
    )
    cloud = plume.cone(rng, h, w, how)
    grain = (rng.random((h, w)) < 0.35).astype(np.float32)  # noqa: PLR2004
    grain = raster.smeared(raster.blurred(grain, 0.5), 5, angle)
    opacity = np.clip(cloud.opacity * (0.25 + 1.8 * grain), 0, 1)
    canvas.lay(opacity.astype(np.float32), np.full(3, canvas.level * 1.02, np.float32))
