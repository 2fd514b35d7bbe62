"""What each cell scores when nothing happens: the rise over it is the signal.

A stained wall that always scores 0.6 and a steam pipe that puffs all day have a high
mean and a wide spread; smoke stands above both. The mean is learned over minutes, and
not from cells that are suspected (for a minute) or stand in an alarm (for half an
hour): smoke is not learned away, but a new white roof is, in the end.

A far fire grows as slowly as the mean is learned. So there is a second one of half an
hour, which tells of what came since; what stood in an alarm for too long it learns as
fast as the first.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SLOW_S = 300.0
"""Of the background: longer than smoke needs to grow, shorter than the sun needs to
move a shadow."""
LONG_S = 1800.0
"""Of the slow one: a fire that takes ten minutes to grow moves it by a sixth. What is
parked in the view stands above it for half an hour at most."""
LEARN_S = 60.0
LEARN_FRAMES = 20
"""Known after both: a minute sees a traffic light's round, twenty frames give a mean
its meaning also where a tower is seen once in ten seconds."""
YOUNG_S = 3.0
YOUNG_FRAMES = 3
"""A cell that was learned for less than both has nothing to rise over. What a model
must rise by is calibrated over one picture of the view before; three are better."""
SUSPECT_S = 60.0
ALARM_S = 1800.0
FORGIVEN = 0.1
"""Of a second that a cell was kept out of the mean, for a second that it was not."""
_LONGEST_STEP_S = 60.0


class Background:
    """Mean and spread of every cell and label.

    Args:
        shape: (labels, rows, columns).
        suspect_s: Suspected cells are not learned from for so long: until a window of
            frames is full.
    """

    def __init__(self, shape: tuple[int, ...], suspect_s: float = SUSPECT_S) -> None:
        self._suspect_s = max(suspect_s, SUSPECT_S)
        self.mean = np.zeros(shape, np.float32)
        self.spread = np.zeros(shape, np.float32)
        """Mean absolute deviation from the mean."""
        self.long_mean = np.zeros(shape, np.float32)
        self.long_spread = np.zeros(shape, np.float32)
        """And over half an hour."""
        self.age_s = 0.0
        self.frames = 0
        self._learned = np.zeros(shape, np.float32)
        """Frames that each cell was learned from."""
        self._learned_s = np.zeros(shape, np.float32)
        self._kept_s = np.zeros(shape, np.float32)

    @property
    def learning(self) -> bool:
        """Too little was seen to know what is usual here."""
        return self.age_s < LEARN_S or self.frames < LEARN_FRAMES

    def unknown(self) -> NDArray[np.bool_]:
        """Cells of which is not known what they usually score."""
        if self.learning:
            return np.ones_like(self._learned, np.bool_)
        return self._young()

    @property
    def known(self) -> NDArray[np.bool_]:
        """Cells that have something to rise over."""
        return ~self._young()

    @property
    def worn(self) -> NDArray[np.bool_]:
        """Cells that stood in alarms for so long that they are learned all the same."""
        return np.asarray(self._kept_s > ALARM_S)

    def _young(self) -> NDArray[np.bool_]:
        """Not learned yet: what burns from the first frame is not either."""
        return (self._learned < YOUNG_FRAMES) | (self._learned_s < YOUNG_S)

    def step(
        self,
        scores: NDArray[np.float32],
        dt_s: float,
        suspected: NDArray[np.bool_],
        alarmed: NDArray[np.bool_],
    ) -> None:
        """Take in one frame.

        Args:
            scores: Of the shape given; 0 to 1.
            dt_s: Seconds since the frame before.
            suspected: Cells of a candidate: not learned from, for a minute.
            alarmed: Cells of an open alarm: not learned from, for half an hour.
        """
        dt_s = min(max(dt_s, 0.0), _LONGEST_STEP_S)
        self.frames += 1
        self.age_s += dt_s

        kept = suspected | alarmed
        # What comes again and again, steam or a cloud's edge, is kept out so long in
        # all, and then it is usual here.
        quiet_s = np.maximum(self._kept_s - np.float32(FORGIVEN * dt_s), 0)
        self._kept_s = np.where(kept, self._kept_s + np.float32(dt_s), quiet_s)
        frozen = (suspected & (self._kept_s <= self._suspect_s)) | (
            alarmed & (self._kept_s <= ALARM_S)
        )
        first = self._learned == 0
        self._learned += ~frozen
        self._learned_s += np.where(frozen, np.float32(0), np.float32(dt_s))
        # A plain mean until it is as long as the exponential one.
        weight = np.maximum(1 / np.maximum(self._learned, 1), _weight(dt_s, SLOW_S))
        _learn(self.mean, self.spread, scores, np.where(frozen, 0, weight), first)
        new = (self._learned < LEARN_FRAMES) | (self._learned_s < LEARN_S)
        usual = new | self.worn
        weight = np.where(usual, weight, _weight(dt_s, LONG_S))
        weight = np.where(frozen, 0, weight)
        _learn(self.long_mean, self.long_spread, scores, weight, first)

    def forget(self, but: NDArray[np.bool_] | None = None) -> None:
        """Begin anew: another scene, or the same one in another light.

        Args:
            but: (labels, rows, columns), cells whose usual score is still asked for.
        """
        for part in self.arrays().values():
            part[... if but is None else ~but] = 0
        self.age_s, self.frames = 0.0, 0

    def doubt(self, label: int, cells: NDArray[np.bool_]) -> None:
        """What was learned of these cells was not the usual.

        Args:
            label: Index of it.
            cells: (rows, columns).
        """
        spreads = self.spread, self.long_spread
        for part in (self._learned, self._learned_s, *spreads):
            part[label][cells] = 0

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """What a restart must not lose."""
        return {
            "mean": self.mean,
            "spread": self.spread,
            "long_mean": self.long_mean,
            "long_spread": self.long_spread,
            "kept_s": self._kept_s,
            "learned": self._learned,
            "learned_s": self._learned_s,
        }

    def restore(
        self, arrays: dict[str, NDArray[np.float32]], age_s: float, frames: int
    ) -> bool:
        """Take up where another left; False where it was of another shape."""
        names = self.arrays()
        if any(
            name not in arrays
            or arrays[name].shape != own.shape
            or not np.isfinite(arrays[name]).all()
            for name, own in names.items()
        ):
            return False
        for name, own in names.items():
            own[...] = arrays[name]
        self.age_s, self.frames = age_s, frames
        return True


def _learn(
    mean: NDArray[np.float32],
    spread: NDArray[np.float32],
    scores: NDArray[np.float32],
    weight: NDArray[np.floating[Any]],
    first: NDArray[np.bool_],
) -> None:
    """Move them by one frame, in place."""
    learned = weight.astype(np.float32)
    off = scores - mean
    mean += off * learned
    spread += np.where(first, np.float32(0), (np.abs(off) - spread) * learned)


def _weight(dt_s: float, tau_s: float) -> float:
    return 1.0 - math.exp(-dt_s / tau_s)
