"""What a camera usually sees, learned; and when it no longer does.

*Defocused*: everything is where it was, but the fine structure is gone everywhere.
*Blocked*: a large part lost its structure at once, and what is there stands still:
smoke and fog come slowly or move. *Moved*: the edges are those of another view, and the
frames agree with each other about it. A camera that drives, or turns all the time, has
no usual view, and none of the three is said of it. Neither light nor a switch to
infrared is a fault: the switch starts learning anew.

Where parts of the picture are private, what may be another view is never learned: only
the old one, seen again, ends what is odd (``held``).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from vision.condition.edges import BLOCK, agreement, edge_picture, moved_by
from vision.condition.kept_view import Head, KeptView
from vision.infrared import Infrared

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vision.look import Look

# Figures here are of 60 photographs with a sensor's noise (sigma 2), 5th to
# 95th percentile, against themselves: brighter, darker, hazed, blurred by 2 or 4 pixels
# of 640, half or 70 % covered by a dark cloth, moved by 3 or 10 %; or against others.
# What has no figure is judged, not measured.
RIPE_S, RIPE_FRAMES = 30.0, 8
"""Seen for so long, the view is known: lorries have passed, an exposure has settled."""
RELEARN_S = 600.0
"""So long after a move the new view is the usual one: who turned it on purpose is done,
and who did not was told."""
COVERED_S = 86_400.0
"""A cloth before the lens, or dirt on it, is not usual because it stays: a day."""
_SLOW_S = 120.0
"""The view follows light and shadows in so long; they take ten minutes and more, what
covers or turns a camera a few seconds."""
_SHARPNESS_S = 3600.0
"""But sharpness so slowly: a lens that drifts out of focus must not become usual."""
_LONGEST_STEP_S = 30.0
"""Of learning from one frame: after a gap it says no more than that."""
_TEXTURED = 1.5
"""Mean steps of a block that has structure to lose: a sky has only noise."""
_LEAST_BLOCKS = 12
"""With structure, a twentieth of all; fewer, and a lorry covers half of them."""

_LOST = 0.35
"""Of a block's structure, less is lost; half of the contrast leaves 0.48 and more."""
_GAIN_AT = 0.75
"""What the best kept quarter of the blocks lost was lost to the light: 0.48 to 0.59 at
half of the light, 0.87 to 1.02 beside a cloth."""
_DUSK = 0.5
"""Of the usual mean: below it, with all structure lost, it is dark and not covered."""
_COVERS, _COVERED, _UNCOVERED = 0.4, 0.3, 0.15
"""Share that is gone: to begin, to go on, and at most just before. Half covered 0.29
to 0.50, 70 % covered 0.28 to 0.69; light, haze and shaking 0 to 0.19."""
_AT_ONCE_S = 3.0
"""It is gone within that: a cloth comes at once, fog and smoke come on."""
_STANDS, _ELSE = 1.5, 6.0
"""Grey levels a lost block's mean moves by from frame to frame, at most (coding makes
0.4 to 1.3, as ``vision.alarms.news`` tells; smoke billows), and by which it is another
than usual, at least (a cloth 20 to 105, blur 0.7 at most)."""

_SOFTER = 0.65
"""Of the usual sharpness: out of focus. Blurred by 4 pixels 0.32 to 0.59, by 2 0.47 to
0.69; half of the light 0.86, a cloth 0.71."""
_SAME_PLACE, _SAME_SPREAD = 0.9, 0.75
"""Correlation of the blocks' means, and their spread as a share: blur leaves both at
0.99 and more; haze takes half of the spread, a cloth 0.3 of the correlation."""
_SOFT_BLOCK, _SOFT_SHARE = 0.75, 0.55
"""All of it is softer, not a part: 0.57 to 1 of the blocks have less than 0.75 of
their structure, beside a cloth over half of it 0.39 to 0.53."""

