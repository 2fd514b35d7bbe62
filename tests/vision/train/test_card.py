"""The card: every figure of the file it lies beside, in two languages."""

import json
from pathlib import Path

import pytest

from vision.train import card


def figure(value: float) -> dict[str, float]:
    return {
        "value": value,
        "low": value - 0.1,
        "high": value + 0.1,
        "n": 12,
        "scenes": 4,
    }


@pytest.fixture
def content() -> dict[str, object]:
    return {
        "model": {
            "file": "m.onnx",
            "sha256": "ab" * 32,
            "bytes": 123456,
            "precision": "int8",
            "version": "7",
            "size": [640, 384],
        },
        "training": {
            "steps": 10,
            "crops": 20,
            "begun": 5,
            "seed": 3,
            "manifest": "ff",
        },
        "thresholds": {"dark_smoke": 0.41, "light_smoke": 0.42, "dust": 0.43},
        "rise": {"dark_smoke": 0.31, "light_smoke": 0.32, "dust": 0.33},
        "alone": {"dark_smoke": 0.61, "light_smoke": 0.62, "dust": 0.63},
        "risen": {"risen_near-dark": figure(0.801)},
        "int8_cost": {"smoke": 0.001},
        "latency": {"int8": {"448x256, threads 1": 9.5}},
        "val": {"auroc_smoke": figure(0.876), "recall_dust_real-dust": figure(0.765)},
        "rendered": {
            "false_positives_kind_hard:steam": figure(0.234),
            "recall_dark_rendered:near-dark": figure(0.912),
        },
    }


CANDIDATES = {
    "steps": 1200,
    "batch": 16,
    "crops": 99,
    "note": "",
    "rows": [{"candidate": "plain", "size": "448x256", "auroc_smoke": 0.5}],
}


def test_both_languages_hold_every_figure(content: dict[str, object]) -> None:
    found = card.texts(content, CANDIDATES)
    assert set(found) == {"card.md", "card.zh-CN.md"}
    for text in found.values():
        for value in (
            "0.876",
            "0.765",
            "0.234",
            "0.912",
            "0.41",
            "0.33",
            "0.62",
            "0.801",
            "9.5",
            "ab" * 32,
        ):
            assert value in text
        assert "{" not in text


def test_what_was_not_measured_is_said(content: dict[str, object]) -> None:
    assert "not run for this file" in card.texts(content, CANDIDATES)["card.md"]


def test_files_lie_beside_the_model(content: dict[str, object], tmp_path: Path) -> None:
    table = tmp_path / "table.json"
    table.write_text(json.dumps(CANDIDATES))
    card.write(content, tmp_path, table)
    assert json.loads((tmp_path / "card.json").read_text()) == content
    assert (tmp_path / "card.zh-CN.md").is_file()


def test_names_of_kinds_are_said_in_words() -> None:
    text = card.table({"recall_dust_real-dust": figure(0.5)}, 0)
    assert "dust, recall: real" in text
