"""Seen often enough, for long enough, at the same place.

``confirm`` of the last ``of`` judged frames, but never of less than ``SPAN_S``: a
camera judged four times a second fills six frames while a lorry passes, so that its
window holds all frames of the span and asks for the same share of them. So many must be
warm there, and the strongest so many of them must count on average: a plume that thins
for a frame is made up for by those in which it stood high. What counts counts for the
cells around it too: smoke drifts, dust drives. However many frames there are,
``confirm`` of them must have shown something new there: copies confirm nothing.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vision.alarms.grid import spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPAN_S = 3.0
"""A walking person or a car crosses its own length in less; a plume stands."""


DRIFT = 0.075
"""Of the picture's width: 3 of 40 cells. Dust behind a lorry or smoke in a wind moves
two or three cells a second, over half of the span's frames that is this; a car passes
ten and is not met twice."""


MOST = 1.5
"""Of strength that one frame may bring: it makes up for half a frame, no more."""


APART_S = 0.45
"""From one picture to the next that counts as another, see ``news``: four take less
than two seconds then, which a window takes anyway."""


class _Frame(NamedTuple):
    at_s: float
    t_ms: int
    risen: NDArray[np.float32]
    alone: NDArray[np.float32]
    moving: NDArray[np.bool_]
    new: NDArray[np.bool_]
    hit: bool
    """Something counts, anywhere."""


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
        risen: NDArray[np.float32],
        alone: NDArray[np.float32],
        moving: NDArray[np.bool_],
        new: NDArray[np.bool_],
    ) -> None:
        """Add a judged frame.

        Args:
            at_s: When, on the monotonic clock.
            t_ms: And in UTC.
            risen: (rows, columns): strength of what rose over the background; 0: none.
            alone: Strength of what scores high where no background is known.
            moving: Where the picture moved.
            new: Where it showed something new, see ``news``.
        """
        around = max(1, round(DRIFT * risen.shape[1]))
        # Most frames of a camera's life have nothing anywhere.
        risen, alone = (
            spread(np.minimum(one, np.float32(MOST)), around) if one.any() else one
            for one in (risen, alone)
        )
        hit = bool((risen >= 1).any() or (alone >= 1).any())
        if new.any():
            new = spread(new, around)
            for frame in reversed(self._frames):
                if at_s - frame.at_s >= APART_S:
                    break
                new &= ~frame.new
        self._frames.append(_Frame(at_s, t_ms, risen, alone, moving, new, hit))
        while at_s - self._frames[0].at_s > self._longest_s:
            self._frames.popleft()

    def clear(self) -> None:
        """Nothing before now counts."""
        self._frames.clear()

    @property
    def pending(self) -> bool:
        """Something counted in some frame of the window."""
        return any(f.hit for f in self._frames)

    def began_ms(self, mask: NDArray[np.bool_]) -> int:
        """UTC of the window's first frame with something in these cells; 0: none."""
        return next(
            (
                f.t_ms
                for f in self._frames
                if f.risen[mask].any() or f.alone[mask].any()
            ),
            0,
        )

    def confirmed(self) -> NDArray[np.bool_] | None:
        """Cells confirmed by the frames until now; None: none.

        What only scores high where no background is known needs twice as long. Half of
        what a cell needs must have shown motion there.
        """
        if not self.pending:
            return None
        by_rise = self._counted(1, [f.risen for f in self._frames])
        by_score = self._counted(
            2, [np.maximum(f.alone, f.risen) for f in self._frames]
        )
        if by_rise is None or by_score is None:
            return by_rise if by_score is None else by_score
        return np.asarray(by_rise | by_score)

    def _counted(
        self, times: int, strengths: list[NDArray[np.float32]]
    ) -> NDArray[np.bool_] | None:
        """Cells strong often enough in so many windows' time."""
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
        last = np.stack(strengths[-length:])
        often = np.count_nonzero(last, axis=0)
        if often.max() < need:
            return None
        strongest = np.sort(last, axis=0)[-need:].sum(axis=0)
        frames = list(self._frames)[-length:]
        moved = np.sum([f.moving for f in frames], axis=0)
        told = np.sum([f.new for f in frames], axis=0)
        found: NDArray[np.bool_] = (
            (often >= need)
            & (strongest >= need)
            & (2 * moved >= need)
            & (told >= self._confirm)
        )
        return found if found.any() else None
