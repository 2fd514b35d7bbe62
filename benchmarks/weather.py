"""Negatives as a camera meets them in a day, rendered over a still picture.

Each weather makes some dozens of frames that can be played back and forth without a
jump. None of this is shared with what the model was trained on: other noise, other
shapes. ``plume`` lays smoke or dust over such frames, for recall on the same days.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]
    Plane = NDArray[np.float32]
    AnyPlane = NDArray[Any]
    Rng = np.random.Generator

SIZE = (640, 384)
FOCAL = SIZE[0] / (2 * math.tan(math.radians(30)))
"""Pixels: the usual camera sees sixty degrees."""
FINE = 6
"""Times finer than the picture: near the horizon a row holds many shadows."""
CLOUDS_M, WIND_M, HAZE_M = 10_000.0, 8.0, 6_000.0
"""Metres: after which the clouds of a sky come again, each some hundreds wide; that
they drift in a second; in which the air takes two thirds of a shadow's contrast."""
PENUMBRA = 0.1
"""Of the range of their noise: the sun's disc softens an edge by tens of metres."""


class View(NamedTuple):
    """What a camera looks at, for weather that is not everywhere in its picture."""

    ground: Plane
    """(384, 640): 1 where it is no sky."""
    horizon: float
    """Its row, as a share of the height."""
    high_m: float
    """Of the camera over what it looks at."""


def noise_field(rng: Rng, octaves: int = 4, base: int = 3) -> Plane:
    """Smooth noise from 0 to 1, (384, 640)."""
    total = np.zeros((SIZE[1], SIZE[0]), np.float32)
    for k in range(octaves):
        rough = rng.random((base * 2**k, base * 2**k * 2), dtype=np.float32)
        # Thrice beside itself, or a drifting field would show a seam.
        wide = cv2.resize(
            np.tile(rough, 3), (3 * SIZE[0], SIZE[1]), interpolation=cv2.INTER_CUBIC
        )
        total += wide[:, SIZE[0] : 2 * SIZE[0]] / 2**k
    total -= total.min()
    return np.asarray(total / total.max(), np.float32)


def finish(picture: Plane, rng: Rng, sigma: float = 2.0) -> Picture:
    """Sensor noise, and what a camera's coding does to it."""
    noisy = picture + rng.normal(0, sigma, picture.shape).astype(np.float32)
    raw = np.clip(noisy, 0, 255).astype(np.uint8)
    _, coded = cv2.imencode(".jpg", raw, [cv2.IMWRITE_JPEG_QUALITY, 80])
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)


def over(picture: Plane, opacity: AnyPlane, colour: Sequence[float]) -> Plane:
    """Lay an even colour over a picture, by opacity (384, 640)."""
    alpha = opacity[..., None]
    return np.asarray(
        picture * (1 - alpha) + np.array(colour, np.float32) * alpha, np.float32
    )


def ramp(top: float, bottom: float) -> Plane:
    """(384, 1): from the upper edge to the lower, cut to 0 to 1."""
    line = np.linspace(top, bottom, SIZE[1], dtype=np.float32)
    return np.asarray(np.clip(line, 0, 1)[:, None], np.float32)


def tint(blue: float, green: float, red: float) -> Plane:
    """Gains of the three colours."""
    return np.array([blue, green, red], np.float32)


PLAIN = View(ramp(-7.7, 11.3) * np.ones(SIZE, np.float32).T, 0.4, 6.0)
"""Where nothing better is known: a yard with a sky over it."""


def still(scene: Plane, phase: float, rng: Rng) -> Plane:
    """Nothing but the sensor."""
    del phase, rng
    return scene


def pan(scene: Plane, phase: float, rng: Rng) -> Plane:
    """A mast that sways in the wind: some pixels over a minute."""
    del rng
    wave = math.sin(math.tau * phase)
    moved = np.array(
        [[1, 0, 5 * wave], [0, 1, 2 * math.cos(math.tau * phase)]], np.float32
    )
    return np.asarray(
        cv2.warpAffine(scene, moved, SIZE, borderMode=cv2.BORDER_REFLECT), np.float32
    )


