"""Every thing that is taken for smoke or dust, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vision.train import ground, lens, raster, weather
from vision.train.canvas import above, has_sky, skyline
from vision.train.chance import between, decades
from vision.train.flame import flames
from vision.train.noise import fractal
from vision.train.steam import steam

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vision.train.canvas import Canvas
    from vision.train.chance import Dice


def bare_flame(rng: Dice, canvas: Canvas) -> None:
    """Flames without smoke: gas, a torch, a fire seen through clear air."""
    for _ in range(int(rng.integers(1, 4))):
        tall = decades(rng, 6, 120) * canvas.height / 192
        flames(
            rng,
            canvas,
            between(rng, 0.05, 0.95) * canvas.width,
            between(rng, 0.4, 1.05) * canvas.height,
            tall * between(rng, 0.25, 0.9),
            tall,
        )


def shadow(rng: Dice, canvas: Canvas) -> None:
    """A cloud's or a building's shadow that was not there before."""
    y, x = np.mgrid[0 : canvas.height, 0 : canvas.width].astype(np.float32)
    angle = between(rng, 0, 6.3)
    far = (x - between(rng, 0, 1) * canvas.width) * np.cos(angle)
    far = far + (y - between(rng, 0, 1) * canvas.height) * np.sin(angle)
    edge = np.clip(far / decades(rng, 1, 40) + 0.5, 0, 1)[..., None]
    dark = between(rng, 0.35, 0.8) * np.array([0.95, 1, 1.06], np.float32)
    canvas.dim(1 - edge * (1 - dark))


def cloud_shadow(rng: Dice, canvas: Canvas) -> None:
    """Soft shadows of broken clouds over the ground, which keeps its texture.

    They drift over every bright day, and darken as thin black smoke does.
    """
    h, w = canvas.height, canvas.width
    flat = between(rng, 1.5, 5)  # seen from a tower, what lies is foreshortened
    field = fractal(rng, int(h * flat), w, decades(rng, 0.3, 1.5) * w, 2.0)
    field = raster.resized(field, h, w, area=True)
    cover = between(rng, -0.8, 0.5)
    shade = raster.smoothstep(cover, cover + decades(rng, 0.5, 2.5), field)
    if has_sky(canvas.now):
        shade = shade * (1 - above(skyline(canvas.now, rng), h))
    dark = between(rng, 0.4, 0.8) * np.array([0.96, 1, 1.05], np.float32)
    canvas.dim(1 - shade[..., None] * (1 - dark))


def passing(rng: Dice, canvas: Canvas) -> None:
    """A vehicle smeared by its motion: a streak of somebody's paint."""
    h, w = canvas.height, canvas.width
    mask = np.zeros((h, w), np.float32)
    tall, long = decades(rng, 6, 60), decades(rng, 15, 160)
    y, x = int(between(rng, 0.3, 1) * h), int(between(rng, 0, 1) * w)
    mask[max(y - int(tall), 0) : y, max(x - int(long / 2), 0) : x + int(long / 2)] = 1
    mask = raster.smeared(mask, decades(rng, 7, 61), between(rng, -0.15, 0.15))
    tone = between(rng, 0.05, 0.95) * canvas.level
    tint = np.exp(rng.normal(0, 0.15, 3))
    canvas.lay(mask * between(rng, 0.7, 1), (tone * tint).astype(np.float32))


NEGATIVES: Mapping[str, tuple[float, Callable[[Dice, Canvas], None]]] = {
    "steam": (2.2, steam),
    "cumulus": (1.6, weather.cumulus),
    "stratus": (1.0, weather.stratus),
    "overcast": (1.2, weather.overcast),
    "low_cloud": (1.0, weather.low_cloud),
    "fog": (1.6, weather.fog),
    "haze": (1.2, weather.haze),
    "glare": (1.0, weather.glare),
    "sunset": (1.5, weather.sunset),
    "rain": (0.6, weather.rain),
    "snow": (0.5, weather.snow),
    "spray": (0.7, weather.water_spray),
    "flame": (1.2, bare_flame),
    "lamps": (1.2, lens.lamps),
    "droplets": (0.8, lens.droplets),
    "dirt": (0.6, lens.dirt),
    "insect": (0.8, lens.insect),
    "defocus": (0.6, lens.defocus),
    "smear": (0.5, lens.smear),
    "decoder": (0.6, lens.decoder_error),
    "soil": (1.5, ground.soil),
    "sand": (1.3, ground.sand),
    "wall": (1.0, ground.wall),
    "water": (0.7, ground.water),
    "shadow": (0.5, shadow),
    "cloud_shadow": (2.0, cloud_shadow),
    "passing": (0.7, passing),
}


# These need a sky to stand in.
SKY = frozenset(["cumulus", "stratus", "overcast", "low_cloud", "sunset"])


def draw(rng: Dice, canvas: Canvas, name: str) -> None:
    """Lay one of ``NEGATIVES`` over a scene.

    Raises:
        ValueError: No such kind.
    """
    if name not in NEGATIVES:
        raise ValueError(f"kind: expected one of {sorted(NEGATIVES)}, got {name!r}")
    NEGATIVES[name][1](rng, canvas)
