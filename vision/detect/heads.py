"""What the outputs of the usual networks mean: boxes and scores of our labels.

===============  ==================  ================================================
head             output              a row
===============  ==================  ================================================
yolov5           [1, N, 5+C]         cx cy w h, objectness, C scores
yolov8 (v8-v12)  [1, 4+C, N]         cx cy w h, C scores; one column a candidate
yolox            [1, N, 5+C]         the same as yolov5, on its grid or decoded
end2end          [1, N, 6]           x0 y0 x1 y1, score, class; already suppressed
classification   [1, C]              C scores of the whole picture
grid             [1, C, rows, cols]  C maps of scores
===============  ==================  ================================================

All scores are probabilities: a network that ends in logits is refused when it is
loaded. Overlapping boxes are not suppressed: they are painted into the same cells.

Source: ultralytics/yolov5 and ultralytics/ultralytics export to ONNX;
Megvii-BaseDetection/YOLOX, yolox/models/yolo_head.py, decode_outputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from vision.detect.letterbox import Size

    Floats = NDArray[np.float32]

LABELS = 3
STRIDES = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32))
"""Of the grids that candidates lie on; the first is the usual one."""
FAINT = 0.02
"""Candidates below are dropped: a network has thousands of them."""

MOST = 300
"""Candidates that are painted; as many as networks with built-in suppression give."""


class Boxes(NamedTuple):
    """Candidates that are not faint."""

    corners: Floats
    """(N, 4) x0 y0 x1 y1 in pixels of what was fed."""
    scores: Floats
    """(3, N) of our labels."""


def candidates(size: Size, strides: tuple[int, ...]) -> int:
    """How many cells the grids of these strides have together."""
    return sum((size[0] // s) * (size[1] // s) for s in strides)


def yolov5(output: Floats, classes: Mapping[int, int]) -> Boxes:
    """[N, 5+C] with boxes in pixels."""
    scores = _ours(output[:, 5:].T, classes) * output[:, 4]
    kept = scores.max(0) > FAINT
    return Boxes(corners(output[kept, :4]), scores[:, kept])


def yolov8(output: Floats, classes: Mapping[int, int]) -> Boxes:
    """[4+C, N] with boxes in pixels."""
    scores = _ours(output[4:], classes)
    kept = scores.max(0) > FAINT
    return Boxes(corners(output[:4, kept].T), scores[:, kept])


def end2end(output: Floats, classes: Mapping[int, int]) -> Boxes:
    """[N, 6] with corners in pixels."""
    scores = np.zeros((LABELS, len(output)), np.float32)
    for theirs, ours in classes.items():
        found = output[:, 5] == theirs
        scores[ours, found] = np.maximum(scores[ours, found], output[found, 4])
    kept = scores.max(0) > FAINT
    return Boxes(output[kept, :4].copy(), scores[:, kept])


def from_grid(output: Floats, size: Size, strides: tuple[int, ...]) -> Floats:
    """YOLOX on its grid, [N, 5+C]: centres and sizes become pixels.

    A centre is an offset from its cell in strides, a size the logarithm of strides.
    """
    cells = []
    for stride in strides:
        rows, columns = size[1] // stride, size[0] // stride
        y, x = np.mgrid[0:rows, 0:columns]
        steps = np.full(rows * columns, stride)
        cells.append(np.stack([x.ravel(), y.ravel(), steps], 1))
    x, y, step = np.concatenate(cells).astype(np.float32).T
    found = output.copy()
    found[:, 0] = (output[:, 0] + x) * step
    found[:, 1] = (output[:, 1] + y) * step
    # A mad exponent is no box; what is larger than the picture is cut anyway.
    found[:, 2:4] = np.exp(np.minimum(output[:, 2:4], 10.0)) * step[:, None]
    return found


def maps(output: Floats, classes: Mapping[int, int]) -> Floats:
    """[C, rows, columns] to the three maps of our labels."""
    return _ours(output, classes)


def corners(centred: Floats) -> Floats:
    """Cx cy w h to x0 y0 x1 y1, (N, 4)."""
    half = centred[:, 2:4] / 2
    return np.concatenate([centred[:, :2] - half, centred[:, :2] + half], 1)


def strongest(boxes: Boxes) -> Boxes:
    """The best of very many: a network that fires everywhere must not cost more."""
    best = boxes.scores.max(0)
    if len(best) <= MOST:
        return boxes
    kept = np.argpartition(best, -MOST)[-MOST:]
    return Boxes(boxes.corners[kept], boxes.scores[:, kept])


def painted(boxes: Floats, scores: Floats, rows: int, columns: int) -> Floats:
    """Boxes onto cells: each cell has the best score of the boxes that cover it.

    A cell counts as covered when its middle is; a box that covers no middle counts for
    the cell its own middle is in.

    Args:
        boxes: (N, 4) as fractions of the picture.
        scores: (3, N).
        rows: Of the grid.
        columns: Of the grid.
    """
    grid = np.zeros((LABELS, rows, columns), np.float32)
    if not len(boxes):
        return grid
    x0, x1 = _spans(boxes[:, 0], boxes[:, 2], columns)
    y0, y1 = _spans(boxes[:, 1], boxes[:, 3], rows)
    for n in range(len(boxes)):
        part = grid[:, y0[n] : y1[n], x0[n] : x1[n]]
        np.maximum(part, scores[:, n, None, None], out=part)
    return grid


def _spans(
    low: Floats, high: Floats, cells: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    first = np.ceil(low * cells - 0.5).astype(np.intp)
    last = np.floor(high * cells - 0.5).astype(np.intp) + 1
    middle = np.floor((low + high) / 2 * cells).astype(np.intp).clip(0, cells - 1)
    none = last <= first
    first, last = np.where(none, middle, first), np.where(none, middle + 1, last)
    return first.clip(0, cells - 1), last.clip(1, cells)


def _ours(theirs: Floats, classes: Mapping[int, int]) -> Floats:
    """Rows of the file's classes to three of ours, the best where several are one."""
    found = np.zeros((LABELS, *theirs.shape[1:]), np.float32)
    for index, label in classes.items():
        np.maximum(found[label], theirs[index], out=found[label])
    return found
