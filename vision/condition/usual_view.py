"""What a camera usually sees, learned; and when it no longer does.

*Defocused*: everything is where it was, but the fine structure is gone everywhere.
*Blocked*: a large part lost its structure at once, and what is there stands still:
smoke and fog come slowly or move. *Moved*: the edges are those of another view, and the
frames agree with each other about it. A camera that drives, or turns all the time, has
no usual view, and none of the three is said of it. Neither light nor a switch to
infrared is a fault: the switch starts learning anew.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from vision.condition.kept_view import Head, KeptView
from vision.infrared import Infrared

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vision.look import Look

RIPE_S, RIPE_FRAMES = 30.0, 8
"""Seen for so long, the view is known."""
RELEARN_S = 600.0
"""So long after a move the new view is the usual one."""
COVERED_S = 86_400.0
"""A cloth before the lens, or dirt on it, is not usual because it stays: a day."""
_SLOW_S = 120.0
_TEXTURED = 1.5
"""Mean steps of a block that has structure to lose."""
_LOST = 0.35
_AT_ONCE_S = 3.0
_AGREE = 0.5


class Oddities(NamedTuple):
    """What is odd about a frame against the usual view."""

    defocused: float | None = None
    """Its sharpness as a share of the usual; None: it is in focus, or unknown."""
    blocked: float | None = None
    """Share of the structured picture that is gone."""
    moved: tuple[int, int] | None = None
    """Percent of the picture right and down; (0, 0): another view altogether."""


class UsualView:
    """The learned view of one camera."""

    def __init__(self) -> None:
        self.means: NDArray[np.float32] | None = None
        self.texture: NDArray[np.float32] | None = None
        self._infrared = Infrared()
        self._reset()

    def _reset(self) -> None:
        self.means = self.texture = None
        self._edges: NDArray[np.float32] | None = None
        self._last_edges: NDArray[np.float32] | None = None
        self._sharpness, self._mean, self._usual = 0.0, 0.0, 1.0
        self._noise = 0.0
        self._seen_s, self._frames = 0.0, 0
        self._last_s: float | None = None
        self._odd_s: float | None = None
        self._lost: deque[tuple[float, float]] = deque(maxlen=32)
        self._last_means: NDArray[np.float32] | None = None

    @property
    def ripe(self) -> bool:
        """Whether the view is known well enough to miss it."""
        return (
            self._seen_s >= RIPE_S
            and self._frames >= RIPE_FRAMES
            and self._usual >= _AGREE
        )

    def kept(self, mono_s: float) -> KeptView | None:
        """What the next process needs; None: the view is not known yet."""
        if self._edges is None or self.means is None or self.texture is None:
            return None
        if not self.ripe:
            return None
        head = Head(
            seen_s=self._seen_s,
            frames=self._frames,
            sharpness=self._sharpness,
            mean=self._mean,
            usual=self._usual,
            noise=self._noise,
            odd_s=None if self._odd_s is None else max(0.0, mono_s - self._odd_s),
            infrared=self._infrared.on,
        )
        return KeptView(head, self._edges, self.means, self.texture)

    def take_up(self, kept: KeptView, mono_s: float) -> None:
        """Go on with what the process before had learned."""
        self._reset()
        head, self._edges, self.means, self.texture = kept
        self._seen_s, self._frames = head.seen_s, head.frames
        self._sharpness, self._mean = head.sharpness, head.mean
        self._usual, self._noise = head.usual, head.noise
        self._odd_s = None if head.odd_s is None else mono_s - head.odd_s
        self._infrared.on = head.infrared

    def switched(self, look: Look) -> bool:
        """Whether the camera went to infrared or back; then all is learned anew."""
        was = self._infrared.on
        if self._infrared.step(look.colour) == was or was is None:
            return False
        self._reset()
        return True

    def step(self, look: Look, noise: float = 0.0) -> Oddities:
        """Compare one good, fresh frame with the usual view, and learn from it.

        Args:
            look: The frame's.
            noise: How much a block changes from frame to frame where nothing moves,
                grey levels; as much of the steps within a block is no structure.
        """
        edges = edge_picture(look.grey)
        # What sways changes every block, and is no noise.
        if self.texture is not None:
            noise = min(noise, 1.5 * self._noise + 0.1)
        structure = np.maximum(look.across + look.down - 2.0 * noise, 0.0)
        # As the look's, without the noise.
        fine = float((look.across + look.down).mean())
        sharpness = look.sharpness * float(structure.mean()) / (fine + 1e-6)
        last_edges, self._last_edges = self._last_edges, edges
        last_means, self._last_means = self._last_means, look.means
        passed_s = 0.0 if self._last_s is None else look.mono_s - self._last_s
        passed_s = min(max(passed_s, 0.0), 30.0)
        self._last_s = look.mono_s
        share = 1.0 if self._frames <= 1 else passed_s / _SLOW_S
        self._noise += min(1.0, share) * (noise - self._noise)
        if self._edges is None or self.means is None or self.texture is None:
            self._learn(look, edges, structure, sharpness, 1.0, passed_s)
            return Oddities()
        agree = agreement(edges, self._edges)
        if not self.ripe:
            self._usual += min(1.0, passed_s / 10.0) * (agree - self._usual)
            share = max(0.1, passed_s / RIPE_S)
            self._learn(look, edges, structure, sharpness, share, passed_s)
            return Oddities()
        odd = self._odd(
            look, edges, structure, sharpness, agree, last_edges, last_means
        )
        if odd == Oddities():
            self._odd_s = None
            self._usual += min(1.0, passed_s / 60.0) * (agree - self._usual)
            self._learn(look, edges, structure, sharpness, passed_s / _SLOW_S, passed_s)
            return odd
        self._odd_s = look.mono_s if self._odd_s is None else self._odd_s
        odd_s = look.mono_s - self._odd_s
        if odd_s > (COVERED_S if odd.moved is None else RELEARN_S):
            self._reset()
        return odd

    def _learn(
        self,
        look: Look,
        edges: NDArray[np.float32],
        structure: NDArray[np.float32],
        sharpness: float,
        share: float,
        passed_s: float,
    ) -> None:
        if self._edges is None or self.means is None or self.texture is None:
            self._edges, self.means, self.texture = edges, look.means, structure
            self._sharpness, self._mean = sharpness, look.mean
        else:
            share = min(1.0, share)
            self._edges = _toward(self._edges, edges, share)
            self.means = _toward(self.means, look.means, share)
            self.texture = _toward(self.texture, structure, share)
            self._mean += share * (look.mean - self._mean)
            # A lens that drifts out of focus over days must not become usual.
            slow = share if not self.ripe else min(share, passed_s / 3600.0)
            self._sharpness += slow * (sharpness - self._sharpness)
        self._seen_s += passed_s
        self._frames += 1

    def _odd(
        self,
        look: Look,
        edges: NDArray[np.float32],
        structure: NDArray[np.float32],
        sharpness: float,
        agree: float,
        last_edges: NDArray[np.float32] | None,
        last_means: NDArray[np.float32] | None,
    ) -> Oddities:
        assert self.means is not None  # noqa: S101 - ripe
        assert self.texture is not None  # noqa: S101
        assert self._edges is not None  # noqa: S101
        structured = self.texture >= _TEXTURED
        count = int(structured.sum())
        # What the best kept quarter lost was lost to the light, not to a cloth.
        kept = structure[structured] / self.texture[structured]
        gain = float(np.quantile(kept, 0.75)) if count else 1.0
        dusk = gain < _LOST and look.mean < 0.5 * self._mean
        gain = min(max(gain, _LOST), 1.0)
        lost = structured & (structure < _LOST * gain * self.texture)
        gone = float(lost.sum()) / count if count >= 12 else 0.0  # noqa: PLR2004
        while len(self._lost) > 1 and look.mono_s - self._lost[0][0] > _AT_ONCE_S:
            self._lost.popleft()
        before = min((share for _, share in self._lost), default=0.0)
        if last_means is not None:
            # Of a first frame the noise is not known, and what is lost is guessed.
            self._lost.append((look.mono_s, gone))
        same_place = _correlation(look.means, self.means)
        spread = float(look.means.std()) / (float(self.means.std()) + 1e-6)
        ratio = sharpness / (self._sharpness + 1e-6)
        if ratio < 0.65 and same_place >= 0.9 and spread >= 0.75:  # noqa: PLR2004
            softer = (structure < 0.75 * self.texture)[structured]
            if count >= 12 and float(softer.mean()) >= 0.65:  # noqa: PLR2004
                return Oddities(defocused=ratio)
        going_on = self._odd_s is not None
        began = gone >= 0.4 and before < 0.15  # noqa: PLR2004
        if not dusk and (began or (going_on and gone >= 0.3)):  # noqa: PLR2004
            moving = 0.0
            if last_means is not None:
                moving = float(np.median(np.abs(look.means - last_means)[lost]))
            other = float(np.median(np.abs(look.means - self.means)[lost]))
            if moving < 1.5 and other >= 6.0:  # noqa: PLR2004 - grey levels
                return Oddities(blocked=gone)
        return Oddities(moved=self._moved(look, edges, agree, last_edges))

    def _moved(
        self,
        look: Look,
        edges: NDArray[np.float32],
        agree: float,
        last_edges: NDArray[np.float32] | None,
    ) -> tuple[int, int] | None:
        assert self._edges is not None  # noqa: S101
        assert self.texture is not None  # noqa: S101
        if agree >= 0.6 * self._usual or last_edges is None:
            return None
        if agreement(edges, last_edges) < 0.7 * self._usual:
            return None  # it is still turning, or a lorry drives past
        right, down, peak = shift(self._edges, edges)
        far = max(abs(right) / edges.shape[1], abs(down) / edges.shape[0])
        if peak >= 0.15 and far >= 0.02:  # noqa: PLR2004 - two percent of the picture
            return (
                round(100 * right / edges.shape[1]),
                round(100 * down / edges.shape[0]),
            )
        richness = float(
            (look.across + look.down).mean() / (self.texture.mean() + 1e-6)
        )
        # Lamps that go on or off make another picture of the same view, too.
        if 0.6 < richness < 1.7 and abs(look.mean - self._mean) < 15:  # noqa: PLR2004
            return (0, 0)
        return None


def edge_picture(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Where edges are in a (192, 320) picture: (96, 160), zero mean."""
    half = (
        grey[0::2, 0::2].astype(np.float32)
        + grey[1::2, 0::2]
        + grey[0::2, 1::2]
        + grey[1::2, 1::2]
    ) / 4.0
    strength = np.zeros_like(half)
    strength[:, 1:-1] += np.abs(half[:, 2:] - half[:, :-2])
    strength[1:-1] += np.abs(half[2:] - half[:-2])
    # A strong edge counts no more than a clear one: headlights are not the view.
    strength = np.minimum(strength, 32.0)
    # Softened, for a mast sways; and without what is coarse: every view has an empty
    # sky over a rich ground.
    return np.asarray(cv2.blur(strength, (3, 3)) - cv2.blur(strength, (17, 17)))


