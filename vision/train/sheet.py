"""A contact sheet of samples, for looking: ``python -m vision.train.sheet``.

Red is dark smoke, white light smoke, yellow dust, a grey hatch is not asked. The kind
stands above each picture.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vision.train import labels as labelled
from vision.train.book import CELL, load
from vision.train.sample import sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vision.train import raster
    from vision.train.sample import Sample

_DARK, _LIGHT, _DUST, _UNASKED = (255, 0, 0), (255, 255, 255), (255, 220, 0), (120,) * 3


def drawn(item: Sample, *, before: bool = False, cells: bool = True) -> raster.Bytes:
    """A sample's picture with its cells, its kind above; ``before`` beside it."""
    image = item.image.copy()
    for row, column in np.argwhere(item.weight.max(0) >= 0) if cells else ():
        colour = _colour(item, int(row), int(column))
        if colour is not None:
            corner = (int(column) * CELL + 2, int(row) * CELL + 2)
            end = (corner[0] + CELL - 5, corner[1] + CELL - 5)
            cv2.rectangle(image, corner, end, colour, 1)
    if before:
        image = np.hstack([image, item.before])
    head = np.zeros((14, image.shape[1], 3), np.uint8)
    text = f"{item.kind} {item.scene}"
    cv2.putText(head, text[:40], (2, 11), cv2.FONT_HERSHEY_PLAIN, 0.8, _LIGHT, 1)
    return np.vstack([head, image])


def _colour(item: Sample, row: int, column: int) -> tuple[int, ...] | None:
    smoke, dark, dust = (float(layer[row, column]) for layer in item.target)
    if smoke > 0 and item.weight[labelled.SMOKE, row, column] > 0:
        return _DARK if dark >= 0.5 else _LIGHT  # noqa: PLR2004
    if dust > 0 and item.weight[labelled.DUST, row, column] > 0:
        return _DUST
    asked = (
        item.weight[labelled.SMOKE, row, column],
        item.weight[labelled.DUST, row, column],
    )
    return _UNASKED if min(asked) <= 0 else None


def sheet(items: Sequence[raster.Bytes], columns: int) -> raster.Bytes:
    """Pictures of one size side by side, ``columns`` in a row."""
    blank = np.zeros_like(items[0])
    rows = []
    for start in range(0, len(items), columns):
        row = list(items[start : start + columns])
        rows.append(np.hstack(row + [blank] * (columns - len(row))))
    return np.vstack(rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Write a contact sheet; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m vision.train.sheet")
    parser.add_argument("--data", type=Path, required=True, help="folder of the book")
    parser.add_argument("--out", type=Path, required=True, help="picture to write")
    parser.add_argument("--split", default="train", choices=("train", "val"))
    parser.add_argument("--kind", help="only kinds that begin with this")
    parser.add_argument("--count", type=int, default=48)
    parser.add_argument("--columns", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0, help="first seed")
    parser.add_argument("--before", action="store_true", help="show before, too")
    parser.add_argument("--plain", action="store_true", help="draw no cells")
    asked = parser.parse_args(argv)
    book = load(asked.data, (asked.split,))
    items: list[raster.Bytes] = []
    seed = asked.seed
    while len(items) < asked.count:
        item = sample(seed, book)
        seed += 1
        if item.kind.startswith(asked.kind or ""):
            items.append(drawn(item, before=asked.before, cells=not asked.plain))
    image = sheet(items, asked.columns)
    if not cv2.imwrite(str(asked.out), image[..., ::-1]):
        sys.stderr.write(f"{asked.out}: could not be written\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
