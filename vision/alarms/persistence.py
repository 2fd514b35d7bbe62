"""Seen often enough, for long enough, at the same place.

``confirm`` of the last ``of`` judged frames, but never of less than ``SPAN_S``: a
camera judged four times a second fills six frames while a lorry passes, so that its
window holds all frames of the span and asks for the same share of them. A hit counts
for the cells around it too: smoke drifts, dust drives.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vision.alarms.grid import dilate

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPAN_S = 3.0
"""A walking person or a car crosses its own length in less; a plume stands."""


DRIFT = 0.075
"""Of the picture's width: 3 of 40 cells. Dust behind a lorry or smoke in a wind moves
two or three cells a second, over half of the span's frames that is this; a car passes
ten and is not met twice."""


class _Frame(NamedTuple):
    at_s: float
    t_ms: int
    hits: NDArray[np.bool_]
    plain: NDArray[np.bool_]
    moving: NDArray[np.bool_]
    hit: bool
    """Anywhere."""


class Window:
    """What the last judged frames said of every cell, for one label.

    Args:
        confirm: So many.
        of: Of so many.
        longest_s: What is older tells nothing of now.
    """

    def __init__(self, confirm: int, of: int, longest_s: float) -> None:
        self._confirm, self._of = max(confirm, 2), max(of, confirm, 2)
        self._longest_s = longest_s
        self._frames: deque[_Frame] = deque()

    def push(
        self,
        at_s: float,
        t_ms: int,
        hits: NDArray[np.bool_],
        plain: NDArray[np.bool_],
        moving: NDArray[np.bool_],
    ) -> None:
        """Add a judged frame.

        Args:
            at_s: When, on the monotonic clock.
            t_ms: And in UTC.
            hits: (rows, columns): above the threshold and above the background.
            plain: Above the plain threshold, the background not being known.
            moving: Where the picture moved.
        """
        # Most frames of a camera's life have no hit anywhere.
        hit, clear = bool(hits.any() or plain.any()), np.zeros_like(hits)
        around = max(1, round(DRIFT * hits.shape[1]))
        wide = (dilate(hits, around), dilate(plain, around)) if hit else (clear, clear)
        self._frames.append(_Frame(at_s, t_ms, *wide, moving, hit))
        while at_s - self._frames[0].at_s > self._longest_s:
            self._frames.popleft()

    def clear(self) -> None:
        """Nothing before now counts."""
        self._frames.clear()

    @property
    def pending(self) -> bool:
        """Some frame of the window had a hit."""
        return any(f.hit for f in self._frames)

    def began_ms(self, mask: NDArray[np.bool_]) -> int:
        """UTC of the window's first hit in these cells; 0: there is none."""
        return next(
            (f.t_ms for f in self._frames if ((f.hits | f.plain) & mask).any()), 0
        )

    def confirmed(self) -> NDArray[np.bool_] | None:
        """Cells confirmed by the frames until now; None: none.

        A cell that is only above the plain threshold needs twice as long. Half of what
        a cell needs must have shown motion there.
        """
        by_rise = self._counted(1, [f.hits for f in self._frames])
        by_score = self._counted(2, [f.plain | f.hits for f in self._frames])
        if by_rise is None or by_score is None:
            return by_rise if by_score is None else by_score
        return np.asarray(by_rise | by_score)

    def _counted(
        self, times: int, hits: list[NDArray[np.bool_]]
    ) -> NDArray[np.bool_] | None:
        """Cells hit often enough in so many windows' time."""
        if not self._frames:
            return None
        now_s = self._frames[-1].at_s
        # A window that has just begun holds few frames, and still needs its time.
        least_s = times * SPAN_S * self._confirm / self._of
        if now_s - self._frames[0].at_s < least_s:
            return None
        in_span = sum(1 for f in self._frames if now_s - f.at_s < times * SPAN_S)
        length = max(times * self._of, in_span)
        share = math.ceil(in_span * self._confirm / self._of)
        need = max(times * self._confirm, share)
        if len(self._frames) < need:
            return None
        often = np.sum(hits[-length:], axis=0)
        if often.max() < need:
            return None
        moved = np.sum([f.moving for f in list(self._frames)[-length:]], axis=0)
        found: NDArray[np.bool_] = (often >= need) & (2 * moved >= need)
        return found if found.any() else None
