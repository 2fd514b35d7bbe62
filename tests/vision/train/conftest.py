"""A small book of pictures, drawn here: two splits, all kinds, two frames a camera."""

import csv
import json
from importlib.util import find_spec

import cv2
import numpy as np
import pytest

from vision.train.book import load

# Training itself needs the extra `train`, which is no part of `dev`: its tests are run
# by who trains (docs/vision-model.md), not left out of `make test`.
collect_ignore = [] if find_spec("torch") else ["test_folds.py", "test_loop.py"]

FIELDS = ["file", "split", "scene", "kind", "boxes_xyxy_640x384", "source", "licence"]


def drawn(rng, *, tone):
    """Sky, ground with grain and a house: something with a skyline."""
    image = np.zeros((384, 640, 3), np.float32)
    image[:200] = np.linspace(120, 220, 200)[:, None, None] * np.array([0.8, 0.9, 1])
    image[200:] = tone + rng.normal(0, 12, (184, 640, 1))
    image[150:260, 380:480] = (150, 90, 70)
    return np.clip(image, 0, 255).astype(np.uint8)


def write_book(folder):
    rng = np.random.default_rng(5)
    (folder / "images").mkdir()
    (folder / "mattes").mkdir()
    rows, cells = [], {}

    def page(file, split, scene, kind, boxes=(), opacity=None, tone=(90, 80, 60)):
        image = drawn(rng, tone=np.array(tone))
        for _, x0, y0, x1, y1 in boxes:
            image[int(y0) : int(y1), int(x0) : int(x1)] = 205
        cv2.imwrite(str(folder / "images" / file), image[..., ::-1])
        if opacity is not None:
            cells[file.removesuffix(".jpg")] = opacity
        rows.append([file, split, scene, kind, json.dumps(boxes), "drawn", "CC0"])

    dust = np.zeros((3, 24, 40), np.float16)
    dust[2, 12:20, 4:20] = 0.9
    dark = np.zeros((3, 24, 40), np.float16)
    dark[0, 2:10, 10:16] = 0.8
    box = [["smoke", 100.0, 120.0, 220.0, 200.0]]
    for split, tower, still, earth in (
        ("train", "hpwren-1", "kodak-90", "rdust-1"),
        ("val", "hpwren-2", "kodak-91", "rdust-2"),
    ):
        for n in range(3):
            page(f"{tower}-none{n}.jpg", split, tower, "real-none")
            page(f"{tower}-smoke{n}.jpg", split, tower, "real-smoke", box)
        page(f"{still}.jpg", split, still, "real-none", tone=(60, 110, 60))
        page(f"road-{split}.jpg", split, f"udacity-{split}", "real-none")
        dust_box = [["dust", 64.0, 192.0, 320.0, 320.0]]
        page(f"{earth}.jpg", split, earth, "real-dust", dust_box, dust)
        smoke_box = [["smoke_dark", 160.0, 32.0, 256.0, 160.0]]
        page(f"syn-{still}.jpg", split, f"syn:{still}", "synthetic", smoke_box, dark)
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([FIELDS, *rows])
    np.savez(folder / "cells_40x24.npz", **cells)
    for n in range(2):
        matte = np.zeros((360, 640), np.uint8)
        cv2.ellipse(matte, (320, 200), (40 + 10 * n, 100), 0, 0, 360, 220, -1)
        cv2.imwrite(str(folder / f"mattes/smoke{n}.png"), cv2.blur(matte, (25, 25)))
    return folder


@pytest.fixture(scope="session")
def book_folder(tmp_path_factory):
    return write_book(tmp_path_factory.mktemp("book"))


@pytest.fixture(scope="session")
def train_book(book_folder):
    return load(book_folder, ("train",))


@pytest.fixture(scope="session")
def val_book(book_folder):
    return load(book_folder, ("val",))
