"""Whole rendered pictures over backgrounds nobody trained on.

What the data has no photographs of, and what false alarms are made of: steam, cloud,
fog, flames, lamps, glare over the val split's backgrounds. And near plumes over the
same backgrounds. Rendered pictures show where a net is weak, not how good it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vision.train.cache import recipe
from vision.train.frames import Truth
from vision.train.negative import NEGATIVES
from vision.train.sample import EMISSIONS, emissions, hard_negatives

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from vision.train.book import Book

PER_KIND = 12
# Far from the seeds of the training crops, which count up from zero.
_FIRST_SEED = 900_000_000


class Pictures(NamedTuple):
    """Whole pictures and what they show.

    Attributes:
        images: (n,384,640,3) uint8 RGB.
        truths: n.
        kinds: n, ``hard:<name>`` or ``rendered:<name>``.
        scenes: n, of the background.
    """

    images: NDArray[np.uint8]
    truths: list[Truth]
    kinds: list[str]
    scenes: list[str]


def _truth(name: str) -> Truth:
    dark, light, dust = "dark" in name, "light" in name, name == "dust"
    far = name.startswith("far")
    return Truth(smoke=dark or light, dark=dark, light=light, dust=dust, far=far)


def _rendered(book: Book) -> Iterator[tuple[NDArray[np.uint8], Truth, str, str]]:
    for name in NEGATIVES:
        for i in range(PER_KIND):
            made = hard_negatives(_FIRST_SEED + i, book, name)
            nothing = Truth(smoke=False, dark=False, light=False, dust=False, far=False)
            yield made.image, nothing, f"hard:{name}", made.scene
    for name in EMISSIONS:
        for i in range(2 * PER_KIND):
            made = emissions(_FIRST_SEED + i, book, name)
            yield made.image, _truth(name), f"rendered:{name}", made.scene


def pictures(book: Book, data: Path, work: Path) -> Pictures:
    """Render the pictures, or read them where they were rendered before.

    Args:
        book: Of the split whose backgrounds are used.
        data: Folder of the data, for the recipe.
        work: Where rendered pictures are kept.
    """
    splits = "-".join(sorted({p.split for p in book.pages}))
    path = work / f"hard-{splits}-{recipe(data)}.npz"
    if not path.is_file():
        images, truths, kinds, scenes = zip(*_rendered(book), strict=True)
        rows = np.array(
            [[getattr(t, f) for f in Truth.__annotations__] for t in truths]
        )
        work.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npz")
        np.savez(part, images=np.stack(images), truths=rows, kinds=kinds, scenes=scenes)
        part.rename(path)
    with np.load(path) as kept:
        return Pictures(
            kept["images"],
            [Truth(*(bool(v) for v in row)) for row in kept["truths"]],
            [str(k) for k in kept["kinds"]],
            [str(s) for s in kept["scenes"]],
        )
