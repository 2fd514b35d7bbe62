"""``ecogate vision score``: pictures one by one, as a child scores them."""

import json

import cv2
import numpy as np
import pytest

from gateway.cli import main, vision_score
from gateway.texts import set_language

BEGAN = {
    "kind": "began",
    "model": "smoke_dust-1",
    "thresholds": {"dark_smoke": 0.5, "light_smoke": 0.4, "dust": 0.6},
    "calibrated": True,
}


@pytest.fixture(autouse=True)
def _language():
    set_language("en")
    yield
    set_language(None)


def test_what_is_over_its_threshold_is_named_and_summed():
    scores = {"dark_smoke": 0.91, "light_smoke": 0.1, "dust": 0.61}
    over = ["dark_smoke", "dust"]
    picture = {"kind": "picture", "file": "a.jpg", "scores": scores, "over": over}
    quiet = picture | {"file": "b.jpg", "scores": dict.fromkeys(scores, 0), "over": []}

    first, a, b, done = vision_score.told(iter([BEGAN, picture, quiet]))

    assert "dust ≥ 0.60" in first
    assert a.endswith("a.jpg  dark smoke, dust")
    assert b == "0.00  0.00  0.00  b.jpg"
    assert done.startswith("2 pictures")
    assert "dark smoke 1, light smoke 0, dust 1; 0 could not be read" in done


def test_each_picture_is_scored_by_itself_and_a_broken_one_is_named(tmp_path, capsys):
    below = tmp_path / "DCIM" / "100"
    below.mkdir(parents=True)
    noise = np.random.default_rng(5).integers(0, 255, (96, 160, 3), np.uint8)
    cv2.imwrite(str(below / "a.png"), noise)
    cv2.imwrite(str(below / "b.jpg"), noise)
    (below / "c.jpg").write_bytes((below / "b.jpg").read_bytes()[:900])
    (below / "notes.txt").write_text("no picture")

    status = main(["--json", "vision", "score", str(tmp_path), str(tmp_path / "d.jpg")])

    began, a, b, c, d = json.loads(capsys.readouterr().out)
    assert status == 0
    assert set(began["thresholds"]) == {"dark_smoke", "light_smoke", "dust"}
    assert [x["file"][-5:] for x in (a, b, c)] == ["a.png", "b.jpg", "c.jpg"]
    for line in (a, b):
        over = {
            x for x, limit in began["thresholds"].items() if line["scores"][x] >= limit
        }
        assert set(line["over"]) == over
        assert all(0 <= score <= 1 for score in line["scores"].values())
    assert "scores" not in c
    assert d["key"] == "vision.source.no_file"


def test_nothing_to_score_is_said(tmp_path, capsys):
    status = main(["vision", "score", str(tmp_path)])

    assert status == 1
    assert str(tmp_path) in capsys.readouterr().err
