"""A place before a simulated camera as it lives: light, weather, smoke, dust, traffic.

Every picture is a function of the moment, the program and the seed (and of the sensor's
noise), so it can begin anywhere. The model never saw these places; whether it sees
their smoke is for it to say.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from simulators.camera import plume
from simulators.camera.day import Happening
from simulators.camera.places import GROUNDS
from simulators.camera.play import Sensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulators.camera.day import Conditions, Program
    from simulators.camera.play import Image

    Light = NDArray[np.float32]

SCENES = tuple(GROUNDS)
_CLOUD_S = 0.012
"""How far a cloud's shadow moves in a second, in widths."""
_TRUCK_S = 14.0
"""A truck needs so long from one end of its way to the other."""
_RIM = ((9, 20), (11, 20), (10, 19), (10, 21))
"""Around the text in the picture, so that it can be read on anything."""
_SMOKE_COLOUR = {  # B, G, R: in full shade, in full light
    Happening.DARK: ((14, 14, 15), (58, 56, 56)),
    Happening.LIGHT: ((120, 119, 118), (226, 224, 220)),
    Happening.STEAM: ((196, 194, 192), (250, 249, 247)),
    Happening.DUST: ((138, 164, 184), (194, 214, 228)),
}
_SHAPES = {
    Happening.DARK: plume.DARK,
    Happening.LIGHT: plume.LIGHT,
    Happening.STEAM: plume.STEAM,
    Happening.DUST: plume.DUST,
}