def light(scene: Plane, phase: float, rng: Rng) -> Plane:
    """The sun behind thin clouds and out again, warmer and cooler."""
    del rng
    gain = 0.95 + 0.2 * math.sin(math.pi * phase)
    warm = 0.06 * math.sin(math.tau * phase)
    return np.asarray(scene * tint(gain - warm, gain, gain + warm), np.float32)


def cloud_shadows(scene: Plane, phase: float, rng: Rng, view: View = PLAIN) -> Plane:
    """Shadows of broken clouds that wander over the ground, as a camera sees it.

    From a tower they are bands; who stands in one sees its edge sweep by.
    """
    field, (width, height) = noise_field(rng, octaves=3, base=10), SIZE
    fine = (np.arange(FINE * height, dtype=np.float32) + 0.5) / FINE
    far_m = FOCAL * view.high_m / np.maximum(fine - view.horizon * height, 1e-3)
    aside = (np.arange(width, dtype=np.float32) - width / 2) / FOCAL
    across_m = aside[None] * far_m[:, None] + WIND_M * 60 * phase
    along_m = np.repeat(far_m[:, None], width, axis=1)
    shade = cv2.remap(
        field,
        across_m * np.float32(width / CLOUDS_M) % (width - 1),
        along_m * np.float32(height / CLOUDS_M) % (height - 1),
        cv2.INTER_LINEAR,
    )
    dark = 0.4 * np.clip((shade - 0.5) / PENUMBRA + 0.5, 0, 1)
    dark *= np.exp(-far_m / HAZE_M)[:, None]
    dark = cv2.resize(dark, SIZE, interpolation=cv2.INTER_AREA) * view.ground
    return np.asarray(scene * (1 - dark[..., None]), np.float32)


def clouds(scene: Plane, phase: float, rng: Rng, view: View = PLAIN) -> Plane:
    """White clouds that drift and grow in the sky."""
    field = np.roll(noise_field(rng, base=2), round(160 * phase), axis=1)
    up = ramp(1.0, -1.6) * (1 - view.ground)
    return over(scene, np.clip((field - 0.45) * 3, 0, 0.8) * up, (245, 240, 238))


def fog(scene: Plane, phase: float, rng: Rng) -> Plane:
    """A bank that rolls in from one side and lifts again."""
    field = noise_field(rng, octaves=2, base=2)
    across = np.linspace(0, 1, SIZE[0], dtype=np.float32)[None]
    front = np.clip(2.6 * math.sin(math.pi * phase) - across * 1.2, 0, 1)
    return over(scene, 0.85 * front * (0.75 + 0.25 * field), (205, 203, 200))


def rain(scene: Plane, phase: float, rng: Rng) -> Plane:
    """Streaks, a grey veil, and drops that stay on the lens."""
    drops = np.random.default_rng(int(rng.integers(1)) + 7)
    wet = over(scene, np.full((SIZE[1], SIZE[0]), 0.25, np.float32), (170, 168, 165))
    streaks = np.zeros((SIZE[1], SIZE[0]), np.float32)
    now = np.random.default_rng(int(phase * 10_000))
    for x, y in zip(
        now.integers(0, SIZE[0], 260), now.integers(0, SIZE[1], 260), strict=True
    ):
        cv2.line(streaks, (int(x), int(y)), (int(x) + 2, int(y) + 14), 0.35, 1)
    wet = over(wet, streaks, (225, 225, 225))
    blurred = cv2.GaussianBlur(wet, (0, 0), 9)
    lens = np.zeros((SIZE[1], SIZE[0]), np.float32)
    for x, y in zip(
        drops.integers(0, SIZE[0], 12), drops.integers(0, SIZE[1], 12), strict=True
    ):
        cv2.circle(lens, (int(x), int(y)), int(drops.integers(6, 18)), 1.0, -1)
    soft = cv2.GaussianBlur(lens, (0, 0), 2)[..., None]
    return np.asarray(
        wet * (1 - soft) + np.roll(blurred, 20, axis=0) * soft, np.float32
    )


