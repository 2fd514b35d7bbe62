"""What a confounder, or an emission, adds to a view that is known.

An alarm asks how far a picture's score rose over the same view before, so that is what
its thresholds are set on: pairs of a rendered picture and its view without what was
rendered, in slightly other light, with noise of its own and moved by a pixel or two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vision.train.cache import recipe
from vision.train.negative import NEGATIVES
from vision.train.sample import EMISSIONS, emissions, hard_negatives

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from vision.train.book import Book

PER_KIND = 16
# Neither the training crops' seeds nor those of ``hard``.
_FIRST_SEED = 910_000_000


class Pairs(NamedTuple):
    """Pictures with what came into view, and the same views before.

    Attributes:
        images: (n,384,640,3) uint8 RGB.
        befores: (n,384,640,3) uint8 RGB.
        kinds: n, names of ``NEGATIVES`` and of ``EMISSIONS``.
        scenes: n, of the background.
    """

    images: NDArray[np.uint8]
    befores: NDArray[np.uint8]
    kinds: NDArray[np.str_]
    scenes: NDArray[np.str_]


def pairs(book: Book, data: Path, work: Path) -> Pairs:
    """Render the pairs, or read them where they were rendered before.

    Args:
        book: Of the split whose backgrounds are used.
        data: Folder of the data, for the recipe.
        work: Where rendered pictures are kept.
    """
    splits = "-".join(sorted({p.split for p in book.pages}))
    path = work / f"pairs-{splits}-{recipe(data)}.npz"
    if not path.is_file():
        seeds = range(_FIRST_SEED, _FIRST_SEED + PER_KIND)
        made = [(k, hard_negatives(s, book, k)) for k in NEGATIVES for s in seeds]
        made += [(k, emissions(s, book, k)) for k in EMISSIONS for s in seeds]
        made = [(kind, one) for kind, one in made if one.known]
        work.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npz")
        np.savez(
            part,
            images=np.stack([one.image for _, one in made]),
            befores=np.stack([one.before for _, one in made]),
            kinds=np.array([kind for kind, _ in made]),
            scenes=np.array([one.scene for _, one in made]),
        )
        part.rename(path)
    with np.load(path) as kept:
        return Pairs(kept["images"], kept["befores"], kept["kinds"], kept["scenes"])
