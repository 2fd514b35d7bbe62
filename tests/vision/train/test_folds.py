"""Folds by scene; collected where the ``train`` extra is installed."""

import numpy as np

from vision.train import folds
from vision.train.book import Page
from vision.train.evaluate import Judged
from vision.train.frames import Truth


def pages() -> list[Page]:
    kinds = {f"fire{i}": ("real-smoke", "real-none", "synthetic") for i in range(7)}
    kinds |= {f"road{i}": ("real-dust",) for i in range(9)}
    kinds |= {f"still{i}": ("real-none", "synthetic") for i in range(11)}
    return [
        Page(f"{scene}-{kind}.jpg", "train", scene, kind, (), b"", None)
        for scene, its in kinds.items()
        for kind in its
    ]


def test_a_scene_is_in_one_fold_and_every_fold_has_its_share() -> None:
    dealt = folds.assign(pages(), 3)
    assert set(dealt) == {p.scene for p in pages()}
    for sort, count in (("fire", 7), ("road", 9), ("still", 11)):
        sizes = np.bincount([f for s, f in dealt.items() if s.startswith(sort)])
        assert sizes.sum() == count
        assert sizes.max() - sizes.min() <= 1


def test_folds_follow_from_the_seed() -> None:
    assert folds.assign(pages(), 3, 5) == folds.assign(pages(), 3, 5)
    assert folds.assign(pages(), 3, 5) != folds.assign(pages(), 3, 6)


def test_a_summary_leaves_out_what_was_not_shown() -> None:
    nothing = Truth(smoke=False, dark=False, light=False, dust=False, far=False)
    dust = Truth(smoke=False, dark=False, light=False, dust=True, far=False)
    scores = np.array([[0, 0, 0.9], [0, 0, 0.1], [0, 0, 0.2]], np.float32)
    seen = Judged(
        scores,
        scores[:, 0],
        (dust, nothing, nothing),
        np.array(["real-dust", "real-none", "real-none"]),
        np.array(["a", "b", "c"]),
    )
    found = folds.summary(seen)
    assert found["auroc_dust"] == found["auroc_dust_real-dust"] == 1
    assert not any("smoke" in name or "dark" in name for name in found)
