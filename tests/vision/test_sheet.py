"""Pictures of a trial: that what is drawn is where it must be."""

import numpy as np
import pytest

from vision.messages import LABELS
from vision.pen import ALARM, LABEL, width, write
from vision.sheet.page import ACROSS, TILE, page
from vision.sheet.tile import Standing, tile
from vision.sheet.timeline import LEFT, Point, Span, clock, timeline


def near(picture, colour, spread=40):
    return (np.abs(picture.astype(int) - np.array(colour)) < spread).all(axis=2)


def test_a_tile_marks_the_region_and_the_frame_of_an_alarm():
    grey = np.full((240, 400, 3), 100, np.uint8)
    quiet = tile(grey, TILE, clock="0:01.0", warm=None, alarms=[], notes=[], words={})
    alarm = Standing("dust", 0.8, (0.5, 0.5, 0.75, 0.75))
    marked = tile(
        grey, TILE, clock="0:01.0", warm=None, alarms=[alarm], notes=["x"], words={}
    )
    assert quiet.shape == marked.shape == (TILE[1], TILE[0], 3)
    assert not near(quiet, LABEL["dust"]).any()
    rows, columns = np.nonzero(near(marked, LABEL["dust"]))
    assert columns.min() > TILE[0] * 0.45
    assert rows.min() > TILE[1] * 0.35
    assert near(marked[:3], ALARM).mean() > 0.9
    assert (grey == 100).all()  # who gave it keeps it


def test_warm_cells_are_tinted():
    grey = np.full((384, 640, 3), 100, np.uint8)
    warm = np.zeros((3, 24, 40), np.bool_)
    warm[0, 2:6, 2:6] = True
    drawn = tile(grey, TILE, clock="", warm=warm, alarms=[], notes=[], words={})
    upper_left = drawn[30:45, 40:50].astype(int)
    assert (upper_left[..., 2] > upper_left[..., 1] + 15).all()


def test_a_timeline_shows_thresholds_curves_and_states():
    points = [
        Point(
            float(n),
            (0.1, 0.0, 0.9 if n > 30 else 0.1),
            (0.1, 0.1, 0.1),
            held=10 < n < 20,
            learning=n < 5,
            faulty=False,
        )
        for n in range(61)
    ]
    spans = [Span("dust", 35.0, 60.0, "a")]
    limits = dict.fromkeys(LABELS, 0.5)
    drawn = timeline(points, spans, limits, {}, 1000)
    quiet = timeline(points[:5], [], limits, {}, 1000)
    assert drawn.shape[1] == 1000
    assert drawn.shape[0] > quiet.shape[0]
    lane = near(drawn[260:], LABEL["dust"])
    assert lane[:, 700:900].any()
    assert not lane[:, LEFT : LEFT + 300].any()


def test_one_frame_and_a_day_can_be_drawn():
    one = Point(0.0, (0, 0, 0), None, held=False, learning=True, faulty=True)
    assert timeline([one], [], {"dust": 0.5}, {}, 800).shape[1] == 800
    day = [one._replace(at_s=600.0 * n) for n in range(144)]
    assert timeline(day, [], {"dust": 0.5}, {}, 800).shape[1] == 800


@pytest.mark.parametrize("count", [1, 4, 5, 12])
def test_a_page_holds_its_frames(count):
    tiles = [np.full((TILE[1], TILE[0], 3), 77, np.uint8)] * count
    chart = np.full((300, ACROSS - 56, 3), 33, np.uint8)
    drawn = page("名称.mp4", ["x"], "y", True, tiles, chart)
    assert drawn.shape[1] == ACROSS
    assert (drawn == 77).all(axis=2).sum() == count * TILE[0] * TILE[1]


def test_text_takes_the_room_it_says():
    paper = np.zeros((40, 400, 3), np.uint8)
    end = write(paper, "dark smoke 0.52", (10, 30), size=20)
    inked = np.flatnonzero(paper.any(axis=(0, 2)))
    assert inked[0] >= 10
    assert abs(inked[-1] - end) < 8
    assert abs(width("dark smoke 0.52", 20) - (end - 10)) <= 2


@pytest.mark.parametrize(
    ("at_s", "told"), [(0, "0:00.0"), (61.26, "1:01.3"), (3725, "1:02:05.0")]
)
def test_times_of_a_trial(at_s, told):
    assert clock(at_s) == told
