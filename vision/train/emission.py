"""Smoke by situation: what burns, where it stands, how the wind takes it.

Each recipe is something a camera of ours looks at: a stack, a field of straw, a fire
behind a hill, a burning building, an engine's exhaust, a camera within the smoke.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vision.train import canvas as scenes
from vision.train import plume
from vision.train.chance import between, decades, often, one_of, weighted
from vision.train.flame import flames
from vision.train.plume import Cone
from vision.train.smoke import UP, lay, wind_of
from vision.train.structure import stack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from vision.train.canvas import Canvas
    from vision.train.chance import Dice

    Mattes = tuple[NDArray[np.uint8], ...]


def from_stack(rng: Dice, canvas: Canvas, mattes: Mattes, dark: bool) -> None:
    """Smoke from one to three stacks, blown the same way."""
    h, w = canvas.height, canvas.width
    wind = wind_of(rng)
    bore = decades(rng, 2.0, 16) * h / 192
    clouds = []
    for _ in range(1 if often(rng, 0.75) else 2):
        x = between(rng, 0.1, 0.9) * w
        top = between(rng, 0.3, 0.8) * h
        if often(rng, 0.7):
            stack(rng, canvas, x, top, bore)
        clouds.append(
            plume.cone(
                rng,
                h,
                w,
                Cone(
                    x,
                    top,
                    wind,
                    bend=between(rng, -0.4, 0.4),
                    length=decades(rng, 8, 50) * bore,
                    width=bore * between(rng, 0.7, 1.1),
                    spread=between(rng, 0.08, 0.32),
                    depth=decades(rng, 0.8, 6),
                    thinning=between(rng, 0.3, 1.0),
                    billow=between(rng, 0.2, 0.9),
                    ragged=between(rng, 0.5, 1.4),
                    soft=between(rng, 0.3, 1.0),
                ),
            )
        )
    lay(rng, canvas, plume.together(clouds), dark=dark)


def far_column(rng: Dice, canvas: Canvas, mattes: Mattes, dark: bool) -> None:
    """A small column behind the skyline or on far ground, pale with distance."""
    h, w = canvas.height, canvas.width
    line = scenes.skyline(canvas.now, rng)
    x = between(rng, 0.08, 0.92) * w
    behind = often(rng, 0.5) and scenes.even(line)
    y = float(line[int(x)]) + (1 if behind else between(rng, 0, 0.15) * h)
    size = decades(rng, 18, 110) * h / 192
    how = Cone(
        x,
        y,
        wind_of(rng),
        bend=between(rng, -0.6, 0.6),
        length=size,
        width=size * between(rng, 0.03, 0.14),
        spread=between(rng, 0.12, 0.4),
        depth=decades(rng, 0.5, 4),
        thinning=between(rng, 0.2, 0.9),
        billow=between(rng, 0.2, 1),
        ragged=between(rng, 0.5, 1.3),
        soft=between(rng, 0.35, 1.0),
    )
    mask = scenes.above(line, h) if behind else None
    far = between(rng, 0, 0.6)
    lay(rng, canvas, plume.cone(rng, h, w, how), dark=dark, behind=mask, far=far)


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


def film(rng: Dice, canvas: Canvas, mattes: Mattes, dark: bool) -> None:
    """Filmed smoke, one to three frames side by side and over one another."""
    h, w = canvas.height, canvas.width
    line = scenes.skyline(canvas.now, rng)
    x = between(rng, 0, 1) * w
    y = between(rng, float(line[int(min(x, w - 1))]), h * 1.1)
    size = decades(rng, 40, 380) * h / 192
    clouds = []
    for _ in range(int(rng.integers(1, 4))):
        foot = (x + between(rng, -0.15, 0.15) * size, y)
        depth = decades(rng, 1.5, 7)
        clouds.append(plume.filmed(rng, h, w, one_of(rng, mattes), foot, size, depth))
    behind = often(rng, 0.3) and scenes.even(line)
    mask = scenes.above(line, h) if behind else None
    lay(rng, canvas, plume.together(clouds), dark=dark, behind=mask)


def within(rng: Dice, canvas: Canvas, mattes: Mattes, dark: bool) -> None:
    """So near that smoke fills much of the picture."""
    h, w = canvas.height, canvas.width
    girth = between(rng, 0.35, 1.0) * h
    wind = wind_of(rng)
    cos, sin = np.cos(wind), np.sin(wind)
    back = between(rng, 0.3, 2.0) * girth
    how = Cone(
        between(rng, 0.1, 0.9) * w - cos * back,
        between(rng, 0.2, 0.9) * h - sin * back,
        wind,
        bend=between(rng, -0.3, 0.3),
        length=girth * between(rng, 3, 7),
        width=girth * between(rng, 0.3, 0.7),
        spread=between(rng, 0.1, 0.35),
        depth=decades(rng, 0.7, 6),
        thinning=between(rng, 0, 0.5),
        billow=between(rng, 0.3, 1),
        ragged=between(rng, 0.7, 1.6),
        soft=decades(rng, 0.15, 0.8),
    )
    lay(rng, canvas, plume.cone(rng, h, w, how), dark=dark)


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


def exhaust(rng: Dice, canvas: Canvas, mattes: Mattes, dark: bool) -> None:
    """A puff from an engine or a small heap: low, short, near the ground."""
    h, w = canvas.height, canvas.width
    girth = decades(rng, 3.5, 14) * h / 192
    side = 1 if often(rng, 0.5) else -1
    how = Cone(
        between(rng, 0.15, 0.85) * w,
        between(rng, 0.5, 0.92) * h,
        UP + side * between(rng, 0.2, 1.35),
        bend=between(rng, -0.6, 0.6),
        length=girth * decades(rng, 6, 22),
        width=girth,
        spread=between(rng, 0.15, 0.45),
        depth=decades(rng, 1.0, 6),
        thinning=between(rng, 0.1, 0.7),
        billow=between(rng, 0.3, 0.9),
        ragged=between(rng, 0.6, 1.3),
        soft=between(rng, 0.4, 1.0),
    )
    lay(rng, canvas, plume.cone(rng, h, w, how), dark=dark)


NEAR = ("stack", "fire", "field", "film", "within")
RECIPES: Mapping[str, tuple[float, Callable[[Dice, Canvas, Mattes, bool], None]]] = {
    "stack": (0.2, from_stack),
    "far": (0.13, far_column),
    "fire": (0.24, fire),
    "field": (0.14, field_fire),
    "film": (0.13, film),
    "within": (0.1, within),
    "drift": (0.08, drift),
    "exhaust": (0.06, exhaust),
}


def emit(
    rng: Dice,
    canvas: Canvas,
    mattes: Mattes,
    *,
    dark: bool,
    only: tuple[str, ...] = tuple(RECIPES),
) -> str:
    """Lay one emission of smoke over a scene; its name."""
    shares = {name: RECIPES[name][0] for name in only}
    if not mattes:
        shares.pop("film", None)
    name = weighted(rng, shares)
    RECIPES[name][1](rng, canvas, mattes, dark)
    return f"{name}-{'dark' if dark else 'light'}"
