"""One training sample from one number: a crop, the same crop before, and its labels.

``sample(seed, book)`` is a pure function: the same number and book give the same
bytes. Which kind of sample a seed gives is drawn by ``MIX``; within a kind the *scene*
is drawn first and its picture after: a camera with a hundred frames counts once.
``hard_negatives`` and ``emissions`` render whole pictures for figures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vision.train import book as books
from vision.train import camera as cameras
from vision.train import emission
from vision.train import labels as labelled
from vision.train import view as views
from vision.train.background import (
    STRANGE,
    any_page,
    any_piece,
    background,
    earlier,
    photograph,
    shipped,
    view_of,
)
from vision.train.canvas import has_sky, passer_by
from vision.train.chance import between, decades, dice, often, one_of, weighted
from vision.train.dust_cloud import pasted, raise_dust
from vision.train.lens import blacked_out
from vision.train.negative import NEGATIVES, SKY, draw
from vision.train.strange import change
from vision.train.structure import foreground, stack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from vision.train import raster
    from vision.train.book import Book
    from vision.train.canvas import Canvas
    from vision.train.chance import Dice
    from vision.train.labels import Labels

DARK, LIGHT, DUST, HARD, PLAIN = "dark", "light", "dust", "hard", "plain"
MIX: Mapping[str, float] = {
    DARK: 0.145,
    LIGHT: 0.145,
    DUST: 0.06,
    books.SYNTHETIC: 0.02,
    books.REAL_SMOKE: 0.11,
    books.REAL_DUST: 0.05,
    books.REAL_NONE: 0.15,
    HARD: 0.28,
    PLAIN: 0.04,
}
EMISSIONS = ("near-dark", "near-light", "far-dark", "far-light", "dust")
_CUT = (books.SYNTHETIC, books.REAL_SMOKE, books.REAL_DUST, books.REAL_NONE)
# What may lie behind an emission, so that nothing there is a sign of its absence.
_COMPANY = (
    "cumulus", "stratus", "overcast", "low_cloud", "haze", "fog", "sunset", "glare",
    "soil", "sand", "wall", "steam", "water", "dirt", "cloud_shadow",
)  # fmt: skip
_TRIES = 3
_NEAR, _FAR = 14, 2  # cells of a whole picture


class Sample(NamedTuple):
    """What the trainer gets.

    Attributes:
        image: (192, 256, 3) uint8 RGB; whole pictures (384, 640, 3).
        before: The same view without the emission, under slightly other light, with
            noise of its own and moved by up to 2 pixels: what a background would hold.
        target: (3, 12, 16) float16: smoke, dark share of it, dust, per 16-pixel cell;
            whole pictures (3, 24, 40).
        weight: As the target: 0 is not asked.
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


class _Scenes(NamedTuple):
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
    held = {k: share for k, share in mix.items() if k not in _CUT or k in book.by_kind}
    kind = weighted(rng, held)
    scenes = _cut(rng, book, kind) if kind in _CUT else _rendered(rng, book, kind)
    return _taken(rng, seed, scenes, cameras.camera(rng))


def hard_negatives(seed: int, book: Book, kind: str) -> Sample:
    """A whole picture (640x384) of one hard negative over a photograph of the book.

    Args:
        seed: Any number from 0 up.
        book: Its photographs without an emission are the backgrounds.
        kind: One of ``negative.NEGATIVES``.

    Raises:
        ValueError: No such kind.
    """
    rng = dice(seed, 1)
    canvas = _whole(rng, book)
    for _ in range(_TRIES):
        if kind not in SKY or has_sky(canvas.now):
            break
        canvas = _whole(rng, book)
    draw(rng, canvas, kind)
    scenes = _finished(canvas, f"hard:{kind}")
    return _taken(rng, seed, scenes, cameras.camera(rng, gentle=True))


def emissions(seed: int, book: Book, kind: str) -> Sample:
    """A whole picture (640x384) with an emission over a photograph of the book.

    Args:
        seed: Any number from 0 up.
        book: Its photographs without an emission are the backgrounds.
        kind: One of ``EMISSIONS``.

    Raises:
        ValueError: No such kind.
    """
    if kind not in EMISSIONS:
        raise ValueError(f"kind: expected one of {EMISSIONS}, got {kind!r}")
    rng = dice(seed, 2)
    least = _FAR if kind.startswith("far") else _NEAR
    for _ in range(20):
        canvas = _whole(rng, book)
        if kind == "dust":
            name = raise_dust(rng, canvas)
        else:
            reach, shade = kind.split("-")
            only = ("far",) if reach == "far" else emission.NEAR
            name = emission.emit(
                rng, canvas, book.mattes, dark=shade == DARK, only=only
            )
        scenes = _finished(canvas, f"{kind}:{name}")
        if _cells(scenes.labels) >= least:
            break
    return _taken(rng, seed, scenes, cameras.camera(rng, gentle=True))


