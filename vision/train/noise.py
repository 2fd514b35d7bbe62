"""Banks of tileable noise, made once a process, from which every cloud is cut.

* ``fractal``: clouds with slopes of several spectra (spectral synthesis: white noise
  filtered to 1/f^b), the plain stuff of haze, smoke and soil.
* ``billow``: cauliflower, as rising smoke shows it: spheres around scattered points,
  several sizes over one another (an inverted cellular noise after Worley 1996).
* ``static``: a sensor's noise.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from vision.train import raster
from vision.train.chance import Dice, between, dice

SIDE = 512
_SEED = 20_260_601
_COUNT = 6
_LEVELS = 5


def level_of(step: float) -> int:
    """How much softer a tile must be when read ``step`` tile pixels a pixel.

    Read sharper, its finest grain would alias into a salt of single pixels.
    """
    return int(np.clip(round(np.log2(max(step, 1.0))), 0, _LEVELS))


@cache
def fractal_bank(slope: float, level: int = 0) -> tuple[raster.Field, ...]:
    """Tiles of 1/f^slope noise, mean 0, deviation 1 (a little less when softer)."""
    if level:
        return tuple(_softer(tile, level) for tile in fractal_bank(slope))
    rng = dice(_SEED, int(slope * 100))
    y = np.fft.fftfreq(SIDE)[:, None]
    x = np.fft.rfftfreq(SIDE)[None, :]
    reach = np.hypot(x, y)
    reach[0, 0] = 1
    tiles = []
    for _ in range(_COUNT):
        white = np.fft.rfft2(rng.standard_normal((SIDE, SIDE)))
        tile = np.fft.irfft2(
            white * np.maximum(reach, 2 / SIDE) ** -slope, (SIDE, SIDE)
        )
        tile -= tile.mean()
        tiles.append((tile / tile.std()).astype(np.float32))
    return tuple(tiles)


def _softer(tile: raster.Field, level: int) -> raster.Field:
    wide = np.pad(tile, 64, mode="wrap")
    return np.ascontiguousarray(raster.blurred(wide, 0.4 * 2**level)[64:-64, 64:-64])


@cache
def billow_bank(level: int = 0) -> tuple[raster.Field, ...]:
    """Tiles of cauliflower, 0..1."""
    if level:
        return tuple(_softer(tile, level) for tile in billow_bank())
    rng = dice(_SEED, 7)
    return tuple(_cauliflower(rng) for _ in range(_COUNT))


@cache
def _static_bank() -> raster.Field:
    rng = dice(_SEED, 11)
    tile = rng.standard_normal((SIDE, SIDE, 3), np.float32)
    tile = 0.75 * tile[..., :1] + 0.5 * tile
    # Padded by itself, so that any window up to a whole picture is one slice.
    return np.ascontiguousarray(np.pad(tile, ((0, 384), (0, 640), (0, 0)), mode="wrap"))


def static(rng: Dice, height: int, width: int, coarse: float) -> raster.Field:
    """Sensor noise (h, w, 3), deviation about 1; ``coarse`` blurs it, as cameras do."""
    y, x = (int(rng.integers(SIDE)) for _ in "yx")
    cut = _static_bank()[y : y + height, x : x + width]
    return raster.blurred(cut, coarse) * np.float32(1 + coarse)


def fractal(
    rng: Dice, height: int, width: int, size: float, slope: float = 1.6
) -> raster.Field:
    """Fractal noise (h, w), deviation about 1, largest shapes about ``size`` pixels."""
    step = SIDE / 2 / size
    tile = fractal_bank(slope, level_of(step))[int(rng.integers(_COUNT))]
    x, y = raster.grid(height, width)
    x0, y0 = between(rng, 0, SIDE), between(rng, 0, SIDE)
    return raster.looked_up(
        tile,
        x * np.float32(step) + np.float32(x0),
        y * np.float32(step) + np.float32(y0),
    )


def _cauliflower(rng: Dice) -> raster.Field:
    total = np.zeros((SIDE, SIDE), np.float32)
    weight = 0.0
    for spacing, share in ((110, 1.0), (52, 0.55), (25, 0.3), (12, 0.16)):
        total += np.float32(share) * _spheres(rng, spacing)
        weight += share
    return total / np.float32(weight)


def _spheres(rng: Dice, spacing: float) -> raster.Field:
    """Domes of height 0..1 around points about ``spacing`` apart, wrapped."""
    count = int((SIDE / spacing) ** 2)
    points = rng.integers(0, SIDE, (count, 2))
    empty = np.full((SIDE, SIDE), 255, np.uint8)
    empty[points[:, 0], points[:, 1]] = 0
    rim = int(2 * spacing)  # no dome reaches further around the tile's edge
    wide = np.pad(empty, rim, mode="wrap")
    far = cv2.distanceTransform(wide, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    far = far[rim:-rim, rim:-rim] / np.float32(spacing)
    return np.sqrt(np.clip(1 - far * far, 0, 1)).astype(np.float32)
