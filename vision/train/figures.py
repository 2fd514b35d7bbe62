"""Figures of a detector, with the uncertainty that few scenes leave.

Pictures of one scene are near-duplicates, so an interval that counts pictures is far
too narrow: everything here resamples whole *scenes* (bootstrap of clusters).
numpy only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

STRONGEST = 4
RESAMPLES = 1000


class Figure(NamedTuple):
    """A figure, what it stands on, and how far it may be off.

    Attributes:
        value: NaN where nothing could be counted.
        low: Lower end of the 95 % interval by scene.
        high: Upper end.
        n: Pictures.
        scenes: Scenes.
    """

    value: float
    low: float
    high: float
    n: int
    scenes: int


def image_score(cells: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn cells into one score a map: the mean of its four strongest blurred cells.

    Args:
        cells: (..., h, w), 0..1.

    Returns:
        (...,): the map is first averaged over 2x2 neighbours, so that one cell alone
        does not make a score.
    """
    blurred = (
        cells[..., :-1, :-1]
        + cells[..., 1:, :-1]
        + cells[..., :-1, 1:]
        + cells[..., 1:, 1:]
    ) / 4
    flat = blurred.reshape(*blurred.shape[:-2], -1)
    strongest = np.partition(flat, -STRONGEST, axis=-1)[..., -STRONGEST:]
    return np.asarray(strongest.mean(-1), np.float32)


def auroc(scores: NDArray[np.float32], positive: NDArray[np.bool_]) -> float:
    """Probability that a positive scores higher than a negative; ties count a half.

    Returns:
        NaN without positives or without negatives.
    """
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if not n_positive or not n_negative:
        return float("nan")
    values, place = np.unique(scores, return_inverse=True)
    counts = np.bincount(place, minlength=len(values))
    ranks = np.cumsum(counts) - (counts - 1) / 2
    above = ranks[place][positive].sum() - n_positive * (n_positive + 1) / 2
    return float(above / (n_positive * n_negative))


def share(hits: NDArray[np.bool_]) -> float:
    """Share of true values, NaN of none."""
    return float(hits.mean()) if len(hits) else float("nan")


def by_scene(
    count: Callable[[NDArray[np.intp]], float],
    scenes: Sequence[str],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Figure:
    """State a figure with its 95 % interval over resampled scenes.

    Args:
        count: Maps indices of pictures (with repeats) to the figure.
        scenes: Scene of every picture.
        seed: Of the resampling.
        resamples: How many.
    """
    names = np.asarray(scenes)
    groups = [np.flatnonzero(names == name) for name in sorted(set(scenes))]
    everything = np.arange(len(names))
    if not groups:
        return Figure(float("nan"), float("nan"), float("nan"), 0, 0)
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(resamples):
        chosen = rng.integers(len(groups), size=len(groups))
        drawn.append(count(np.concatenate([groups[i] for i in chosen])))
    known = np.array([x for x in drawn if not np.isnan(x)])
    low, high = np.quantile(known, (0.025, 0.975)) if len(known) else (np.nan, np.nan)
    return Figure(count(everything), float(low), float(high), len(names), len(groups))


def share_by_scene(hits: NDArray[np.bool_], scenes: Sequence[str]) -> Figure:
    """State a share (recall, false positives) with its interval by scene."""
    return by_scene(lambda picks: share(hits[picks]), scenes)


def auroc_by_scene(
    scores: NDArray[np.float32], positive: NDArray[np.bool_], scenes: Sequence[str]
) -> Figure:
    """State an AUROC with its interval by scene."""
    return by_scene(lambda picks: auroc(scores[picks], positive[picks]), scenes)


def balanced_auroc(
    scores: NDArray[np.float32], positive: NDArray[np.bool_], scenes: Sequence[str]
) -> float:
    """AUROC in which every scene weighs the same on its side.

    Long sequences of one mountain would otherwise decide which candidate wins.
    """
    names = np.asarray(scenes)
    weight = np.zeros(len(names))
    for side in (True, False):
        for name in set(names[positive == side]):
            here = (names == name) & (positive == side)
            weight[here] = 1 / here.sum()
    wp, wn = weight[positive], weight[~positive]
    if not wp.sum() or not wn.sum():
        return float("nan")
    difference = scores[positive][:, None] - scores[~positive][None, :]
    won = (difference > 0) + 0.5 * (difference == 0)
    return float((wp @ won @ wn) / (wp.sum() * wn.sum()))


def threshold(scores: NDArray[np.float32], scenes: Sequence[str], rate: float) -> float:
    """The lowest score that at most ``rate`` of the negatives reach.

    Every scene weighs the same: a long sequence of one sky must not set the level.

    Args:
        scores: Of negatives.
        scenes: Of negatives.
        rate: 0..1.
    """
    names = np.asarray(scenes)
    weight = np.zeros(len(names))
    for name in set(scenes):
        weight[names == name] = 1 / (names == name).sum()
    order = np.argsort(-scores)
    passed = np.cumsum(weight[order]) / weight.sum()
    allowed = int((passed <= rate).sum())
    if allowed >= len(scores):
        return float(scores.min())
    # Between the last allowed score and the first that is not: just above the latter.
    return float(np.nextafter(scores[order[allowed]], np.float32(np.inf)))
