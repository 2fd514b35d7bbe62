"""What a camera does to a scene: exposure, colour, lens, sensor, compression.

One ``Camera`` is drawn for a sample and takes both pictures, now and before, with the
same lens and compression and with noise of their own.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from vision.train import raster
from vision.train.caption import captioned
from vision.train.chance import Dice, between, dice, often
from vision.train.noise import static

_DAY, _GREY, _NIGHT = "day", "grey", "night"


class Camera(NamedTuple):
    """The properties that both pictures of a sample share."""

    gain: float
    gamma: float
    lift: float
    warmth: float  # > 0 is warmer: more red, less blue
    tint: float
    saturation: float
    vignette: float
    blur: float
    halo: float
    noise: float
    coarse: float
    quality: int
    caption: int | None = None  # seed of what is written into the picture


def camera(rng: Dice, *, gentle: bool = False) -> Camera:
    """Draw a camera; a gentle one leaves the picture much as it is."""
    if gentle:
        return Camera(1, 1, 0, 0, 0, 1, 0, 0, 0, between(rng, 0, 2), 0, 80)
    grey = often(rng, 0.1)
    dim = often(rng, 0.06)
    return Camera(
        gain=between(rng, 0.3, 0.65) if dim else between(rng, 0.75, 1.25),
        gamma=float(np.exp(rng.normal(0, 0.18))),
        lift=between(rng, -18, 22) if often(rng, 0.5) else 0,
        warmth=float(rng.normal(0, 0.06)),
        tint=float(rng.normal(0, 0.025)),
        saturation=0.0 if grey else between(rng, 0.55, 1.35),
        vignette=between(rng, 0.1, 0.7) if often(rng, 0.2) else 0,
        blur=between(rng, 0.4, 1.6) if often(rng, 0.35) else 0,
        halo=between(rng, 0.3, 1.4) if often(rng, 0.3) else 0,
        noise=between(rng, 3, 13) if dim or often(rng, 0.15) else between(rng, 0, 4),
        coarse=between(rng, 0.3, 0.8) if often(rng, 0.4) else 0,
        quality=int(between(rng, 25, 91)),
        caption=int(rng.integers(2**31)) if often(rng, 0.15) else None,
    )


def taken(
    scene: raster.Picture,
    how: Camera,
    seed: int,
    *,
    light: float = 1.0,
    minute: int = 0,
) -> raster.Bytes:
    """The picture a camera hands over.

    Args:
        scene: Float RGB 0..255.
        how: The camera.
        seed: Of this picture's noise.
        light: The sun a little higher or lower than in the other picture.
        minute: What the clock of a caption says.
    """
    rng = dice(seed)
    curve = _curve(how, light)
    image: raster.Picture = cv2.LUT(raster.to_bytes(scene), curve).astype(np.float32)
    if how.vignette:
        image *= _vignette(image.shape[0], image.shape[1], how.vignette)[..., None]
    image = raster.blurred(image, how.blur)
    if how.halo:
        image += how.halo * (image - raster.blurred(image, 1.4))
    if how.noise:
        image = image + how.noise * static(
            rng, image.shape[0], image.shape[1], how.coarse
        )
    if how.saturation != 1:
        # Last, so that a grey camera's noise is grey.
        image = np.asarray(cv2.transform(image, _colours(how.saturation)), np.float32)
    picture = raster.to_bytes(image)
    if how.caption is not None:
        picture = captioned(picture, how.caption, minute)
    return jpeg(picture, how.quality)


def jpeg(image: raster.Bytes, quality: int) -> raster.Bytes:
    """The picture after it went through a JPEG of this quality."""
    bgr = np.ascontiguousarray(image[..., ::-1])
    stored = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return raster.decode(stored.tobytes())


def _curve(how: Camera, light: float) -> raster.Bytes:
    level = np.linspace(0, 1, 256, dtype=np.float32)
    curve = level**how.gamma * 255 * how.gain * light + how.lift
    balance = np.array([1 + how.warmth, 1 + how.tint, 1 - how.warmth], np.float32)
    return np.clip(curve[:, None] * balance, 0, 255).astype(np.uint8)[:, None, :]


def _colours(saturation: float) -> raster.Field:
    """The matrix that keeps this share of every colour's distance to grey."""
    grey = np.array([[0.299, 0.587, 0.114]] * 3)
    return (grey + saturation * (np.eye(3) - grey)).astype(np.float32)


def _vignette(height: int, width: int, depth: float) -> raster.Field:
    x, y = raster.grid(height, width)
    far = ((x / width - 0.5) ** 2 + (y / height - 0.5) ** 2) * 2
    return 1 - depth * far
