"""Heads from shapes, classes from names: what is unclear is asked, never guessed."""

from __future__ import annotations

import pytest

from tests.support.small_models import NAMES
from vision.detect.classes import mapped, names_of
from vision.detect.errors import ModelError
from vision.detect.recognise import Entry, entry, fits, head, pixels, told_size


def refused(word):
    return pytest.raises(ModelError, match=rf"vision\.model\.{word} ")


@pytest.mark.parametrize(
    ("shape", "classes", "found"),
    [
        ((1, 25200, 85), 80, ["yolov5"]),
        ((1, 84, 8400), 80, ["yolov8"]),
        ((1, 6, 8400), 2, ["yolov8"]),
        ((1, 8400, 85), 80, ["yolox"]),
        ((1, 300, 6), 2, ["end2end"]),
        ((1, 25200, 6), 0, ["yolov5"]),
        ((1, 1000), 0, ["classification"]),
        ((1, 3, 40, 40), 3, ["grid"]),
        ((1, 84, 34000), 80, ["yolov8"]),
        ((1, 102000, 85), 80, ["yolov5"]),
        # A segmentation network's 32 extra columns are no classes.
        ((1, 38, 8400), 2, []),
        ((1, 3, 640, 640), 0, []),
        ((1, 80, 80, 255, 2), 0, []),
        ((4, 84, 8400), 80, []),
    ],
)
def test_shapes_of_the_usual_exports_at_640(shape, classes, found):
    assert fits(shape, (640, 640), classes) == found


def test_what_can_be_two_heads_is_asked_and_a_declaration_decides():
    shapes = {"out": (1, 252, 6)}

    with refused("head_unclear") as caught:
        head(shapes, (64, 64), "auto", {}, {})
    assert caught.value.args_["choices"] == "end2end, yolov5"
    assert head(shapes, (64, 64), "yolov5", {}, {}).head == "yolov5"
    with refused("head_declared"):
        head(shapes, (64, 64), "yolov8", {}, {})


def test_one_output_of_several_is_taken_when_only_it_fits():
    shapes = {"raw": (1, 3, 80, 80, 7), "output0": (1, 25200, 7)}

    assert head(shapes, (640, 640), "auto", {}, {}).output == "output0"
    with refused("outputs"):
        head({"a": (1, 3, 4, 4), "b": (1, 3, 4, 4)}, (64, 64), "auto", {}, {})


def test_sizes_come_from_the_file_its_maker_or_the_operator():
    def size(shape, metadata, declared=None):
        return entry([("x", shape, "tensor(float)")], metadata, declared).size

    free = ("b", 3, "h", "w")
    assert size((1, 3, 384, 640), {}) == (640, 384)
    assert size(free, {"imgsz": "[384, 640]"}) == (640, 384)
    assert size(free, {"imgsz": "640"}) == (640, 640)
    assert size(free, {"ecogate.size": "[640, 384]"}) == (640, 384)
    assert size(free, {"ecogate.size": "[640, 384]"}, (448, 256)) == (448, 256)
    assert told_size({"imgsz": "os.getcwd()"}) is None
    assert told_size({"imgsz": "(" * 900}) is None


def test_what_the_values_are_is_told_by_the_head_or_asked():
    floats = Entry("x", "nchw", "float32", (64, 64), free=False)
    bytes_ = floats._replace(dtype="uint8")

    assert pixels(floats, "yolov8", "auto", ultralytics=False) == "rgb1"
    assert pixels(floats, "yolox", "auto", ultralytics=False) == "bgr255"
    assert pixels(floats, "classification", "auto", ultralytics=True) == "rgb1"
    assert pixels(bytes_, "grid", "auto", ultralytics=False) == "rgb255"
    assert pixels(floats, "yolov8", "bgr255", ultralytics=False) == "bgr255"
    with refused("pixels_needed"):
        pixels(floats, "classification", "auto", ultralytics=False)
    with refused("pixels_bytes"):
        pixels(bytes_, "grid", "rgb1", ultralytics=False)


def test_names_as_ultralytics_and_we_write_them():
    assert names_of(NAMES) == {0: "smoke", 1: "fire"}
    assert names_of({"ecogate.classes": '["dark_smoke", "dust"]'}) == {
        0: "dark_smoke",
        1: "dust",
    }
    for nonsense in ("", "{", "__import__('os')", "[" * 9000, "{'a': 1}", "7"):
        assert names_of({"names": nonsense}) == {}


def test_classes_are_mapped_by_name_or_number():
    names = {0: "smoke", 1: "fire", 2: "dust"}

    assert mapped({"smoke": "light_smoke", "2": "dust"}, names, 3) == {0: 1, 2: 2}
    assert mapped({}, names, 3) == {2: 2}
    assert mapped({"7": "dust"}, {}, 0) == {7: 2}


def test_a_class_the_file_does_not_have_is_refused_with_what_it_has():
    with refused("class_unknown") as caught:
        mapped({"smok": "dust"}, {0: "smoke", 1: "fire"}, 2)
    assert caught.value.args_ == {"name": "smok", "names": "0: smoke, 1: fire"}
    with refused("class_unknown") as caught:
        mapped({"5": "dust"}, {}, 3)
    assert caught.value.args_["names"] == "0..2"
    with refused("classes_needed"):
        mapped({}, {0: "smoke", 1: "fire"}, 2)
    with refused("class_count"):
        mapped({"smoke": "dust"}, {0: "smoke"}, 2)
