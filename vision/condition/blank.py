"""Pictures that show nothing: black, and the grey that decoders fill gaps with.

FFmpeg conceals what it cannot decode: a lost key frame leaves blocks of an even 128, a
lost slice is drawn as vertical smears of the last row that was whole; cut JPEGs look
the same. cv2 gives either out as a good picture. They differ from fog, walls and dusk
skies in that they are *exact* (no noise, not one step in a block) and *new* (the block
had another face before), so both are asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vision.look import Look

_EVEN = 0.06
"""Mean step in a block, grey levels: less is no picture of a sensor."""
_CONCEALED = 130.0
"""Luma 128 as a grey value: 128 in full range, 130 from studio range."""
_CONCEALED_TOLERANCE = 6.0
_STRIPES_ACROSS, _STRIPES_DOWN = 0.8, 0.25
_NEW_TEXTURE, _NEW_MEAN = 1.0, 12.0
_DARK_BRIGHT, _DARK_MEAN = 32.0, 24.0
_SEEING_BRIGHT = 80.0
_FADE_S = 10.0
"""From seeing to dark: dusk takes minutes, a cap or an exposure that follows it three
seconds."""


def filled(look: Look) -> NDArray[np.bool_]:
    """(12, 20): blocks that look filled in by a decoder."""
    even = (look.across <= _EVEN) & (look.down <= _EVEN)
    concealed = even & (np.abs(look.means - _CONCEALED) <= _CONCEALED_TOLERANCE)
    smeared = (look.down <= _STRIPES_DOWN) & (look.across >= _STRIPES_ACROSS)
    return np.asarray(concealed | smeared, np.bool_)


def grey_share(
    look: Look,
    means: NDArray[np.float32] | None,
    texture: NDArray[np.float32] | None,
) -> float:
    """Share of the picture that a decoder filled in, 0 to 1.

    Args:
        look: The frame's.
        means: (12, 20): how each block usually is; None: not known yet.
        texture: (12, 20): its usual ``across + down``.

    Returns:
        Without a reference only what no scene looks like counts: nearly all of it.
    """
    even = (look.across <= _EVEN) & (look.down <= _EVEN)
    if even.mean() >= 0.9 and look.mean > _DARK_MEAN:  # noqa: PLR2004 - one colour
        return 1.0
    found = filled(look)
    if means is None or texture is None:
        share = float(found.mean())
        return share if share >= 0.5 else 0.0  # noqa: PLR2004
    new = (texture >= _NEW_TEXTURE) | (np.abs(means - look.means) >= _NEW_MEAN)
    # A block that was as even before is sky or wall.
    return float((found & new).mean())


class Black:
    """Black or only night, by how the dark came.

    A dark night picture has noise and lights. One without either is black, unless the
    light faded slowly: then it is a night that nothing lights. With noise it is
    black only when the dark fell at once on a bright picture: a cap on the lens.
    """

    def __init__(self) -> None:
        self._seeing_s: float | None = None
        self._dim = False  # a frame between seeing and dark came by
        self._faded = False
        self._was_dark = False

    def step(self, look: Look, level: float) -> bool:
        """Whether this frame is black.

        Args:
            look: The frame's.
            level: How much it changed against the last, grey levels.
        """
        dark = look.bright <= _DARK_BRIGHT and look.mean <= _DARK_MEAN
        if not dark:
            self._faded = self._was_dark = False
            if look.bright > _SEEING_BRIGHT:
                self._seeing_s, self._dim = look.mono_s, False
            else:
                self._dim = True
            return False
        if not self._was_dark:
            self._was_dark = True
            since_s = None if self._seeing_s is None else look.mono_s - self._seeing_s
            self._faded = self._dim and (since_s is None or since_s >= _FADE_S)
        if self._faded:
            return False
        dead = look.contrast <= 2.0 and level <= 0.25  # noqa: PLR2004 - no noise
        return dead or self._seeing_s is not None
