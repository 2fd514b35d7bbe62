"""Smoke of open fires: a column, a burning field, a house, a veil over the land."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vision.train import canvas as scenes
from vision.train import plume
from vision.train.chance import between, decades, often
from vision.train.flame import flames
from vision.train.plume import Cone
from vision.train.smoke import UP, lay, wind_of
from vision.train.structure import shed

if TYPE_CHECKING:
    from vision.train.canvas import Canvas
    from vision.train.chance import Dice
    from vision.train.smoke import Mattes


def fire(rng: Dice, canvas: Canvas, mattes: Mattes, dark: bool) -> None:
    """A large billowing column from the ground, a roof, or below the picture."""
    h, w = canvas.height, canvas.width
    line = scenes.skyline(canvas.now, rng)
    x = between(rng, 0.03, 0.97) * w
    y = between(rng, min(float(line[int(x)]), 0.9 * h), h * 1.1)
    wind = wind_of(rng)
    girth = decades(rng, 7, 42) * h / 192
    clouds = [
        plume.cone(
            rng,
            h,
            w,
            Cone(
                x + between(rng, -1.5, 1.5) * girth,
                y,
                wind + between(rng, -0.15, 0.15),
                bend=between(rng, -0.5, 0.5),
                length=girth * decades(rng, 7, 30),
                width=girth,
                spread=between(rng, 0.12, 0.4),
                depth=decades(rng, 1.3, 9),
                thinning=between(rng, 0.0, 0.7),
                billow=between(rng, 0.4, 1.0),
                ragged=between(rng, 0.6, 1.5),
                soft=decades(rng, 0.15, 0.8),
            ),
        )
        for _ in range(1 if often(rng, 0.6) else 2)
    ]
    if often(rng, 0.3) and 0 < x < w:
        flames(
            rng,
            canvas,
            x,
            y,
            girth * between(rng, 1, 2.4),
            girth * between(rng, 0.8, 2.5),
        )
    cloud = plume.together(clouds)
    if often(rng, 0.85):
        cloud = plume.footed(rng, cloud, y, girth)
    behind = often(rng, 0.2) and scenes.even(line)
    mask = scenes.above(line, h) if behind else None
    lay(rng, canvas, cloud, dark=dark, behind=mask)


def field_fire(rng: Dice, canvas: Canvas, mattes: Mattes, dark: bool) -> None:
    """Straw burning: a low front as wide as a field, its smoke lying downwind."""
    h, w = canvas.height, canvas.width
    line = scenes.skyline(canvas.now, rng)
    wind = wind_of(rng)
    left, right = sorted(between(rng, -0.1, 1.1) * w for _ in range(2))
    right = max(right, left + 30)
    y = between(rng, float(line[int(np.clip((left + right) / 2, 0, w - 1))]), h * 0.97)
    girth = decades(rng, 3, 14) * h / 192
    count = int(np.clip((right - left) / (girth * 5), 2, 4))
    clouds = []
    for place in range(count):
        x = left + (place + between(rng, 0.1, 0.9)) * (right - left) / count
        clouds.append(
            plume.cone(
                rng,
                h,
                w,
                Cone(
                    x,
                    y + between(rng, -0.02, 0.02) * h,
                    wind + between(rng, -0.2, 0.2),
                    bend=between(rng, -0.3, 0.3),
                    length=girth * decades(rng, 9, 40),
                    width=girth * between(rng, 0.7, 2.5),
                    spread=between(rng, 0.15, 0.45),
                    depth=decades(rng, 0.9, 6),
                    thinning=between(rng, 0.1, 0.7),
                    billow=between(rng, 0.1, 0.7),
                    ragged=between(rng, 0.6, 1.4),
                    soft=between(rng, 0.4, 1.1),
                ),
            )
        )
        if often(rng, 0.35):
            flames(rng, canvas, x, y, girth * 1.6, girth * between(rng, 0.6, 1.6))
    cloud = plume.footed(rng, plume.together(clouds), y, girth)
    lay(rng, canvas, cloud, dark=dark, far=between(rng, 0, 0.3))


def roof(rng: Dice, canvas: Canvas, mattes: Mattes, dark: bool) -> None:
    """A house on fire: smoke seeps from eaves and windows, as wide as the roof."""
    h, w = canvas.height, canvas.width
    x, wide = between(rng, 0.15, 0.85) * w, decades(rng, 0.15, 0.8) * w
    line = scenes.skyline(canvas.now, rng)
    top = float(np.clip(line[int(x)], 0.25 * h, 0.85 * h))
    if often(rng, 0.5):
        top = between(rng, 0.25, 0.8) * h
        shed(rng, canvas, x, top, wide, top + between(rng, 0.4, 1.2) * h)
    wind = UP + between(rng, -0.9, 0.9)
    clouds = []
    for _ in range(int(rng.integers(1, 4))):
        girth = wide * between(rng, 0.08, 0.45)
        how = Cone(
            x + between(rng, -0.4, 0.4) * wide,
            top + between(rng, -0.02, 0.3) * wide,
            wind + between(rng, -0.2, 0.2),
            bend=between(rng, -0.4, 0.4),
            length=girth * decades(rng, 4, 16),
            width=girth,
            spread=between(rng, 0.05, 0.3),
            depth=decades(rng, 0.6, 5),
            thinning=between(rng, 0, 0.6),
            billow=between(rng, 0.2, 0.9),
            ragged=between(rng, 0.6, 1.4),
            soft=between(rng, 0.5, 1.4),
        )
        if often(rng, 0.35):
            size = wide * between(rng, 0.03, 0.12)
            flames(rng, canvas, how.x, how.y + size, size, size * between(rng, 1, 3))
        clouds.append(plume.cone(rng, h, w, how))
    lay(rng, canvas, plume.together(clouds), dark=dark)


def drift(rng: Dice, canvas: Canvas, mattes: Mattes, dark: bool) -> None:
    """Smoke lying over land: a long low veil from a source at one side."""
    h, w = canvas.height, canvas.width
    line = scenes.skyline(canvas.now, rng)
    side = 1 if often(rng, 0.5) else -1
    girth = decades(rng, 6, 32) * h / 192
    x = (between(rng, -0.3, 0.6) if side > 0 else between(rng, 0.4, 1.3)) * w
    row = float(line[int(np.clip(x, 0, w - 1))])
    y = min(row + between(rng, -0.05, 0.3) * h, 0.95 * h)
    how = Cone(
        x,
        y,
        (0 if side > 0 else np.pi) - side * between(rng, -0.05, 0.3),
        bend=-side * between(rng, -0.1, 0.2),
        length=w * between(rng, 0.5, 1.8),
        width=girth,
        spread=between(rng, 0.02, 0.15),
        depth=decades(rng, 0.5, 2.5),
        thinning=between(rng, 0, 0.5),
        billow=between(rng, 0, 0.6),
        ragged=between(rng, 0.6, 1.4),
        soft=between(rng, 0.7, 1.7),
    )
    behind = often(rng, 0.2) and scenes.even(line)
    mask = scenes.above(line, h) if behind else None
    cloud = plume.cone(rng, h, w, how)
    lay(rng, canvas, cloud, dark=dark, behind=mask, far=between(rng, 0, 0.4))
