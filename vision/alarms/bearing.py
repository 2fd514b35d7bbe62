"""Where a region lies on the ground plan."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vision.messages import Mount

_RECTILINEAR_MOST = 140.0
"""Degrees; wider lenses map angles evenly rather than by their tangent."""


def bearing(mount: Mount, region: tuple[float, float, float, float]) -> float | None:
    """Degrees from true north to a region's middle; None: the mount tells too little.

    Args:
        mount: With the bearing of the picture's middle and the field of view.
        region: x0, y0, x1, y1 from 0 to 1.
    """
    if mount.bearing is None:
        return None
    off = (region[0] + region[2]) - 1.0  # -1 at the left edge, 1 at the right
    if mount.view is None:
        # Without a field of view only the middle of the picture has a bearing.
        return None
    half = math.radians(mount.view / 2)
    if mount.view <= _RECTILINEAR_MOST:
        angle = math.degrees(math.atan(off * math.tan(half)))
    else:
        angle = math.degrees(off * half)
    return round((mount.bearing + angle) % 360, 1) % 360
