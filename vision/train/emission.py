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
from vision.train.fires import drift, field_fire, fire, roof
from vision.train.plume import Cone
from vision.train.smoke import UP, lay, wind_of
from vision.train.structure import stack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vision.train.canvas import Canvas
    from vision.train.chance import Dice
    from vision.train.smoke import Mattes


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


NEAR = ("stack", "fire", "field", "film", "within", "roof")
RECIPES: Mapping[str, tuple[float, Callable[[Dice, Canvas, Mattes, bool], None]]] = {
    "stack": (0.2, from_stack),
    "far": (0.13, far_column),
    "fire": (0.24, fire),
    "field": (0.14, field_fire),
    "film": (0.13, film),
    "within": (0.1, within),
    "drift": (0.08, drift),
    "roof": (0.09, roof),
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
