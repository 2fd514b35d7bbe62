"""Crops on disk: whole shards only, read as one list; change against a background."""

import json
from pathlib import Path

import numpy as np
import pytest

from vision.train import cache


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(cache, "SHARD", 4)
    return 4


def shard(folder: Path, number: int, rows: int, fill: float) -> None:
    here = folder / f"{number:04d}"
    here.mkdir(parents=True)
    shapes = {
        "features": (24, 32, 40),
        "target": (12, 16, 3),
        "weight": (12, 16, 3),
        "change": (12, 16, 4),
    }
    for name, shape in shapes.items():
        values = np.full((rows, *shape), fill, np.float16)
        values[:, 0, 0, 0] = fill + np.arange(rows) / 8
        np.save(here / f"{name}.npy", values)
    facts = {"kinds": ["k"] * rows, "scenes": [f"s{number}"] * rows}
    (here / "rows.json").write_text(json.dumps(facts))


def test_shards_read_as_one_list(tmp_path: Path, small: int) -> None:
    shard(tmp_path, 0, small, 1)
    shard(tmp_path, 1, small, 2)
    crops = cache.Crops(tmp_path)
    assert len(crops) == 8
    batch = crops.batch(np.array([7, 0, 4]))
    assert batch.features.dtype == np.float32
    assert batch.features[:, 0, 0, 0].tolist() == [2.375, 1.0, 2.0]
    assert crops.scenes.tolist() == ["s0"] * 4 + ["s1"] * 4


def test_a_shard_that_was_being_written_is_not_read(tmp_path: Path, small: int) -> None:
    shard(tmp_path, 0, small, 1)
    (tmp_path / "0001.part").mkdir()
    assert len(cache.Crops(tmp_path)) == small


def test_no_more_crops_than_asked_for(tmp_path: Path, small: int) -> None:
    for number in range(3):
        shard(tmp_path, number, small, number)
    assert len(cache.Crops(tmp_path, most=2 * small)) == 2 * small


def test_folders_join(tmp_path: Path, small: int) -> None:
    shard(tmp_path / "a", 0, small, 1)
    shard(tmp_path / "b", 0, small, 2)
    crops = cache.Crops(tmp_path / "a", tmp_path / "b")
    assert len(crops) == 2 * small
    assert crops.batch(np.array([small])).features[0, 0, 0, 0] == 2


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="found none"):
        cache.Crops(tmp_path)


def test_change_tells_size_sign_and_colour() -> None:
    before = np.full((32, 48, 3), 100, np.uint8)
    image = before.copy()
    image[:16, :16] = (164, 100, 100)
    image[16:, 16:32] = (36, 36, 36)
    maps = cache.change_maps(image, before, known=True)
    assert maps.shape == (2, 3, 4)
    assert maps[0, 0] == pytest.approx([1 / 3, 1 / 3, 1, 1], abs=1e-3)
    assert maps[1, 1] == pytest.approx([1, -1, 0, 1], abs=1e-3)
    assert maps[0, 2] == pytest.approx([0, 0, 0, 1], abs=1e-3)


def test_an_unknown_background_says_nothing() -> None:
    image = np.full((32, 48, 3), 200, np.uint8)
    assert not cache.change_maps(image, np.zeros_like(image), known=False).any()


def test_the_recipe_follows_the_data(tmp_path: Path) -> None:
    for name, text in (("a", "x"), ("b", "y"), ("c", "x")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.csv").write_text(text)
    a, b, c = (cache.recipe(tmp_path / name) for name in "abc")
    assert a == c
    assert a != b
