"""What sits on or within the lens, and what a broken stream looks like."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from vision.train import camera as cameras
from vision.train import raster
from vision.train.chance import between, decades, often, one_of
from vision.train.noise import fractal

if TYPE_CHECKING:
    from vision.train.canvas import Canvas
    from vision.train.chance import Dice


def droplets(rng: Dice, canvas: Canvas) -> None:
    """Drops on the lens: each shows the scene blurred, upside down, with a rim."""
    h, w = canvas.height, canvas.width
    soft = raster.blurred(canvas.now, 5)
    turned = np.ascontiguousarray(soft[::-1, ::-1])
    rim, body = np.zeros((h, w), np.float32), np.zeros((h, w), np.float32)
    for _ in range(int(rng.integers(2, 18))):
        size = decades(rng, 2.5, 22)
        centre = (int(rng.integers(w)), int(rng.integers(h)))
        axes = (int(size), int(size * between(rng, 0.8, 1.6)))
        cv2.ellipse(body, centre, axes, 0, 0, 360, (1.0,), -1)
        cv2.ellipse(rim, centre, axes, 0, 0, 360, (1.0,), 1)
    sigma = between(rng, 0.8, 2.5)
    canvas.lay(
        raster.blurred(body, sigma) * between(rng, 0.5, 0.95), turned * 0.4 + soft * 0.6
    )
    canvas.dim(1 - 0.4 * raster.blurred(rim, sigma))


def dirt(rng: Dice, canvas: Canvas) -> None:
    """Smears and specks on the glass, out of focus; against the light they glow."""
    h, w = canvas.height, canvas.width
    form = fractal(rng, h, w, between(rng, 0.2, 0.8) * w, 1.5)
    opacity = raster.smoothstep(between(rng, 0.3, 1), 2.2, form) * between(
        rng, 0.2, 0.6
    )
    specks = np.zeros((h, w), np.float32)
    for _ in range(int(rng.integers(0, 14))):
        centre = (int(rng.integers(w)), int(rng.integers(h)))
        cv2.circle(
            specks, centre, int(decades(rng, 1.5, 9)), (between(rng, 0.2, 0.7),), -1
        )
    opacity = np.clip(opacity + raster.blurred(specks, 2), 0, 0.8)
    tone = canvas.level * between(rng, 0.1, 0.9)
    canvas.both(opacity.astype(np.float32), np.full(3, tone, np.float32))


def insect(rng: Dice, canvas: Canvas) -> None:
    """An insect or a spider's threads right before the lens, blurred."""
    h, w = canvas.height, canvas.width
    mask = np.zeros((h, w), np.float32)
    x, y = int(rng.integers(w)), int(rng.integers(h))
    if often(rng, 0.6):
        axes = (int(decades(rng, 4, 40)), int(decades(rng, 3, 20)))
        cv2.ellipse(mask, (x, y), axes, between(rng, 0, 180), 0, 360, (1.0,), -1)
        for _ in range(int(rng.integers(0, 7))):
            end = (
                x + int(rng.normal(0, 2 * axes[0])),
                y + int(rng.normal(0, 2 * axes[1])),
            )
            cv2.line(mask, (x, y), end, (1.0,), int(rng.integers(1, 4)))
    for _ in range(int(rng.integers(0, 6))):
        end = (int(rng.integers(-w, 2 * w)), int(rng.integers(-h, 2 * h)))
        cv2.line(mask, (x, y), end, (between(rng, 0.3, 0.9),), int(rng.integers(1, 4)))
    mask = raster.blurred(mask, decades(rng, 1.5, 9)) * between(rng, 0.4, 0.95)
    tone = canvas.level * one_of(rng, [0.08, 0.2, 0.5, 0.8, 1.1])
    canvas.lay(mask, np.full(3, tone, np.float32))