def _whole(rng: Dice, book: Book) -> Canvas:
    page = any_page(rng, book, books.REAL_NONE)
    canvas = photograph(rng, book, page, views.whole())
    canvas.before = canvas.now
    return canvas


def _cells(labels: Labels) -> int:
    asked = labels.target * labels.weight
    return int((np.maximum(asked[labelled.SMOKE], asked[labelled.DUST]) > 0).sum())


def _finished(canvas: Canvas, kind: str) -> _Scenes:
    now, before = canvas.now, canvas.before
    return _Scenes(now, before, canvas.labels(), kind, canvas.scene, canvas.known)


def _cut(rng: Dice, book: Book, kind: str) -> _Scenes:
    """A crop of a picture of the book, with the labels it came with."""
    page = any_page(rng, book, kind)
    boxed = page.boxes and often(rng, 0.85)
    if boxed:
        view = views.around(rng, one_of(rng, page.boxes))
    else:
        view = view_of(rng) if kind == books.REAL_NONE else views.anywhere(rng)
    now = view.picture(page.rgb()).astype(np.float32)
    old = (
        earlier(rng, book, page)
        if kind in (books.REAL_SMOKE, books.REAL_NONE)
        else None
    )
    before = now if old is None else view.picture(old.rgb()).astype(np.float32)
    if kind == books.REAL_NONE and often(rng, STRANGE):
        changed = change(rng)
        now, before = changed(now), changed(before)
    labels = shipped(page, view, 0.5 if page.scene in book.doubtful else 1.0)
    known = old is not None or kind == books.REAL_NONE
    return _Scenes(now, before, labels, kind, page.scene, known)


def _rendered(rng: Dice, book: Book, kind: str) -> _Scenes:
    """Something laid over a background."""
    if kind in (HARD, PLAIN):
        return _negative(rng, book, kind)
    for _ in range(_TRIES):
        canvas = background(rng, book)
        if often(rng, 0.25):
            draw(rng, canvas, one_of(rng, _COMPANY))
            canvas.before = canvas.now
        if often(rng, 0.25):
            passer_by(canvas, rng, any_piece(rng, book))
        if kind == DUST:
            dusty = book.by_kind.get(books.REAL_DUST)
            name = "pasted-dust"
            if not (
                dusty
                and often(rng, 0.3)
                and pasted(rng, canvas, any_page(rng, book, books.REAL_DUST))
            ):
                name = raise_dust(rng, canvas)
        else:
            name = emission.emit(rng, canvas, book.mattes, dark=kind == DARK)
        _before_the_lens(rng, canvas)
        scenes = _finished(canvas, name)
        if _cells(scenes.labels):
            break
    return scenes


def _negative(rng: Dice, book: Book, kind: str) -> _Scenes:
    """A hard negative, new or always there; or a painted scene with nothing in it."""
    name = "plain"
    if kind == HARD:
        name = weighted(rng, {name: share for name, (share, _) in NEGATIVES.items()})
    canvas = _clean(rng, book)
    for _ in range(_TRIES):
        if name not in SKY or has_sky(canvas.now):
            break
        canvas = _clean(rng, book)
    if kind == HARD:
        draw(rng, canvas, name)
        if often(rng, 0.5):
            # It was there before, and has moved a little since.
            dy, dx = int(rng.integers(-2, 3)), int(rng.integers(-6, 7))
            canvas.before = np.roll(canvas.now, (dy, dx), (0, 1))
    elif often(rng, 0.5):
        # A stack without a plume.
        x, top = between(rng, 0.1, 0.9) * canvas.width, between(rng, 0.3, 0.8)
        stack(rng, canvas, x, top * canvas.height, decades(rng, 2, 16))
    if often(rng, 0.3):
        passer_by(canvas, rng, any_piece(rng, book))
    _before_the_lens(rng, canvas)
    return _finished(canvas, f"{kind}:{name}")


def _before_the_lens(rng: Dice, canvas: Canvas) -> None:
    if often(rng, 0.15):
        foreground(rng, canvas)
    if often(rng, 0.05):
        blacked_out(rng, canvas)


def _clean(rng: Dice, book: Book) -> Canvas:
    """A background without dust: of a dusty photograph what is far from its dust."""
    canvas = background(rng, book)
    while canvas.given is not None and canvas.given.target.max() > 0:
        canvas = background(rng, book)
    return canvas


def _taken(rng: Dice, seed: int, scenes: _Scenes, how: cameras.Camera) -> Sample:
    """Both pictures through one camera."""
    dy, dx = (int(rng.integers(-2, 3)) for _ in "yx")
    before = np.roll(scenes.before, (dy, dx), (0, 1))
    image = cameras.taken(scenes.now, how, 2 * seed, minute=1)
    light = between(rng, 0.94, 1.06)
    was = cameras.taken(before, how, 2 * seed + 1, light=light)
    return Sample(
        image=image,
        before=was,
        target=scenes.labels.target.astype(np.float16),
        weight=scenes.labels.weight.astype(np.float16),
        kind=scenes.kind,
        scene=scenes.scene,
        known=scenes.known,
    )
