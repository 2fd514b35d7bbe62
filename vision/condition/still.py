"""Does the picture live? Freshness by content and by the stream's own time.

A sensor is never quiet: two pictures of a live camera differ, and be it by noise. So

* **seen before** (outside the strips at top and bottom, where a burnt-in clock may run
  on over a dead picture) means nothing new came. An encoder that is fed one picture
  again and again makes it a little different within its group of pictures, and then
  the same differences again: so a frame is compared with the last eight. Measured with
  x264 at 300 kbit/s: from one to the next a frozen picture changes by 0.45 grey levels,
  against the nearest of eight by 0 to 0.02; a live one by 1.2, a denoised one by 0.1.
  What moves or drifts with the light overrules it. That a picture is only far quieter
  than usual says nothing: so it is when a lamp goes on, or out of focus;
* a **text that runs on** anywhere over a dead picture, a clock or a counter, is left
  out: a line of up to a fifth of the blocks, while all others stand. Only
  where it is known that this camera's picture is noisy in every block: one that
  denoises sends the same blocks again while a small plume rises, and is not frozen;
* **the stream's time stands** while frames come: somebody repeats old ones.

By kind: ``rtsp``, ``mjpeg``, ``usb``: 6 s. ``snapshot``: also three equal pictures in a
row and 7 s, for cameras answer from a cache for a few seconds. ``file`` and ``folder``
are never frozen: stills and rendered clips are rightly equal to the bit. A camera whose
equal stretches come and go (a thrifty encoder before a quiet wall) earns patience.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vision.look import BLOCK, COLUMNS, ROWS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vision.look import Look
    from vision.messages import SourceKind

FROZEN_S = 6.0
SNAPSHOT_S = 7.0
SNAPSHOT_EQUAL = 3
_STILL_FRAMES = 3
PATIENCE_S = 60.0
"""The most a thrifty encoder is granted."""
_STRIP = 2
"""Rows of blocks at top and at bottom, a sixth of the picture each: for clocks."""
_SEEN, _SEEN_BLOCK, _SEEN_SHARE = 0.05, 0.3, 0.2
"""Grey levels, mean of the picture and of one block: no more is no change."""
_CALM, _CALM_BLOCK, _CALM_USUAL, _SETTLE_S = 0.6, 1.0, 0.4, 4.0
"""Below this share of the usual (where a sensor's noise can be told from coding), and
no block by more than a level, an encoder may be settling on a picture that no longer
changes: measured, it takes four seconds."""
_TEXT = 32
"""Blocks of the 160 inner ones: a line of text over 6 % of the picture covers up to 30
of them wholly or in part."""
_LINE = 3
"""Rows of blocks that line covers in all, however long it runs: a plume rises, and a
picture that is only less noisy around it is not frozen."""
_TEXT_BLOCK, _TEXT_SEEN = 0.5, 0.35
"""Of the usual change: above the one a block is text, below the other in the mean the
rest stands. Measured under a running clock, x264 at 1.5 and 4 Mbit/s: 0 to 0.3; alive:
0.9 to 1.2. At 600 kbit/s and less a frozen picture changes by up to 0.7: not named."""
_LIT = 8.0
"""Grey levels that half of the blocks jump by when a lamp goes on: less noise then is
less noise, and what moves in it no text."""
_UNTAUGHT_S = 20.0
"""What may be a freeze teaches nothing for so long: by then it would be named."""
_CALM_LEARN_S = 2.0
_MOTION = 2.0
"""Grey levels, mean of one block: something moved; coding alone makes 0.9 at most."""
_DRIFT = 1.5
"""Grey levels a block drifted since it froze: light changed, so the camera lives."""


class Step(NamedTuple):
    """What one frame was against the one before."""

    advanced: bool
    """Something new is in it: it may be judged."""
    level: float
    """Change of a block against the last frame, grey levels, where least changes (the
    quietest tenth of the inner picture): the noise, though a mast sways."""
    frozen_s: float | None
    """Nothing new for so long; None: not frozen."""
    calm: bool = False
    """An encoder may be settling on a picture that froze: nothing is judged at the
    first doubt, and smoke that comes is never so calm."""


class Still:
    """Freshness of one camera, frame by frame.

    Args:
        kind: What sort of source it is.
    """

    def __init__(self, kind: SourceKind) -> None:
        self._exempt = kind in {"file", "folder"}
        self._snapshot = kind == "snapshot"
        self._last: Look | None = None
        self._kept: deque[Look] = deque(maxlen=8)
        self._usual: float | None = None
        self._learned_s = 0.0
        self._forgot = False
        self._since_s: float | None = None  # the still stretch began
        self._began: NDArray[np.float32] | None = None  # as it looked then
        self._text = np.zeros((ROWS - 2 * _STRIP, COLUMNS), np.bool_)
        self._lit_s = float("-inf")
        self._equal = self._seen = 0
        self._calm_s: float | None = None
        self._noise: deque[bool] = deque(maxlen=4)
        self._stalled_s: float | None = None
        self._patience_s = SNAPSHOT_S if self._snapshot else FROZEN_S
        self._healed: deque[float] = deque(maxlen=3)
        self._frozen = False

    def forget(self) -> None:
        """The light changed or the camera is another: what was usual is not."""
        self._usual, self._learned_s, self._forgot = None, 0.0, True

    def step(self, look: Look) -> Step:
        """Take one frame's look."""
        last, self._last = self._last, look
        if last is None or last.size != look.size:
            self._end(look.mono_s)
            self._stalled_s = None
            self._kept.clear()
            self._kept.append(look)
            return Step(advanced=True, level=0.0, frozen_s=None)
        step = float(np.quantile(changes(last.grey, look.grey)[_STRIP:-_STRIP], 0.1))
        stalled_s = self._stalled(last, look)
        if self._exempt:
            return Step(advanced=True, level=step, frozen_s=None)
        if float(np.median(np.abs(look.means - last.means))) >= _LIT:
            self._lit_s = look.mono_s
        inner, alike = self._nearest(look)
        text = self._text_in(inner, look.mono_s)
        rest = inner[~text]
        peak, middle = float(rest.max()), float(np.median(inner))
        # A generous encoder (640x360 at 1.5 Mbit/s) spends its bits on the noise it was
        # fed: a frozen picture of it stays up to a fifth of the usual change apart.
        usual = self._usual or 0.0
        seen = max(_SEEN, min(_SEEN_SHARE * usual, 4 * _SEEN))
        block = max(_SEEN_BLOCK, min(3 * _SEEN_SHARE * usual, 2 * _SEEN_BLOCK))
        if text.any():
            seen, block = _TEXT_SEEN * usual, _TEXT_BLOCK * usual
        equal = float(rest.mean()) <= seen and peak <= block
        self._equal = self._equal + 1 if equal else 0
        settling = self._noisy and middle <= _CALM * usual
        calm = settling and float(inner.max()) <= _CALM_BLOCK
        settling = settling and int((inner > _CALM_BLOCK).sum()) <= _TEXT
        if not (equal or settling):
            self._calm_s = None
        elif self._calm_s is None:
            self._calm_s = last.mono_s
        still_s = self._stretch(alike, look, text, still=equal, peak=peak)
        young = self._calm_s is not None and look.mono_s - self._calm_s < _UNTAUGHT_S
        if not equal and not (settling and young):
            self._learn(middle, look.mono_s - last.mono_s)
        # One that was seen before may be chance, or a clip that loops.
        enough = self._seen >= _STILL_FRAMES
        if self._snapshot:
            enough = self._equal >= SNAPSHOT_EQUAL
        frozen_s = still_s if still_s >= self._patience_s and enough else None
        if stalled_s >= FROZEN_S:
            frozen_s = max(frozen_s or 0.0, stalled_s)
        self._frozen = frozen_s is not None
        return Step(not equal and stalled_s == 0.0, step, frozen_s, calm)

    @property
    def _noisy(self) -> bool:
        """Whether this camera's picture is known to be noisy all over."""
        known = self._usual is not None and self._learned_s >= _CALM_LEARN_S
        return known and (self._usual or 0.0) >= _CALM_USUAL

    def _text_in(self, inner: NDArray[np.float32], now_s: float) -> NDArray[np.bool_]:
        """Blocks that change where all others may stand: a text that runs on."""
        none = np.zeros_like(self._text)
        if not self._noisy or now_s - self._lit_s < _UNTAUGHT_S:
            return none
        text = self._text | (inner > _TEXT_BLOCK * (self._usual or 0.0))
        rows = np.flatnonzero(text.any(axis=1))
        line = rows.size == 0 or int(rows[-1] - rows[0]) < _LINE
        return text if line and int(text.sum()) <= _TEXT else none

    def _nearest(self, look: Look) -> tuple[NDArray[np.float32], Look]:
        """Each inner block's change against the most alike of the last eight frames."""
        found = [
            (changes(one.grey, look.grey)[_STRIP:-_STRIP], one) for one in self._kept
        ]
        self._kept.append(look)
        # The most alike where they are alike: a text may run on in the rest.
        kept = self._text.size - _TEXT
        inner, alike = min(
            found,
            key=lambda pair: float(np.partition(pair[0], kept, None)[:kept].sum()),
        )
        return inner, alike

    def _stretch(
        self,
        alike: Look,
        look: Look,
        text: NDArray[np.bool_],
        *,
        still: bool,
        peak: float,
    ) -> float:
        """Seconds of the still stretch this frame belongs to; 0: it lives."""
        if self._since_s is None or self._began is None:
            if not still:
                return 0.0
            # That frame was the last that brought something new; or an earlier one was,
            # and the encoder needed a while to settle on its picture.
            self._since_s, self._began = alike.mono_s, alike.means
            if self._calm_s is not None:
                settled_s = max(self._calm_s, alike.mono_s - _SETTLE_S)
                self._since_s = min(self._since_s, settled_s)
            self._noise.clear()
            self._seen = 0
        # A key frame may make one in four of a frozen picture's steps a little larger.
        self._noise.append(not still)
        self._seen += still
        self._text = text
        drift = np.abs(look.means - self._began)[_STRIP:-_STRIP][~text].max()
        if peak > _MOTION or drift > _DRIFT or sum(self._noise) > 1:
            self._end(look.mono_s)
            return 0.0
        return look.mono_s - self._since_s

    def _end(self, now_s: float) -> None:
        """The still stretch is over."""
        if self._frozen and self._since_s is not None:
            self._healed.append(now_s)
            flaps = len(self._healed) == self._healed.maxlen
            if flaps and now_s - self._healed[0] < 600:  # noqa: PLR2004 - ten minutes
                # It was called frozen three times and lived each time: it is thrifty.
                self._patience_s = min(2 * self._patience_s, PATIENCE_S)
                self._healed.clear()
        self._since_s = self._began = None
        self._frozen = False
        self._text = np.zeros_like(self._text)

    def _stalled(self, last: Look, look: Look) -> float:
        """Seconds for which frames came but the stream's time stood."""
        if look.stream_s is None or last.stream_s is None or self._exempt:
            return 0.0
        if abs(look.stream_s - last.stream_s) > 1e-3:  # noqa: PLR2004 - a millisecond
            self._stalled_s = None
            return 0.0
        if self._stalled_s is None:
            self._stalled_s = last.mono_s
        return look.mono_s - self._stalled_s

    def _learn(self, level: float, passed_s: float) -> None:
        """The usual change of a block, over a minute; quicker down than up."""
        if self._forgot:
            self._forgot = False  # this step was the switch itself
            return
        if self._usual is None:
            self._usual = level
        level = min(level, 2.0 * self._usual + 0.1)  # something came by
        share = min(1.0, passed_s / (15.0 if level < self._usual else 60.0))
        self._usual += share * (level - self._usual)
        self._learned_s += min(passed_s, 20.0)


def changes(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(12, 20): mean absolute change of each block, two (192, 320) pictures."""
    apart = np.maximum(after, before) - np.minimum(after, before)
    rows = np.add.reduce(apart.reshape(ROWS, BLOCK, -1), axis=1, dtype=np.uint32)
    sums = np.add.reduce(rows.reshape(ROWS, COLUMNS, BLOCK), axis=2, dtype=np.uint32)
    return np.asarray(sums / (BLOCK * BLOCK), np.float32)
