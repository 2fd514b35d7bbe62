"""The colour of smoke, and how it is laid over a scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vision.train import canvas as scenes
from vision.train import plume
from vision.train.chance import between, decades, often, one_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vision.train import raster
    from vision.train.canvas import Canvas
    from vision.train.chance import Dice
    from vision.train.plume import Cloud

    Mattes = tuple[NDArray[np.uint8], ...]

UP = -np.pi / 2
_UNSURE_LOW, _UNSURE_HIGH = 0.36, 0.52


def wind_of(rng: Dice) -> float:
    """Where smoke drifts to: from straight up to nearly level, to either side."""
    side = 1 if often(rng, 0.5) else -1
    lean = between(rng, 0, 0.5) if often(rng, 0.45) else between(rng, 0.4, 1.5)
    return float(UP + side * lean)


def colour_of(
    rng: Dice, canvas: Canvas, cloud: Cloud, *, dark: bool
) -> tuple[raster.Picture, bool]:
    """Colour every pixel of a cloud of smoke; whether it is neither dark nor light.

    Soot absorbs: dark smoke keeps little of the light, more at its thin edges. Light
    smoke scatters: as bright as the sky or a little less, bluish where thin against
    dark ground, yellowish from straw and damp wood.
    """
    if dark:
        white = decades(rng, 0.05, 0.42)
        tint = np.array(
            one_of(
                rng, [(1, 1, 1), (1.12, 1.0, 0.86), (1.05, 1.0, 0.93), (0.96, 1, 1.06)]
            )
        )
        ambient = between(rng, 0.25, 0.6)
    else:
        white = between(rng, 0.5, 1.02)
        tint = np.array(
            one_of(
                rng,
                [
                    (1, 1, 1),
                    (0.93, 0.98, 1.06),
                    (0.97, 1.0, 1.03),
                    (1.04, 1.0, 0.92),
                    (1.08, 0.98, 0.86),
                ],
            )
        )
        ambient = between(rng, 0.5, 0.85)
        if often(rng, 0.2):
            # Sunlit or before an overexposed sky: burnt out, hardly any relief.
            white, ambient = between(rng, 1.0, 1.2), between(rng, 0.8, 0.97)
    fine = between(rng, 0.7, 2.2)
    lit = plume.shade(cloud, canvas.sun, ambient, fine)
    if often(rng, 0.6):
        # Within the cloud less light arrives: its core is darker than its rim.
        lit = lit * (1 - between(rng, 0.1, 0.45) * (1 - np.exp(-0.5 * cloud.depth)))
    if dark and often(rng, 0.5):
        # Soot thins out into grey downwind.
        lit = lit * (1 + between(rng, 0.2, 1.4) * cloud.age)
    base = white * (0.55 * canvas.level + 0.45 * canvas.sky) * tint.astype(np.float32)
    unsure = _UNSURE_LOW < white < _UNSURE_HIGH + 0.08
    return lit[..., None] * base.astype(np.float32), unsure


def lay(
    rng: Dice,
    canvas: Canvas,
    cloud: Cloud,
    *,
    dark: bool,
    most: float = 1.0,
    behind: raster.Field | None = None,
    far: float = 0.0,
) -> None:
    """Colour a cloud and lay it over the scene.

    Args:
        rng: Dice.
        canvas: The scene.
        cloud: The smoke.
        dark: Soot, or light smoke.
        most: Opacity of the thickest part, at most.
        behind: (h, w), 0 where something stands before the smoke.
        far: 0 near, towards 1 it fades into the air between.
    """
    opacity = cloud.opacity * np.float32(most * (1 - 0.75 * far))
    if behind is not None:
        opacity = opacity * behind
    colour, unsure = colour_of(rng, canvas, cloud, dark=dark)
    colour = colour + np.float32(far) * 0.6 * (canvas.sky - colour)
    canvas.lay(opacity, colour, scenes.DARK if dark else scenes.LIGHT, unsure=unsure)
