"""Whether something grows: least squares over the second half of what was seen.

A ceiling alone passes a leak that is slow; the first half holds what is learned once
(caches, high-water marks), so only the second half is judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the least-squares line through (x, y), in y per x; 0 for a single x."""
    n = len(points)
    mean_x = sum(x for x, _ in points) / n
    mean_y = sum(y for _, y in points) / n
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if not spread:
        return 0.0
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


def growth(points: Sequence[tuple[float, float]]) -> float:
    """By how much the line through the second half of the points rises over it."""
    late = list(points[len(points) // 2 :])
    return slope(late) * (late[-1][0] - late[0][0])
