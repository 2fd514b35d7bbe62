"""What a model makes of whole pictures: thresholds, and figures per kind.

One rule: a picture is called positive if any class's score reaches its threshold.
numpy only; who ran the model, torch or onnxruntime, does not matter here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vision.train import figures, frames

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from vision.train.book import Page
    from vision.train.figures import Figure
    from vision.train.frames import Truth

DARK, LIGHT, DUST = 0, 1, 2
EMISSIONS = ("near-dark", "near-light", "far-dark", "far-light", "dust")
"""Of ``vision.train.sample``, which needs OpenCV."""
_STEPS = 200  # of the search for a common rate


class Thresholds(NamedTuple):
    """Image scores from which a class is called."""

    dark_smoke: float
    light_smoke: float
    dust: float


@dataclass(frozen=True)
class Judged:
    """Pictures, what they show and what a model says of them.

    Attributes:
        scores: (n,3) image scores of dark smoke, light smoke, dust.
        smoke: (n,) image score of all smoke, dark and light together.
        truths: n.
        kinds: n.
        scenes: n.
    """

    scores: NDArray[np.float32]
    smoke: NDArray[np.float32]
    truths: tuple[Truth, ...]
    kinds: NDArray[np.str_]
    scenes: NDArray[np.str_]

    def flags(self, name: str) -> NDArray[np.bool_]:
        """Return where an attribute of the truth is known and true."""
        return np.array([getattr(t, name) is True for t in self.truths], bool)

    def only(self, which: NDArray[np.bool_]) -> Judged:
        """Return some of the pictures."""
        picked = np.flatnonzero(which)
        return Judged(
            self.scores[picked],
            self.smoke[picked],
            tuple(self.truths[i] for i in picked),
            self.kinds[picked],
            self.scenes[picked],
        )


def judged(
    cells: NDArray[np.float32],
    truths: Sequence[Truth],
    kinds: Sequence[str],
    scenes: Sequence[str],
) -> Judged:
    """Score cells (n,3,h,w) and put them beside the truth."""
    return Judged(
        figures.image_score(cells),
        figures.image_score(cells[:, DARK] + cells[:, LIGHT]),
        tuple(truths),
        np.array(kinds, np.str_),
        np.array(scenes, np.str_),
    )


def judged_pages(cells: NDArray[np.float32], pages: Sequence[Page]) -> Judged:
    """Score cells of the book's pictures."""
    return judged(
        cells,
        [frames.truth(p) for p in pages],
        [p.kind for p in pages],
        [p.scene for p in pages],
    )


class Risen(NamedTuple):
    """Pairs of pictures: what a model says of the later one, and how far that rose.

    Attributes:
        scores: (n,3) image scores of the later picture.
        rises: (n,3) the same of the difference of both maps.
        kinds: n.
        scenes: n.
    """

    scores: NDArray[np.float32]
    rises: NDArray[np.float32]
    kinds: NDArray[np.str_]
    scenes: NDArray[np.str_]


def risen(
    cells: NDArray[np.float32],
    before: NDArray[np.float32],
    kinds: NDArray[np.str_],
    scenes: NDArray[np.str_],
) -> Risen:
    """Score cells (n,3,h,w), and their rise over those of the same views before."""
    score = figures.image_score
    return Risen(score(cells), score(cells - before), kinds, scenes)


def risen_report(seen: Risen, at: Thresholds) -> dict[str, Figure]:
    """State how many pairs of each kind rose by what an alarm asks for.

    An emission counts as found when its own label rose, smoke of either label.
    """
    calls = seen.rises >= np.array(at, np.float32)
    smoke, emission = calls[:, DARK] | calls[:, LIGHT], np.isin(seen.kinds, EMISSIONS)
    own = {"dust": calls[:, DUST]}
    out = {}
    rows = [
        ("false_positives", any_class(calls), ~emission),
        *(
            (f"false_positives_{name}", calls[:, index], ~emission)
            for index, name in enumerate(Thresholds._fields)
        ),
        *(
            (f"risen_{kind}", own.get(kind, smoke), seen.kinds == kind)
            for kind in EMISSIONS
        ),
    ]
    for name, hits, which in rows:
        if which.any():
            out[name] = figures.share_by_scene(hits[which], list(seen.scenes[which]))
    return out


