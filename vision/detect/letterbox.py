"""How a picture lies in what a network is fed with, and the way back. Pure geometry.

Networks whose size is free get the picture's own shape at the same count of pixels:
nothing is cut off and nothing is padded. Others get it as their makers' tools do it:
scaled with grey bars, in the middle (YOLOv5 and later) or in the upper left corner
(YOLOX); a classifier gets it stretched, so that nothing at the sides is lost.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Size = tuple[int, int]
"""Width, height."""
GREY = 114
"""Of the bars, as Ultralytics' and YOLOX' letterboxes have them."""
SLIGHT = 1.15
"""Up to this change of shape a picture is stretched rather than given bars."""


class Fit(NamedTuple):
    """Where a picture lies in what is fed, in pixels."""

    fed: Size
    left: int
    top: int
    width: int
    height: int

    @property
    def whole(self) -> bool:
        """No bars."""
        return (self.width, self.height) == self.fed

    def fractions(self, corners: NDArray[np.float32]) -> NDArray[np.float32]:
        """Boxes (N, 4) x0 y0 x1 y1 of what was fed, as fractions of the picture."""
        found = corners.copy()
        found[:, 0::2] = (found[:, 0::2] - self.left) / self.width
        found[:, 1::2] = (found[:, 1::2] - self.top) / self.height
        return found.clip(0.0, 1.0)

    def cells(self, rows: int, columns: int) -> tuple[slice, slice]:
        """The rows and columns of a grid over what was fed that show the picture."""
        return (
            _span(self.top, self.height, rows, self.fed[1]),
            _span(self.left, self.width, columns, self.fed[0]),
        )


def stretched(size: Size) -> Fit:
    """The whole of what is fed, whatever the picture's shape."""
    return Fit(size, 0, 0, *size)


def boxed(picture: Size, size: Size, *, centred: bool = True) -> Fit:
    """Scaled as one, with bars where the shapes differ."""
    scale = min(size[0] / picture[0], size[1] / picture[1])
    width = max(1, min(size[0], round(picture[0] * scale)))
    height = max(1, min(size[1], round(picture[1] * scale)))
    if not centred:
        return Fit(size, 0, 0, width, height)
    return Fit(size, (size[0] - width) // 2, (size[1] - height) // 2, width, height)


def slight(picture: Size, size: Size, limit: float = SLIGHT) -> bool:
    """Whether stretching changes the shape so little that it does no harm."""
    change = picture[0] * size[1] / (picture[1] * size[0])
    return 1 / limit <= change <= limit


def shaped(picture: Size, size: Size, step: int) -> Size:
    """A size like the picture's shape with at most as many pixels as ``size``.

    Args:
        picture: The camera's size.
        size: What the network was made for.
        step: Width and height are multiples of it.
    """
    area = size[0] * size[1]
    shape = picture[0] / picture[1]
    # A strip of a panorama is no picture: what is fed stays between 1:3 and 3:1.
    shape = min(3.0, max(1 / 3, shape))
    ideal = math.sqrt(area * shape) / step
    best, least = size, math.inf
    for columns in range(max(1, int(ideal) - 1), int(ideal) + 3):
        exact = columns / shape
        for rows in {max(1, math.floor(exact)), math.ceil(exact)}:
            pixels = columns * rows * step * step
            if pixels > area:
                continue
            # A wrong shape and unused pixels both cost sight; shape costs more.
            cost = 2 * abs(math.log(columns / rows / shape)) + (1 - pixels / area)
            if cost < least:
                best, least = (columns * step, rows * step), cost
    return best


def _span(start: int, length: int, cells: int, whole: int) -> slice:
    """Cells whose middle lies within; at least one."""
    first = math.ceil(start * cells / whole - 0.5)
    last = math.floor((start + length) * cells / whole - 0.5)
    first = min(max(first, 0), cells - 1)
    return slice(first, max(last, first) + 1)
