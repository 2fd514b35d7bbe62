"""The contact sheet: head, frames, scores over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vision.pen import ALARM, FAINT, INK, PAPER, QUIET, chip, width, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

COLUMNS = 4
ACROSS = 1600
_GAP, _EDGE, _HEAD = 12, 28, 96
TILE = ((ACROSS - 2 * _EDGE - (COLUMNS - 1) * _GAP) // COLUMNS, 226)
"""Width, height of one frame of the sheet."""


def page(
    title: str,
    lines: Sequence[str],
    verdict: str,
    alarmed: bool,
    tiles: Sequence[NDArray[np.uint8]],
    chart: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """Put it together.

    Args:
        title: The file.
        lines: Below it: model, rate.
        verdict: In few words, at the right.
        alarmed: Whether there was an alarm.
        tiles: Frames of size ``TILE``, in order of time.
        chart: The timeline, ``ACROSS`` less the edges wide.
    """
    rows = -(-len(tiles) // COLUMNS)
    high = _HEAD + rows * (TILE[1] + _GAP) + _GAP + chart.shape[0] + _EDGE
    drawn = np.full((high, ACROSS, 3), PAPER, np.uint8)
    write(drawn, title, (_EDGE, 44), size=26, colour=INK, bold=True)
    write(drawn, "   ".join(lines), (_EDGE, 74), size=15, colour=FAINT)
    room = width(verdict, 18, bold=True) + 18
    chip(drawn, verdict, (ACROSS - _EDGE - room, 26), ALARM if alarmed else QUIET, 18)
    for n, one in enumerate(tiles):
        row, column = divmod(n, COLUMNS)
        x = _EDGE + column * (TILE[0] + _GAP)
        y = _HEAD + row * (TILE[1] + _GAP)
        drawn[y : y + TILE[1], x : x + TILE[0]] = one
    y = _HEAD + rows * (TILE[1] + _GAP) + _GAP
    drawn[y : y + chart.shape[0], _EDGE : _EDGE + chart.shape[1]] = chart
    return drawn
