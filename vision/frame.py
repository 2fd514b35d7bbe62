"""One picture of one camera, with all that is known of when it was taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Frame(NamedTuple):
    """A decoded picture. Never changed after it was made: many look at it."""

    camera: str
    number: int
    """Counts the frames of this camera since the process started, from 1."""
    image: NDArray[np.uint8]
    """(height, width, 3), BGR as OpenCV gives it."""
    wall_ms: int
    """UTC ms when it was complete here."""
    mono_s: float
    """The monotonic clock at that moment, seconds."""
    stream_s: float | None = None
    """The stream's own time, seconds; None: the source tells none."""

    @property
    def id(self) -> str:
        """How messages and files name it."""
        return f"{self.camera}-{self.number}"


class Cells(NamedTuple):
    """What a model saw in one frame, on a grid that covers the whole picture."""

    scores: NDArray[np.float32]
    """(3, rows, columns): dark smoke, light smoke, dust, each from 0 to 1."""
    image_scores: tuple[float, float, float]
    """One score a label for the whole frame: what thresholds are calibrated on."""