_AGREE = 0.5
"""Agreement of edges with their usual, below which a camera has no usual view: at one
place it is 0.99, shaking 0.89 and more; always another view, 0.18 at most."""
_STEADY = 0.85
"""And above which it always looked at one place: a drive along a motorway has 0.84 at
most."""
_LEFT, _ARRIVED = 0.6, 0.7
"""Of the usual agreement: below the one it looks elsewhere (moved by 10 %: 0.58 at
most, by 3 %: 0.68, another view 0.18; light and haze 0.80 at least), above the other
the last two frames agree, so that it has stopped."""
_LEFT_PRIVATE, _SHAKEN = 0.75, 0.85
"""For a private zone sooner: along a horizon moves by 15 and 40 % agree 0.57 to 0.78.
Below the second a shift tells; shaking and light are above it, or shift nothing."""
_ALL_LOST = 0.9
"""Share of the blocks: what is left is too little to compare."""
_AS_RICH = (0.6, 1.7)
"""Of the usual structure, or else lamps went on or off: that is another picture of the
same view, and so is one by ``_AS_BRIGHT`` grey levels brighter."""
_AS_BRIGHT = 15.0


class Oddities(NamedTuple):
    """What is odd about a frame against the usual view."""

    defocused: float | None = None
    """Its sharpness as a share of the usual; None: it is in focus, or unknown."""
    blocked: float | None = None
    """Share of the structured picture that is gone."""
    moved: tuple[int, int] | None = None
    """Percent of the picture right and down; (0, 0): another view altogether."""


