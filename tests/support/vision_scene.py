"""Made-up frames for alarms: maps of cells and a small grey picture, second by second.

A wall of noise that never changes, with warm patches and moving things put where a test
wants them. Nothing here looks at a picture.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vision.alarms import Levels, Watcher
from vision.frame import Cells
from vision.messages import LABELS, Camera

ROWS, COLUMNS = 24, 40
LEVELS = {
    "dark_smoke": Levels(rise=0.45, alone=0.65, picture=0.5),
    "light_smoke": Levels(rise=0.45, alone=0.65, picture=0.5),
    "dust": Levels(rise=0.5, alone=0.7, picture=0.6),
}
THRESHOLDS = {label: level.picture for label, level in LEVELS.items()}
RISES = {label: level.rise for label, level in LEVELS.items()}
ALONE = {label: level.alone for label, level in LEVELS.items()}
BOX = (8, 10, 13, 15)
"""Row, column, row, column: five by five cells."""


class Glance(NamedTuple):
    """As ``vision.look.Look``, as far as alarms ask."""

    grey: np.ndarray
    mean: float = 110.0
    colour: float = 25.0


def camera(**changes) -> Camera:
    return Camera(**{"name": "yard", "kind": "file", "url": "x", **changes})


class Scene:
    """One camera's made-up life.

    Args:
        watched: The camera.
        every_s: Between frames.
        seed: Of the picture.
        base: What each cell scores when nothing happens.
    """

    def __init__(self, watched=None, *, every_s=1.0, seed=1, base=0.05, **options):
        self.camera = watched or camera(every_s=every_s)
        self.watcher = Watcher(self.camera, LEVELS, "yard-1", **options)
        self.every_s, self.t_s = every_s, 0.0
        self.t0_ms = 1_767_240_000_000  # 2026-01-01 12:00 in Beijing
        self.rng = np.random.default_rng(seed)
        self.picture = self.rng.integers(60, 160, (192, 320)).astype(np.uint8)
        self.base = np.full((3, ROWS, COLUMNS), base, np.float32)
        self.sights = []
        self.light = {}

    def step(self, patches=(), *, moving=None, faults=(), judged=True, **options):
        """One frame.

        Args:
            patches: (label, score) or (label, score, box).
            moving: Boxes that change; None: where the patches are.
        """
        maps = self.base.copy()
        boxes = []
        for label, score, *box in patches:
            r0, c0, r1, c1 = box[0] if box else BOX
            maps[LABELS.index(label), r0:r1, c0:c1] = score
            boxes.append((r0, c0, r1, c1))
        picture = self.picture.copy()
        for r0, c0, r1, c1 in boxes if moving is None else moving:
            shape = ((r1 - r0) * 8, (c1 - c0) * 8)
            picture[r0 * 8 : r1 * 8, c0 * 8 : c1 * 8] = self.rng.integers(0, 255, shape)
        look = Glance(picture, **self.light)
        cells = Cells(maps, (0.0, 0.0, 0.0)) if judged else None
        t_ms = self.t0_ms + round(self.t_s * 1000)
        found = self.watcher.step(t_ms, self.t_s, cells, look, faults, **options)
        self.sights += found
        self.t_s += self.every_s
        return found

    def run(self, seconds, patches=(), **options):
        """Many alike; all sights of them."""
        found = []
        until_s = self.t_s + seconds - 1e-9
        while self.t_s < until_s:
            found += self.step(patches, **options)
        return found

    def learned(self):
        """After a quiet minute and a half."""
        self.run(max(90, 25 * self.every_s))
        assert not self.watcher.learning
        assert not self.sights
        return self


def states(sights):
    return [(sight.label, sight.state) for sight in sights]
