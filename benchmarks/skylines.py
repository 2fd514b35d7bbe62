"""What each picture of the rendered days looks at: its skyline and its height.

Clouds drift above the line, their shadows lie below. A shadow in the sky looks like
soot to anybody, and a cloud before a hill like smoke: a model that says so is right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from benchmarks.weather import PLAIN, SIZE, View

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Line = Sequence[tuple[int, int]]

SOFT = 2.0
"""Pixels: an edge is no sharper in a camera's picture."""
HIGH_M: Mapping[str, float] = {
    "udacity-veh_test2": 1.5,
    "afm_ck0k9d4ua4hmc0863jvxmzoep": 300.0,
    "kodak_19": 1.5,
    "afm_ck0kcazaa8ddi0701vyun3axw": 500.0,
    "kodak_09": 1.5,
    "afm_ck0k9kge67alj09447rr8gcjz": 100.0,
}
"""Of the camera over the land it looks at, guessed: a vehicle, a person, mountains."""

# Drawn by hand: percent of the width from the left and of the height from above, left
# to right. Trees and buildings before the sky are ground; masts, a sign and a propeller
# are left out, for the air around them is not.
SKYLINES: Mapping[str, Line] = {
    "udacity-veh_test2": (
        (0, 37), (5, 38), (9, 47), (20, 51), (27, 51), (33, 51), (35, 49), (40, 51),
        (45, 49), (53, 48), (59, 45), (62, 46), (64, 42), (66, 41), (69, 42), (71, 46),
        (74, 45), (76, 39), (78, 34), (81, 33), (85, 35), (86, 28), (88, 24), (93, 24),
        (96, 28), (97, 26), (100, 26),
    ),
    "afm_ck0k9d4ua4hmc0863jvxmzoep": (
        (0, 71), (6, 70), (25, 70), (50, 70), (75, 69), (83, 67), (90, 69), (100, 68),
    ),
    "kodak_19": (
        (0, 68), (9, 68), (11, 41), (18, 38), (26, 39), (32, 43), (40, 50), (46, 54),
        (51, 51), (54, 58), (60, 63), (68, 65), (70, 61), (73, 61), (75, 64), (85, 61),
        (100, 59),
    ),
    "afm_ck0kcazaa8ddi0701vyun3axw": (
        (0, 63), (30, 63), (60, 63), (80, 65), (93, 65), (96, 66), (100, 68),
    ),
    "kodak_09": ((0, 0), (100, 0)),  # a sail fills it
    "afm_ck0k9kge67alj09447rr8gcjz": (
        (0, 60), (8, 60), (20, 61), (40, 64), (55, 65), (71, 65), (75, 55), (77, 51),
        (81, 51), (83, 66), (95, 70), (100, 72),
    ),
}  # fmt: skip


def view(name: str) -> View:
    """Of a picture, by its name without the suffix; of a clip the plain one."""
    if name not in SKYLINES:
        return PLAIN
    line = SKYLINES[name]
    horizon = max(row for _, row in line) / 100
    return View(ground(line, SIZE), horizon, HIGH_M[name])


def ground(line: Line, size: tuple[int, int]) -> NDArray[np.float32]:
    """1 below a skyline, 0 above, (height, width).

    Args:
        line: As in ``SKYLINES``.
        size: Width, height.
    """
    width, height = size
    across, down = np.array(line, np.float32).T / 100
    row = np.interp((np.arange(width) + 0.5) / width, across, down) * height
    below = (np.arange(height)[:, None] >= row[None]).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(below, (0, 0), SOFT), np.float32)
