"""One training sample from one number: a crop, the same crop before, and its labels.

``sample(seed, book)`` is a pure function: the same number and book give the same bytes.
Which kind of sample a seed gives is drawn by ``MIX``; within a kind the *scene* is drawn
first and its picture after, so that a camera with a hundred frames counts once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vision.train import book as books
from vision.train import camera as cameras
from vision.train import labels as labelled
from vision.train import view as views
from vision.train.chance import between, dice, often, one_of, weighted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from vision.train import raster
    from vision.train.book import Book, Page
    from vision.train.chance import Dice
    from vision.train.labels import Labels

MIX: Mapping[str, float] = {
    books.SYNTHETIC: 0.36,
    books.REAL_SMOKE: 0.2,
    books.REAL_DUST: 0.12,
    books.REAL_NONE: 0.32,
}
# A frame from before a fire, in a scene where a fire broke out, may hold its beginning.
_DOUBT = 0.5


class Sample(NamedTuple):
    """What the trainer gets.

    Attributes:
        image: (192, 256, 3) uint8 RGB.
        before: The same view without the emission, under slightly other light, with
            noise of its own and moved by up to 2 pixels: what a background would hold.
        target: (3, 12, 16) float16: smoke, dark share of it, dust, per 16-pixel cell.
        weight: (3, 12, 16) float16: 0 is not asked.
        kind: What was rendered or cut.
        scene: Whose background it is.
        known: Whether ``before`` truly shows the same view without the emission.
    """

    image: NDArray[np.uint8]
    before: NDArray[np.uint8]
    target: NDArray[np.float16]
    weight: NDArray[np.float16]
    kind: str
    scene: str
    known: bool


class Scenes(NamedTuple):
    """A scene as it is and as it was, before a camera took it."""

    now: raster.Picture
    before: raster.Picture
    labels: Labels
    kind: str
    scene: str
    known: bool


def sample(seed: int, book: Book, mix: Mapping[str, float] = MIX) -> Sample:
    """Render or cut one sample.

    Args:
        seed: Any number from 0 up; other numbers give other samples.
        book: The pictures of one split or one side of a fold.
        mix: How likely each kind is.
    """
    rng = dice(seed)
    held = {kind: share for kind, share in mix.items() if kind in book.by_kind}
    scenes = _cut(rng, book, weighted(rng, held))
    return _taken(rng, seed, scenes)


def _cut(rng: Dice, book: Book, kind: str) -> Scenes:
    pages = book.by_kind[kind]
    scene = one_of(rng, list(pages))
    page = one_of(rng, pages[scene])
    boxed = page.boxes and often(rng, 0.85)
    view = views.around(rng, one_of(rng, page.boxes)) if boxed else views.anywhere(rng)
    now = view.picture(page.rgb())
    old = _earlier(rng, book, page)
    before = now if old is None else view.picture(old.rgb())
    labels = shipped(page, view, doubt=_DOUBT if scene in book.doubtful else 1.0)
    known = old is not None or kind == books.REAL_NONE
    return Scenes(now.astype(np.float32), before.astype(np.float32), labels, kind, scene, known)


def _earlier(rng: Dice, book: Book, page: Page) -> Page | None:
    """Another frame of the same fixed camera without a box, if the book has one."""
    if page.kind not in {books.REAL_SMOKE, books.REAL_NONE}:
        return None
    frames = book.by_kind.get(books.REAL_NONE, {}).get(page.scene, ())
    if not page.scene.startswith("hpwren") or not frames:
        return None
    return one_of(rng, frames)


def shipped(page: Page, view: views.View, doubt: float = 1.0) -> Labels:
    """The labels that came with a picture, cut to a view."""
    if page.cells is not None:
        dark, light, dust = (labelled.pooled(layer) for layer in view.cells(page.cells))
        labels = labelled.from_opacity(dark, light, dust)
        return labelled.dust_margin(labels) if page.kind == books.REAL_DUST else labels
    if page.boxes:
        return labelled.from_boxes(*view.boxes(page.boxes))
    labels = labelled.nothing(view.height, view.width)
    labels.weight[labelled.SMOKE] *= doubt
    return labels


def _taken(rng: Dice, seed: int, scenes: Scenes) -> Sample:
    """Both pictures through one camera."""
    how = cameras.camera(rng)
    dy, dx = (int(rng.integers(-2, 3)) for _ in "yx")
    before = np.roll(scenes.before, (dy, dx), (0, 1))
    image = cameras.taken(scenes.now, how, 2 * seed)
    light = between(rng, 0.94, 1.06)
    earlier = cameras.taken(before, how, 2 * seed + 1, light=light)
    return Sample(
        image=image,
        before=earlier,
        target=scenes.labels.target.astype(np.float16),
        weight=scenes.labels.weight.astype(np.float16),
        kind=scenes.kind,
        scene=scenes.scene,
        known=scenes.known,
    )
