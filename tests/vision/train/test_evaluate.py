"""Pictures judged: thresholds that hold over all classes, figures per kind."""

import numpy as np
import pytest

from vision.train import evaluate
from vision.train.evaluate import Judged, Thresholds
from vision.train.frames import Truth

NOTHING = Truth(smoke=False, dark=False, light=False, dust=False, far=False)
DARK = Truth(smoke=True, dark=True, light=False, dust=False, far=False)
FAR = Truth(smoke=True, dark=False, light=True, dust=False, far=True)
UNKNOWN = Truth(smoke=None, dark=None, light=None, dust=None, far=False)


def negatives(seed: int, n: int = 400) -> Judged:
    rng = np.random.default_rng(seed)
    scores = rng.random((n, 3)).astype(np.float32)
    return Judged(
        scores,
        scores[:, :2].max(1),
        (NOTHING,) * n,
        np.array(["real-none"] * n),
        np.array([f"s{i % 13}" for i in range(n)]),
    )


def test_the_rate_holds_over_all_classes(seed: int) -> None:
    seen = negatives(seed)
    at = evaluate.calibrate(seen, 0.08)
    hits = evaluate.any_class(evaluate.called(seen, at))
    weight = evaluate.scene_weights(list(seen.scenes))
    assert hits.mean() <= 0.08
    assert weight @ hits <= 0.08 + 1e-9
    assert hits.mean() > 0.03


def test_cells_become_scores_of_three_classes_and_of_smoke() -> None:
    cells = np.zeros((1, 3, 12, 16), np.float32)
    cells[0, 0] = 0.3
    cells[0, 1] = 0.4
    seen = evaluate.judged(cells, [DARK], ["x"], ["s"])
    assert seen.scores[0] == pytest.approx([0.3, 0.4, 0.0])
    assert seen.smoke[0] == pytest.approx(0.7)


def test_far_and_unknown_pictures_stay_out_of_the_recall() -> None:
    scores = np.array(
        [[0.9, 0, 0], [0.1, 0, 0], [0, 0.1, 0], [0, 0, 0.9], [0, 0, 0]], np.float32
    )
    seen = Judged(
        scores,
        scores[:, :2].max(1),
        (DARK, DARK, FAR, UNKNOWN, NOTHING),
        np.array(["synthetic"] * 4 + ["real-none"]),
        np.array(list("abcde")),
    )
    found = evaluate.report(seen, Thresholds(0.5, 0.5, 0.5))
    assert found["recall_smoke"].value == pytest.approx(0.5)
    assert found["recall_smoke"].n == 2
    assert found["recall_far_smoke"].value == 0
    assert found["recall_far_smoke"].n == 1
    assert found["false_positives"].n == 1
    assert "recall_dust" not in found


def test_dark_smoke_called_light_is_found_but_not_named() -> None:
    scores = np.array([[0.1, 0.9, 0.0], [0, 0, 0]], np.float32)
    seen = Judged(
        scores,
        scores[:, 1],
        (DARK, NOTHING),
        np.array(["synthetic", "real-none"]),
        np.array(["a", "b"]),
    )
    found = evaluate.report(seen, Thresholds(0.5, 0.5, 0.5))
    assert found["recall_dark"].value == 1
    assert found["named_dark"].value == 0


@pytest.mark.parametrize("rate", [0.0, 0.03, 0.5])
def test_at_most_the_rate_reaches_a_threshold(seed: int, rate: float) -> None:
    scores = np.random.default_rng(seed).random(67).astype(np.float32)
    at = evaluate.reached_by(scores, rate)
    assert (scores >= at).mean() <= rate
    assert (scores >= at).sum() == int(rate * 67)


def test_a_threshold_all_may_reach_is_the_lowest_score() -> None:
    scores = np.array([0.2, 0.4], np.float32)
    assert evaluate.reached_by(scores, 1.0) == pytest.approx(0.2)


def test_what_always_scored_high_has_not_risen() -> None:
    wall = np.zeros((2, 3, 12, 16), np.float32)
    wall[:, 1, 2:6, 2:6] = 0.8
    now = wall.copy()
    now[1, 0, 6:10, 6:10] = 0.7
    kinds, scenes = np.array(["steam", "near-dark"]), np.array(["a", "b"])
    seen = evaluate.risen(now, wall, kinds, scenes)
    assert seen.scores[:, 1] == pytest.approx([0.8, 0.8])
    assert seen.rises[0] == pytest.approx([0, 0, 0])
    assert seen.rises[1] == pytest.approx([0.7, 0, 0])


def test_a_pair_counts_as_found_when_its_own_label_rose() -> None:
    rises = np.array(
        [[0, 0.5, 0], [0.5, 0, 0], [0.5, 0, 0], [0, 0, 0.5], [0, 0, 0]], np.float32
    )
    kinds = np.array(["steam", "near-light", "dust", "dust", "far-dark"])
    seen = evaluate.Risen(rises, rises, kinds, np.array(list("abcde")))
    found = evaluate.risen_report(seen, Thresholds(0.4, 0.4, 0.4))
    assert found["false_positives"].n == 1
    assert found["false_positives_light_smoke"].value == 1
    assert found["risen_near-light"].value == 1  # as dark: it is smoke
    assert found["risen_dust"].value == 0.5
    assert found["risen_far-dark"].value == 0
    assert "risen_near-dark" not in found