def agreement(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Normalised correlation of two edge pictures, -1 to 1."""
    scale = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.vdot(a, b)) / scale if scale > 1e-3 else 0.0  # noqa: PLR2004


def shift(
    before: NDArray[np.float32], after: NDArray[np.float32]
) -> tuple[int, int, float]:
    """How far ``after`` is shifted against ``before``: right, down, and how surely.

    Source: phase correlation, Kuglin and Hines 1975. The third is the peak's height:
    1 for a pure shift, below 0.1 for pictures that have nothing in common.
    """
    rows, columns = before.shape
    window = np.outer(np.hanning(rows), np.hanning(columns))
    cross = np.fft.rfft2(after * window) * np.conj(np.fft.rfft2(before * window))
    flat = np.fft.irfft2(cross / (np.abs(cross) + 1e-3), s=before.shape)
    # The peak of a shift between pixels is spread over a few.
    spread = sum(np.roll(flat, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1))
    at = int(np.argmax(spread))
    down, right = divmod(at, columns)
    down = down - rows if down > rows // 2 else down
    right = right - columns if right > columns // 2 else right
    return right, down, float(np.reshape(spread, -1)[at])


def _toward(
    old: NDArray[np.float32], new: NDArray[np.float32], share: float
) -> NDArray[np.float32]:
    return np.asarray(old + np.float32(share) * (new - old), np.float32)


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    x, y = a - a.mean(), b - b.mean()
    scale = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(np.vdot(x, y)) / scale if scale > 1e-3 else 0.0  # noqa: PLR2004
