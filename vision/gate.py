"""Whether a frame is worth a judgement: what did not change was judged before.

Compared with the frame that was judged last, not with the one before, so that slow
changes add up until they are seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vision.alarms.motion import differing

if TYPE_CHECKING:
    from numpy.typing import NDArray

STILL_S = 10.0
"""After so long without a change judging stops: the window of the alarms is full of
this very picture by then."""
FORCED_S = 60.0
"""A frame is judged at least so often, whatever the gate thinks of it."""
_GRID = (24, 40)


class Gate:
    """Decides for one camera."""

    def __init__(self) -> None:
        self._judged: NDArray[np.float32] | None = None
        self._judged_s = self._changed_s = float("-inf")

    def opens(self, grey: NDArray[np.uint8], mono_s: float, *, busy: bool) -> bool:
        """Whether to judge this frame.

        Args:
            grey: (height, width) uint8, always of one size.
            mono_s: The monotonic clock.
            busy: An alarm is open or half confirmed: each frame counts.
        """
        now = grey.astype(np.float32)
        if self._judged is None or self._judged.shape != now.shape:
            changed = True
        else:
            changed = bool(differing(now, self._judged, *_GRID).any())
        if changed:
            self._changed_s = mono_s
        due = mono_s - self._judged_s >= FORCED_S
        if not (busy or due or mono_s - self._changed_s < STILL_S):
            return False
        self._judged, self._judged_s = now, mono_s
        return True

    def forget(self) -> None:
        """The next frame is judged."""
        self._judged = None
