"""Tiles cover a picture, a round counts once, a second look confirms or not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.detect.tiles import Scan, merged, planned, second_look, windows
from vision.frame import Cells


def by_brightness(image):
    """Light smoke is how bright each 16-pixel cell is; the others are quiet."""
    rows, columns = image.shape[0] // 16, image.shape[1] // 16
    part = image[: rows * 16, : columns * 16].mean(2)
    cells = part.reshape(rows, 16, columns, 16).mean((1, 3)) / 255
    maps = np.zeros((3, rows, columns), np.float32)
    maps[1] = cells
    return Cells(maps, (0.0, float(cells.max()), 0.0))


@given(
    width=st.integers(320, 4000),
    height=st.integers(240, 3000),
    columns=st.integers(1, 5),
    rows=st.integers(1, 3),
    overlap=st.floats(0, 0.5),
)
def test_tiles_cover_the_picture_and_have_one_size(
    width, height, columns, rows, overlap
):
    tiles = planned((width, height), (columns, rows), overlap)

    assert len(tiles) == columns * rows
    seen_x = np.zeros(width, bool)
    seen_y = np.zeros(height, bool)
    for tile in tiles:
        seen_x[tile.x0 : tile.x1] = True
        seen_y[tile.y0 : tile.y1] = True
    assert seen_x.all()
    assert seen_y.all()
    assert len({(t.x1 - t.x0, t.y1 - t.y0) for t in tiles}) == 1
    assert all(0 <= t.x0 < t.x1 <= width for t in tiles)
    assert all(0 <= t.y0 < t.y1 <= height for t in tiles)


def test_more_tiles_than_pixels_are_refused():
    with pytest.raises(ValueError, match="expected 1"):
        planned((320, 240), (9, 1))


def test_what_lies_deepest_in_a_tile_is_believed_at_a_seam():
    left, right = planned((1000, 500), (2, 1), overlap=0.2)
    low = np.zeros((3, 10, 20), np.float32)
    high = np.ones((3, 10, 20), np.float32)

    whole = merged((1000, 500), [(left, low), (right, high)])

    seam = whole.shape[2] / 2
    assert whole[:, :, : int(seam - 1)].max() == 0
    assert whole[:, :, int(seam + 1) :].min() == 1


@pytest.mark.parametrize("place", [(100, 80), (955, 520), (1900, 1060), (630, 30)])
def test_a_spot_is_where_it_was_on_the_finer_grid(place):
    image = np.zeros((1080, 1920, 3), np.uint8)
    x, y = place
    image[max(0, y - 20) : y + 20, max(0, x - 20) : x + 20] = 255

    cells = Scan((3, 2), per_step=6).step(image, by_brightness)

    _, rows, columns = cells.scores.shape
    row, column = np.unravel_index(cells.scores[1].argmax(), (rows, columns))
    assert abs((column + 0.5) / columns - x / 1920) < 0.02
    assert abs((row + 0.5) / rows - y / 1080) < 0.03
    assert columns > 100
    assert cells.image_scores[1] == pytest.approx(1.0, abs=0.01)


def test_a_spread_scan_answers_once_a_round_and_never_with_an_old_tile():
    asked = []

    def counting(image):
        asked.append(image[0, 0, 0])
        return by_brightness(image)

    spread = Scan((3, 2), per_step=4)
    frames = [np.full((480, 960, 3), n, np.uint8) for n in (10, 20, 30, 40)]

    answers, begun = [], []
    for frame in frames:
        answers.append(spread.step(frame, counting))
        begun.append(spread.begun)

    assert begun == [True, False, True, False]
    assert spread.steps == 2
    assert [a is not None for a in answers] == [False, True, False, True]
    assert asked == [10] * 4 + [20] * 2 + [30] * 4 + [40] * 2


def test_another_size_or_a_restart_begins_a_new_round():
    spread = Scan((2, 1), per_step=1)
    small, large = np.zeros((240, 320, 3), np.uint8), np.zeros((480, 640, 3), np.uint8)

    assert spread.step(small, by_brightness) is None
    assert spread.step(large, by_brightness) is None
    assert spread.step(large, by_brightness) is not None
    assert spread.step(large, by_brightness) is None
    spread.restart()
    assert spread.step(large, by_brightness) is None


def test_a_camera_that_sends_less_gets_fewer_tiles():
    cells = Scan((4, 4), per_step=16).step(
        np.zeros((100, 140, 3), np.uint8), by_brightness
    )

    assert cells.scores.shape[0] == 3


@given(
    st.tuples(*[st.floats(0, 1) for _ in range(4)]),
    st.integers(200, 4000),
    st.integers(200, 3000),
)
def test_windows_lie_in_the_picture_and_hold_the_candidate(corners, width, height):
    x0, x1 = sorted((corners[0], corners[2]))
    y0, y1 = sorted((corners[1], corners[3]))

    near, far = windows((width, height), (x0, y0, x1, y1), (640, 384))

    for tile in (near, far):
        assert 0 <= tile.x0 < tile.x1 <= width
        assert 0 <= tile.y0 < tile.y1 <= height
        assert tile.x0 <= x0 * width + 1
        assert tile.x1 >= x1 * width - 1
        assert tile.y0 <= y0 * height + 1
        assert tile.y1 >= y1 * height - 1
    assert (far.x1 - far.x0) >= (near.x1 - near.x0)


def test_a_second_look_needs_both_windows():
    image = np.zeros((1080, 1920, 3), np.uint8)
    image[500:600, 900:1000] = 255
    region = (900 / 1920, 500 / 1080, 1000 / 1920, 600 / 1080)
    calls = []

    def fading(part):
        calls.append(part.shape)
        cells = by_brightness(part)
        return cells._replace(scores=cells.scores * (1 if len(calls) == 1 else 0.3))

    assert second_look(image, region, by_brightness, "dark_smoke", (640, 384)) > 0.9
    assert second_look(image, region, by_brightness, "dust", (640, 384)) == 0
    assert second_look(image, region, fading, "light_smoke", (640, 384)) < 0.35
    assert calls[0] == (384, 640, 3)