def called(seen: Judged, at: Thresholds) -> NDArray[np.bool_]:
    """Return (n,3): which classes are called for each picture."""
    return np.asarray(seen.scores >= np.array(at, np.float32), bool)


def any_class(calls: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return (n,): whether a picture is called anything."""
    return np.asarray(calls.any(1), bool)


def calibrate(negatives: Judged, rate: float) -> Thresholds:
    """Set thresholds so that at most ``rate`` of the negatives are called anything.

    All classes are given the same rate of their own, the largest for which the rate
    over all classes holds, with every picture and with every scene weighing the same.

    Args:
        negatives: Pictures that show nothing.
        rate: 0..1.
    """
    scenes = list(negatives.scenes)
    weight = scene_weights(scenes)
    best = None
    for own in np.linspace(0, rate, _STEPS + 1):
        at = Thresholds(
            *(figures.threshold(negatives.scores[:, c], scenes, own) for c in range(3))
        )
        hits = any_class(called(negatives, at))
        if best is None or max(weight @ hits, hits.mean()) <= rate:
            best = at
    assert best is not None  # noqa: S101 - the search has at least one step
    return best


def reached_by(scores: NDArray[np.float32], rate: float) -> float:
    """Return the lowest threshold that at most ``rate`` of the pictures reach."""
    ordered = np.sort(scores)[::-1]
    allowed = int(rate * len(scores))
    if allowed >= len(scores):
        return float(ordered[-1])
    return float(np.nextafter(ordered[allowed], np.float32(np.inf)))


def scene_weights(scenes: Sequence[str]) -> NDArray[np.float64]:
    """Return weights that sum to 1, the same for every scene."""
    names = np.asarray(scenes)
    weight = np.zeros(len(names))
    for name in set(scenes):
        weight[names == name] = 1 / (names == name).sum()
    return np.asarray(weight / weight.sum())


def report(seen: Judged, at: Thresholds) -> dict[str, Figure]:
    """State the figures of a set of pictures.

    Recall of smoke counts a picture as found when either class of smoke is called;
    ``named`` figures want the right class.
    """
    calls = called(seen, at)
    negative = seen.flags("negative")
    out: dict[str, Figure] = {}

    def share(name: str, hits: NDArray[np.bool_], which: NDArray[np.bool_]) -> None:
        if which.any():
            scenes = list(seen.scenes[which])
            out[name] = figures.share_by_scene(hits[which], scenes)

    def area(name: str, scores: NDArray[np.float32], which: NDArray[np.bool_]) -> None:
        if which.any() and negative.any():
            both = which | negative
            out[name] = figures.auroc_by_scene(
                scores[both], which[both], list(seen.scenes[both])
            )

    share("false_positives", any_class(calls), negative)
    for index, name in enumerate(Thresholds._fields):
        share(f"false_positives_{name}", calls[:, index], negative)
    for kind in sorted(set(seen.kinds[negative])):
        here = negative & (seen.kinds == kind)
        share(f"false_positives_kind_{kind}", any_class(calls), here)
    smoke, far = calls[:, DARK] | calls[:, LIGHT], seen.flags("far")
    areas = {
        "smoke": (seen.smoke, smoke),
        "dark": (seen.smoke, smoke),
        "light": (seen.smoke, smoke),
        "dust": (seen.scores[:, DUST], calls[:, DUST]),
    }
    for name, (scores, hits) in areas.items():
        which = seen.flags(name)
        area(f"auroc_{name}", scores, which & ~far)
        share(f"recall_{name}", hits, which & ~far)
        for kind in sorted(set(seen.kinds[which])):
            here = which & ~far & (seen.kinds == kind)
            area(f"auroc_{name}_{kind}", scores, here)
            share(f"recall_{name}_{kind}", hits, here)
    share("named_dark", calls[:, DARK], seen.flags("dark") & ~far)
    share("named_light", calls[:, LIGHT], seen.flags("light") & ~far)
    share("recall_far_smoke", smoke, seen.flags("smoke") & far)
    area("auroc_far_smoke", seen.smoke, seen.flags("smoke") & far)
    return out