class UsualView:
    """The learned view of one camera.

    Args:
        held: Another view never becomes the usual one by itself.
    """

    def __init__(self, *, held: bool = False) -> None:
        self._held = held
        self._left = _LEFT_PRIVATE if held else _LEFT
        self.means: NDArray[np.float32] | None = None
        self.texture: NDArray[np.float32] | None = None
        self._infrared = Infrared()
        self._reset()

    def _reset(self) -> None:
        self.means = self.texture = None
        self.edges: NDArray[np.float32] | None = None
        self._last_edges: NDArray[np.float32] | None = None
        self._sharpness, self._mean, self._usual = 0.0, 0.0, 1.0
        self._noise = 0.0
        self._stood = False
        self._seen_s, self._frames = 0.0, 0
        self._last_s: float | None = None
        self._odd_s: float | None = None
        self._lost: deque[tuple[float, float]] = deque(maxlen=32)
        self._last_means: NDArray[np.float32] | None = None
        self.agrees = True
        """Whether the last frame's edges are where they usually are, or none are known;
        after a restart, or ``away``, not before one was."""

    @property
    def ripe(self) -> bool:
        """Whether the view is known well enough to miss it."""
        return (
            self._seen_s >= RIPE_S
            and self._frames >= RIPE_FRAMES
            and self._usual >= _AGREE
        )

    @property
    def steady(self) -> bool:
        """Whether the view is known, and was always one while it was learned.

        In a storm it agrees less and less with its usual, and still stands. What stood
        before it went to infrared stands while it is learned anew.
        """
        return self._stood

    def focus(self, look: Look, noise: float = 0.0) -> float:
        """Sharpness as a share of the usual; 1 where that is not known.

        Args:
            look: Of a good, fresh frame.
            noise: As in ``step``.
        """
        _, sharpness = self._structure(look, self._bounded(noise))
        return sharpness / (self._sharpness + 1e-6) if self.ripe else 1.0

    def kept(self, mono_s: float) -> KeptView | None:
        """What the next process needs; None: the view is not known yet."""
        if self.edges is None or self.means is None or self.texture is None:
            return None
        if not self.ripe:
            return None
        head = Head(
            seen_s=self._seen_s,
            frames=self._frames,
            sharpness=self._sharpness,
            mean=self._mean,
            usual=self._usual,
            stood=self._stood,
            noise=self._noise,
            odd_s=None if self._odd_s is None else max(0.0, mono_s - self._odd_s),
            infrared=self._infrared.on,
            doubted=self._held and not self.agrees,
        )
        return KeptView(head, self.edges, self.means, self.texture)

    def take_up(self, kept: KeptView, mono_s: float) -> None:
        """Go on with what the process before had learned."""
        self._reset()
        head, self.edges, self.means, self.texture = kept
        self._seen_s, self._frames = head.seen_s, head.frames
        self._sharpness, self._mean = head.sharpness, head.mean
        self._usual, self._noise = head.usual, head.noise
        self._stood = head.stood or head.usual >= _STEADY
        self._odd_s = None if head.odd_s is None else mono_s - head.odd_s
        self._infrared.on = head.infrared
        self.agrees = False

    def away(self) -> None:
        """A frame is passed over: the next that is compared follows none.

        Else what the camera sees when it stands again is taken for one long frame of
        the view it had, and learned.
        """
        self._last_s = self._last_edges = self._last_means = None
        self._lost.clear()
        self.agrees = False

    def forget(self) -> None:
        """The camera went elsewhere: learn anew, but where it is ``held``."""
        if not self._held:
            self._reset()

    def switched(self, look: Look, *, faulty: bool = False) -> bool:
        """Whether the camera went to infrared or back; then all is learned anew.

        Args:
            look: Of any frame.
            faulty: Something is wrong with its view, which a switch does not mend.
        """
        was = self._infrared.on
        if self._infrared.step(look.colour) == was or was is None:
            return False
        if not (self._held and faulty):
            stood = self._stood
            self._reset()
            self._stood = stood
        return True

    def step(self, look: Look, noise: float = 0.0) -> Oddities:
        """Compare one good, fresh frame with the usual view, and learn from it.

        Args:
            look: The frame's.
            noise: How much a block changes from frame to frame where nothing moves,
                grey levels; as much of the steps within a block is no structure.
        """
        edges = edge_picture(look.grey)
        noise = self._bounded(noise)
        structure, sharpness = self._structure(look, noise)
        last_edges, self._last_edges = self._last_edges, edges
        last_means, self._last_means = self._last_means, look.means
        passed_s = 0.0 if self._last_s is None else look.mono_s - self._last_s
        passed_s = min(max(passed_s, 0.0), _LONGEST_STEP_S)
        self._last_s = look.mono_s
        share = 1.0 if self._frames <= 1 else passed_s / _SLOW_S
        self._noise += min(1.0, share) * (noise - self._noise)
        if self.edges is None or self.means is None or self.texture is None:
            self._learn(look, edges, structure, sharpness, 1.0, passed_s)
            return Oddities()
        agree = agreement(edges, self.edges)
        if not self.ripe:
            # Three times within the half minute in which the view is learned; a camera
            # that is seldom looked at learns a tenth from each frame.
            self._usual += min(1.0, 3 * passed_s / RIPE_S) * (agree - self._usual)
            share = max(0.1, passed_s / RIPE_S)
            self._learn(look, edges, structure, sharpness, share, passed_s)
            if self.ripe:
                self._stood = self._usual >= _STEADY
            return Oddities()
        self.agrees = agree >= self._left * self._usual
        if self._held and agree < _SHAKEN * self._usual:
            self.agrees = self.agrees and moved_by(self.edges, edges) is None
        odd = self._odd(look, edges, structure, sharpness, last_edges, last_means)
        if odd == Oddities() and self._held and not self.agrees:
            return odd  # what may be another view teaches nothing
        if odd == Oddities():
            self._odd_s = None
            # Twice as fast as the view itself: wind that rises is no move.
            self._usual += min(1.0, 2 * passed_s / _SLOW_S) * (agree - self._usual)
            self._learn(look, edges, structure, sharpness, passed_s / _SLOW_S, passed_s)
            self._stood = self._stood or self._usual >= _STEADY
            return odd
        self._odd_s = look.mono_s if self._odd_s is None else self._odd_s
        odd_s = look.mono_s - self._odd_s
        longest_s = COVERED_S if odd.moved is None else RELEARN_S
        if odd_s > longest_s and not self._held:
            self._reset()
        return odd

    def _bounded(self, noise: float) -> float:
        # What sways changes every block, and is no noise: at most half more than usual.
        return noise if self.texture is None else min(noise, 1.5 * self._noise + 0.1)

    @staticmethod
    def _structure(look: Look, noise: float) -> tuple[NDArray[np.float32], float]:
        """Each block's structure, and the sharpness as the look's, without noise."""
        # A step is of two pixels, each with its noise.
        structure = np.maximum(look.across + look.down - 2.0 * noise, 0.0)
        fine = float((look.across + look.down).mean())
        return structure, look.sharpness * float(structure.mean()) / (fine + 1e-6)

    def _learn(
        self,
        look: Look,
        edges: NDArray[np.float32],
        structure: NDArray[np.float32],
        sharpness: float,
        share: float,
        passed_s: float,
    ) -> None:
        if self.edges is None or self.means is None or self.texture is None:
            self.edges, self.means, self.texture = edges, look.means, structure
            self._sharpness, self._mean = sharpness, look.mean
        else:
            share = min(1.0, share)
            self.edges = _toward(self.edges, edges, share)
            self.means = _toward(self.means, look.means, share)
            self.texture = _toward(self.texture, structure, share)
            self._mean += share * (look.mean - self._mean)
            slow = share if not self.ripe else min(share, passed_s / _SHARPNESS_S)
            self._sharpness += slow * (sharpness - self._sharpness)
        self._seen_s += passed_s
        self._frames += 1

    def _odd(
        self,
        look: Look,
        edges: NDArray[np.float32],
        structure: NDArray[np.float32],
        sharpness: float,
        last_edges: NDArray[np.float32] | None,
        last_means: NDArray[np.float32] | None,
    ) -> Oddities:
        assert self.means is not None  # noqa: S101 - ripe
        assert self.texture is not None  # noqa: S101
        assert self.edges is not None  # noqa: S101
        structured = self.texture >= _TEXTURED
        count = int(structured.sum())
        # What the best kept quarter lost was lost to the light, not to a cloth.
        kept = structure[structured] / self.texture[structured]
        gain = float(np.quantile(kept, _GAIN_AT)) if count else 1.0
        dusk = gain < _LOST and look.mean < _DUSK * self._mean
        gain = min(max(gain, _LOST), 1.0)
        lost = structured & (structure < _LOST * gain * self.texture)
        gone = float(lost.sum()) / count if count >= _LEAST_BLOCKS else 0.0
        while len(self._lost) > 1 and look.mono_s - self._lost[0][0] > _AT_ONCE_S:
            self._lost.popleft()
        before = min((share for _, share in self._lost), default=0.0)
        if last_means is not None:
            # Of a first frame the noise is not known, and what is lost is guessed.
            self._lost.append((look.mono_s, gone))
        elsewhere = self._moved(look, edges, last_edges, lost)
        if elsewhere is not None and elsewhere != (0, 0):
            return Oddities(moved=elsewhere)
        same_place = _correlation(look.means, self.means)
        spread = float(look.means.std()) / (float(self.means.std()) + 1e-6)
        ratio = sharpness / (self._sharpness + 1e-6)
        if ratio < _SOFTER and same_place >= _SAME_PLACE and spread >= _SAME_SPREAD:
            softer = (structure < _SOFT_BLOCK * self.texture)[structured]
            if count >= _LEAST_BLOCKS and float(softer.mean()) >= _SOFT_SHARE:
                return Oddities(defocused=ratio)
        if elsewhere is not None:
            return Oddities(moved=elsewhere)
        going_on = self._odd_s is not None
        began = gone >= _COVERS and before < _UNCOVERED
        if not dusk and (began or (going_on and gone >= _COVERED)):
            moving = 0.0
            if last_means is not None:
                moving = float(np.median(np.abs(look.means - last_means)[lost]))
            other = float(np.median(np.abs(look.means - self.means)[lost]))
            if moving < _STANDS and other >= _ELSE:
                return Oddities(blocked=gone)
        return Oddities()

    def _moved(
        self,
        look: Look,
        edges: NDArray[np.float32],
        last_edges: NDArray[np.float32] | None,
        lost: NDArray[np.bool_],
    ) -> tuple[int, int] | None:
        assert self.edges is not None  # noqa: S101
        assert self.texture is not None  # noqa: S101
        if self.agrees or last_edges is None:
            return None
        if agreement(edges, last_edges) < _ARRIVED * self._usual:
            return None  # it is still turning, or a lorry drives past
        if (far := moved_by(self.edges, edges)) is not None:
            return far
        # Beside what covers a lens the view is as usual; another view has no such part.
        # The rim of what covers it is left out.
        near = cv2.dilate(lost.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        left = np.repeat(np.repeat(~near, BLOCK, axis=0), BLOCK, axis=1)
        beside = agreement(edges[left], self.edges[left])
        if float(near.mean()) > _ALL_LOST or beside >= self._left * self._usual:
            return None
        richness = float(
            (look.across + look.down).mean() / (self.texture.mean() + 1e-6)
        )
        as_rich = _AS_RICH[0] < richness < _AS_RICH[1]
        as_lit = as_rich and abs(look.mean - self._mean) < _AS_BRIGHT
        # Where something is private, lamps are no excuse: who knows where it is now.
        return (0, 0) if as_lit or self._held else None


def _toward(
    old: NDArray[np.float32], new: NDArray[np.float32], share: float
) -> NDArray[np.float32]:
    return np.asarray(old + np.float32(share) * (new - old), np.float32)


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    x, y = a - a.mean(), b - b.mean()
    scale = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(np.vdot(x, y)) / scale if scale > 1e-3 else 0.0  # noqa: PLR2004
