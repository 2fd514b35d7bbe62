"""Each head's output in our labels, against answers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from vision.detect import heads
from vision.scores import image_scores
from vision.train import figures

SMOKE = {0: 1, 2: 2}  # class 0 is light smoke, class 2 dust


def test_yolov5_multiplies_what_is_there_with_what_it_is():
    output = np.zeros((3, 8), np.float32)
    output[1] = [100, 50, 40, 20, 0.5, 0.8, 1.0, 0.4]

    boxes = heads.yolov5(output, SMOKE)

    assert boxes.corners.tolist() == [[80, 40, 120, 60]]
    assert boxes.scores[:, 0].tolist() == pytest.approx([0, 0.4, 0.2])


def test_yolov8_has_a_candidate_a_column():
    output = np.zeros((7, 4), np.float32)
    output[:, 2] = [100, 50, 40, 20, 0.3, 0.9, 0.6]

    boxes = heads.yolov8(output, SMOKE)

    assert boxes.corners.tolist() == [[80, 40, 120, 60]]
    assert boxes.scores[:, 0].tolist() == pytest.approx([0, 0.3, 0.6])


def test_end2end_names_one_class_a_row():
    output = np.zeros((4, 6), np.float32)
    output[0] = [1, 2, 3, 4, 0.9, 2]
    output[1] = [5, 6, 7, 8, 0.8, 1]

    boxes = heads.end2end(output, SMOKE)

    assert boxes.corners.tolist() == [[1, 2, 3, 4]]
    assert boxes.scores[:, 0].tolist() == pytest.approx([0, 0, 0.9])


def test_yolox_on_its_grid_becomes_pixels():
    size, strides = (64, 32), (8, 16, 32)
    output = np.zeros((heads.candidates(size, strides), 6), np.float32)
    output[:, :2] = 0.5
    third_of_the_second_grid = 8 * 4 + 2
    output[third_of_the_second_grid, 2:4] = [np.log(2), np.log(3)]

    found = heads.from_grid(output, size, strides)

    assert found[third_of_the_second_grid, :4].tolist() == pytest.approx(
        [2.5 * 16, 0.5 * 16, 32, 48]
    )
    assert found[-1, :4].tolist() == [48, 16, 32, 32]
    assert np.isfinite(heads.from_grid(output + 500, size, strides)).all()


def test_a_network_that_fires_everywhere_keeps_its_best():
    scores = np.linspace(0.1, 0.9, 8400, dtype=np.float32)
    boxes = heads.Boxes(np.zeros((8400, 4), np.float32), np.tile(scores, (3, 1)))

    kept = heads.strongest(boxes)

    assert kept.scores.shape == (3, heads.MOST)
    assert kept.scores.min() == scores[-heads.MOST]
    assert heads.strongest(kept) is kept


def test_several_of_their_classes_can_be_one_of_ours():
    maps = np.arange(12, dtype=np.float32).reshape(3, 2, 2) / 12

    found = heads.maps(maps, {0: 0, 2: 0})

    assert found[0].tolist() == maps[2].tolist()
    assert found[1:].max() == 0


def test_boxes_are_painted_where_they_are():
    boxes = np.array([[0.25, 0.5, 0.5, 1.0], [0.26, 0.1, 0.27, 0.11]], np.float32)
    scores = np.array([[0, 0], [0.7, 0.4], [0, 0.2]], np.float32)

    grid = heads.painted(boxes, scores, 2, 4)

    assert grid[1].tolist() == pytest.approx(np.array([[0, 0.4, 0, 0], [0, 0.7, 0, 0]]))
    assert grid[2, 0, 1] == pytest.approx(0.2)


@given(
    boxes=arrays.arrays(np.float32, (5, 4), elements=st.floats(0, 1, width=32)),
    rows=st.integers(1, 30),
    columns=st.integers(1, 50),
)
def test_every_box_paints_something_and_nothing_outside(boxes, rows, columns):
    boxes = np.sort(boxes.reshape(5, 2, 2), axis=1).reshape(5, 4)
    scores = np.tile(np.linspace(0.1, 0.9, 5, dtype=np.float32), (3, 1))

    grid = heads.painted(boxes, scores, rows, columns)

    assert grid.max() == scores.max()
    assert set(np.unique(grid)) <= {0, *scores[0]}


def test_a_score_of_a_picture_is_what_the_thresholds_are_calibrated_on(seed):
    cells = np.random.default_rng(seed).random((3, 24, 40), np.float32)

    assert image_scores(cells) == pytest.approx(figures.image_score(cells).tolist())
    assert image_scores(np.full((3, 1, 1), 0.3, np.float32)) == pytest.approx([0.3] * 3)
    assert image_scores(cells[:, :2, :3]) == pytest.approx(
        cells[:, :2, :3].max((1, 2)).tolist()
    )
