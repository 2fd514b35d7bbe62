"""White steam: what our model must not take for smoke, as far as a picture can tell.

Steam is bright white even in its thick part, billows strongly, begins a little above a
hot stack's mouth, and ends as droplets evaporate: abruptly, in ragged shreds, where
smoke only thins out. A picture of steam lit from behind, or cold humid air in which it
does not evaporate, cannot be told from white smoke: this stays a failure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vision.train import plume, raster
from vision.train.chance import between, decades, often
from vision.train.smoke import wind_of
from vision.train.structure import stack

if TYPE_CHECKING:
    from vision.train.canvas import Canvas
    from vision.train.chance import Dice


def steam(rng: Dice, canvas: Canvas) -> None:
    """One to three plumes of steam from stacks, vents or cooling towers."""
    h, w = canvas.height, canvas.width
    wind = wind_of(rng)
    bore = decades(rng, 2.5, 20) * h / 192
    for _ in range(1 if often(rng, 0.65) else 2):
        x, top = between(rng, 0.1, 0.9) * w, between(rng, 0.3, 0.85) * h
        if often(rng, 0.7):
            stack(rng, canvas, x, top, bore)
        gap = bore * between(rng, 0.2, 1.6)
        how = plume.Cone(
            x + np.cos(wind) * gap,
            top + np.sin(wind) * gap,
            wind,
            bend=between(rng, -0.4, 0.4),
            length=bore * decades(rng, 5, 22),
            width=bore * between(rng, 0.8, 1.2),
            spread=between(rng, 0.12, 0.3),
            depth=decades(rng, 1.5, 8),
            thinning=between(rng, 0, 0.35),
            billow=between(rng, 0.75, 1.0),
            ragged=between(rng, 1.0, 1.7),
            soft=between(rng, 0.12, 0.4),
        )
        cloud = plume.cone(rng, h, w, how)
        # It evaporates: what is thin goes first, and suddenly.
        dry = between(rng, 0.15, 0.5) + between(rng, 0.2, 1.6) * cloud.age
        depth = cloud.depth * raster.smoothstep(0.5, 1.3, cloud.depth / dry)
        cloud = plume.Cloud(depth, cloud.relief, cloud.age)
        lit = plume.shade(
            cloud, canvas.sun, between(rng, 0.72, 0.9), between(rng, 1, 2.5)
        )
        white = canvas.level * between(rng, 0.98, 1.12)
        colour = white * (0.93 + 0.07 * canvas.sky / max(float(canvas.sky.max()), 1))
        canvas.lay(cloud.opacity, lit[..., None] * colour.astype(np.float32))