def steam(scene: Plane, phase: float, rng: Rng) -> Plane:
    """A vent that puffs for some seconds, twice in the loop."""
    x, y = int(rng.integers(100, 540)), int(rng.integers(180, 300))
    field = noise_field(rng, octaves=5, base=6)
    for start in (0.1, 0.6):
        age = (phase - start) / 0.08
        if not 0 <= age <= 1:
            continue
        puff = np.zeros((SIZE[1], SIZE[0]), np.float32)
        cv2.ellipse(
            puff,
            (x, int(y - 50 * age)),
            (int(8 + 22 * age), int(10 + 26 * age)),
            0,
            0,
            360,
            1.0,
            -1,
        )
        soft = cv2.GaussianBlur(puff, (0, 0), 6) * (0.4 + 0.6 * field)
        scene = over(scene, soft * (0.85 * (1 - age)), (250, 250, 250))
    return scene


def dusk(scene: Plane, phase: float, rng: Rng) -> Plane:
    """Low sun: warm, then dark."""
    del rng
    gain = 0.75 - 0.35 * phase
    return np.asarray(scene * tint(gain * 0.75, gain * 0.92, gain * 1.15), np.float32)


def infrared(scene: Plane, phase: float, rng: Rng) -> Plane:
    """Night by the camera's own lamp: grey, a bright middle, dark edges."""
    del phase, rng
    grey = cv2.cvtColor(scene, cv2.COLOR_BGR2GRAY)
    y, x = np.mgrid[-1 : 1 : SIZE[1] * 1j, -1 : 1 : SIZE[0] * 1j].astype(np.float32)
    lamp = 0.25 + 0.6 * np.exp(-(x**2 + y**2) * 1.6)
    return np.repeat((grey * lamp)[..., None], 3, axis=2).astype(np.float32)


def lamps(scene: Plane, phase: float, rng: Rng) -> Plane:
    """A lit yard at night, in colour."""
    del phase
    night = np.asarray(scene * tint(0.16, 0.18, 0.22), np.float32)
    for _ in range(4):
        glow = np.zeros((SIZE[1], SIZE[0]), np.float32)
        cv2.circle(
            glow, (int(rng.integers(0, 640)), int(rng.integers(60, 300))), 10, 1.0, -1
        )
        night = over(
            night,
            np.clip(cv2.GaussianBlur(glow, (0, 0), 26) * 2.2, 0, 0.9),
            (150, 205, 255),
        )
    return night


def headlights(scene: Plane, phase: float, rng: Rng) -> Plane:
    """Cars that come along, their glow in the haze."""
    night = infrared(scene, phase, rng)
    glow = np.zeros((SIZE[1], SIZE[0]), np.float32)
    for start, y in ((0.0, 250), (0.3, 270), (0.55, 240)):
        along = (phase - start) / 0.25
        if 0 <= along <= 1:
            x, near = int(700 * along - 30), 4 + int(10 * along)
            for aside in (-2 * near, 2 * near):
                cv2.circle(glow, (x + aside, y + int(40 * along)), near, 1.0, -1)
    soft = np.clip(cv2.GaussianBlur(glow, (0, 0), 14) * 3 + glow, 0, 1)
    return over(night, soft, (255, 255, 255))


def insects(scene: Plane, phase: float, rng: Rng) -> Plane:
    """Moths before the lamp: bright blurred streaks, elsewhere in every frame."""
    night = infrared(scene, phase, rng)
    now = np.random.default_rng(int(phase * 10_000) + 3)
    streak = np.zeros((SIZE[1], SIZE[0]), np.float32)
    for _ in range(int(now.integers(1, 5))):
        x, y = int(now.integers(0, 640)), int(now.integers(0, 384))
        end = (x + int(now.integers(-70, 70)), y + int(now.integers(-50, 50)))
        cv2.line(streak, (x, y), end, 0.9, int(now.integers(4, 22)))
    return over(night, cv2.GaussianBlur(streak, (0, 0), 6), (240, 240, 240))


WEATHERS: dict[str, Callable[..., Plane]] = {
    one.__name__: one
    for one in (
        still,
        pan,
        light,
        cloud_shadows,
        clouds,
        fog,
        rain,
        steam,
        dusk,
        infrared,
        lamps,
        headlights,
        insects,
    )
}


