"""Whole models over whole pictures: what is fed, where it lands, what it is called."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from tests.support import small_models as small
from vision.detect.detector import SHIPPED, Detector
from vision.detect.errors import ModelError
from vision.messages import Model

SMOKE = {"smoke": "light_smoke"}


@pytest.fixture
def opened(tmp_path):
    def open_(data, name="own", **declared):
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(data)
        return Detector.open(Model(path=str(path), **declared), tried=True)

    return open_


def grey(level, width=640, height=360):
    return np.full((height, width, 3), level, np.uint8)


def test_a_grid_sees_the_picture_as_it_lies(opened):
    detector = opened(small.grid())
    image = grey(0)
    image[:90, 480:] = 255  # upper right: bright
    image[270:, :160] = (0, 0, 255)  # lower left: red, as BGR

    cells = detector(image)

    assert detector.head == "grid"
    assert cells.scores.shape == (3, 22, 40)
    assert cells.scores[1, 1, 38] == pytest.approx(1, abs=0.02)
    assert cells.scores[0, 10, 20] == pytest.approx(1, abs=0.02)
    assert cells.scores[2, 20, 2] == pytest.approx(0.5, abs=0.02)
    assert cells.image_scores[1] == pytest.approx(1, abs=0.02)


def test_its_card_is_read(opened):
    data = small.grid()
    detector = opened(data, "dusty")

    assert detector.id == "dusty-t1"
    assert detector.sha256 == hashlib.sha256(data).hexdigest()
    assert detector.thresholds == {"dark_smoke": 0.4, "light_smoke": 0.5, "dust": 0.6}
    assert detector.rises == {"dark_smoke": 0.3, "light_smoke": 0.45, "dust": 0.2}
    assert detector.alone["dark_smoke"] == 0.7
    assert detector.labels == ("dark_smoke", "light_smoke", "dust")
    assert detector.calibrated


def test_what_a_card_does_not_say_follows_from_its_thresholds(opened):
    data = small.grid(card={"ecogate.rise": "", "ecogate.alone": '{"dust":0.9}'})
    detector = opened(data)

    assert detector.rises == detector.thresholds
    assert detector.alone["dust"] == 0.9
    assert detector.alone["dark_smoke"] == pytest.approx(0.4 + 0.35 * 0.6)


@pytest.mark.parametrize("name", ["thresholds", "rise", "alone"])
def test_a_card_of_nonsense_is_refused(opened, name):
    with pytest.raises(ModelError, match="thresholds"):
        opened(small.grid(card={f"ecogate.{name}": '{"dust": 7}'}))


@pytest.mark.parametrize("size", [(640, 384), (448, 256)])
@pytest.mark.parametrize("picture", [(640, 480), (1920, 1080), (353, 211)])
def test_a_declared_size_bounds_what_a_free_grid_is_fed(opened, size, picture):
    detector = opened(small.grid(), size=size)

    fit = detector.fit(picture)
    cells = detector(grey(128, *picture))

    assert fit.whole
    assert fit.fed[0] * fit.fed[1] <= size[0] * size[1]
    assert cells.scores.shape[1:] == (fit.fed[1] // 16, fit.fed[0] // 16)
    assert cells.image_scores[1] == pytest.approx(0.5, abs=0.01)


def test_a_fixed_grid_loses_its_bars(opened):
    detector = opened(small.grid(width=256, height=256), head="grid")

    cells = detector(grey(255, 512, 256))

    assert cells.scores.shape == (3, 8, 16)
    assert cells.scores[1].min() > 0.95


@pytest.mark.parametrize(
    ("data", "declared", "head", "scores"),
    [
        (small.yolov8(), {"classes": SMOKE}, "yolov8", (0, 0.6, 0)),
        (small.yolov5(), {"classes": {"1": "dust"}}, "yolov5", (0, 0, 0.6)),
        (small.yolox(), {"classes": {"0": "dark_smoke"}}, "yolox", (1, 0, 0)),
        (
            small.yolox(decoded=True),
            {"classes": {"0": "dark_smoke"}},
            "yolox",
            (1, 0, 0),
        ),
        (
            small.end2end(rows=[(20, 20, 40, 40, 0.9, 0), (0, 0, 9, 9, 0.8, 1)]),
            {"classes": SMOKE},
            "end2end",
            (0, 0.9, 0),
        ),
        (
            small.classifier(),
            {"classes": {"0": "dust"}, "pixels": "rgb1"},
            "classification",
            (0, 0, 0.78),
        ),
    ],
)
def test_every_head_is_recognised_and_gives_cells(opened, data, declared, head, scores):
    detector = opened(data, **declared)

    cells = detector(grey(200, 640, 360))

    assert detector.head == head
    assert cells.image_scores == pytest.approx(scores, abs=0.05)
    assert cells.scores.shape[0] == 3
    assert cells.scores.max() == pytest.approx(max(scores), abs=0.05)
    assert not detector.calibrated


@pytest.mark.parametrize("at", [0, 3, 60, 70, 83])
@pytest.mark.parametrize("make", [small.yolov8, small.yolox])
def test_a_box_is_painted_where_it_stood_in_the_camera_picture(opened, make, at):
    """The picture is as wide as it is high: the network's corner is the picture's."""
    detector = opened(make(at=at), classes={"0": "dust"})
    x, y, _, _ = small.centres((64, 64))[at] / 64

    cells = detector(grey(255, 320, 320)).scores[2]

    rows, columns = cells.shape
    assert cells[int(y * rows), int(x * columns)] > 0.9


def test_float16_and_fractions_of_the_input_are_understood(opened):
    boxes = small.centres((64, 64)) / 64
    output = np.zeros((1, 6, len(boxes)), np.float32)
    output[0, :4] = boxes.T
    output[0, 4, 70] = 0.7
    detector = opened(small.fixed(output, metadata=small.NAMES), classes=SMOKE)

    cells = detector(grey(9, 320, 320)).scores[1]

    x, y, _, _ = boxes[70]
    assert cells[int(y * cells.shape[0]), int(x * cells.shape[1])] == pytest.approx(0.7)


def test_nonsense_in_a_later_frame_is_refused_too(opened):
    """Probabilities of grey and noise, and of a white picture none."""
    output = np.zeros((1, 6, 84), np.float32)
    output[0, :4] = small.centres((64, 64)).T
    output[0, 4, 3] = 0.3
    data = small.fixed(output, metadata=small.NAMES, column=(0, 4, 3))
    detector = opened(data, classes=SMOKE)

    assert detector(grey(128)).image_scores[1] > 0.3
    with pytest.raises(ModelError, match="not_probabilities"):
        detector(grey(255, 320, 320))


def test_suppressed_boxes_in_fractions_are_refused_not_put_in_a_corner(opened):
    data = small.end2end(rows=[(0.2, 0.3, 0.6, 0.9, 0.8, 0)])

    with pytest.raises(ModelError, match="boxes"):
        opened(data, classes=SMOKE)


def test_the_shipped_model_opens_and_says_what_it_is():
    detector = Detector.open(Model())

    cells = detector(grey(128))

    assert SHIPPED.stat().st_size <= 6_000_000
    assert detector.head == "grid"
    assert detector.calibrated
    assert detector.labels == ("dark_smoke", "light_smoke", "dust")
    assert cells.scores.shape == (3, 22, 40)
    assert cells.scores.min() >= 0
    assert cells.scores.max() <= 1
