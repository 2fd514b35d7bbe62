"""Photographs from elsewhere: cut to size, refused by name where they are none."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from vision.train import outside


@pytest.mark.parametrize("shape", [(100, 900), (900, 100), (384, 640), (385, 641)])
def test_any_shape_is_cut_to_the_size(shape: tuple[int, int]) -> None:
    image = np.zeros((*shape, 3), np.uint8)
    assert outside.covered(image).shape == (384, 640, 3)


def test_photographs_are_read_as_rgb(tmp_path: Path) -> None:
    red = np.zeros((384, 640, 3), np.uint8)
    red[..., 2] = 255
    cv2.imwrite(str(tmp_path / "red.png"), red)
    (tmp_path / "notes.txt").write_text("no picture")
    names, images = outside.photographs(tmp_path)
    assert names == ["red"]
    assert images[0][0, 0].tolist() == [255, 0, 0]


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no")
    with pytest.raises(ValueError, match=r"broken\.jpg"):
        outside.photographs(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="found none"):
        outside.photographs(tmp_path)
