"""Smoke, steam and dust of a simulated camera, as optical depth over the picture.

A plume is a stream of puffs: each leaves the source, rises, drifts and grows as its age
says, so any moment can be drawn without the ones before it. Puffs carry the look of
filmed smoke where there is room (``data/smoke_mattes.jpg``).
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, NamedTuple, cast

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Depth = NDArray[np.float32]

_SPRITE = 64
_SPRITES = 12
_MATTE = (96, 160)
"""Width, height of one filmed frame in the sheet."""
_MATTES_PER_ROW = 7
_FILM_FPS = 5.0
_FILM_FROM = 6
"""From this frame on the plume stands; before, it begins."""
_COPIES = 3


class Shape(NamedTuple):
    """How a plume moves; lengths in widths of the picture, times in seconds."""

    life_s: float
    each_s: float
    """A puff leaves each so many seconds."""
    rise: float
    """Speed upwards at first."""
    slowing_s: float
    """The rise slows in so long."""
    wind: float
    """Speed to the right; each puff its own, by a third."""
    size: float
    """Radius of a puff at first."""
    growth: float
    """Of the radius, a second."""
    depth: float
    """Optical depth of a puff's middle at first."""


DARK = Shape(15.0, 0.25, 0.042, 4.5, 0.026, 0.016, 0.0075, 1.6)
LIGHT = Shape(15.0, 0.25, 0.042, 4.5, 0.026, 0.016, 0.0080, 1.15)
STEAM = Shape(5.0, 0.15, 0.050, 2.5, 0.020, 0.012, 0.0085, 0.9)
DUST = Shape(12.0, 0.16, 0.016, 5.0, 0.022, 0.022, 0.0130, 0.46)


class Puffs:
    """Draws plumes.

    Args:
        size: Width, height of the optical depth's grid.
        seed: Of the puffs.
    """

    def __init__(self, size: tuple[int, int], seed: int) -> None:
        self._size = size
        random = np.random.default_rng(seed)
        self._sprites = [_sprite(random) for _ in range(_SPRITES)]
        self._luck = random.random((997, 6))

    def depth(
        self,
        shape: Shape,
        at_s: float,
        source: Callable[[float], tuple[float, float] | None],
        strength: Callable[[float], float],
    ) -> Depth:
        """The plume at one moment.

        Args:
            shape: How it moves.
            at_s: The moment.
            source: Where a puff that leaves then leaves, x and y in parts of the
                picture; None: none.
            strength: How much leaves then, 0 to 1.

        Returns:
            (height, width) float32.
        """
        width, height = self._size
        total = np.zeros((height, width), np.float32)
        newest = int(at_s / shape.each_s)
        for number in range(newest, newest - int(shape.life_s / shape.each_s), -1):
            left_s = number * shape.each_s
            age = at_s - left_s
            much = strength(left_s)
            if age < 0 or much <= 0 or (place := source(left_s)) is None:
                continue
            self._add(total, shape, place, age, much, number)
        return total

    def _add(
        self,
        total: Depth,
        shape: Shape,
        place: tuple[float, float],
        age: float,
        much: float,
        number: int,
    ) -> None:
        width, height = self._size
        luck = self._luck[number % len(self._luck)]
        part = age / shape.life_s
        climbed = shape.rise * shape.slowing_s * (1 - np.exp(-age / shape.slowing_s))
        climbed *= 0.75 + 0.5 * luck[0]
        # Wind takes hold of it as it climbs; a slow wave bends the whole plume.
        drift = shape.wind * (0.7 + 0.6 * luck[1]) * age
        drift *= 0.5 + 0.5 * min(1.0, age / 3)
        drift += 0.004 * age**0.5 * np.sin(0.9 * number * shape.each_s + 5 * luck[2])
        radius = (shape.size + shape.growth * age) * (0.7 + 0.6 * luck[3])
        thin = (shape.size / (shape.size + shape.growth * age)) ** 0.9
        fade = min(1.0, age / 0.4) * min(1.0, 3 * (1 - part))
        depth = shape.depth * much * thin * fade
        sprite = self._sprites[int(luck[4] * _SPRITES)]
        x = place[0] * width + drift * width
        y = place[1] * height - climbed * width
        turn = 360 * luck[5] + (40 * luck[0] - 20) * age
        _stamp(total, sprite * np.float32(depth), x, y, radius * width, turn)