def blacked_out(rng: Dice, canvas: Canvas) -> None:
    """Bars of another format, or a window masked for privacy: black, always there."""
    h, w = canvas.height, canvas.width
    mask = np.zeros((h, w), np.float32)
    if often(rng, 0.5):
        bar = int(between(rng, 0.05, 0.25) * (w if often(rng, 0.5) else h))
        if often(rng, 0.5):
            mask[:, :bar] = mask[:, w - bar :] = 1
        else:
            mask[:bar] = mask[h - bar :] = 1
    else:
        y, x = int(between(rng, 0, 0.8) * h), int(between(rng, 0, 0.8) * w)
        mask[y : y + int(between(rng, 8, 70)), x : x + int(between(rng, 8, 90))] = 1
    canvas.both(mask, np.full(3, between(rng, 0, 12), np.float32))


def defocus(rng: Dice, canvas: Canvas) -> None:
    """A camera that lost its focus: soft shapes without smoke."""
    sigma = decades(rng, 2, 9)
    canvas.now = raster.blurred(canvas.now, sigma)
    canvas.before = raster.blurred(canvas.before, sigma)


def smear(rng: Dice, canvas: Canvas) -> None:
    """Blocks of a JPEG or a starved stream at its lowest quality."""
    quality = int(between(rng, 4, 18))
    canvas.now = cameras.jpeg(raster.to_bytes(canvas.now), quality).astype(np.float32)


def decoder_error(rng: Dice, canvas: Canvas) -> None:
    """What a decoder shows after loss: grey blocks, rows dragged downwards."""
    h, w = canvas.height, canvas.width
    picture = canvas.now.copy()
    top = int(between(rng, 0.1, 0.85) * h) // 16 * 16
    if often(rng, 0.5):
        picture[top:] = picture[top : top + 1]
        picture[top:] = picture[top:] * 0.85 + 128 * 0.15
    else:
        blocks = rng.random(((h - top) // 16 + 1, w // 16 + 1)) < between(rng, 0.2, 0.9)
        mask = np.kron(blocks, np.ones((16, 16)))[: h - top, :w].astype(np.float32)
        grey = np.full(3, between(rng, 110, 140), np.float32)
        picture[top:] = raster.over(picture[top:], mask * between(rng, 0.5, 1), grey)
    canvas.now = picture


def lamps(rng: Dice, canvas: Canvas) -> None:
    """Night: headlights and street lamps with halos, in wet or hazy air."""
    h, w = canvas.height, canvas.width
    dark = between(rng, 0.06, 0.3)
    for name in ("now", "before"):
        picture = getattr(canvas, name) * np.float32(dark)
        picture = picture * np.array([0.9, 0.95, 1.1], np.float32)
        setattr(canvas, name, picture + np.float32(between(rng, 0, 10)))
    points, glow = np.zeros((h, w), np.float32), np.zeros((h, w), np.float32)
    tint = np.array(
        one_of(rng, [(1, 0.95, 0.85), (1, 0.75, 0.4), (0.9, 0.95, 1), (1, 0.9, 0.7)])
    )
    for _ in range(int(rng.integers(1, 8))):
        centre = (int(rng.integers(w)), int(between(rng, 0.25, 0.95) * h))
        size = decades(rng, 1, 7)
        cv2.circle(points, centre, max(int(size), 1), (1.0,), -1)
        if often(rng, 0.5):
            twin = (centre[0] + int(size * 5), centre[1])
            cv2.circle(points, twin, max(int(size), 1), (1.0,), -1)
        cv2.circle(glow, centre, max(int(size * 4), 2), (1.0,), -1)
    light = 320 * raster.blurred(points, 1) + between(rng, 30, 150) * raster.blurred(
        glow, decades(rng, 5, 20)
    )
    if often(rng, 0.4):
        light = light + 150 * raster.smeared(
            points, 41, one_of(rng, [0.0, np.pi / 2, 0.8])
        )
    if often(rng, 0.5):
        # Light reflected from a wet road below.
        light = light + 0.35 * raster.blurred(np.roll(light, h // 8, 0), 4)
    canvas.glow(light, tint)
