"""The candidates, each trained for a short while on half of the train scenes.

``candidates.json`` keeps the table. The val split has no say here: it is kept for the
final figures and the thresholds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vision.train import backbone, book, cache, evaluate, folds, frames
from vision.train.head import Shape
from vision.train.loop import Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from vision.train.book import Page

FOLDS = 2
JUDGED = (0,)  # trained on half of the scenes, judged on the other half
STEPS = 1200
TABLE = Path(__file__).parent / "candidates.json"
SHAPES = {
    "context": Shape(),
    "plain": Shape(head="plain"),
    "context, stages 6 and 7": Shape(deep=True),
    "context, change against a background": Shape(change=True),
}


def changes(pages: Sequence[Page], size: tuple[int, int]) -> NDArray[np.float16]:
    """Return change maps of pictures, against another frame of the same fixed camera.

    Only sequences without an emission can serve as background; for all other pictures
    the maps are zero ("not known").
    """
    empty: dict[str, list[Page]] = {}
    for page in pages:
        if page.kind == book.REAL_NONE and page.scene.startswith("hpwren"):
            empty.setdefault(page.scene, []).append(page)
    maps = []
    for page in pages:
        others = [p for p in empty.get(page.scene, ()) if p.file != page.file]
        known = bool(others) and page.kind != book.SYNTHETIC
        image = frames.resized(page.rgb(), size)
        before = frames.resized(others[0].rgb(), size) if known else image
        maps.append(cache.change_maps(image, before, known=known))
    return np.stack(maps)


def compare(
    data: Path, work: Path, crops: cache.Crops, names: Sequence[str] = tuple(SHAPES)
) -> list[dict[str, Any]]:
    """Train every candidate once a fold and return the table's rows."""
    state = backbone.imagenet_state()
    trunk = backbone.trunk(state)
    pages = book.load(data, ("train",)).pages
    dealt = folds.assign(pages, FOLDS)
    plain = [folds.field(trunk, pages, size, work) for size in frames.SIZES]
    rows = []
    for name in names:
        shape = SHAPES[name]
        fields = plain
        if shape.change:
            fields = [
                f._replace(change=changes(f.pages, size))
                for f, size in zip(plain, frames.SIZES, strict=True)
            ]
        recipe = Recipe(steps=STEPS)
        judged = folds.out_of_fold(
            shape, recipe, crops, fields, dealt, state, only=JUDGED, say=name
        )
        for size, seen in zip(frames.SIZES, judged, strict=True):
            row: dict[str, Any] = {"candidate": name, "size": f"{size[0]}x{size[1]}"}
            row |= folds.summary(seen)
            row["with_background"] = _with_background(seen)
            rows.append(row)
            print(json.dumps(row), flush=True)
    return rows


def _with_background(seen: evaluate.Judged) -> dict[str, float]:
    """The same figures on real frames of fixed cameras, where a background is known."""
    fixed = np.array([s.startswith("hpwren") for s in seen.scenes])
    return folds.summary(seen.only(fixed & (seen.kinds != book.SYNTHETIC)))


def write(rows: Sequence[dict[str, Any]], crops: int, note: str) -> None:
    """Keep the table."""
    content = {
        "steps": STEPS,
        "batch": Recipe().batch,
        "crops": crops,
        "note": note,
        "rows": list(rows),
    }
    TABLE.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
