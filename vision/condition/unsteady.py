"""Whether the view as a whole keeps moving: the camera drives, turns or swings.

Pictures a second apart are compared: the median of three with that of the three before.
The median is without what is there in one picture only: rain, snow, insects, noise.
The view *moves* where most of what has structure changed, the edges are elsewhere, and
they are not where they usually are either: there they are again when a lorry has
passed, and there they stay, here and there, in a storm. It is *unsteady* when that
lasts: a camera that is turned once looks somewhere else, and so does one that looks at
its presets in turn.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vision.condition.edges import agreement, edges_of, halved, standing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vision.condition.usual_view import UsualView
    from vision.look import Look

# Figures here are of pictures a second apart, 10th to 90th percentile. Moving: a drive
# along a motorway, watched as it is and at a quarter of its speed, and 17 photographs
# panned by 1 to 30 % of the picture a second, zoomed into by 2 to 15 % and swung by 3
# to 20 %. Standing: the same photographs in 12 weathers, snow, a storm in all or half
# of the picture, on a shaking mast, under a pumping exposure, at night with a noise of
# 8 to 12 grey levels, behind smoke; and 7 clips of cameras that stand.
_APART_S = 0.9
"""From one picture that is compared to the next, at least: a frame in a second."""
_OF = 3
_CELL = 4
"""Pixels of 160."""
_TEXTURED, _ENOUGH = 25.0, 0.15
"""Variance within a cell that has structure, and the share of all cells that must have
it. The motorway: 0.29; a parking lane seen from above, of which cars are all structure
there is: 0.04 to 0.08."""
_CHANGED, _TIMES_NOISE = 4.0, 2.0
"""Grey levels a cell changed by, and that over the tenth that changed least."""
_MOST = 0.6
"""Share of the textured cells that changed. The motorway 0.81 to 0.95, pans and zooms
0.5 to 1; other clips 0.5 at most, weathers 0.65 at most but for fog."""
_ELSEWHERE = 0.8
"""Agreement of edges with those before, at most. The motorway 0.48 to 0.78, pans and
zooms 0 to 0.75; fog 0.96 and more, wind 0.84 and more, a mast that shakes by 1 % of the
picture 0.65 to 0.92, time-lapse of a tower 0.72 and more."""
_UNUSUAL = 0.85
"""Agreement with the usual edges while these are learned. The motorway 0.66 to 0.84,
pans and zooms 0.1 to 0.86; wind, weather, a tower 0.86 and more."""
_GONE = 0.62
"""Share of the usual structure that still stands where the view is known. The motorway
0.34 to 0.61, pans and zooms 0.06 to 0.73; wind and shaking 0.87 and more, snow that
covers a tenth of the picture 0.8 and more, a cloud of smoke 0.69 and more."""
_SOFT, _SOFTLY = 0.7, 0.1
"""Of the usual sharpness: thick smoke over all of the picture has 0.47 to 0.67, what
moves 0.73 and more. What is soft, then, is no moving view, or one blurred at night:
it counts a tenth, and smoke has alarmed by then."""
_LASTS = 7
"""Pictures of it: named 8 s after a camera set out. A turn from one preset to another
makes five of them, a lorry that fills the picture for five seconds four."""
_STOPS = 4
"""Pictures of a view that stands, until it must last anew: who turns back stands for
three."""
_BEGINS = 3
"""Of those, before anything was compared: as long as the comparison reaches back."""


class Unsteady:
    """Follows one camera."""

    def __init__(self) -> None:
        self._pictures: deque[NDArray[np.float32]] = deque(maxlen=_OF)
        self._medians: deque[tuple[NDArray[np.float32], NDArray[np.float32]]] = deque(
            maxlen=_OF
        )
        self._last_s: float | None = None
        self._level, self._on = float(_BEGINS), False
        self.moving = False
        """The last pictures are of a moving view."""
        self.lasts = False
        """And so are those of some seconds before."""

    def step(self, look: Look, usual: UsualView, noise: float = 0.0) -> bool:
        """Take in a good, fresh frame; whether it is unsteady.

        Args:
            look: The frame's.
            usual: The view before this frame.
            noise: As in ``UsualView.step``.
        """
        if self._last_s is not None and look.mono_s - self._last_s < _APART_S:
            return self.lasts
        self._last_s = look.mono_s
        self._pictures.append(halved(look.grey))
        if len(self._pictures) < _OF:
            return False
        a, b, c = self._pictures
        now = np.asarray(cv2.max(cv2.min(a, b), cv2.min(cv2.max(a, b), c)), np.float32)
        edges = edges_of(now)
        if len(self._medians) == _OF:
            then, edges_then = self._medians[0]
            self.moving = (
                agreement(edges, edges_then) <= _ELSEWHERE
                and not _usual(edges, usual)
                and changed(then, now) >= _MOST
            )
            soft = self.moving and usual.focus(look, noise) < _SOFT
            self._level += (_SOFTLY if soft else 1.0) if self.moving else -1.0
            self._level = min(max(self._level, 0.0), float(_LASTS))
            if self._level >= _LASTS:
                self._on = True
            elif self._level <= _LASTS - _STOPS:
                self._on = False
            self.lasts = self.moving and self._on
        self._medians.append((now, edges))
        return self.lasts


def _usual(edges: NDArray[np.float32], usual: UsualView) -> bool:
    """Whether edges are where they usually are, as far as that is known."""
    if usual.edges is None:
        return False
    if usual.steady:
        return standing(edges, usual.edges) > _GONE
    return agreement(edges, usual.edges) > _UNUSUAL


def changed(then: NDArray[np.float32], now: NDArray[np.float32]) -> float:
    """Share of what has structure that changed by more than light and noise.

    Args:
        then: (96, 160) grey.
        now: The same, later.

    Returns:
        0 where too little has structure.
    """
    off = now - then
    change = _cells(np.abs(off - np.float32(np.median(off[::2, ::2]))))
    textured = _cells(now * now) - _cells(now) ** 2 > _TEXTURED
    if float(textured.mean()) < _ENOUGH:
        return 0.0
    tenth = change.size // 10
    noise = float(np.partition(change, tenth, axis=None)[tenth])
    return float((change[textured] > max(_CHANGED, _TIMES_NOISE * noise)).mean())


def _cells(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    size = (plane.shape[1] // _CELL, plane.shape[0] // _CELL)
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)
