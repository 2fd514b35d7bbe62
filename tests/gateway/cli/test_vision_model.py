"""``ecogate vision check-model | bench``: what a person is told of a model."""

from __future__ import annotations

import json

import pytest

from gateway.cli import main, vision_bench, vision_check
from gateway.texts import set_language
from tests.support import small_models as small


@pytest.fixture(autouse=True)
def _language():
    yield
    set_language(None)


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "own.onnx"
    path.write_bytes(small.yolov8())
    return str(path)


def ecogate(capsys, *arguments):
    status = main(["vision", *arguments])
    return status, *capsys.readouterr()


def test_a_model_of_ones_own_is_described_with_what_is_left_to_do(capsys, own):
    status, out, _ = ecogate(
        capsys, "check-model", own, "--class", "smoke=light_smoke", "--lang", "en"
    )

    assert status == 0
    assert "yolov8 (recognised)" in out
    assert "smoke → light_smoke; not looked at: fire" in out
    assert "AGPL-3.0" in out
    assert "brings no thresholds" in out
    assert "sees no dust" in out
    assert "one colour of smoke" in out
    assert out.rstrip().endswith("This model can be used.")


def test_as_json_it_is_the_childs_own_line(capsys, own):
    status, out, _ = ecogate(capsys, "check-model", own, "--class", "0=dust", "--json")

    found = json.loads(out)
    assert status == 0
    assert found["head"] == "yolov8"
    assert found["classes"] == {"smoke": "dust"}
    assert found["size"] == [64, 64]
    assert found["pixels"] == "rgb1"
    assert {"ultralytics", "thresholds", "no_smoke"} <= set(found["notes"])


def test_a_refusal_is_one_sentence_in_either_language(capsys, own):
    status, _, err = ecogate(capsys, "check-model", own, "--lang", "en")
    assert status == 1
    assert err.startswith("ecogate: expected to know which classes are dark_smoke")
    assert "0: smoke, 1: fire" in err

    status, _, err = ecogate(capsys, "check-model", own, "--lang", "zh")
    assert status == 1
    assert "请声明 classes" in err


def test_slips_on_the_command_line_start_no_child(capsys, own, monkeypatch):
    def nobody(*_):
        raise AssertionError("a child was started")

    monkeypatch.setattr(vision_check, "lines", nobody)
    monkeypatch.setattr(vision_bench, "lines", nobody)

    for arguments in (
        ["check-model", own, "--class", "smoke"],
        ["check-model", own, "--class", "smoke=steam"],
        ["check-model", own, "--size", "640"],
        ["bench", "--threads", "0"],
        ["bench", "--frames", "999999"],
        ["bench", "--picture", "12 x 9"],
    ):
        status, out, err = ecogate(capsys, *arguments, "--lang", "en")
        assert (status, out) == (2, ""), arguments
        assert "expected" in err


def test_bench_is_a_table_with_a_row_a_picture(capsys):
    status, out, _ = ecogate(
        capsys,
        *("bench", "--threads", "1", "--frames", "2", "--picture", "320x192"),
        *("--lang", "en"),
    )

    assert status == 0
    head, names, row = out.splitlines()
    assert "milliseconds a frame" in head
    assert names.split()[:3] == ["threads", "picture", "fed"]
    assert row.split()[:3] == ["1", "320x192", "640x384"]
