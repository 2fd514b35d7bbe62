import itertools

import numpy as np
import pytest

from tests.support.vision_scene import (
    ALONE,
    COLUMNS,
    RISES,
    ROWS,
    THRESHOLDS,
    camera,
    states,
)
from vision.frame import Cells, Frame
from vision.messages import LABELS
from vision.pipeline import Pipeline

BOX = (160, 140, 80, 60)
"""x, y, width, height of what burns, in pixels of 640x384."""


class Reddish:
    """Sees dark smoke where the picture is pure red, and counts its looks."""

    id, sha256, size, labels = "reddish", "f" * 64, (640, 384), LABELS
    thresholds, rises, alone = THRESHOLDS, RISES, ALONE

    def __init__(self, score=0.9):
        self.score, self.looks = score, 0

    def __call__(self, image, _look=None):
        self.looks += 1
        height, width = image.shape[:2]
        red = (image[..., 2] > 200) & (image[..., 0] < 60)
        cells = np.zeros((3, ROWS, COLUMNS), np.float32)
        part = red[: height // ROWS * ROWS, : width // COLUMNS * COLUMNS]
        blocks = part.reshape(ROWS, height // ROWS, COLUMNS, width // COLUMNS)
        cells[0] = blocks.mean(axis=(1, 3)) * self.score
        return Cells(cells, tuple(float(m.max()) for m in cells))


class Play:
    def __init__(self, detector=None, *, watched=None, **options):
        self.detector = detector or Reddish()
        self.watched = watched or camera()
        self.pipeline = Pipeline(self.watched, self.detector, "yard-1", **options)
        self.rng = np.random.default_rng(3)
        self.base = self.rng.integers(70, 170, (384, 640, 3)).astype(np.uint8)
        self.counter = itertools.count(1)
        self.t_s = 1000.0
        self.conditions = []

    def picture(self, *, fire=False, noise=2):
        image = self.base.copy()
        if fire:
            x, y, w, h = BOX
            image[y : y + h, x : x + w] = (20, 40, 230)
            image[y : y + h, x : x + w, 1] = self.rng.integers(0, 120, (h, w))
        if noise:
            image = image + self.rng.integers(0, noise + 1, image.shape).astype(
                np.uint8
            )
        return image

    def step(self, image, trouble=None):
        number = next(self.counter)
        t_ms = 1_767_240_000_000 + round(self.t_s * 1000)
        frame = Frame("yard", number, image, t_ms, self.t_s, self.t_s)
        step = self.pipeline.step(frame, trouble)
        self.t_s += self.watched.every_s
        self.conditions += step.conditions
        return step

    def run(self, count, **options):
        return [
            sight
            for _ in range(count)
            for sight in self.step(self.picture(**options)).sights
        ]


def test_a_fire_before_a_camera_becomes_an_alarm_that_says_what_saw_it():
    play = Play()
    assert not play.run(80)
    (raised,) = play.run(10, fire=True)
    assert (raised.label, raised.state) == ("dark_smoke", "raised")
    assert (raised.model, raised.model_sha256) == ("reddish", "f" * 64)
    assert raised.threshold == RISES["dark_smoke"]
    assert raised.frame.startswith("yard-")
    x0, y0, x1, y1 = raised.region
    assert x0 <= 0.26
    assert x1 >= 0.36
    assert y0 <= 0.37
    assert y1 >= 0.51


def test_frames_that_do_not_change_cost_no_inference_and_a_fire_then_still_alarms():
    play = Play()
    play.run(200, noise=0)
    assert play.detector.looks < 20
    assert play.run(10, fire=True)


def test_no_inference_on_black_frames_and_none_on_frames_that_stand_still():
    play = Play(watched=camera(kind="rtsp", url="rtsp://x/y"))
    play.run(40)
    looks = play.detector.looks
    for _ in range(20):
        assert not play.step(np.zeros((384, 640, 3), np.uint8)).sights
    assert [c.fault for c in play.conditions] == ["black"]
    assert play.detector.looks <= looks + 1

    play = Play(watched=camera(kind="rtsp", url="rtsp://x/y"))
    play.run(40)
    burning = play.picture(fire=True)
    for _ in range(40):
        assert not play.step(burning).sights, "never an alarm from a stale frame"
    assert "frozen" in {c.fault for c in play.conditions}


def test_a_camera_that_comes_back_alarms_again():
    play = Play(watched=camera(kind="rtsp", url="rtsp://x/y"))
    play.run(80)
    for _ in range(20):
        play.pipeline.wait(("silent", {"seconds": "9"}), 0, play.t_s)
        play.t_s += 1
    assert "silent" in play.pipeline.faults
    assert not play.run(2, fire=True)
    assert play.run(20, fire=True)
    assert play.pipeline.faults == ()


def test_the_beat_says_how_the_camera_is():
    play = Play()
    assert play.pipeline.beat().last_frame_ms is None
    play.run(30)
    beat = play.pipeline.beat()
    assert beat.name == "yard"
    assert beat.frames == 30
    assert beat.judged >= 10
    assert beat.learning
    assert beat.size == (640, 384)
    assert set(beat.scores) == set(LABELS)
    play.run(60)
    assert not play.pipeline.beat().learning


def test_a_restart_takes_up_where_it_was():
    play = Play()
    play.run(80)
    (raised,) = play.run(8, fire=True)
    state = play.pipeline.state(0)

    after = Play()
    assert after.pipeline.restore(state, 5000, after.t_s)
    assert after.pipeline.beat().alarms == (raised.id,)  # before it tells of it
    (standing,) = after.run(30, fire=True)
    assert (standing.id, standing.state) == (raised.id, "updated")
    cleared = after.run(40)
    assert [(s.id, s.state) for s in cleared] == [(raised.id, "cleared")]


class Twice(Reddish):
    """Sees the fire in tiles; from nearer by, only what is really there."""

    def __init__(self, nearer):
        super().__init__()
        self.nearer, self.sizes = nearer, []

    def __call__(self, image, _look=None):
        self.sizes.append(image.shape[:2])
        small = image.shape[0] < 384 / 2 + 40
        cells = super().__call__(image)
        if small or self.nearer:
            return cells
        return Cells(np.zeros_like(cells.scores), (0.0, 0.0, 0.0))


@pytest.mark.parametrize("nearer", [True, False])
def test_a_tower_looks_twice_before_it_alarms(nearer):
    watched = camera(tiles=(2, 2), every_s=2.0)
    play = Play(Twice(nearer), watched=watched)
    play.run(60)
    sights = play.run(30, fire=True)
    assert len(set(play.detector.sizes)) >= 2
    assert bool(sights) == nearer
    if nearer:
        assert states(sights)[0] == ("dark_smoke", "raised")
        assert sights[0].second_look > THRESHOLDS["dark_smoke"]


def test_a_scan_spread_over_frames_judges_once_a_round():
    watched = camera(tiles=(2, 2), every_s=0.5)
    play = Play(watched=watched)
    found = [play.step(play.picture()).cells for _ in range(16)]
    assert [cells is not None for cells in found] == [False, False, False, True] * 4


def test_labels_a_model_cannot_see_are_not_watched():
    detector = Reddish()
    detector.labels = ("dust",)
    play = Play(detector)
    assert set(play.pipeline.watcher.thresholds) == {"dust"}
