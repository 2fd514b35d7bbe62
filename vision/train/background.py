"""Where an emission or a negative is laid: a photograph's crop, or a painted scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vision.train import book as books
from vision.train import labels as labelled
from vision.train import view as views
from vision.train.canvas import Canvas, light_of, sun_of
from vision.train.chance import decades, often, one_of, weighted
from vision.train.landscape import landscape
from vision.train.strange import change

if TYPE_CHECKING:
    from vision.train import raster
    from vision.train.book import Book, Page
    from vision.train.chance import Dice
    from vision.train.labels import Labels
    from vision.train.view import View

_PHOTO, _DUSTY, _COLLAGE, _PAINTED = "photo", "dusty", "collage", "painted"
_SHARES = {_PHOTO: 0.52, _DUSTY: 0.12, _COLLAGE: 0.22, _PAINTED: 0.14}
# A frame from before a fire, in a scene where a fire broke out, may hold its beginning.
_DOUBT = 0.5
# Of the photographs, mountain cameras are many and alike: their scenes count half.
_CAMERA = "hpwren"
_ROAD = "udacity"
# Close-ups and pictures that are none of a camera of ours: seldom.
_CLOSE_UPS = frozenset(
    [f"kodak-{n:02d}" for n in (1, 2, 3, 14, 16, 17, 22)]
    + [
        "intel-person",
        "lomiri-umang_by_Abhishek_Mudgal",
        "lomiri-Picture_0B_by_freespace",
        "lomiri-Picture_1A_by_freespace",
        "lomiri-seeding_by_Clements_Engelhardt",
    ]
)
_SAME_FRAME = 0.5
STRANGE = 0.4  # of the photographs without dust
_ENLARGED = 0.3
_NEAREST, _NEARER = 1.6, 4.0


def background(rng: Dice, book: Book) -> Canvas:
    """A crop to lay something over."""
    size = views.CROP_HEIGHT, views.CROP_WIDTH
    have = {
        _PHOTO: books.REAL_NONE in book.by_kind,
        _DUSTY: books.REAL_DUST in book.by_kind,
        _COLLAGE: bool(book.pages),
        _PAINTED: True,
    }
    how = weighted(rng, {name: _SHARES[name] for name in _SHARES if have[name]})
    if how == _PAINTED:
        return landscape(rng, *size, None, "painted")
    if how == _COLLAGE:
        kind = one_of(
            rng,
            [k for k in (books.REAL_NONE, books.REAL_DUST) if k in book.by_kind]
            or [books.SYNTHETIC],
        )
        page = any_page(rng, book, kind)
        if page.boxes:
            return landscape(rng, *size, None, "painted")
        photo = views.anywhere(rng, 0.6, 1.6).picture(page.rgb()).astype(np.float32)
        return landscape(rng, *size, photo, page.scene)
    page = any_page(rng, book, books.REAL_NONE if how == _PHOTO else books.REAL_DUST)
    return photograph(rng, book, page, view_of(rng), strange=often(rng, STRANGE))


def view_of(rng: Dice) -> View:
    """A crop from anywhere; sometimes so near that only soft shapes are left."""
    if often(rng, STRANGE * _ENLARGED):
        return views.anywhere(rng, _NEAREST, _NEARER)
    return views.anywhere(rng)


def photograph(
    rng: Dice, book: Book, page: Page, view: View, *, strange: bool = False
) -> Canvas:
    """A photograph as a scene, with its own labels; before it is an earlier frame.

    One that shows dust is never strange: dust in other colours is no dust.
    """
    given = shipped(page, view, _DOUBT if page.scene in book.doubtful else 1.0)
    now = view.picture(page.rgb()).astype(np.float32)
    old = None if often(rng, _SAME_FRAME) else earlier(rng, book, page)
    before = now if old is None else view.picture(old.rgb()).astype(np.float32)
    if strange and given.target.max() == 0:
        changed = change(rng)
        before = changed(before)
        now = before if old is None else changed(now)
    level, sky = light_of(now, rng)
    # Dust that came with the photograph was there before, too.
    known = given.target.max() == 0
    return Canvas(now, before, page.scene, level, sky, sun_of(rng), given, bool(known))


def any_page(rng: Dice, book: Book, kind: str) -> Page:
    """A picture of a kind: first the scene, then one of its frames."""
    pages = book.by_kind[kind]
    return one_of(rng, pages[weighted(rng, {scene: _share(scene) for scene in pages})])


def _share(scene: str) -> float:
    """How often a scene is shown, among those of its kind."""
    if scene in _CLOSE_UPS:
        return 0.15
    if scene.startswith(_CAMERA):
        return 0.6
    return 2.0 if scene.startswith(_ROAD) else 1.0


def any_piece(rng: Dice, book: Book) -> raster.Picture:
    """A crop of any photograph without smoke, for pieces of it."""
    kind = one_of(
        rng, [k for k in (books.REAL_NONE, books.REAL_DUST) if k in book.by_kind]
    )
    view = views.anywhere(rng, decades(rng, 0.5, 0.9), 1.2)
    return view.picture(any_page(rng, book, kind).rgb()).astype(np.float32)


def earlier(rng: Dice, book: Book, page: Page) -> Page | None:
    """A frame of the same camera and view without a box, if the book has one."""
    if not page.scene.startswith(_CAMERA):
        return None
    frames = book.views_alike(page)
    return one_of(rng, frames) if frames else None


def shipped(page: Page, view: View, doubt: float = 1.0) -> Labels:
    """The labels that came with a picture, cut to a view.

    Args:
        page: The picture.
        view: The crop.
        doubt: Weight of "no smoke" in a picture without labels.
    """
    if page.cells is not None:
        dark, light, dust = (labelled.pooled(layer) for layer in view.cells(page.cells))
        labels = labelled.from_opacity(dark, light, dust)
        return labelled.dust_margin(labels) if page.kind == books.REAL_DUST else labels
    if page.boxes:
        return labelled.from_boxes(*view.boxes(page.boxes))
    labels = labelled.nothing(view.height, view.width)
    labels.weight[labelled.SMOKE] *= np.float32(doubt)
    return labels
