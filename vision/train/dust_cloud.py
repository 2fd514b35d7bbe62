"""Dust, laid over a scene: behind vehicles, blown off heaps, from breaking walls.

Dust is heavier than smoke: it lies low, its foot is the ground's colour, its upper rim
thins out softly, and it has no hot source. Colours are those of ground and concrete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vision.train import canvas as scenes
from vision.train import plume, raster
from vision.train.chance import between, decades, often, one_of, weighted
from vision.train.noise import fractal
from vision.train.plume import Cone
from vision.train.view import whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vision.train.book import Page
    from vision.train.canvas import Canvas
    from vision.train.chance import Dice
    from vision.train.plume import Cloud

_EARTHS = [
    (0.78, 0.66, 0.52), (0.85, 0.76, 0.62), (0.68, 0.56, 0.44), (0.8, 0.62, 0.45),
    (0.9, 0.84, 0.74), (0.74, 0.7, 0.64), (0.86, 0.83, 0.79), (0.62, 0.54, 0.46),
    (0.8, 0.55, 0.38), (0.7, 0.67, 0.65),
]  # fmt: skip


def _lay(rng: Dice, canvas: Canvas, cloud: Cloud, far: float = 0.0) -> None:
    ground = canvas.now[int(canvas.height * 0.75) :].reshape(-1, 3).mean(0)
    warm = float(ground[0] - ground[2])
    earth = np.array(one_of(rng, _EARTHS), np.float32) * np.float32(canvas.level)
    if warm > 0 and often(rng, 0.6):
        # Mostly it is this ground's own dust, brighter than the ground.
        own = (
            ground
            / max(float(ground.max()), 1)
            * canvas.level
            * between(rng, 0.6, 0.95)
        )
        earth = earth * 0.4 + own * 0.6
    base = earth * between(rng, 0.8, 1.12) + 0.08 * (canvas.sky - earth)
    lit = plume.shade(cloud, canvas.sun, between(rng, 0.55, 0.85), between(rng, 1.2, 3))
    opacity = cloud.opacity * np.float32((1 - 0.7 * far) * between(rng, 0.75, 1))
    colour = lit[..., None] * base.astype(np.float32)
    canvas.lay(
        opacity, colour + np.float32(far) * 0.5 * (canvas.sky - colour), scenes.DUST
    )


def _spot(rng: Dice, canvas: Canvas) -> tuple[float, float]:
    """A place on the ground: column and row."""
    x = between(rng, 0.1, 0.9) * canvas.width
    line = float(scenes.skyline(canvas.now, rng)[int(x)])
    low = min(
        max(line + 0.05 * canvas.height, 0.4 * canvas.height), 0.85 * canvas.height
    )
    return x, between(rng, low, 0.98 * canvas.height)


def trail(rng: Dice, canvas: Canvas) -> None:
    """Behind a vehicle: a wedge that starts at its wheels and grows backwards."""
    h, w = canvas.height, canvas.width
    side = 1 if often(rng, 0.5) else -1
    x, y = _spot(rng, canvas)
    size = decades(rng, 4, 20) * h / 192
    clouds = []
    for _ in range(2 if often(rng, 0.5) else 1):
        how = Cone(
            x,
            y - size * 0.6,
            (0 if side > 0 else np.pi) - side * between(rng, 0.0, 0.4),
            bend=-side * between(rng, -0.1, 0.3),
            length=size * decades(rng, 9, 34),
            width=size,
            spread=between(rng, 0.12, 0.4),
            depth=decades(rng, 1.2, 7),
            thinning=between(rng, 0.0, 0.5),
            billow=between(rng, 0.2, 0.9),
            ragged=between(rng, 0.35, 0.78),
            soft=between(rng, 0.5, 1.4),
        )
        clouds.append(plume.cone(rng, h, w, how))
    cloud = plume.footed(rng, plume.together(clouds), y, size)
    if often(rng, 0.6):
        _vehicle(rng, canvas, x, y, size, side)
    _lay(rng, canvas, cloud, between(rng, 0, 0.3))


def _vehicle(
    rng: Dice, canvas: Canvas, x: float, y: float, size: float, side: int
) -> None:
    """Body, cabin, wheels: a lorry or a car, plain."""
    columns, rows = raster.grid(canvas.height, canvas.width)
    long, tall = size * between(rng, 2.2, 4.5), size * between(rng, 1.2, 2.4)
    off = (x - columns) * side  # ahead of the dust
    up = np.float32(y) - rows
    body = (off > -long * 0.15) & (off < long) & (up > tall * 0.25) & (up < tall * 0.75)
    cabin = (off > long * 0.3) & (off < long * 0.8) & (up >= tall * 0.7) & (up < tall)
    wheels = (np.hypot(off - long * 0.1, up - tall * 0.15) < tall * 0.2) | (
        np.hypot(off - long * 0.78, up - tall * 0.15) < tall * 0.2
    )
    paint = rng.random(3).astype(np.float32) * np.float32(canvas.level * 0.9)
    lit = (0.7 + 0.4 * up / tall)[..., None].astype(np.float32)
    canvas.lay(raster.blurred(body.astype(np.float32), 0.5), paint * lit)
    canvas.lay(raster.blurred(cabin.astype(np.float32), 0.5), paint * 0.45 * lit)
    canvas.lay(
        raster.blurred(wheels.astype(np.float32), 0.5), np.full(3, 22, np.float32)
    )


def blown(rng: Dice, canvas: Canvas) -> None:
    """Sheets of dust that wind takes off a heap, a road or a yard."""
    h, w = canvas.height, canvas.width
    side = 1 if often(rng, 0.5) else -1
    _, y = _spot(rng, canvas)
    clouds = []
    for _ in range(int(rng.integers(2, 4))):
        size = decades(rng, 5, 30) * h / 192
        how = Cone(
            between(rng, -0.1, 1.1) * w,
            y - size * between(rng, 0.2, 0.8),
            (0 if side > 0 else np.pi) - side * between(rng, 0.0, 0.25),
            bend=-side * between(rng, -0.05, 0.15),
            length=size * decades(rng, 4, 16),
            width=size,
            spread=between(rng, 0.05, 0.25),
            depth=decades(rng, 0.9, 5),
            thinning=between(rng, 0, 0.6),
            billow=between(rng, 0, 0.4),
            ragged=between(rng, 0.42, 0.91),
            soft=between(rng, 0.8, 1.8),
        )
        clouds.append(plume.cone(rng, h, w, how))
    cloud = plume.footed(rng, plume.together(clouds), y, 20.0 * h / 192)
    _lay(rng, canvas, cloud, between(rng, 0, 0.3))


def breaking(rng: Dice, canvas: Canvas) -> None:
    """A building comes down, a load is tipped: billows in all directions."""
    h, w = canvas.height, canvas.width
    x, y = _spot(rng, canvas)
    size = decades(rng, 7, 45) * h / 192
    clouds = []
    for angle in (-np.pi / 2, -between(rng, 0.2, 0.9), -np.pi + between(rng, 0.2, 0.9)):
        how = Cone(
            x,
            y,
            angle + between(rng, -0.3, 0.3),
            bend=between(rng, -0.3, 0.3),
            length=size * between(rng, 2.2, 6),
            width=size * between(rng, 0.6, 1.2),
            spread=between(rng, 0.2, 0.6),
            depth=decades(rng, 1.2, 8),
            thinning=between(rng, 0, 0.5),
            billow=between(rng, 0.6, 1),
            ragged=between(rng, 0.42, 0.91),
            soft=between(rng, 0.25, 1.0),
        )
        clouds.append(plume.cone(rng, h, w, how))
    _lay(rng, canvas, plume.footed(rng, plume.together(clouds), y, size))


def storm(rng: Dice, canvas: Canvas) -> None:
    """Within the dust: a wall of it from the ground up."""
    h, w = canvas.height, canvas.width
    girth = between(rng, 0.3, 0.8) * h
    how = Cone(
        between(rng, 0, 1) * w,
        between(rng, 0.7, 1.3) * h,
        -np.pi / 2 + between(rng, -1.2, 1.2),
        bend=between(rng, -0.3, 0.3),
        length=girth * between(rng, 2, 5),
        width=girth,
        spread=between(rng, 0.1, 0.4),
        depth=decades(rng, 1, 6),
        thinning=between(rng, 0, 0.4),
        billow=between(rng, 0.2, 0.9),
        ragged=between(rng, 0.42, 0.85),
        soft=between(rng, 0.5, 1.5),
    )
    _lay(rng, canvas, plume.cone(rng, h, w, how))


_RECIPES: Mapping[str, tuple[float, Callable[[Dice, Canvas], None]]] = {
    "trail": (0.4, trail),
    "blown": (0.25, blown),
    "breaking": (0.22, breaking),
    "storm": (0.13, storm),
}
RECIPES = tuple(_RECIPES)


def raise_dust(rng: Dice, canvas: Canvas, name: str | None = None) -> str:
    """Lay one emission of dust over a scene; its name."""
    name = name or weighted(rng, {name: share for name, (share, _) in _RECIPES.items()})
    _RECIPES[name][1](rng, canvas)
    return f"{name}-dust"


def pasted(rng: Dice, canvas: Canvas, page: Page) -> bool:
    """Lay the dense dust of a real photograph over another scene.

    Only cells that are mostly dust are taken, their rim torn by noise, colours moved
    a little; the photograph's own ground stays behind.

    Returns:
        Whether the photograph had dust dense enough.
    """
    if page.cells is None:
        return False
    cells = np.asarray(page.cells[2], np.float32)
    dense = np.argwhere(cells > 0.6)  # noqa: PLR2004
    if len(dense) < 6:  # noqa: PLR2004
        return False
    h, w = canvas.height, canvas.width
    row, column = dense[int(rng.integers(len(dense)))]
    zoom = decades(rng, 0.5, 1.3)
    side = -1.0 if often(rng, 0.5) else 1.0
    x, y = between(rng, 0.15, 0.85) * w, between(rng, 0.5, 0.9) * h
    matrix = np.array([[side / zoom, 0.0, 0.0], [0.0, 1 / zoom, 0.0]])
    matrix[:, 2] = (column * 16 + 8 - side * x / zoom, row * 16 + 8 - y / zoom)
    view = whole(h, w)._replace(matrix=matrix, zoom=zoom)
    share = view.cells(page.cells)[2]
    # Outside of the photograph is nothing.
    columns, rows = raster.grid(h, w)
    u, v = side * columns / zoom + matrix[0, 2], rows / zoom + matrix[1, 2]
    inside = np.clip(np.minimum.reduce([u, 639 - u, v, 383 - v]) / 24, 0, 1)

    torn = share + 0.12 * fractal(rng, h, w, 40, 1.5)
    opacity = raster.smoothstep(0.45, 0.95, torn) * inside.astype(np.float32)
    opacity = raster.blurred(opacity, 2.5) * np.float32(between(rng, 0.8, 1))
    colour = view.picture(page.rgb()).astype(np.float32)
    tint = np.exp(rng.normal(0, 0.07, 3)).astype(np.float32)
    gain = np.float32(canvas.level / 230 * between(rng, 0.85, 1.15))
    canvas.lay(opacity, colour * tint * gain, scenes.DUST)
    return True
