"""Things people build, simple and shaded: stacks, sheds, walls, poles.

They stand in emissions and negatives alike, so that a stack is no sign of smoke.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from vision.train import raster
from vision.train.chance import between, decades, often, one_of
from vision.train.noise import fractal

if TYPE_CHECKING:
    from vision.train.canvas import Canvas
    from vision.train.chance import Dice

_PAINTS = [
    (0.55, 0.52, 0.5), (0.42, 0.4, 0.4), (0.62, 0.34, 0.26), (0.75, 0.74, 0.72),
    (0.3, 0.3, 0.32), (0.55, 0.45, 0.38), (0.8, 0.8, 0.82), (0.35, 0.42, 0.5),
]  # fmt: skip


def stack(rng: Dice, canvas: Canvas, x: float, top: float, bore: float) -> None:
    """A chimney from ``top`` down to the lower edge or a roof, ``bore`` half wide."""
    columns, rows = raster.grid(canvas.height, canvas.width)
    down = np.maximum(rows - np.float32(top), 0)
    half = np.float32(bore) * (1 + np.float32(between(rng, 0, 0.004)) * down)
    off = (columns - np.float32(x)) / half
    mask = np.clip((1 - np.abs(off)) * half + 0.5, 0, 1) * np.clip(
        rows - top + 0.5, 0, 1
    )
    mask *= rows < between(rng, top + 0.4 * canvas.height, canvas.height * 1.6)
    lit = 0.75 + 0.45 * np.clip(off * canvas.sun[0] * 2, -1, 1) - 0.15 * off * off
    paint = np.array(one_of(rng, _PAINTS), np.float32) * np.float32(canvas.level)
    colour = np.repeat(paint[None, None], canvas.height, 0) * lit[..., None]
    if often(rng, 0.3):
        band = np.float32(bore * between(rng, 1.5, 4))
        red = (np.floor(down / band) % 2 == 0) & (down < 5 * band)
        signal = np.array([0.7, 0.15, 0.12], np.float32) * np.float32(canvas.level)
        colour = np.where(red[..., None], signal * lit[..., None], colour)
    grain = fractal(rng, canvas.height, canvas.width, 30, 1.2)
    canvas.both(mask, colour * (1 + 0.05 * grain[..., None]))


def shed(
    rng: Dice, canvas: Canvas, x: float, top: float, wide: float, foot: float
) -> None:
    """A hall or house: a lit box with a roof, rows of windows on some."""
    columns, rows = raster.grid(canvas.height, canvas.width)
    left, right = x - wide / 2, x + wide / 2
    roof = between(rng, 0, 0.35) * wide if often(rng, 0.5) else 0.0
    edge = top + roof * np.abs((columns - x) / (wide / 2)) if roof else top
    mask = (columns >= left) & (columns < right) & (rows >= edge) & (rows < foot)
    paint = np.array(one_of(rng, _PAINTS), np.float32)
    paint = paint * np.float32(canvas.level * between(rng, 0.5, 1.0))
    colour = np.repeat(np.repeat(paint[None, None], canvas.height, 0), canvas.width, 1)
    if often(rng, 0.6):
        pitch_x, pitch_y = between(rng, 5, 16), between(rng, 6, 18)
        hole = ((columns - left) % pitch_x > pitch_x * 0.45) & (
            (rows - top - roof) % pitch_y > pitch_y * 0.5
        )
        hole &= rows > top + roof + 2
        pane = paint * np.float32(between(rng, 0.2, 1.3))
        colour = np.where(hole[..., None], pane, colour)
    grain = fractal(rng, canvas.height, canvas.width, 60, 1.2)
    colour = colour * (1 + 0.04 * grain[..., None])
    canvas.both(raster.blurred(mask.astype(np.float32), 0.5), colour)


def foreground(rng: Dice, canvas: Canvas) -> None:
    """What stands right before the camera and covers all behind: masts, wires, eaves.

    Drawn last and in both pictures; it hides part of an emission.
    """
    h, w = canvas.height, canvas.width
    mask = np.zeros((h, w), np.float32)
    for _ in range(int(rng.integers(1, 4))):
        x = int(between(rng, 0, 1) * w)
        form = one_of(rng, ["mast", "wire", "eave", "leaves", "lattice"])
        if form == "mast":
            thick = max(int(decades(rng, 1, 14)), 1)
            top = int(between(rng, -0.3, 0.7) * h)
            cv2.line(mask, (x, top), (x + int(rng.normal(0, 3)), h), (1.0,), thick)
        elif form == "wire":
            ends = (int(between(rng, 0, 1) * h) for _ in "lr")
            cv2.line(
                mask, (0, next(ends)), (w, next(ends)), (1.0,), int(rng.integers(1, 3))
            )
        elif form == "eave":
            depth = between(rng, 0.03, 0.25) * h
            edge = int(depth) if often(rng, 0.5) else int(h - depth)
            low, high = (0, edge) if edge < h / 2 else (edge, h)
            mask[low:high] = 1
        elif form == "lattice":
            wide = int(decades(rng, 6, 40))
            for step in range(0, h, wide):
                cv2.line(mask, (x, step), (x + wide, step + wide), (1.0,), 1)
                cv2.line(mask, (x + wide, step), (x, step + wide), (1.0,), 1)
            cv2.line(mask, (x, 0), (x, h), (1.0,), 2)
            cv2.line(mask, (x + wide, 0), (x + wide, h), (1.0,), 2)
        else:
            leaves = fractal(rng, h, w, between(rng, 15, 60), 1.1)
            columns, rows = raster.grid(h, w)
            far = np.hypot(columns - x, rows - (0 if often(rng, 0.5) else h))
            reach = np.float32(between(rng, 0.15, 0.5) * h)
            mask = np.maximum(
                mask, np.clip((1.2 - far / reach + 0.5 * leaves) * 3, 0, 1)
            )
    tone = np.array(one_of(rng, _PAINTS), np.float32) * np.float32(canvas.level)
    tone = tone * np.float32(between(rng, 0.1, 0.8))
    grain = 1 + 0.12 * fractal(rng, h, w, 30, 1.0)
    canvas.both(raster.blurred(mask, between(rng, 0.4, 1.5)), grain[..., None] * tone)
