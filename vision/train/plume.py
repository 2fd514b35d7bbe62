"""The shape of a plume: where it is, how thick, and its relief for the light.

Two makers. ``cone`` renders a plume that grows from a source downwind: noise is read in
coordinates that grow with the plume's width (the puffs are small at the source and
large far away, as entrainment makes them), bent by wind, warped, and thinner with
distance. ``filmed`` warps a frame of filmed smoke. Both return a ``Cloud``, in optical
depth, so that clouds add up and thin edges come out soft by themselves
(opacity = 1 - exp(-depth), after Beer and Lambert).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from vision.train import raster
from vision.train.chance import between, often
from vision.train.noise import SIDE, billow_bank, fractal, fractal_bank, level_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vision.train.chance import Dice


class Cloud(NamedTuple):
    """What particles in the air look like, without their colour.

    Attributes:
        depth: Optical depth, (h, w), from 0 up.
        relief: How far its front stands towards the camera, in pixels, (h, w).
        age: 0 at the source, 1 where it ends, (h, w).
    """

    depth: raster.Field
    relief: raster.Field
    age: raster.Field

    @property
    def opacity(self) -> raster.Field:
        """0..1, (h, w)."""
        return 1 - np.exp(-self.depth)


class Cone(NamedTuple):
    """How a plume leaves its source.

    Attributes:
        x: Source, column.
        y: Source, row.
        angle: Where it drifts to, radians; -pi/2 is straight up.
        bend: How much it turns downwind (or rises) along its length, signed.
        length: Pixels to where it ends.
        width: Half width at the source, pixels.
        spread: Growth of the half width a pixel of length.
        depth: Optical depth at the source's core.
        thinning: 0 stays as thick, 1 thins as fast as it widens.
        billow: 0 is wispy, 1 cauliflower.
        ragged: How deep noise eats into the plume, 0.3..1.5.
        soft: Softness of its edge, 0.1 crisp to 1 diffuse.
    """

    x: float
    y: float
    angle: float
    bend: float
    length: float
    width: float
    spread: float
    depth: float
    thinning: float
    billow: float
    ragged: float
    soft: float


def cone(rng: Dice, height: int, width: int, how: Cone) -> Cloud:
    """Render a plume."""
    if how.width > 18 and how.soft > 0.3:  # noqa: PLR2004
        # A large soft plume has nothing finer than two pixels.
        half = how._replace(
            x=how.x / 2, y=how.y / 2, length=how.length / 2, width=how.width / 2
        )
        cloud = _cone(rng, height // 2, width // 2, half)
        depth, relief, age = (raster.resized(f, height, width) for f in cloud)
        return Cloud(depth, relief * 2, age)
    return _cone(rng, height, width, how)


def _cone(rng: Dice, height: int, width: int, how: Cone) -> Cloud:
    cos, sin = np.float32(np.cos(how.angle)), np.float32(np.sin(how.angle))
    x, y = raster.grid(height, width)
    x, y = x - np.float32(how.x), y - np.float32(how.y)
    along, across = x * cos + y * sin, y * cos - x * sin
    reach = np.float32(how.length)
    far = np.maximum(along, 0)
    girth = np.float32(how.width) + np.float32(how.spread) * far
    # Wandering and turning of the axis, and eddies that fold the plume's edge.
    across = across - np.float32(how.bend) * far * far / reach
    steps = np.log1p(far * np.float32(how.spread / how.width)) / np.float32(how.spread)
    low = fractal_bank(2.0)[int(rng.integers(6))]
    x0, y0, x1, y1 = (np.float32(rng.integers(SIDE)) for _ in "xyxy")
    pace = np.float32(between(rng, 14, 30))
    eddy = raster.looked_up(low, steps * pace + x0, across / girth * pace + y0)
    bulge = raster.looked_up(low, across / girth * 45 + y1, steps * 45 + x1)
    across = across + girth * (np.float32(0.3) * eddy + np.float32(0.12) * bulge)
    off = across / girth
    # Puffs: noise in the plume's own measure; wisps are drawn out along the flow.
    scale = np.float32(between(rng, 60, 130))
    draw = np.float32(between(rng, 0.45, 1.0))
    u, v = steps * scale + x1, off * scale + bulge * 18 + y1
    level = level_of(float(scale) / (how.width + how.spread * how.length * 0.3))
    puff = raster.looked_up(billow_bank(level)[int(rng.integers(6))], u, v)
    wisps = fractal_bank(1.5, level)[int(rng.integers(6))]
    wisp = raster.looked_up(wisps, u * draw, v + eddy * 20)
    puff, wisp = puff - np.float32(0.55), wisp * np.float32(0.26)
    share = np.float32(how.billow)
    rough = share * puff + (1 - share) * wisp + np.float32(0.12) * bulge
    age = np.clip(far / reach, 0, 1)
    body = 1 - off * off + np.float32(how.ragged) * rough * (0.7 + 0.8 * age)
    cover = raster.smoothstep(0.0, 1.0, body / (np.float32(how.soft) * (0.5 + age)))
    # It begins at the source, rounded, and thins out at its end, raggedly.
    start = along / np.float32(how.width) + 0.9 - 0.7 * off * off + rough
    start = raster.smoothstep(0.0, 0.8, start)
    end = 1 - raster.smoothstep(0.35, 1.0, age + wisp * 0.7 + 0.08 * bulge)
    thin = (np.float32(how.width) / girth) ** np.float32(how.thinning)
    thick = np.sqrt(np.maximum(body, 0.0)) * (0.55 + 1.1 * rough + 0.35 * bulge + 0.3)
    depth = np.float32(how.depth) * cover * start * end * thin * np.maximum(thick, 0.04)
    dome = np.sqrt(np.maximum(1 - off * off, 0))
    # Multiple scattering washes out the finest relief of what is large.
    form = raster.blurred(
        share * puff + np.float32(0.25) * bulge, min(how.width / 14, 3)
    )
    relief = girth * (dome * np.float32(0.3) + form * np.float32(1.0))
    return Cloud(depth, relief, age)


def filmed(
    rng: Dice,
    height: int,
    width: int,
    matte: NDArray[np.uint8],
    foot: tuple[float, float],
    size: float,
    depth: float,
) -> Cloud:
    """A frame of filmed smoke, turned, sheared by wind and folded by eddies.

    Args:
        rng: Dice.
        height: Rows.
        width: Columns.
        matte: Filmed smoke, its foot at the lower edge.
        foot: Where its foot stands (x, y), pixels.
        size: How high it stands, pixels.
        depth: Optical depth of the whitest part.
    """
    rows, columns = matte.shape
    scale = rows / size
    squeeze = between(rng, 0.6, 1.25) * (-1 if often(rng, 0.5) else 1)
    turn = between(rng, -0.5, 0.5)
    shear = between(rng, -0.9, 0.9)
    cos, sin = np.cos(turn) * scale, np.sin(turn) * scale
    linear = np.array([[cos * squeeze, (sin + shear * scale)], [-sin, cos]])
    x, y = raster.grid(height, width)
    x, y = x - np.float32(foot[0]), y - np.float32(foot[1])
    low = fractal_bank(2.0)[int(rng.integers(6))]
    x0, y0 = (np.float32(rng.integers(SIDE)) for _ in "xy")
    step = np.float32(60 / size)
    warp = np.float32(0.05 * size)
    eddy = raster.looked_up(low, x * step + x0, y * step + y0) * warp
    x, y = x + eddy, y + raster.looked_up(low, y * step + y0, x * step + x0) * warp
    u = np.float32(linear[0, 0]) * x + np.float32(linear[0, 1]) * y
    v = np.float32(linear[1, 0]) * x + np.float32(linear[1, 1]) * y
    u, v = u + np.float32(columns / 2), v + np.float32(rows - 1)
    found = cv2.remap(matte, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    film: raster.Field = np.asarray(found, np.float32) / 255
    grey = raster.blurred(film, min(0.5 / scale, 2.0))
    age = np.clip(-y / np.float32(size), 0, 1)
    relief = raster.blurred(grey, max(size / 40, 0.8)) * np.float32(size * 0.14)
    thick = -np.log(np.maximum(1 - 0.93 * grey, 0.05)) * np.float32(depth / 2.6)
    return Cloud(thick * (1 - 0.5 * age), relief, age)


def together(clouds: list[Cloud]) -> Cloud:
    """Several clouds of the same stuff, one behind the other."""
    first = clouds[0]
    for cloud in clouds[1:]:
        depth = first.depth + cloud.depth
        mine = cloud.depth > first.depth
        first = Cloud(
            depth,
            np.maximum(first.relief, cloud.relief),
            np.where(mine, cloud.age, first.age),
        )
    return first


def footed(rng: Dice, cloud: Cloud, y: float, girth: float) -> Cloud:
    """A cloud that stands on the ground at row ``y``: nothing of it below.

    The foot is uneven, by a fifth of ``girth`` (half the width there, pixels).
    """
    height, width = cloud.depth.shape
    rows = np.arange(height, dtype=np.float32)[:, None]
    rough = fractal(rng, 1, width, max(girth, 6) * 4, 2.0)
    below = (rows - np.float32(y) - np.float32(0.12 * girth) * rough) / np.float32(
        0.2 * girth + 1
    )
    foot = 1 - raster.smoothstep(0.0, 1.0, below)
    return Cloud(cloud.depth * foot, cloud.relief, cloud.age)


def shade(cloud: Cloud, sun: raster.Field, ambient: float, fine: float) -> raster.Field:
    """Light on a cloud's front: about 1 where lit, ``ambient`` where turned away.

    Args:
        cloud: Its relief is lit.
        sun: Unit vector towards the light.
        ambient: Share of light that comes from everywhere.
        fine: Blur of the relief, pixels: multiple scattering softens smoke.
    """
    dx, dy = raster.slopes(raster.blurred(cloud.relief, fine))
    norm = np.sqrt(dx * dx + dy * dy + 1)
    facing = (sun[2] - dx * sun[0] - dy * sun[1]) / norm
    lit = np.clip(0.5 + 0.5 * facing, 0, 1)
    return ambient + (1 - ambient) * lit * np.float32(1.25)
