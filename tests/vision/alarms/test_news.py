"""What counts as another picture: copies confirm nothing, however they are coded.

The recording is a stream of our simulated camera at 120 kbit/s: smoke from second 2,
and from second 5 on one picture again and again, which the encoder makes a little
different each time. The network here sees smoke in every one of them, as ours would.
"""

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.scenes import Scene
from tests.support.vision_scene import COLUMNS, LEVELS, ROWS, Glance, camera
from vision.alarms import Watcher
from vision.alarms.news import News
from vision.frame import Cells
from vision.look import glance

STREAM = Path(__file__).parents[2] / "recordings" / "vision" / "smoke_freezes.mp4"
FPS, SMOKE, FROZEN = 5, 2 * 5, 5 * 5
"""Frames: smoke from the one, copies after the other."""
PLUME = (slice(3, 8), slice(21, 26))


@cache
def stream():
    capture, greys = cv2.VideoCapture(str(STREAM)), []
    while True:
        found, image = capture.read()
        if not found:
            return greys
        greys.append(glance(image).grey)


def alarms(every, frames, *, sees_from=SMOKE):
    """Seconds at which smoke is raised, each ``every``-th frame of the stream shown.

    Nothing stands between the frames and the alarms: no freeze is noticed here.
    """
    watcher = Watcher(camera(every_s=every / FPS), LEVELS, "yard-1")
    quiet = [-n * every for n in range(max(120 // every, 25), 0, -1)]
    raised = []
    for n in (*quiet, *frames):
        maps = np.full((3, ROWS, COLUMNS), 0.05, np.float32)
        if n >= sees_from:
            maps[0][PLUME] = 0.9
        grey, at_s = stream()[n % SMOKE if n < 0 else n], 1000 + n / FPS
        cells = Cells(maps, (0.9, 0.0, 0.0))
        sights = watcher.step(round(at_s * 1000), at_s, cells, Glance(grey))
        raised += [n / FPS for one in sights if one.state == "raised"]
    return raised


@pytest.mark.parametrize("phase", range(5))
def test_copies_of_a_picture_never_add_up_to_an_alarm(phase):
    shown = range(phase, len(stream()), FPS)
    for live in (0, 1, 2, 3):
        # So many frames with smoke in them, the last of them copied until the end.
        sees_from = [n for n in shown if n < FROZEN + FPS][-live:][0] if live else 99
        assert alarms(FPS, shown, sees_from=sees_from) == [], live


@pytest.mark.parametrize("every", [1, 2])
def test_nor_do_they_at_a_higher_rate(every):
    shown = range(0, len(stream()), every)
    assert alarms(every, shown, sees_from=FROZEN - 2) == []


@pytest.mark.parametrize("every", [1, 2, FPS])
def test_smoke_that_lives_is_an_alarm_after_four_pictures_of_two_seconds(every):
    (at_s,) = alarms(every, range(3, len(stream()), every))

    # The first frame that shows it is 0.6 s younger at one a second.
    assert 2.0 <= at_s - SMOKE / FPS <= 3.6 + 1e-9


@pytest.mark.parametrize("phase", range(5))
def test_only_the_first_of_its_copies_is_new(phase):
    news = News()
    new = {
        n: bool(news.step(stream()[n], n / FPS, ROWS, COLUMNS).any())
        for n in range(phase, len(stream()), FPS)
    }

    assert all(fresh for n, fresh in new.items() if n <= FROZEN)
    assert not any(fresh for n, fresh in new.items() if n > FROZEN + FPS)


def test_the_light_of_the_whole_picture_is_no_news_and_a_first_frame_is():
    news, scene = News(), Scene()
    first, *later = [glance(scene.frame(offset=n)).grey for n in range(0, 20, 2)]

    assert news.step(first, 0.0, ROWS, COLUMNS).all()
    for n, grey in enumerate(later):
        assert news.step(grey, 1.0 + n, ROWS, COLUMNS).mean() < 0.1
    news.forget()
    assert news.step(first, 99.0, ROWS, COLUMNS).all()
