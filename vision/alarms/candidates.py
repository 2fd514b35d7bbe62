"""What in one frame could be smoke or dust: warm cells, regions, how strong they are.

A region's strength is what it scores over what its label must score, so that 1 counts:
the rise over the background where that is known, else the score itself, which must then
be higher (``levels``). Either is scored as a whole picture is, because a model's card
calibrates it so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vision.alarms.regions import Region, find
from vision.messages import LABELS, Label

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from vision.alarms.background import Background
    from vision.alarms.levels import Levels

SPREADS = 3.0
"""A flickering cell must rise by so many of its own mean deviations."""
SPREAD_MOST = 0.6
"""Of score; or a cell that flickers fully could never alarm again."""
WARM = 0.6
"""Of what counts: a cell belongs to a region that has stronger ones (the lower of
two thresholds, as in Canny, "A computational approach to edge detection", 1986)."""

ROOM = 0.75
"""Of what lies between a background and the highest score: over a bright bank of cloud
no smoke could rise by as much as over a wall. Half the rise must be left."""
SURE = 1.5
"""A region so strong is never taken for a shadow."""


class Candidate(NamedTuple):
    """One region that could be something."""

    region: Region
    threshold: float
    """Of the region's score."""

    @property
    def strength(self) -> float:
        """From 1 on it counts."""
        return self.region.score / self.threshold


class Candidates(NamedTuple):
    """One frame, all labels; the maps are (labels, rows, columns)."""

    warm: NDArray[np.bool_]
    """Cells that may belong to something."""
    risen: NDArray[np.float32]
    """Strength of the region over its background that a cell belongs to; 0: none."""
    alone: NDArray[np.float32]
    """Strength by the score itself, where the background is not known."""
    regions: dict[Label, list[Candidate]]
    """Strongest first."""
    scores: tuple[float, float, float]
    """Of the strongest region of each label, on the scale of the rise: it counts from
    the label's threshold on."""

    @property
    def hits(self) -> NDArray[np.bool_]:
        """Cells of regions that count."""
        return (self.risen >= 1) | (self.alone >= 1)

    def showing(self, label: Label, new: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(rows, columns): regions that hold something new, whole.

        Args:
            label: Of the regions.
            new: (rows, columns), see ``news``.
        """
        shown = np.zeros(new.shape, np.bool_)
        for one in self.regions[label]:
            if (one.region.mask & new).any():
                shown |= one.region.mask
        return shown


def candidates(
    scores: NDArray[np.float32],
    background: Background,
    levels: Mapping[Label, Levels],
    lit: Callable[[NDArray[np.bool_]], bool] = lambda _: False,
) -> Candidates:
    """Find them.

    Args:
        scores: (labels, rows, columns), blurred, 0 where nothing is watched.
        background: Of the same shape, of the frames before.
        levels: For the labels that are watched.
        lit: Whether light alone changed some cells: what rose there does not count.
    """
    risen, alone = (np.zeros(scores.shape, np.float32) for _ in range(2))
    regions: dict[Label, list[Candidate]] = {}
    best = [0.0, 0.0, 0.0]
    rise, over = rises(scores, background, levels)
    warm, unknown = np.zeros(scores.shape, np.bool_), background.unknown()
    for label, level in levels.items():
        i = LABELS.index(label)
        by_rise = over[i] & (rise[i] >= WARM * level.rise)
        by_score = (scores[i] >= WARM * level.alone) & unknown[i]
        found = [
            Candidate(one, level.rise)
            for one in find(by_rise, rise[i])
            if not 1 <= one.score / level.rise < SURE or not lit(_core(one, rise[i]))
        ]
        _lay(risen[i], found)
        strange = [Candidate(one, level.alone) for one in find(by_score, scores[i])]
        _lay(alone[i], strange)
        warm[i] = by_rise | by_score
        found = sorted(found + strange, key=lambda one: -one.strength)
        best[i] = min(1.0, found[0].strength * level.rise) if found else 0.0
        regions[label] = found
    return Candidates(warm, risen, alone, regions, (best[0], best[1], best[2]))


def rises(
    scores: NDArray[np.float32],
    background: Background,
    levels: Mapping[Label, Levels],
    lower: float = 1.0,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """How far each cell rose, on the scale of what its label must rise by.

    What came slowly counts only where it scores as what burns from the first frame
    must: over half an hour the light changes, too.

    Args:
        scores: (labels, rows, columns).
        background: Of the same shape.
        levels: For the labels that are watched.
        lower: Share of it that is enough.

    Returns:
        The rise, and where it is more than the usual flicker.
    """
    rise, over = np.zeros(scores.shape, np.float32), np.zeros(scores.shape, np.bool_)
    known = background.known
    for label, level in levels.items():
        i = LABELS.index(label)
        rise[i], over[i] = _rise(
            scores[i], background.mean[i], background.spread[i], known[i], level
        )
        sure = known[i] & (scores[i] >= lower * level.alone)
        if sure.any():
            came, stands_out = _rise(
                scores[i],
                background.long_mean[i],
                background.long_spread[i],
                sure,
                level,
            )
            rise[i] = np.where(stands_out, np.maximum(rise[i], came), rise[i])
            over[i] |= stands_out
    return rise, over


def _rise(
    scores: NDArray[np.float32],
    mean: NDArray[np.float32],
    spread: NDArray[np.float32],
    counts: NDArray[np.bool_],
    level: Levels,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """As ``rises``, for one label over one background."""
    above = np.where(counts, np.maximum(scores - mean, 0), np.float32(0))
    over = counts & (above >= np.minimum(SPREADS * spread, SPREAD_MOST))
    # A rule's own threshold that asks for more asks for so much of the room.
    room = max(ROOM, level.rise) * (1 - mean)
    ask = np.clip(room, level.rise / 2, level.rise)
    return np.asarray(above * (level.rise / ask), dtype=np.float32), over


def _core(region: Region, rise: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The part of a region that rose most: a network's warm cells reach beyond."""
    high: NDArray[np.bool_] = rise >= WARM * region.score
    return region.mask & high


def _lay(strengths: NDArray[np.float32], found: list[Candidate]) -> None:
    for one in found:
        strengths[one.region.mask] = one.strength
