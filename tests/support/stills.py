"""A folder of pictures that plays as a camera: a yard in which something moves."""

from __future__ import annotations

import cv2
import numpy as np

SIZE = (320, 180)


def make_stills(folder, count=20, seed=6):
    folder.mkdir(parents=True, exist_ok=True)
    width, height = SIZE
    chance = np.random.default_rng(seed)
    ground = chance.integers(60, 160, (height, width, 3), np.uint8)
    ground = cv2.GaussianBlur(ground, (9, 9), 0)
    for n in range(count):
        picture = ground + chance.integers(0, 5, ground.shape, np.uint8)
        cv2.rectangle(picture, (10 + 8 * n, 90), (40 + 8 * n, 120), (30, 40, 200), -1)
        cv2.imwrite(str(folder / f"{n:03}.jpg"), picture)
    return folder
