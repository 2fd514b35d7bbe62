"""``python -m vision test``: the clips kept for it, through the shipped model."""

import json
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from tests.support.vision_scene import camera
from vision.messages import Rule, Zone
from vision.said import Trouble
from vision.verbs import test as verb

CLIPS = Path(__file__).parents[2] / "recordings" / "vision"
LABELS = ("dark_smoke", "light_smoke", "dust")


def run(capsys, *arguments):
    assert verb.main([str(one) for one in arguments]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def of_kind(lines, kind):
    return [line for line in lines if line["kind"] == kind]


def ruled(**thresholds):
    rules = {label: Rule(threshold=score) for label, score in thresholds.items()}
    return msgspec.json.encode(camera(rules=rules)).decode()


def test_a_clip_becomes_lines_and_a_sheet_to_look_at(capsys, tmp_path):
    sheet = tmp_path / "sheet.png"
    lines = run(capsys, CLIPS / "none_parking.mp4", "--every", 0.5, "--sheet", sheet)
    began, done = lines[0], lines[-1]
    assert began["kind"] == "began"
    assert set(began["thresholds"]) == set(LABELS)
    assert [line["s"] for line in of_kind(lines, "second")] == list(range(12))
    assert done["alarms"] == len(of_kind(lines, "sight")) == 0
    assert done["frames"] >= done["judged"] >= 20
    assert done["sheet"] == str(sheet)
    height, width = cv2.imread(str(sheet)).shape[:2]
    assert width == 1600
    assert height > 900


def test_smoke_is_raised_when_it_comes_and_not_before(capsys, tmp_path):
    # Thresholds of the test's own: this is about the way, not about one model.
    video = tmp_path / "seen.mp4"
    given = ruled(dark_smoke=0.3, light_smoke=0.9, dust=0.95)
    lines = run(
        capsys,
        CLIPS / "smoke_dark.mp4",
        "--every",
        0.25,
        "--camera",
        given,
        "--video",
        video,
    )
    raised = [x for x in of_kind(lines, "sight") if x["state"] == "raised"]
    assert [x["label"] for x in raised] == ["dark_smoke"]
    assert 4.0 <= raised[0]["at_s"] <= 10.0
    x0, _, x1, y1 = raised[0]["region"]
    assert x0 < 0.7 < x1 + 0.05  # where the smoke is
    assert y1 > 0.6

    capture = cv2.VideoCapture(str(video))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == lines[-1]["frames"]
    capture.release()


def test_what_is_private_is_black_on_a_sheet_and_in_a_video(capsys, tmp_path):
    stills, sheet = tmp_path / "stills", tmp_path / "sheet.png"
    video = tmp_path / "seen.mp4"
    stills.mkdir()
    for n in range(3):
        picture = np.full((360, 640, 3), 90, np.uint8)
        picture[100:260, 200:440] = (255, 0, 255)
        cv2.imwrite(str(stills / f"{n}.png"), picture)
    area = ((0.28, 0.25), (0.72, 0.25), (0.72, 0.75), (0.28, 0.75))
    flats = Zone(name="flats", area=area, use="private")
    given = msgspec.json.encode(camera(zones=(flats,))).decode()
    run(capsys, stills, "--camera", given, "--sheet", sheet, "--video", video)

    capture = cv2.VideoCapture(str(video))
    for drawn in (cv2.imread(str(sheet)), capture.read()[1]):
        blue, green, red = (drawn[..., n].astype(int) for n in range(3))
        assert not ((blue > 180) & (red > 180) & (green < 90)).any()
    capture.release()


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (["/nowhere/x.mp4"], "vision.source.no_file"),
        ([CLIPS / "README.md"], "vision.source.not_video"),
        (
            [CLIPS / "none_parking.mp4", "--sheet", "/nowhere/x.png"],
            "cli.vision.test.no_folder",
        ),
    ],
)
def test_what_cannot_be_tried_is_named(arguments, key):
    with pytest.raises(Trouble) as refused:
        verb.main([str(one) for one in arguments])
    assert refused.value.key == key


def test_a_folder_of_pictures_is_tried_like_a_clip(capsys, tmp_path):
    capture = cv2.VideoCapture(str(CLIPS / "none_parking.mp4"))
    for n in range(4):
        _, image = capture.read()
        cv2.imwrite(str(tmp_path / f"{n:03d}.jpg"), image)
    capture.release()
    lines = run(capsys, tmp_path)
    assert lines[-1]["frames"] == 4
    assert lines[-1]["alarms"] == 0
