"""Pictures as JPEG of a bounded size: by quality first, then by scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from vision.evidence.blackout import Blackout

    Draw = Callable[[NDArray[np.uint8]], tuple[NDArray[np.uint8], int]]
    """Gives back the picture, which may be larger, and how many of its rows are of
    what was given."""

STEPS: tuple[tuple[int, float], ...] = (
    (90, 1.0),
    (85, 1.0),
    (75, 1.0),
    (65, 1.0),
    (75, 0.75),
    (65, 0.75),
    (75, 0.5),
    (65, 0.5),
    (65, 0.35),
    (55, 0.25),
    (45, 0.18),
    (35, 0.12),
)
"""Quality and scale, from the best. At these qualities libjpeg's quantiser gives black
back as exactly 0 (ITU-T T.81, K.1 scaled; at 40 or 70 it gives 1)."""
_ROOM = 0.45
"""Below this share of the bound the next better step is tried again."""


class Fitter:
    """Encodes the pictures of one camera; remembers what fitted last."""

    def __init__(self, blackout: Blackout, most_bytes: int) -> None:
        """Prepare.

        Args:
            blackout: Black in every picture, again after it was made smaller.
            most_bytes: Of one picture.
        """
        self._blackout = blackout
        self._most = most_bytes
        self._step = 1

    def encode(self, image: NDArray[np.uint8], draw: Draw | None = None) -> bytes:
        """A JPEG of at most the bound; the smallest there is where none fits.

        Args:
            image: (height, width, 3) uint8, BGR; private zones may be in it.
            draw: Draws something into the picture, in the size it will have.
        """
        data = b""
        for step in range(self._step, len(STEPS)):
            data = self._at(image, *STEPS[step], draw)
            if len(data) <= self._most:
                roomy = len(data) < _ROOM * self._most
                self._step = max(1, step - 1) if roomy else step
                break
        return data

    def _at(
        self, image: NDArray[np.uint8], quality: int, scale: float, draw: Draw | None
    ) -> bytes:
        import cv2  # noqa: PLC0415 - heavy, and only where a picture is made

        small = self._blackout.clear(image)
        if scale < 1.0:
            height, width = image.shape[:2]
            size = (max(16, round(width * scale)), max(16, round(height * scale)))
            small = cv2.resize(small, size, interpolation=cv2.INTER_AREA).astype(
                small.dtype, copy=False
            )
            self._blackout.wipe(small)
        if draw is not None:
            small, rows = draw(small)
            self._blackout.wipe(small[:rows])
        done, data = cv2.imencode(
            ".jpg",
            small,
            [
                cv2.IMWRITE_JPEG_QUALITY,
                quality,
                cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
                cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
            ],
        )
        if not done:
            raise ValueError(f"cannot encode a picture of shape {image.shape}")
        return data.tobytes()


def decode(data: bytes) -> NDArray[np.uint8]:
    """(height, width, 3) uint8, BGR, of a JPEG.

    Raises:
        ValueError: It is none.
    """
    import cv2  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"expected a JPEG, got {data[:4].hex()}")
    return image.astype(np.uint8, copy=False)
