"""Polygons of the picture to cells.

A cell belongs to a zone when at least half of it lies inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vision.messages import LABELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from vision.messages import Label, Polygon, Zone

_PER_CELL = 8
"""Points a side that are asked in each cell."""
_HALF = 0.5


def covered(area: Polygon, rows: int, columns: int) -> NDArray[np.float32]:
    """Share of each cell that lies inside a polygon, even-odd rule.

    Args:
        area: Corners from 0 to 1 of the picture; at least three, in order.
        rows: Of the grid.
        columns: Of the grid.
    """
    y = (np.arange(rows * _PER_CELL) + 0.5) / (rows * _PER_CELL)
    x = (np.arange(columns * _PER_CELL) + 0.5) / (columns * _PER_CELL)
    inside = np.zeros((y.size, x.size), np.bool_)
    for (ax, ay), (bx, by) in zip(area, (*area[1:], area[0]), strict=True):
        if ay == by:
            continue
        crosses = (ay > y) != (by > y)
        at_x = ax + (y - ay) * (bx - ax) / (by - ay)
        inside ^= crosses[:, None] & (x[None, :] < at_x[:, None])
    parts = inside.reshape(rows, _PER_CELL, columns, _PER_CELL)
    return np.asarray(parts.mean(axis=(1, 3)), dtype=np.float32)


class Zones:
    """Where a camera watches, for each label.

    With a watch zone for a label, that label is watched only there; ignore zones and
    private zones are taken out.
    """

    def __init__(self, zones: Sequence[Zone], rows: int, columns: int) -> None:
        self._named: list[tuple[Zone, NDArray[np.bool_]]] = [
            (zone, covered(zone.area, rows, columns) >= _HALF) for zone in zones
        ]
        self.allowed: NDArray[np.bool_] = np.stack(
            [self._of(label, rows, columns) for label in LABELS]
        )
        """(labels, rows, columns)."""

    def name(self, label: Label, mask: NDArray[np.bool_]) -> str | None:
        """The watch zone that holds most of a region; None: none."""
        inside = [
            (int((cells & mask).sum()), zone.name)
            for zone, cells in self._named
            if zone.use == "watch" and label in zone.labels
        ]
        most = max(inside, default=(0, ""), key=lambda found: found[0])
        return most[1] if most[0] else None

    def _of(self, label: Label, rows: int, columns: int) -> NDArray[np.bool_]:
        watched = [
            cells
            for zone, cells in self._named
            if zone.use == "watch" and label in zone.labels
        ]
        allowed = (
            np.any(watched, axis=0) if watched else np.ones((rows, columns), np.bool_)
        )
        for zone, cells in self._named:
            if zone.use == "private" or (zone.use == "ignore" and label in zone.labels):
                allowed = allowed & ~cells
        return np.asarray(allowed)
