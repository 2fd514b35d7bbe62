"""A camera's day in small: rendered scenes, plumes, and the timetable in minutes."""

from pathlib import Path

import cv2
import numpy as np

from benchmarks.camera_day import DAYTIME, NIGHT, Planted
from benchmarks.weather import SIZE, Plume, View, noise_field

MINUTES = (
    *NIGHT[:4],
    "dusk",
    "fog",
    *(one for n, one in enumerate(DAYTIME) if one not in DAYTIME[:n]),
    "dusk",
    *NIGHT[4:],
)
"""Each weather of a day once, in a day's order."""


def photograph():
    """The barn of a clip kept for tests, before any smoke: (384, 640, 3) BGR."""
    clips = Path(__file__).parents[1] / "recordings" / "vision"
    capture = cv2.VideoCapture(str(clips / "smoke_dark.mp4"))
    _, image = capture.read()
    capture.release()
    return cv2.resize(image, SIZE, interpolation=cv2.INTER_CUBIC)


def scene(seed):
    """A yard under a sky, (384, 640, 3) BGR, and its view: no photograph, no smoke."""
    rng = np.random.default_rng(seed)
    width, height = SIZE
    picture = np.zeros((height, width, 3), np.float32)
    horizon = int(rng.integers(120, 190))
    down = np.linspace(0, 1, horizon, dtype=np.float32)[:, None, None]
    picture[:horizon] = np.array([230, 190, 140]) * (1 - 0.25 * down) + 40 * down
    texture = noise_field(rng, octaves=6, base=8)[..., None]
    ground = np.array([70, 105, 100]) + rng.integers(-20, 20, 3)
    picture[horizon:] = (ground * (0.6 + 0.8 * texture))[horizon:]
    solid = np.zeros((height, width), np.float32)
    solid[horizon:] = 1
    for _ in range(6):
        x, wide = int(rng.integers(0, width)), int(rng.integers(30, 110))
        high = int(rng.integers(30, 110))
        colour = [float(c) for c in rng.integers(60, 190, 3)]
        top = horizon + 20 - high
        for plane, fill in ((picture, colour), (solid, 1.0)):
            cv2.rectangle(plane, (x, top), (x + wide, horizon + 20), fill, -1)
        for row in range(top + 8, horizon, 18):
            for column in range(x + 6, x + wide - 8, 16):
                cv2.rectangle(
                    picture, (column, row), (column + 7, row + 9), (50, 45, 40), -1
                )
    return np.clip(picture, 0, 255).astype(np.uint8), View(solid, horizon / height, 6.0)


def mattes(seed, count=30):
    """Opacities of a plume that rises, rolls and spreads, (240, 200) from 0 to 1."""
    rng = np.random.default_rng(seed)
    puffs = [
        (k / 40, rng.normal(0, 1), rng.uniform(0.7, 1.3), rng.uniform(0.6, 1.0))
        for k in range(40)
    ]
    made = []
    for n in range(count):
        age, matte = (n + 1) / count, np.zeros((240, 200), np.float32)
        for start, aside, size, dense in puffs:
            up = (start + n / 25) % 1.0  # each puff rises and comes anew
            if up > age:
                continue
            at = (round(100 + aside * (4 + 26 * up)), round(228 - 200 * up))
            puff = np.zeros_like(matte)
            cv2.circle(
                puff, at, round(size * (8 + 24 * up)), dense * (1 - 0.6 * up), -1
            )
            soft = cv2.GaussianBlur(puff, (0, 0), 2 + 5 * up)
            matte = matte + soft * (1 - matte)
        made.append(np.clip(matte, 0, 0.95))
    return made


def planted(weathers, segment_s, label, seed):
    """One plume in the middle of each segment with one of these weathers."""
    rng = np.random.default_rng(seed)
    found = []
    for n, weather in enumerate(MINUTES):
        if weather in weathers:
            what = Plume(label, int(rng.integers(150, 490)), 330, 190, flip=bool(n % 2))
            found.append(Planted(n * segment_s + segment_s // 3, what, weather))
    return found