def frames(
    scene: Picture, weather: str, count: int, seed: int, view: View = PLAIN
) -> list[Picture]:
    """One loop of a weather.

    Args:
        scene: (384, 640, 3) BGR.
        weather: One of ``WEATHERS``.
        count: Frames of the loop, to be played forth and back.
        seed: Of its randomness.
        view: Of the scene.
    """
    base, draw = scene.astype(np.float32), WEATHERS[weather]
    if weather in {clouds.__name__, cloud_shadows.__name__}:
        draw = partial(draw, view=view)
    made = []
    for n in range(count):
        # The same fields for the whole loop, other noise in each frame.
        drawn = draw(base, n / count, np.random.default_rng(seed))
        made.append(finish(drawn, np.random.default_rng([seed, n])))
    return made


class Plume(NamedTuple):
    """Where and as what a plume is laid."""

    label: str
    x: int
    """Of its foot."""
    y: int
    high: int
    """Pixels when grown."""
    flip: bool


COLOURS = {
    "dark_smoke": (38.0, 38.0, 40.0),
    "light_smoke": (222.0, 222.0, 220.0),
    "dust": (128.0, 160.0, 186.0),
}


def cropped(mattes: Sequence[Plane]) -> list[Plane]:
    """Filmed smoke, cut to the room it ever takes; its foot is at the lower edge."""
    ever = np.max(mattes, axis=0) > 0.05
    down, across = np.flatnonzero(ever.any(axis=1)), np.flatnonzero(ever.any(axis=0))
    part = np.s_[down[0] : down[-1] + 1, across[0] : across[-1] + 1]
    return [np.asarray(matte[part], np.float32) for matte in mattes]


def plume(
    frames_: Sequence[Picture],
    what: Plume,
    mattes: Sequence[Plane],
    seed: int,
) -> list[Picture]:
    """Lay a plume over frames, growing from the first of them.

    Args:
        frames_: Played in this order, one a second.
        what: Label, place, size.
        mattes: Opacities of filmed smoke, growing, (height, width) from 0 to 1.
        seed: Of dust's shape.
    """
    made = []
    field = noise_field(np.random.default_rng(seed), octaves=5, base=4)
    for n, frame in enumerate(frames_):
        age = min(1.0, (n + 1) / 20)
        if what.label == "dust":
            opacity = _dust(what, age, n, field)
        else:
            opacity = _smoke(what, mattes, n)
        drawn = over(frame.astype(np.float32), opacity, COLOURS[what.label])
        made.append(np.clip(drawn, 0, 255).astype(np.uint8))
    return made


def _smoke(what: Plume, mattes: Sequence[Plane], n: int) -> Plane:
    """Filmed smoke: its first second of growth, then its last third back and forth."""
    last = len(mattes) - 1
    k = (
        n * 2
        if n * 2 <= last
        else last - abs((n * 2 - last) % (last // 3 * 2) - last // 3)
    )
    matte = mattes[max(0, min(k, last))]
    wide = round(what.high * matte.shape[1] / matte.shape[0])
    sized = cv2.resize(matte, (wide, what.high), interpolation=cv2.INTER_AREA)
    if what.flip:
        sized = sized[:, ::-1]
    opacity = np.zeros((SIZE[1], SIZE[0]), np.float32)
    x0, y0 = what.x - wide // 2, what.y - what.high
    left, top = max(x0, 0), max(y0, 0)
    right, bottom = min(x0 + wide, SIZE[0]), min(what.y, SIZE[1])
    if right > left and bottom > top:
        opacity[top:bottom, left:right] = sized[
            top - y0 : bottom - y0, left - x0 : right - x0
        ]
    return opacity


def _dust(what: Plume, age: float, n: int, field: Plane) -> Plane:
    """A cloud behind a lorry: it grows, drifts and rolls."""
    cloud = np.zeros((SIZE[1], SIZE[0]), np.float32)
    drift = (2 if what.flip else -2) * n
    axes = (round(what.high * (0.4 + 0.8 * age)), round(what.high * (0.2 + 0.3 * age)))
    cv2.ellipse(
        cloud, (what.x + drift, what.y - axes[1] // 2), axes, 0, 0, 360, 1.0, -1
    )
    rolled = np.roll(field, drift * 2 + n, axis=1)  # it repeats that way alone
    soft = cv2.GaussianBlur(cloud, (0, 0), what.high / 6)
    return np.asarray(soft * (0.25 + 0.75 * rolled) * 0.85, np.float32)
