"""Figures: what an AUROC, a threshold and an interval by scene are."""

import numpy as np
import pytest

from vision.train import figures


def test_a_score_needs_more_than_one_cell() -> None:
    alone, patch = np.zeros((2, 1, 12, 16), np.float32)
    alone[0, 5, 5] = 1
    patch[0, 4:8, 4:8] = 1
    assert figures.image_score(alone)[0] == pytest.approx(0.25)
    assert figures.image_score(patch)[0] == pytest.approx(1.0)


def test_a_score_is_one_number_a_map() -> None:
    assert figures.image_score(np.zeros((5, 3, 24, 40), np.float32)).shape == (5, 3)


def test_auroc_counts_pairs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 12, 60).astype(np.float32)
    positive = rng.random(60) < 0.4
    pairs = [
        (a > b) + 0.5 * (a == b) for a in scores[positive] for b in scores[~positive]
    ]
    assert figures.auroc(scores, positive) == pytest.approx(np.mean(pairs))


def test_auroc_of_one_sort_is_unknown() -> None:
    scores = np.array([0.1, 0.9], np.float32)
    assert np.isnan(figures.auroc(scores, np.array([True, True])))
    assert np.isnan(figures.auroc(scores, np.array([False, False])))


def test_near_duplicates_make_no_narrow_interval(seed: int) -> None:
    rng = np.random.default_rng(seed)
    of_scene = rng.random(6) < 0.5
    of_scene[:2] = [True, False]
    hits = np.repeat(of_scene, 50)
    alone = [f"p{i}" for i in range(300)]
    scenes = [f"s{i // 50}" for i in range(300)]
    by_picture = figures.share_by_scene(hits, alone)
    by_scene = figures.share_by_scene(hits, scenes)
    assert by_scene.value == by_picture.value
    assert by_scene.scenes == 6
    assert by_scene.high - by_scene.low > 3 * (by_picture.high - by_picture.low)


def test_an_interval_of_nothing_is_unknown() -> None:
    found = figures.share_by_scene(np.zeros(0, bool), [])
    assert np.isnan(found.value)
    assert (found.n, found.scenes) == (0, 0)


def test_long_scenes_do_not_decide_a_balanced_auroc() -> None:
    scores = np.array([0.9, *[0.1] * 99, 0.5, 0.5], np.float32)
    positive = np.array([True] * 100 + [False] * 2)
    scenes = ["short", *["long"] * 99, "n1", "n2"]
    assert figures.auroc(scores, positive) == pytest.approx(0.01)
    assert figures.balanced_auroc(scores, positive, scenes) == pytest.approx(0.5)


@pytest.mark.parametrize("rate", [0.0, 0.08, 0.3, 1.0])
def test_a_threshold_keeps_its_rate(seed: int, rate: float) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.random(200).astype(np.float32)
    scenes = [f"s{i % 9}" for i in range(200)]
    at = figures.threshold(scores, scenes, rate)
    weight = np.array([1 / scenes.count(s) for s in scenes]) / 9
    assert weight @ (scores >= at) <= rate + 1e-9
    if rate < 1:
        # The next lower score would break it.
        lower = np.sort(scores)[::-1][(scores >= at).sum()]
        assert weight @ (scores >= lower) > rate


def test_ties_stay_below_the_threshold() -> None:
    scores = np.array([0.5] * 10, np.float32)
    at = figures.threshold(scores, [f"s{i}" for i in range(10)], 0.5)
    assert not (scores >= at).any()
