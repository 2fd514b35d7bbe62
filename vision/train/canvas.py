"""A scene while it is being painted: as it is now, as it was before, and what is in it.

Whatever is laid over the scene covers what was there, so that the opacity kept for
every class is what a camera sees of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from vision.train import labels as labelled
from vision.train import raster
from vision.train.chance import between, often
from vision.train.noise import fractal

if TYPE_CHECKING:
    from vision.train.chance import Dice
    from vision.train.labels import Labels

NOW, BEFORE = "now", "before"
DARK, LIGHT, DUST = "dark", "light", "dust"
_SKY_SLOPE, _SKY_LEVEL = 1.2, 60.0
_EVEN = 0.8  # rows a column
_ENOUGH = 0.3  # of all columns show an edge: there is a skyline
_JAGGED = 5.0  # rows a column: more is no skyline
_HIDDEN, _SHOWN = 0.05, 0.6  # of a background's own dust, under what was laid over it
_LEAST_CHANGE = 2.5  # grey levels: less is within a sensor's noise


@dataclass
class Canvas:
    """A scene being painted.

    Attributes:
        now: The scene, (h, w, 3) float RGB.
        before: The same without the emission.
        scene: Whose background it is.
        level: How bright white is here, 0..255: the scene's light.
        sky: Colour of the light from the horizon, float RGB.
        sun: Unit vector towards the light: right, down, towards the camera.
        given: Labels that came with the background.
        known: Whether ``before`` truly is the scene before.
        opacity: Seen opacity of each class, (h, w) each.
        colour_unsure: Where smoke is neither dark nor light.
        clean: The scene now without any emission, once there is one.
        kept: What still shows of a background that has labels of its own.
    """

    now: raster.Picture
    before: raster.Picture
    scene: str
    level: float
    sky: raster.Field
    sun: raster.Field
    given: Labels | None = None
    known: bool = True
    opacity: dict[str, raster.Field] = field(default_factory=dict)
    colour_unsure: raster.Field | None = None
    clean: raster.Picture | None = None
    kept: raster.Field | None = None

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.now.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.now.shape[1])

    def lay(
        self,
        opacity: raster.Field,
        colour: raster.Field,
        what: str | None = None,
        *,
        unsure: bool = False,
    ) -> None:
        """Lay something over the scene as it is now.

        Args:
            opacity: 0..1, (h, w).
            colour: RGB, (h, w, 3) or (3,).
            what: The class it is, or None for what is no emission.
            unsure: It is smoke of neither dark nor light colour.
        """
        opacity = np.asarray(opacity, np.float32)
        if self.clean is None and what is not None:
            self.clean = self.now
        elif what is None and self.clean is not None:
            self.clean = raster.over(self.clean, opacity, colour)
        self.now = raster.over(self.now, opacity, colour)
        if self.given is not None and self.given.target.max() > 0:
            kept = np.float32(1) if self.kept is None else self.kept
            self.kept = kept * (1 - opacity)
        for name in self.opacity:
            self.opacity[name] = self.opacity[name] * (1 - opacity)
        if what is None:
            return
        self.opacity[what] = self.opacity.get(what, np.float32(0)) + opacity
        if unsure:
            old = self.colour_unsure
            self.colour_unsure = opacity if old is None else np.maximum(old, opacity)

    def glow(self, light: raster.Field, tint: raster.Field | float = 1.0) -> None:
        """Add light (h, w) of a colour to the scene as it is now."""
        colour = np.broadcast_to(np.asarray(tint, np.float32), 3)
        self.now = self.now + np.asarray(light, np.float32)[..., None] * colour

    def dim(self, share: raster.Field) -> None:
        """Let (h, w) or (h, w, 3) of the light through, as it is now."""
        share = np.asarray(share, np.float32)
        self.now = self.now * (share if share.ndim == 3 else share[..., None])  # noqa: PLR2004

    def both(self, opacity: raster.Field, colour: raster.Field) -> None:
        """Lay something that stands there always: now and before."""
        self.lay(opacity, colour)
        self.before = raster.over(self.before, opacity, colour)

    def labels(self) -> Labels:
        """What the cells are told."""
        none = np.zeros((self.height // 16, self.width // 16), np.float32)
        pools = {
            name: labelled.pooled(opacity) for name, opacity in self.opacity.items()
        }
        dark, light, dust = (pools.get(name, none) for name in (DARK, LIGHT, DUST))
        labels = labelled.from_opacity(dark, light, dust)
        if self.clean is not None:
            change = raster.grey(np.abs(self.now - self.clean))
            labels = labelled.without_unseen(
                labels, labelled.pooled(change), _LEAST_CHANGE
            )
        if self.colour_unsure is not None:
            unsure = labelled.pooled(self.colour_unsure)
            labels.weight[labelled.DARK] *= unsure < 0.3 * (dark + light)
        if self.given is None:
            return labels
        kept = None if self.kept is None else labelled.pooled(self.kept)
        return _merged(labels, self.given, kept)


def _merged(rendered: Labels, given: Labels, kept: raster.Field | None) -> Labels:
    """Rendered over a picture that had labels of its own, of which ``kept`` shows."""
    shown = np.ones_like(given.target[0]) if kept is None else kept
    hidden, half = shown < _HIDDEN, (shown >= _HIDDEN) & (shown < _SHOWN)
    theirs = given.target * ~hidden
    weight = rendered.weight.copy()
    for layer in (labelled.SMOKE, labelled.DUST):
        mine = rendered.target[layer] > 0
        unasked = half & (theirs[layer] > 0)
        own = np.where(hidden & (given.target[layer] > 0), 1, given.weight[layer])
        weight[layer] *= np.where(mine, 1, own * ~unasked)
    return labelled.Labels(np.maximum(rendered.target, theirs), weight)


def light_of(picture: raster.Picture, rng: Dice) -> tuple[float, raster.Field]:
    """How bright white is in a scene, and the colour of its horizon's light.

    The brightest tenth of the upper two thirds is sky or sunlit wall; never less than
    a third of white, or smoke at night would be black on black.
    """
    small = raster.resized(picture, 24, 32, area=True)[:16].reshape(-1, 3)
    bright = small[np.argsort(small.sum(1))[-50:]].mean(0)
    level = float(np.clip(bright.max() * between(rng, 0.95, 1.2), 70, 250))
    tint = bright / max(float(bright.max()), 1.0)
    sky = level * (0.55 + 0.45 * tint)
    return level, sky.astype(np.float32)


def sun_of(rng: Dice) -> raster.Field:
    """Where the light comes from: from above, from either side, now and then behind."""
    side = between(rng, -1, 1)
    depth = between(rng, 0.1, 0.9)
    vector = np.array([side, -between(rng, 0.25, 1), depth], np.float32)
    return vector / np.float32(np.linalg.norm(vector))


def skyline(picture: raster.Picture, rng: Dice) -> raster.Field:
    """The row of the first strong edge from above in every column, (w,) float32.

    Smoke of a distant fire rises from behind it; a chimney's from upon it.
    """
    height, width = picture.shape[:2]
    soft = raster.blurred(raster.grey(picture), 2.0)
    edge = np.abs(raster.slopes(soft)[1])
    edge[: height // 24] = 0
    strong = edge > max(between(rng, 0.5, 0.9) * float(edge.max()) * 0.6, 2.0)
    found = strong.any(0)
    rows = strong.argmax(0).astype(np.float32)
    rows[~found] = np.median(rows[found]) if found.mean() > _ENOUGH else height
    jagged = float(np.abs(np.diff(rows)).mean()) > _JAGGED * height / 192
    if found.any() and jagged:
        # No skyline but a close-up: a hill's line stands in.
        middle = float(np.clip(np.median(rows), 0.25 * height, 0.75 * height))
        rows = middle + 0.05 * height * fractal(rng, 1, width, width, 2.0)[0]
    # Masts and gaps narrower than a twelfth of the picture are not the skyline.
    reach = width // 12
    windows = sliding_window_view(np.pad(rows, reach, mode="edge"), 2 * reach + 1)
    wide = np.median(windows, axis=1).astype(np.float32)
    return np.asarray(cv2.blur(wide[None], (5, 1))[0], np.float32)


def has_sky(picture: raster.Picture) -> bool:
    """Whether the upper sixth is as smooth and as bright as a sky."""
    strip = raster.grey(picture[: picture.shape[0] // 6])
    dx, dy = raster.slopes(raster.blurred(strip, 1.0))
    smooth = float(np.median(np.abs(dx)) + np.median(np.abs(dy))) < _SKY_SLOPE
    return smooth and float(strip.mean()) > _SKY_LEVEL


def even(line: raster.Field) -> bool:
    """Whether a skyline is smooth enough for something to stand behind it."""
    return float(np.abs(np.diff(line)).mean()) < _EVEN * len(line) / 256


def above(line: raster.Field, height: int) -> raster.Field:
    """1 above a skyline, 0 below, (h, w)."""
    rows = np.arange(height, dtype=np.float32)[:, None]
    return np.clip(line[None] - rows + 0.5, 0, 1)


def passer_by(canvas: Canvas, rng: Dice, other: raster.Picture) -> None:
    """Something that is there in one picture only: a vehicle, a person, a bird.

    A piece of another photograph in a soft oval or a box. A difference to the
    background alone must never mean an emission.
    """
    high, wide = int(between(rng, 6, 44)), int(between(rng, 8, 60))
    y = int(rng.integers(0, canvas.height - high))
    x = int(rng.integers(0, canvas.width - wide))
    cut_y = int(rng.integers(0, other.shape[0] - high))
    cut_x = int(rng.integers(0, other.shape[1] - wide))
    piece = np.zeros((canvas.height, canvas.width, 3), np.float32)
    piece[y : y + high, x : x + wide] = other[
        cut_y : cut_y + high, cut_x : cut_x + wide
    ]
    mask = np.zeros((canvas.height, canvas.width), np.float32)
    if often(rng, 0.5):
        middle, axes = (x + wide // 2, y + high // 2), (wide // 2 - 1, high // 2 - 1)
        cv2.ellipse(mask, middle, axes, 0, 0, 360, (1.0,), -1)
    else:
        mask[y + 1 : y + high - 1, x + 1 : x + wide - 1] = 1
    mask = raster.blurred(mask, between(rng, 0.5, 1.2))
    if often(rng, 0.65):
        canvas.lay(mask, piece)
    else:
        canvas.before = raster.over(canvas.before, mask, piece)