def _stamp(
    total: Depth, sprite: Depth, x: float, y: float, radius: float, turn: float
) -> None:
    """Add a sprite, turned and stretched, where it overlaps the picture."""
    height, width = total.shape
    reach = int(radius * 1.5) + 2
    left, top = max(0, int(x) - reach), max(0, int(y) - reach)
    right, bottom = min(width, int(x) + reach), min(height, int(y) + reach)
    if left >= right or top >= bottom:
        return
    matrix = cv2.getRotationMatrix2D(
        (_SPRITE / 2, _SPRITE / 2), turn, 2 * radius / _SPRITE
    )
    matrix[:, 2] += np.array([x - left - _SPRITE / 2, y - top - _SPRITE / 2])
    total[top:bottom, left:right] += cv2.warpAffine(
        sprite, matrix, (right - left, bottom - top), flags=cv2.INTER_LINEAR
    )


def noise(random: np.random.Generator, shape: tuple[int, int], first: int) -> Depth:
    """Fractal noise, mean 0, deviation 1; ``first`` cells over the width at first."""
    height, width = shape
    total = np.zeros(shape, np.float32)
    cells, much = first, 1.0
    while cells < width:
        rows = max(2, round(cells * height / width))
        grid = random.normal(0, 1, (rows + 1, cells + 1)).astype(np.float32)
        layer = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        total += much * cast("Depth", layer)
        cells, much = 2 * cells, 0.62 * much
    return cast("Depth", (total - total.mean()) / total.std())


def _sprite(random: np.random.Generator) -> Depth:
    """One puff: lumps like those of a cauliflower, soft at the rim."""
    y, x = np.mgrid[0:_SPRITE, 0:_SPRITE].astype(np.float32) / _SPRITE - 0.5
    rough = noise(random, (_SPRITE, _SPRITE), 3)
    far = 2 * np.sqrt(x * x + y * y) * (1 + 0.16 * rough)
    ball = np.clip(1.25 * (1 - far), 0, 1) ** 1.3
    return cast(
        "Depth", (ball * np.clip(1 + 0.35 * rough, 0.1, None)).astype(np.float32)
    )


class Film:
    """Filmed smoke on black, whose grey level is its opacity; loops without a seam."""

    def __init__(self) -> None:
        file = resources.files("simulators.camera").joinpath("data/smoke_mattes.jpg")
        raw = np.frombuffer(file.read_bytes(), np.uint8)
        sheet = cast("NDArray[np.uint8]", cv2.imdecode(raw, cv2.IMREAD_GRAYSCALE))
        width, height = _MATTE
        self._frames = [
            sheet[top : top + height, left : left + width].astype(np.float32) / 255
            for top in range(0, sheet.shape[0], height)
            for left in range(0, _MATTES_PER_ROW * width, width)
        ]

    def opacity(self, since_s: float) -> Depth:
        """(160, 96) float32, 0 to 1, so long after it began."""
        at = since_s * _FILM_FPS
        frames = self._frames
        if at < _FILM_FROM:
            return self._between(at)
        # Three copies, a third of a round apart, each faint where it jumps back; the
        # older ones stand behind the first.
        span = len(frames) - 1 - _FILM_FROM
        clear = np.ones_like(frames[0])
        for copy in range(_COPIES):
            phase = at - _FILM_FROM - copy * span / _COPIES
            if phase >= 0:
                part = phase % span / span
                weight = min(1.0, 5 * (1 - part))
                if phase >= span or copy:
                    weight = min(weight, 5 * part)
                clear *= 1 - np.float32(weight) * self._between(
                    _FILM_FROM + part * span
                )
        return cast("Depth", 1 - clear)

    def _between(self, at: float) -> Depth:
        low = min(int(at), len(self._frames) - 2)
        part = np.float32(min(1.0, at - low))
        return cast(
            "Depth", (1 - part) * self._frames[low] + part * self._frames[low + 1]
        )
