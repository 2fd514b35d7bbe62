"""What a whole picture of the book shows, and which pictures are picked."""

import numpy as np
import pytest

from vision.train import frames
from vision.train.book import Box, Page


def page(
    kind: str,
    boxes: tuple[Box, ...] = (),
    opacity: tuple[float, float, float] | None = None,
    name: str = "a.jpg",
    scene: str = "s",
) -> Page:
    cells = None
    if opacity is not None:
        cells = np.zeros((3, 24, 40), np.float16)
        cells[:, 4, 4] = opacity
    return Page(name, "val", scene, kind, boxes, b"", cells)


def test_a_picture_of_nothing_is_negative() -> None:
    assert frames.truth(page("real-none")).negative


def test_nobody_knows_the_colour_of_boxed_smoke() -> None:
    truth = frames.truth(page("real-smoke", (Box("smoke", 0, 0, 100, 50),)))
    assert truth.smoke is True
    assert truth.dark is None
    assert not truth.far


def test_small_boxes_are_far() -> None:
    assert frames.truth(page("real-smoke", (Box("smoke", 0, 0, 31, 20),))).far


@pytest.mark.parametrize(
    ("opacity", "dark", "light", "smoke"),
    [
        ((0.5, 0.0, 0.0), True, False, True),
        ((0.0, 0.5, 0.0), False, True, True),
        ((0.05, 0.0, 0.0), None, False, None),
        ((0.05, 0.5, 0.0), None, True, True),
        ((0.0, 0.0, 0.0), False, False, False),
    ],
)
def test_rendered_pictures_know_their_opacity(
    opacity: tuple[float, float, float],
    dark: bool | None,
    light: bool | None,
    smoke: bool | None,
) -> None:
    truth = frames.truth(page("synthetic", opacity=opacity))
    assert (truth.dark, truth.light, truth.smoke) == (dark, light, smoke)


def test_few_of_each_scene_and_kind() -> None:
    pages = [page("real-none", name=f"{i:02}", scene=f"s{i % 2}") for i in range(40)]
    pages.append(page("real-dust", name="z", scene="s0"))
    picked = frames.few_of_each(pages, 6)
    assert len(picked) == 13
    assert len({p.file for p in picked}) == 13


def test_pictures_keep_their_size_or_are_brought_to_it() -> None:
    image = np.zeros((384, 640, 3), np.uint8)
    assert frames.resized(image, (640, 384)) is image
    assert frames.resized(image, (448, 256)).shape == (256, 448, 3)
