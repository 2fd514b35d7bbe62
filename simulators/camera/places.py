"""The places a simulated camera looks at by day, without anything that moves.

``works`` and ``yard`` are drawn, ``field`` is a photograph (``data/README.md``).
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, NamedTuple, cast

import cv2
import numpy as np

from simulators.camera.plume import noise

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Light = NDArray[np.float32]
    Point = tuple[float, float]


class Ground(NamedTuple):
    """A place; all arrays as high and wide as the pictures, float32."""

    light: Light
    """(height, width, 3), BGR, 0 to 255, at noon."""
    sky: Light
    """1 where sky is."""
    far: Light
    """Distance: 0 near, 1 so far that fog hides it first."""
    plants: Light
    """1 where leaves move."""
    stack: Point
    """Where smoke and steam leave, parts of the picture."""
    road: tuple[Point, Point]
    """Where trucks and cars drive: far end, near end."""
    film: tuple[float, float] | None = None
    """Width, height of filmed smoke there, parts of the picture; None: puffs."""


class _Canvas:
    """Draws with parts of the picture, twice as fine as it will be."""

    def __init__(self, size: tuple[int, int], seed: int) -> None:
        self.size = size
        self.wide, self.high = 2 * size[0], 2 * size[1]
        self.light = np.zeros((self.high, self.wide, 3), np.float32)
        self.sky = np.zeros((self.high, self.wide), np.float32)
        self.plants = np.zeros_like(self.sky)
        self.far = np.zeros_like(self.sky)
        self.random = np.random.default_rng(seed)
        self.down, self.right = np.mgrid[0 : self.high, 0 : self.wide].astype(
            np.float32
        )
        self.down /= self.high
        self.right /= self.wide

    def mask(self, *corners: Point) -> Light:
        """1 inside these corners."""
        drawn = np.zeros((self.high, self.wide), np.float32)
        points = [(round(x * self.wide), round(y * self.high)) for x, y in corners]
        cv2.fillPoly(drawn, [np.array(points, np.int32)], (1.0,), cv2.LINE_AA)
        return drawn

    def paint(
        self,
        mask: Light,
        colour: tuple[float, float, float] | Light,
        *,
        far: float | Light | None = None,
        rough: float = 0.06,
        grain: int = 24,
    ) -> None:
        """Lay a colour (B, G, R) over it, uneven by ``rough``."""
        uneven = 1 + rough * noise(self.random, (self.high, self.wide), grain)
        fill = np.asarray(colour, np.float32) * uneven[:, :, None]
        part = mask[:, :, None]
        self.light = (self.light * (1 - part) + fill * part).astype(np.float32)
        self.sky *= 1 - mask
        self.plants *= 1 - mask
        if far is not None:
            self.far = self.far * (1 - mask) + far * mask

    def heaven(self, horizon: float) -> None:
        """A sky with some thin cloud."""
        up = np.clip(1 - self.down / horizon, 0, 1)[:, :, None]
        low, high = np.array([216, 206, 196.0]), np.array([198, 158, 112.0])
        self.light = (low * (1 - up) + high * up).astype(np.float32)
        stretched = noise(self.random, (self.high, self.wide), 5)
        cloud = np.clip(0.35 * stretched - 0.05, 0, 0.6)[:, :, None]
        self.light = (self.light * (1 - cloud) + 232 * cloud).astype(np.float32)
        self.sky[:] = 1
        self.far[:] = 1

    def floor(self, horizon: float, colour: tuple[float, float, float]) -> None:
        """Ground from the horizon down, coarser where it is near."""
        mask = (self.down > horizon).astype(np.float32)
        near = np.clip((self.down - horizon) / (1 - horizon), 0, 1)
        fine = noise(self.random, (self.high, self.wide), 120)
        coarse = noise(self.random, (self.high, self.wide), 9)
        uneven = 1 + 0.07 * near * fine + 0.07 * coarse - 0.1 * (near - 0.5)
        fill = np.asarray(colour, np.float32) * uneven[:, :, None]
        self.light = self.light * (1 - mask[:, :, None]) + fill * mask[:, :, None]
        self.sky *= 1 - mask
        self.far = self.far * (1 - mask) + ((1 - near) ** 3) * 0.8 * mask

    def hedge(
        self,
        top: float,
        bottom: float,
        far: float,
        *,
        dark: float = 1.0,
        lumps: int = 14,
    ) -> None:
        """Trees or bushes over the whole width, with a ragged edge."""
        edge = noise(self.random, (self.high, self.wide), lumps)[self.high // 2]
        ragged = 0.16 * noise(self.random, (self.high, self.wide), 70)
        rim = top + (bottom - top) * (0.28 + 0.16 * edge[None, :] + ragged)
        mask = ((self.down > rim) & (self.down < bottom)).astype(np.float32)
        leaves = 1 + 0.28 * noise(self.random, (self.high, self.wide), 90)
        green = np.array([46, 78, 66], np.float32) * dark
        haze = np.array([176, 176, 168], np.float32)
        tone = green * leaves[:, :, None] * (1 - 0.5 * far) + haze * 0.5 * far
        part = cv2.GaussianBlur(mask, (0, 0), 0.8)[:, :, None]
        self.light = self.light * (1 - part) + tone * part
        self.sky *= 1 - mask
        self.plants = np.maximum(self.plants * (1 - mask), mask)
        self.far = self.far * (1 - mask) + far * mask

    def done(self, stack: Point, road: tuple[Point, Point]) -> Ground:
        """As large as the pictures."""

        def small(whole: Light) -> Light:
            return cast(
                "Light", cv2.resize(whole, self.size, interpolation=cv2.INTER_AREA)
            )

        return Ground(
            small(np.clip(self.light, 4, 250).astype(np.float32)),
            small(self.sky),
            small(self.far),
            small(self.plants),
            stack,
            road,
        )


def _soft(mask: Light, sigma: float) -> Light:
    return cast("Light", cv2.GaussianBlur(mask, (0, 0), sigma))


def _works(size: tuple[int, int], seed: int) -> Ground:
    """A stack with bands, a hall, a road past it, bushes in front."""
    draw = _Canvas(size, seed)
    draw.heaven(0.62)
    draw.hedge(0.50, 0.66, 0.75, dark=0.9, lumps=18)
    draw.floor(0.645, (104, 118, 122))
    for left, right, top, tone in (
        (0.05, 0.30, 0.50, (150, 152, 148)),
        (0.27, 0.49, 0.44, (128, 134, 138)),
        (0.64, 0.93, 0.52, (142, 128, 112)),
    ):
        wall = draw.mask((left, top), (right, top), (right, 0.69), (left, 0.69))
        ribs = 1 + 0.05 * np.sin(draw.right * 900)
        draw.paint(wall, np.array(tone, np.float32) * ribs[:, :, None], far=0.45)
        side = draw.mask(
            (right, top),
            (right + 0.035, top + 0.03),
            (right + 0.035, 0.68),
            (right, 0.69),
        )
        draw.paint(side, tuple(0.6 * c for c in tone), far=0.45)  # type: ignore[arg-type]
        roof = draw.mask(
            (left - 0.004, top - 0.012), (right + 0.004, top - 0.012),
            (right + 0.004, top + 0.008), (left - 0.004, top + 0.008),
        )  # fmt: skip
        draw.paint(roof, (86, 84, 82), far=0.45)
        for x in np.arange(left + 0.02, right - 0.02, 0.034):
            pane = draw.mask((x, top + 0.06), (x + 0.02, top + 0.06),
                             (x + 0.02, top + 0.1), (x, top + 0.1))  # fmt: skip
            draw.paint(pane, (92, 82, 70), rough=0.15, far=0.45)
    foot, rim, half = 0.69, 0.34, 0.016
    for band in range(10):
        y0, y1 = rim + (foot - rim) * band / 10, rim + (foot - rim) * (band + 1) / 10
        thick = [half * (0.72 + 0.45 * (y - rim) / (foot - rim)) for y in (y0, y1)]
        shaft = draw.mask(
            (0.56 - thick[0], y0), (0.56 + thick[0], y0),
            (0.56 + thick[1], y1), (0.56 - thick[1], y1),
        )  # fmt: skip
        tone = (66, 66, 158) if band in (0, 2, 4) else (176, 180, 182)
        round_ = 1 - 0.45 * np.clip((draw.right - 0.548) / half, -0.4, 1)
        draw.paint(shaft, np.array(tone, np.float32) * round_[:, :, None], far=0.4)
    road = draw.mask(
        (0.02, 0.78), (1.0, 0.705), (1.0, 0.74), (0.32, 1.0), (0.0, 1.0), (0, 0.86)
    )
    draw.paint(road, (98, 98, 96), rough=0.05, grain=60)
    for part in np.arange(0.0, 1.0, 0.16):
        x, y = 0.06 + 0.9 * part, 0.885 - 0.16 * part
        dash = draw.mask(
            (x, y), (x + 0.05, y - 0.009), (x + 0.05, y - 0.002), (x, y + 0.009)
        )
        draw.paint(dash, (190, 196, 196), rough=0.1)
    draw.hedge(0.84, 1.02, 0.0, dark=0.8, lumps=7)
    return draw.done((0.56, rim - 0.005), ((1.0, 0.72), (0.1, 0.9)))


def _yard(size: tuple[int, int], seed: int) -> Ground:
    """A building site: bare soil, a track, a heap, the fence, cabins, a shell."""
    draw = _Canvas(size, seed)
    draw.heaven(0.5)
    draw.hedge(0.40, 0.52, 0.8, dark=1.0, lumps=20)
    shell = draw.mask((0.58, 0.12), (0.86, 0.12), (0.86, 0.52), (0.58, 0.52))
    draw.paint(shell, (150, 152, 152), far=0.5)
    for row in range(5):
        for column in range(7):
            x, y = 0.593 + 0.038 * column, 0.145 + 0.075 * row
            hole = draw.mask(
                (x, y), (x + 0.022, y), (x + 0.022, y + 0.048), (x, y + 0.048)
            )
            draw.paint(hole, (74, 76, 80), rough=0.2, far=0.5)
    draw.floor(0.5, (104, 128, 148))
    for panel in range(16):
        x = panel / 16
        board = draw.mask(
            (x, 0.475), (x + 0.058, 0.475), (x + 0.058, 0.535), (x, 0.535)
        )
        tone = (150, 116, 62) if panel % 4 else (176, 178, 176)
        draw.paint(board, tone, far=0.42)
    for left in (0.06, 0.17):
        cabin = draw.mask(
            (left, 0.44), (left + 0.1, 0.44), (left + 0.1, 0.56), (left, 0.56)
        )
        draw.paint(cabin, (188, 184, 176), far=0.35)
        pane = draw.mask((left + 0.02, 0.465), (left + 0.05, 0.465),
                         (left + 0.05, 0.505), (left + 0.02, 0.505))  # fmt: skip
        draw.paint(pane, (86, 78, 70), far=0.35)
    heap = draw.mask(
        (0.66, 0.66), (0.74, 0.54), (0.80, 0.50), (0.86, 0.53), (0.97, 0.65)
    )
    shade = 1.02 - 1.1 * np.clip(draw.right - 0.8, -0.1, 0.2)
    draw.paint(
        _soft(heap, 3),
        np.array((82, 104, 122), np.float32) * shade[:, :, None],
        rough=0.12, grain=50, far=0.25,
    )  # fmt: skip
    track = draw.mask((0.40, 0.53), (0.47, 0.53), (0.62, 1.0), (0.16, 1.0))
    draw.paint(_soft(track, 9) * 0.6, (118, 142, 160), rough=0.08)
    for x in (0.30, 0.48):
        rut = draw.mask((0.428, 0.54), (0.434, 0.54), (x + 0.03, 1.0), (x - 0.03, 1.0))
        draw.paint(_soft(rut, 4) * 0.5, (78, 96, 110), rough=0.15)
    return draw.done((0.80, 0.50), ((0.435, 0.535), (0.40, 0.93)))


def _field(size: tuple[int, int], seed: int) -> Ground:
    """A meadow below mountains, from a tower."""
    del seed
    file = resources.files("simulators.camera").joinpath("data/field.jpg")
    raw = np.frombuffer(file.read_bytes(), np.uint8)
    width, height = size
    image = cv2.resize(
        cast("NDArray[np.uint8]", cv2.imdecode(raw, cv2.IMREAD_COLOR)),
        size,
        interpolation=cv2.INTER_AREA,
    )
    down = np.repeat(np.linspace(0, 1, height, dtype=np.float32)[:, None], width, 1)
    skyline = np.interp(
        np.linspace(0, 1, width),
        [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.68, 0.75, 0.85, 0.93, 1],
        [0.33, 0.29, 0.25, 0.2, 0.17, 0.18, 0.12, 0.09, 0.13, 0.16, 0.2, 0.26],
    ).astype(np.float32)
    sky = (down < skyline[None, :]).astype(np.float32)
    far = np.clip((0.72 - down) / 0.45, 0, 1) ** 1.5
    plants = ((down > 0.42) & (down < 0.6)).astype(np.float32)  # noqa: PLR2004 trees
    return Ground(
        image.astype(np.float32), sky, np.maximum(far, sky), plants,
        stack=(0.42, 0.80), road=((0.6, 0.62), (0.2, 0.95)), film=(0.30, 0.62),
    )  # fmt: skip


GROUNDS: dict[str, Callable[[tuple[int, int], int], Ground]] = {
    "works": _works,
    "field": _field,
    "yard": _yard,
}
