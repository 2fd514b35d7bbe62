"""Judging a recipe on scenes it did not see: k folds by scene.

The val split has few scenes; folds over the train scenes decide between candidates, and
folds over train and val together stand beside the final figures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vision.train import evaluate, figures, frames, loop
from vision.train.book import REAL_DUST, REAL_NONE, REAL_SMOKE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from vision.train.backbone import Trunk
    from vision.train.book import Page
    from vision.train.cache import Crops
    from vision.train.evaluate import Judged
    from vision.train.head import Shape
    from vision.train.loop import Recipe

FOLDS = 3
PER_SCENE = 6


def assign(pages: Iterable[Page], folds: int, seed: int = 0) -> dict[str, int]:
    """Deal scenes out to folds, so that every fold has its share of each sort.

    Args:
        pages: Of the book.
        folds: How many.
        seed: Of the shuffle.

    Returns:
        Fold of every scene.
    """
    kinds: dict[str, set[str]] = {}
    for page in pages:
        kinds.setdefault(page.scene, set()).add(page.kind)
    sorts = {
        scene: next((k for k in (REAL_SMOKE, REAL_DUST) if k in held), REAL_NONE)
        for scene, held in kinds.items()
    }
    rng = np.random.default_rng(seed)
    dealt: dict[str, int] = {}
    turn = 0
    for sort in (REAL_SMOKE, REAL_DUST, REAL_NONE):
        scenes = sorted(s for s, its in sorts.items() if its == sort)
        for place in rng.permutation(len(scenes)):
            dealt[scenes[place]] = turn % folds
            turn += 1
    return dealt


class Field(NamedTuple):
    """What candidates are judged on: pictures and their trunk features."""

    pages: Sequence[Page]
    features: NDArray[np.float16]
    change: NDArray[np.float16] | None = None


def field(
    trunk: Trunk, pages: Sequence[Page], size: tuple[int, int], work: Path
) -> Field:
    """Prepare a few pictures of every scene at one input size."""
    chosen = frames.few_of_each(pages, PER_SCENE)
    return Field(chosen, frames.features(trunk, chosen, size, work))


def out_of_fold(
    shape: Shape,
    recipe: Recipe,
    crops: Crops,
    fields: Sequence[Field],
    dealt: dict[str, int],
    state: dict[str, Tensor],
    *,
    only: Collection[int] | None = None,
    say: str = "",
) -> list[Judged]:
    """Train once a fold and judge each picture by the net that did not see its scene.

    Args:
        shape: Of the net.
        recipe: Of the training.
        crops: The cache; crops of a fold's scenes are left out of its training.
        fields: The same pictures at several sizes.
        dealt: Fold of every scene.
        state: ImageNet weights.
        only: Folds to judge; all where not given.
        say: Prefix of progress lines.

    Returns:
        One ``Judged`` for each of ``fields``, pictures in the fields' order.
    """
    cells: list[dict[int, NDArray[np.float32]]] = [{} for _ in fields]
    # A scene without a fold (painted ones) is in every training. Pasted dust is in
    # none: it was cut from a photograph of another scene, which may be a judged one.
    of_crop = np.array([dealt.get(s, -1) for s in crops.scenes])
    pasted = np.char.startswith(crops.kinds, "pasted")
    for fold in sorted(set(dealt.values()) if only is None else only):
        rows = np.flatnonzero((of_crop != fold) & ~pasted)
        training = loop.Training(shape, recipe, state)
        label = f"{say} fold {fold}" if say else ""
        net = loop.run(training, crops, rows=rows, say=label)
        for judged_field, found in zip(fields, cells, strict=True):
            its = judged_field.pages
            mine = [i for i, p in enumerate(its) if dealt[p.scene] == fold]
            change = judged_field.change
            got = loop.probabilities(
                net,
                judged_field.features[mine],
                None if change is None else change[mine],
            )
            found |= dict(zip(mine, got, strict=True))
    out = []
    for each, found in zip(fields, cells, strict=True):
        ordered = np.stack([found[i] for i in sorted(found)])
        pages = [each.pages[i] for i in sorted(found)]
        out.append(evaluate.judged_pages(ordered, pages))
    return out


def summary(seen: Judged) -> dict[str, float]:
    """State what candidates are compared by; scenes weigh the same.

    ``recall_..._at_8`` is where 8 % of the negatives are called anything.
    """
    negative, far = seen.flags("negative"), seen.flags("far")
    at = evaluate.calibrate(seen.only(negative), 0.08)
    calls = evaluate.called(seen, at)
    out: dict[str, float] = {}
    for name, scores, hits in (
        ("smoke", seen.smoke, evaluate.any_class(calls[:, :2])),
        ("dark", seen.smoke, evaluate.any_class(calls[:, :2])),
        ("dust", seen.scores[:, evaluate.DUST], calls[:, evaluate.DUST]),
    ):
        which = seen.flags(name) & ~far
        if not which.any() or not negative.any():
            continue
        both = which | negative
        scenes = list(seen.scenes[both])
        area = figures.balanced_auroc(scores[both], which[both], scenes)
        out[f"auroc_{name}"] = round(area, 4)
        weight = evaluate.scene_weights(list(seen.scenes[which]))
        out[f"recall_{name}_at_8"] = round(float(weight @ hits[which]), 4)
        for kind in (REAL_SMOKE, REAL_DUST):
            here = which & (seen.kinds == kind)
            if here.any() and name != "dark":
                both = here | negative
                area = figures.balanced_auroc(
                    scores[both], here[both], list(seen.scenes[both])
                )
                out[f"auroc_{name}_{kind}"] = round(area, 4)
    return out
