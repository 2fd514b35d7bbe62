"""When the picture as a whole changed, its parts say nothing of smoke.

Exposure, fog, a wiper, a hand before the lens, a camera that was turned: a region over
most of the frame, a large one that is there at once, or a jump of the whole picture.
Then alarms are held, and what was half confirmed is dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vision.alarms.motion import Moved

MOST = 0.6
"""Of the cells: no plume filled so much of a frame that was not warned of before."""
AT_ONCE = 0.25
"""Of the cells, new since the frame before."""
HOLD_S = 5.0
HOLD_FRAMES = 3
"""An automatic exposure settles within both."""


class Steady:
    """Holds alarms while and shortly after the whole picture changes."""

    def __init__(self) -> None:
        self._until_s = float("-inf")
        self._frames = 0
        self._before: NDArray[np.bool_] | None = None

    def step(self, mono_s: float, moved: Moved, warm: NDArray[np.bool_]) -> bool:
        """Whether this frame is held.

        Args:
            mono_s: The monotonic clock.
            moved: What moved in the frame.
            warm: (labels, rows, columns): cells that would count.
        """
        before, self._before = self._before, warm
        most = max(float(of_label.mean()) for of_label in warm)
        at_once = 0.0
        if before is not None and before.shape == warm.shape:
            new = warm & ~before
            at_once = max(float(of_label.mean()) for of_label in new)
        if moved.stepped or most > MOST or at_once > AT_ONCE:
            self._until_s, self._frames = mono_s + HOLD_S, HOLD_FRAMES
            return True
        self._frames = max(0, self._frames - 1)
        return mono_s < self._until_s or self._frames > 0

    def forget(self) -> None:
        """Nothing is known of the frame before."""
        self._before = None