class ScenePlay:
    """One place.

    Args:
        name: One of :data:`SCENES`.
        size: Width, height.
        program: What goes on.
        seed: Of all randomness.
    """

    def __init__(
        self, name: str, size: tuple[int, int], program: Program, seed: int = 1
    ) -> None:
        self.size, self.program = size, program
        self._ground = GROUNDS[name](size, seed)
        self._sensor = Sensor(size, seed)
        width, height = size
        self._half = (width // 2, height // 2)
        self._puffs = plume.Puffs(self._half, seed)
        self._film = plume.Film() if self._ground.film else None
        random = np.random.default_rng(seed + 1)
        self._random = random
        wide = plume.noise(random, (height, 3 * width), 9)
        self._clouds = cv2.GaussianBlur(np.hstack((wide, wide[:, :width])), (0, 0), 9)
        down, right = np.mgrid[0:height, 0:width].astype(np.float32)
        self._grid = right, down
        self._lamp = np.exp(
            -(((right / width - 0.5) / 0.5) ** 2) - ((down / height - 0.72) / 0.5) ** 2
        ).astype(np.float32)
        self._drops = random.random((260, 3)).astype(np.float32)

    def says(self, at_s: float) -> list[str]:
        """See ``play.Play``."""
        return self.program.says(at_s)

    def picture(self, at_s: float) -> Image:
        """See ``play.Play``."""
        now = self.program.at(at_s)
        light = self._swaying(at_s)
        light = light * self._sunlight(at_s, now)
        light = self._trucks(light, at_s, now)
        for what in (Happening.STEAM, Happening.LIGHT, Happening.DARK, Happening.DUST):
            if self._may_show(what, now):
                light = self._emission(light, what, at_s, now)
        light = self._weather(light, at_s, now)
        light = self._night(light, at_s, now)
        light *= 1 + 0.008 * np.float32(np.sin(1.7 * at_s) + np.sin(0.31 * at_s))
        sigma = 1.6 + 4.0 * (1 - now.day)
        image = self._sensor.taken(light.astype(np.float32), sigma)
        return self._stamped(image, at_s, now)

    # -- light ----------------------------------------------------------------

    def _swaying(self, at_s: float) -> Light:
        """The place, with leaves a little elsewhere than before."""
        ground = self._ground
        right, down = self._grid
        gust = np.sin(0.9 * at_s + 0.021 * right) * np.sin(2.3 * at_s + 0.05 * down)
        moved = cv2.remap(
            ground.light,
            right + (1.4 * gust * ground.plants).astype(np.float32),
            down,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return cast("Light", moved)

    def _sunlight(self, at_s: float, now: Conditions) -> Light:
        """How much light of each colour falls on it: (height, width, 3)."""
        low = max(0.0, 1 - abs(now.sun_deg - 4) / 14)
        tint = np.array([1 - 0.16 * low, 1 - 0.05 * low, 1 + 0.06 * low], np.float32)
        bright = np.float32(0.05 + 0.95 * now.day)
        shade = np.ones(self.size[::-1], np.float32)
        much = now.strength.get(Happening.CLOUD, 0.0)
        if much:
            width = self.size[0]
            left = int(at_s * _CLOUD_S * width) % (3 * width)
            cloud = self._clouds[:, left : left + width]
            dim = np.clip(0.5 + 0.9 * cloud, 0, 1) * 0.5 * much
            shade = 1 - dim * (1 - 0.75 * self._ground.sky)
        return cast("Light", bright * tint * shade[:, :, None])

    def _night(self, light: Light, at_s: float, now: Conditions) -> Light:
        if now.infrared:
            grey = (
                light @ np.array([0.2, 0.4, 0.4], np.float32) / (0.05 + 0.95 * now.day)
            )
            near = 1 - 0.85 * self._ground.far
            lit = (
                grey * (0.06 + 0.95 * self._lamp * near) * (1 - 0.9 * self._ground.sky)
            )
            light = np.repeat((lit + 7)[:, :, None], 3, axis=2)
        much = now.strength.get(Happening.HEADLIGHTS, 0.0)
        return (
            self._headlights(light, at_s, much * (1 - 0.6 * now.day)) if much else light
        )

    def _headlights(self, light: Light, at_s: float, much: float) -> Light:
        """Cars come along the road: lamps, glare, their beam on the ground."""
        (x0, y0), (x1, y1) = self._ground.road
        width, height = self.size
        right, down = self._grid
        for car in range(2):
            part = ((at_s + 5.5 * car) / 11.0) % 1.0
            part = part**1.6  # what is far seems slow
            x, y = (x0 + (x1 - x0) * part) * width, (y0 + (y1 - y0) * part) * height
            reach = (0.006 + 0.022 * part) * width
            for lamp in (-1, 1):
                far2 = (right - x - lamp * 1.1 * reach) ** 2 + (down - y) ** 2
                glow = 330 * np.exp(-far2 / (2 * (0.45 * reach) ** 2))
                glow += 95 * np.exp(-far2 / (2 * (2.6 * reach) ** 2))
                light = light + (much * glow)[:, :, None].astype(np.float32)
            beam = np.exp(
                -(((right - x) / (5 * reach)) ** 2)
                - ((down - y - 3.2 * reach) / (2.2 * reach)) ** 2
            )
            light = light + (42 * much * beam)[:, :, None].astype(np.float32)
        return light

    # -- what is in the air ---------------------------------------------------

    def _may_show(self, what: Happening, now: Conditions) -> bool:
        # A plume drifts on when its source has ended: looked at while any is alive.
        return what in now.strength or any(
            event.what is what for event in self.program.events
        )

    def _emission(
        self, light: Light, what: Happening, at_s: float, now: Conditions
    ) -> Light:
        if self._film is not None and what in (Happening.DARK, Happening.LIGHT):
            thick = self._filmed(what, at_s)
        else:
            thick = self._puffed(what, at_s, now)
        if thick is None:
            return light
        shade, lit = (np.array(c, np.float32) for c in _SMOKE_COLOUR[what])
        # Light comes from above and the left: what has smoke over it is darker.
        over = cv2.GaussianBlur(np.roll(thick, (6, 5), (0, 1)), (0, 0), 5)
        bright = np.exp(-0.9 * over)[:, :, None]
        colour = shade + (lit - shade) * bright
        colour = colour * np.float32(0.06 + 0.94 * now.day)
        opacity = (1 - np.exp(-thick))[:, :, None]
        return cast("Light", light * (1 - opacity) + colour * opacity)

    def _puffed(self, what: Happening, at_s: float, now: Conditions) -> Light | None:
        program = self.program
        steady = now.strength.get(what, 0.0) if program.day_s is not None else 0.0

        def strength(then: float) -> float:
            return max(steady, program.strength(what, then))

        def source(then: float) -> tuple[float, float] | None:
            return (
                self._truck(then)[:2] if what is Happening.DUST else self._ground.stack
            )

        depth = self._puffs.depth(_SHAPES[what], at_s, source, strength)
        if depth.max() < 0.01:  # noqa: PLR2004 nobody sees that
            return None
        return cast(
            "Light", cv2.resize(depth, self.size, interpolation=cv2.INTER_CUBIC)
        )

    def _filmed(self, what: Happening, at_s: float) -> Light | None:
        """Filmed smoke at its place, leaning with the wind; thickens as it lasts."""
        assert self._film is not None  # noqa: S101 - asked for
        assert self._ground.film is not None  # noqa: S101 - it has one
        begun = [
            (start, end)
            for start, end in self.program.spans(what, at_s)
            if start <= at_s < end + 4
        ]
        if not begun:
            return None
        start, end = begun[0]
        since = at_s - start
        matte = self._film.opacity(since)
        wide, high = self._ground.film
        width, height = self.size
        grown = min(1.0, 0.55 + since / 40)
        w, h = wide * width * grown, high * height * grown
        x, y = self._ground.stack[0] * width, self._ground.stack[1] * height
        rows, columns = matte.shape
        lean = 0.12 * w * (1 + 0.3 * np.sin(0.2 * at_s))
        matrix = cv2.getAffineTransform(
            np.array([[columns / 2, rows], [0, rows], [columns / 2, 0]], np.float32),
            np.array([[x, y], [x - w / 2, y], [x + lean, y - h]], np.float32),
        )
        full = cv2.warpAffine(matte, matrix, self.size, flags=cv2.INTER_LINEAR)
        fade = min(1.0, max(0.0, (end + 4 - at_s) / 4))
        much = 0.97 if what is Happening.DARK else 0.85
        return cast("Light", -np.log(np.clip(1 - much * fade * full, 0.02, 1)))

    def _weather(self, light: Light, at_s: float, now: Conditions) -> Light:
        fog = now.strength.get(Happening.FOG, 0.0)
        if fog:
            right, down = self._grid
            bank = 0.85 + 0.15 * np.sin(0.006 * right + 0.05 * at_s + 0.01 * down)
            thick = 1 - np.exp(-3.2 * fog * (0.12 + self._ground.far) * bank)
            white = np.array([206, 206, 204], np.float32) * (0.06 + 0.94 * now.day)
            part = thick[:, :, None].astype(np.float32)
            light = light * (1 - part) + white * part
        rain = now.strength.get(Happening.RAIN, 0.0)
        return self._rain(light, at_s, rain, now.day) if rain else light

    def _rain(self, light: Light, at_s: float, much: float, day: float) -> Light:
        light = light * np.float32(1 - 0.25 * much) + np.float32(18 * much * day)
        width, height = self.size
        streaks = np.zeros((height, width), np.float32)
        for x, y, speed in self._drops[: int(260 * much)]:
            top = (y + at_s * (3.1 + 2 * speed)) % 1.15 - 0.1
            left = (x + 0.13 * at_s * speed) % 1.0
            a = (int(left * width), int(top * height))
            b = (a[0] + 2, a[1] + int(8 + 14 * speed))
            cv2.line(streaks, a, b, (26.0,), 1, cv2.LINE_AA)
        return (
            light + (cv2.GaussianBlur(streaks, (0, 0), 0.7) * (0.2 + day))[:, :, None]
        )

    # -- traffic --------------------------------------------------------------

    def _truck(self, at_s: float) -> tuple[float, float, float]:
        """x, y of its wheels and its size, parts of the picture."""
        (x0, y0), (x1, y1) = self._ground.road
        part = (at_s / _TRUCK_S) % 2.0
        part = part if part < 1 else 2 - part
        part = 0.12 + 0.7 * part
        return x0 + (x1 - x0) * part, y0 + (y1 - y0) * part, 0.05 + 0.13 * part

    def _trucks(self, light: Light, at_s: float, now: Conditions) -> Light:
        if Happening.DUST not in now.strength:
            return light
        x, y, big = self._truck(at_s)
        width, height = self.size
        tall = big * width / height
        image = np.ascontiguousarray(light)
        dim = float(0.06 + 0.94 * now.day)

        def block(
            left: float, top: float, right: float, bottom: float, *tone: float
        ) -> None:
            a = (round((x + left * big) * width), round((y - top * tall) * height))
            b = (round((x + right * big) * width), round((y - bottom * tall) * height))
            cv2.rectangle(image, a, b, [dim * one for one in tone], -1, cv2.LINE_AA)

        block(-0.52, 0.1, 0.56, -0.02, 44, 46, 48)
        block(-0.5, 0.62, 0.22, 0.14, 46, 92, 138)
        block(-0.5, 0.66, 0.22, 0.58, 70, 120, 160)
        block(0.26, 0.6, 0.54, 0.1, 60, 140, 190)
        block(0.38, 0.55, 0.53, 0.36, 78, 70, 62)
        for wheel in (-0.36, -0.18, 0.4):
            at = (round((x + wheel * big) * width), round((y - 0.03 * tall) * height))
            cv2.circle(
                image,
                at,
                max(2, round(0.085 * big * width)),
                (26, 26, 26),
                -1,
                cv2.LINE_AA,
            )
        return image

    def _stamped(self, image: Image, at_s: float, now: Conditions) -> Image:
        """With the text that cameras write into their pictures."""
        date = time.strftime("%Y-%m-%d", time.localtime())
        second = now.hour * 3600 + (at_s if self.program.day_s is None else 0)
        minutes, seconds = divmod(int(second) % 86400, 60)
        clock = f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"
        text = f"{date} {clock}  CAM 01"
        for colour, at in (*((20, (x, y)) for x, y in _RIM), (235, (10, 20))):
            cv2.putText(
                image, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42,
                (colour, colour, colour), 1, cv2.LINE_AA,
            )  # fmt: skip
        return image
