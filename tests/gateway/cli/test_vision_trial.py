"""``ecogate vision test | label``: what a person reads of what vision says."""

import argparse
import json
from zoneinfo import ZoneInfo

import pytest

from gateway.cli import vision_label, vision_test
from gateway.cli.exits import CliError
from gateway.texts import known, set_language
from vision.messages import LABELS, Confounder, Fault

LINES = [
    {
        "kind": "began",
        "file": "straw.mp4",
        "model": "smoke_dust-1",
        "sha256": "ab",
        "size": [640, 384],
        "thresholds": {"dark_smoke": 0.5, "dust": 0.6},
        "calibrated": False,
        "every_s": 0.25,
    },
    {
        "kind": "second",
        "s": 4,
        "scores": {"dark_smoke": 0.75, "light_smoke": 0, "dust": 0.1},
        "image": {},
        "judged": 4,
        "held": 1,
        "night": False,
        "learning": True,
    },
    {
        "kind": "sight",
        "at_s": 64.5,
        "label": "dark_smoke",
        "state": "raised",
        "score": 0.61,
        "peak": 0.61,
        "region": [0.25, 0.5, 0.5, 0.75],
        "zone": "field",
        "bearing": 87.3,
    },
    {"kind": "condition", "at_s": 80.0, "fault": "moved", "state": "raised"},
    {
        "kind": "sight",
        "at_s": 120.0,
        "label": "dark_smoke",
        "state": "cleared",
        "score": 0.0,
        "peak": 0.7,
        "region": [0.25, 0.5, 0.5, 0.75],
        "zone": None,
        "bearing": None,
    },
    {
        "kind": "done",
        "frames": 500,
        "judged": 480,
        "alarms": 1,
        "infer_ms": 31.4,
        "sheet": "out.png",
    },
]


@pytest.fixture(autouse=True)
def _language():
    yield
    set_language(None)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["alarm: dark smoke", "field", "cleared: dark smoke", "fault: moved"]),
        ("zh", ["告警：黑烟", "区域 field", "解除：黑烟", "画面异常：移位"]),
    ],
)
def test_a_trial_is_told_in_both_languages(language, words):
    set_language(language)
    text = "\n".join(vision_test.told(iter(LINES), seconds=True))
    for word in [*words, "1:04.5", "out.png", "0.75", "25–50 %", "87°", "31 ms"]:
        assert word in text
    assert "{" not in text


def test_seconds_are_told_only_when_asked_for():
    set_language("en")
    assert "█" not in "\n".join(vision_test.told(iter(LINES), seconds=False))


def parsed(*words):
    parser = argparse.ArgumentParser()
    vision_test.add_arguments(parser)
    return parser.parse_args(list(words))


def test_what_the_child_is_given_holds_rules_model_and_words():
    set_language("zh")
    args = parsed(
        "a.mp4", "--every", "250ms", "--threshold", "dust=0.7", "--at", "08:00"
    )
    given = vision_test.arguments(args)
    found = dict(zip(given[::2], given[1::2], strict=False))
    camera = json.loads(found["--camera"])
    assert camera["rules"]["dust"]["threshold"] == 0.7
    assert found["--every"] == "0.25"
    assert json.loads(found["--words"])["dust"] == "扬尘"
    assert json.loads(found["--model"])["head"] == "auto"
    assert given[-2:] == ["--", "a.mp4"]


@pytest.mark.parametrize("word", ["dust", "dust=2", "dust=x", "fog=0.5", "dust=0"])
def test_a_threshold_that_is_none_is_refused(word):
    with pytest.raises(CliError, match=r"LABEL=SCORE|类别"):
        vision_test.arguments(parsed("a.mp4", "--threshold", word))


def test_every_fault_label_and_confounder_has_a_word():
    for fault in Fault.__args__:
        assert known(f"cli.vision.fault.{fault}")
    for label in LABELS:
        assert known(f"vision.label.{label}")
    for what in (*Confounder.__args__, "real"):
        assert known(f"vision.what.{what}")


ALARM = {
    "kind": "alarm",
    "id": "yard-m1-17",
    "label": "light_smoke",
    "t_ms": 1_767_240_000_000,
    "region": [0.6, 0.2, 0.7, 0.35],
    "peak": 0.66,
    "threshold": 0.5,
    "night": False,
    "what": "steam",
}


def proposal(do, **fields):
    empty = {"label": None, "threshold": None, "area": None, "lost": []}
    whats = {"whats": ["steam"], "alarms": ["a", "b", "c"]}
    return {"kind": "proposal", "do": do, **empty, **whats, **fields}


def test_labels_are_told_with_what_they_propose_and_what_it_costs():
    set_language("en")
    corners = [[0.58, 0.18], [0.72, 0.18], [0.72, 0.37], [0.58, 0.37]]
    said = [
        {"kind": "labelled", "id": "yard-m1-17", "what": "steam"},
        ALARM,
        proposal("ignore", label="light_smoke", area=corners),
        proposal("threshold", label="light_smoke", threshold=0.68, lost=["z-9"]),
        proposal("hold_night"),
        proposal("clean"),
    ]
    text = vision_label.told(said, ZoneInfo("Asia/Shanghai"))
    for word in [
        "yard-m1-17 was steam",
        "01-01 12:00:00",
        "use: ignore, labels: [light_smoke], area: [[0.58, 0.18]",
        "light_smoke: {threshold: 0.68}",
        "z-9",
        "night: hold",
        "nothing was changed",
    ]:
        assert word in text
    assert "{whats}" not in text


def test_no_alarms_and_no_proposals_are_said():
    set_language("en")
    assert vision_label.told([], ZoneInfo("UTC")) == "no alarms yet"
    assert "no proposals yet" in vision_label.told([ALARM], ZoneInfo("UTC"))
    unlabelled = vision_label.told([{**ALARM, "what": None}], ZoneInfo("UTC"))
    assert "proposal" not in unlabelled
