"""What in one frame could be smoke or dust: warm cells, regions, hits.

A region counts by the same score as a whole picture, so that the thresholds of a
model's card hold for it; and it must have risen over what its cells usually score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vision.alarms.regions import Region, find
from vision.messages import LABELS, Label

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from vision.alarms.background import Background

RISE = 0.5
"""Of the threshold: half of what alarms must be new. On still scenes the cells of a
true plume rise from near 0, those of a wall or a cloud bank hardly move."""
RISE_YOUNG = 0.75
"""Of the threshold, when the background is only seconds old."""
LEAST_RISE = 0.25
"""Of score, however low a threshold is: between two pictures of one scene without any
emission the shipped model's strongest cells rose by 0.05 to 0.07 in the median of 312
rendered pairs (other light, noise, passers-by, weather), by 0.13 to 0.24 in a fifth."""
SPREADS = 3.0
"""A flickering cell must rise by so many of its own mean deviations."""
SPREAD_MOST = 0.6
"""Of score; or a cell that flickers fully could never alarm again."""
WARM = 0.6
"""Of the threshold: a cell belongs to a region that has stronger ones (the lower of
two thresholds, as in Canny, "A computational approach to edge detection", 1986)."""
PLAIN = 0.35
"""Of the way from the threshold to 1: what a fire that burns from the first frame must
score while there is no background to rise over."""


class Candidates(NamedTuple):
    """One frame, all labels; the maps are (labels, rows, columns)."""

    warm: NDArray[np.bool_]
    """Cells that may belong to something."""
    by_rise: NDArray[np.bool_]
    """Cells of regions over the threshold and over their background."""
    plain: NDArray[np.bool_]
    """Cells of regions over the plain threshold, while the background is learned."""
    regions: dict[Label, list[Region]]
    """Those with hits, strongest first."""
    scores: tuple[float, float, float]
    """Of the strongest warm region of each label."""


def candidates(
    scores: NDArray[np.float32],
    background: Background,
    thresholds: Mapping[Label, float],
) -> Candidates:
    """Find them.

    Args:
        scores: (labels, rows, columns), blurred, 0 where nothing is watched.
        background: Of the same shape, of the frames before.
        thresholds: For the labels that are watched.
    """
    warm, by_rise, plain = (np.zeros(scores.shape, np.bool_) for _ in range(3))
    regions: dict[Label, list[Region]] = {}
    best = [0.0, 0.0, 0.0]
    for label, threshold in thresholds.items():
        i = LABELS.index(label)
        warm[i] = risen(i, scores, background, threshold)
        by_rise[i] = _hot(warm[i], scores[i], threshold)
        if background.learning:
            fresh = scores[i] >= WARM * plain_threshold(threshold)
            plain[i] = _hot(fresh, scores[i], plain_threshold(threshold))
            warm[i] |= fresh
        found = find(warm[i], scores[i])
        best[i] = found[0].score if found else 0.0
        hits = by_rise[i] | plain[i]
        regions[label] = [region for region in found if (region.mask & hits).any()]
    return Candidates(warm, by_rise, plain, regions, (best[0], best[1], best[2]))


def plain_threshold(threshold: float) -> float:
    """What counts without a background."""
    return threshold + PLAIN * (1 - threshold)


def risen(
    label: int,
    scores: NDArray[np.float32],
    background: Background,
    threshold: float,
) -> NDArray[np.bool_]:
    """(rows, columns): cells high enough, and high enough above their background."""
    if background.young:
        return np.zeros(scores.shape[1:], np.bool_)
    share = RISE * background.known + RISE_YOUNG * (1 - background.known)
    spread = np.minimum(SPREADS * background.spread[label], SPREAD_MOST)
    # The weaker cells of a region need to have risen less, in proportion.
    needed = np.maximum(WARM * max(share * threshold, LEAST_RISE), spread)
    rise = scores[label] - background.mean[label]
    return np.asarray((scores[label] >= WARM * threshold) & (rise >= needed))


def _hot(
    warm: NDArray[np.bool_], scores: NDArray[np.float32], threshold: float
) -> NDArray[np.bool_]:
    """Cells of the regions whose score is over the threshold."""
    hot = np.zeros(warm.shape, np.bool_)
    if not warm.any() or float(scores[warm].max()) < threshold:
        return hot
    for region in find(warm, scores):
        if region.score >= threshold:
            hot |= region.mask
    return hot
