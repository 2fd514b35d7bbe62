"""The book of training pictures: what the manifest says, and the pictures themselves.

The folder holds ``manifest.csv`` (file, split, scene, kind, boxes, source, licence),
``images/*.jpg`` (640x384), ``cells_40x24.npz`` (opacity per 16-pixel cell of dark
smoke, light smoke and dust, for pictures that have it) and ``mattes/*.png`` (filmed
smoke on black). It is no part of the repository; the model card names sources and
licences.

A *scene* is one camera's view or one photograph. Splits and folds are by scene, and a
picture rendered over a scene (``syn:kodak-05``) belongs to that scene, so that no
background is trained on and judged by.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from vision.train import raster
from vision.train.chance import dice

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from numpy.typing import NDArray

HEIGHT, WIDTH, CELL = 384, 640, 16

REAL_SMOKE, REAL_NONE, REAL_DUST = "real-smoke", "real-none", "real-dust"
SYNTHETIC = "synthetic"
# Frames of one view: cosine of their edges, difference of their colourfulness.
_ALIKE, _COLOURS_APART = 0.8, 15.0
_RENDERED_PREFIX = "syn:"


class Box(NamedTuple):
    """A labelled box in pixels of the 640x384 picture."""

    kind: str
    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True)
class Page:
    """One picture of the book.

    Attributes:
        file: Name below ``images``.
        split: ``train`` or ``val``.
        scene: What it shows; rendered pictures have their background's scene.
        kind: ``real-smoke``, ``real-none``, ``real-dust`` or ``synthetic``.
        boxes: Labelled boxes.
        jpeg: The picture as stored.
        cells: (3, 24, 40) opacity of dark smoke, light smoke and dust, or None.
    """

    file: str
    split: str
    scene: str
    kind: str
    boxes: tuple[Box, ...]
    jpeg: bytes = field(repr=False)
    cells: NDArray[np.float16] | None = field(repr=False)

    def rgb(self) -> raster.Bytes:
        """The picture, (384, 640, 3) RGB."""
        return raster.decode(self.jpeg)

    @cached_property
    def glance(self) -> tuple[raster.Field, float]:
        """Its edges, coarsely, as a unit vector; and how colourful it is, 0..255."""
        stored = np.frombuffer(self.jpeg, np.uint8)
        small = cv2.imdecode(stored, cv2.IMREAD_REDUCED_COLOR_8)
        if small is None:
            raise ValueError(f"{self.file}: expected a JPEG, got something else")
        colourful = float((small.max(2).astype(np.float32) - small.min(2)).mean())
        dx, dy = raster.slopes(small.mean(2).astype(np.float32))
        edges = np.tanh(np.stack([dx, dy]) / 10).ravel()
        return edges / max(float(np.linalg.norm(edges)), 1e-6), colourful


@dataclass(frozen=True)
class Book:
    """Pictures that may be shown together: one split, or one side of a fold."""

    pages: tuple[Page, ...]
    mattes: tuple[NDArray[np.uint8], ...]

    @cached_property
    def scenes(self) -> tuple[str, ...]:
        """Every scene of the book, sorted."""
        return tuple(sorted({page.scene for page in self.pages}))

    @cached_property
    def by_kind(self) -> dict[str, dict[str, tuple[Page, ...]]]:
        """Kind, then scene, then its pictures in the order of their names."""
        found: dict[str, dict[str, list[Page]]] = defaultdict(lambda: defaultdict(list))
        for page in sorted(self.pages, key=lambda page: page.file):
            found[page.kind][page.scene].append(page)
        return {
            kind: {scene: tuple(pages[scene]) for scene in sorted(pages)}
            for kind, pages in found.items()
        }

    @cached_property
    def doubtful(self) -> frozenset[str]:
        """Scenes whose pictures without a box may hold smoke nobody boxed.

        They come from sequences in which a fire broke out (real smoke in the same
        scene): some frames show the first faint smoke.
        """
        return frozenset(self.by_kind.get(REAL_SMOKE, {}))

    def views_alike(self, page: Page) -> tuple[Page, ...]:
        """Other frames without a box whose camera looked where this one's did.

        A scene of the mountain cameras holds several views, by day and in grey: frames
        are alike where their edges agree and both or neither have colours.
        """
        edges, colourful = page.glance
        return tuple(
            other
            for other in self.by_kind.get(REAL_NONE, {}).get(page.scene, ())
            if other.file != page.file
            and float(edges @ other.glance[0]) > _ALIKE
            and abs(colourful - other.glance[1]) < _COLOURS_APART
        )

    def only(self, scenes: Collection[str]) -> Book:
        """The pages of these scenes."""
        wanted = frozenset(scenes)
        return Book(tuple(p for p in self.pages if p.scene in wanted), self.mattes)


def load(folder: Path, splits: Collection[str] = ("train",)) -> Book:
    """Read the book of some splits into memory (JPEG bytes, about 100 MB for all).

    Args:
        folder: Holds ``manifest.csv``, ``images``, ``cells_40x24.npz``, ``mattes``.
        splits: ``("train",)``, ``("val",)`` or both.

    Raises:
        ValueError: A picture is named but not there, or a scene is in two splits.
    """
    with (folder / "manifest.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    _scenes_apart(rows)
    with np.load(folder / "cells_40x24.npz") as stored:
        cells = {name: stored[name] for name in stored.files}
    pages = []
    for row in rows:
        if row["split"] not in splits:
            continue
        path = folder / "images" / row["file"]
        if not path.is_file():
            raise ValueError(f"{folder / 'manifest.csv'}: names {path}, not there")
        boxes = json.loads(row["boxes_xyxy_640x384"] or "[]")
        name = row["file"]
        pages.append(
            Page(
                file=name,
                split=row["split"],
                scene=row["scene"].removeprefix(_RENDERED_PREFIX),
                kind=row["kind"],
                boxes=tuple(Box(*box) for box in boxes),
                jpeg=path.read_bytes(),
                cells=cells.get(name, cells.get(Path(name).stem)),
            )
        )
    return Book(tuple(pages), _mattes(folder / "mattes"))


def folds(book: Book, count: int, seed: int) -> list[tuple[Book, Book]]:
    """Split a book by scene into ``count`` pairs of (to train on, to judge by).

    Every scene is judged by in exactly one pair. Scenes are dealt family by family
    (mountain cameras, dust photographs, stills), so that every fold has some of each.
    """
    rng = dice(seed)
    families: dict[tuple[str, ...], list[str]] = defaultdict(list)
    kinds: dict[str, set[str]] = defaultdict(set)
    for page in book.pages:
        kinds[page.scene].add(page.kind)
    for scene in book.scenes:
        families[tuple(sorted(kinds[scene]))].append(scene)
    hands: list[list[str]] = [[] for _ in range(count)]
    turn = 0
    for family in sorted(families):
        for index in rng.permutation(len(families[family])):
            hands[turn % count].append(families[family][index])
            turn += 1
    everything = frozenset(book.scenes)
    return [(book.only(everything - set(hand)), book.only(hand)) for hand in hands]


def _scenes_apart(rows: Iterable[dict[str, str]]) -> None:
    splits: dict[str, str] = {}
    for row in rows:
        scene = row["scene"].removeprefix(_RENDERED_PREFIX)
        if splits.setdefault(scene, row["split"]) != row["split"]:
            raise ValueError(
                f"scene {scene!r}: expected one split, got {splits[scene]!r} and"
                f" {row['split']!r}; split by scene"
            )


def _mattes(folder: Path) -> tuple[NDArray[np.uint8], ...]:
    """Filmed smoke, cut to what is not black."""
    found = []
    for path in sorted(folder.glob("*.png")):
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if grey is None:
            raise ValueError(f"{path}: expected a PNG, got something else")
        rows, columns = np.nonzero(grey > 8)  # noqa: PLR2004
        if len(rows) < 2000:  # noqa: PLR2004  the first frames show hardly anything
            continue
        cut = grey[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        found.append(np.ascontiguousarray(cut.astype(np.uint8)))
    return tuple(found)
