import shutil

import numpy as np
import pytest

from vision.train.book import folds, load


def test_a_split_holds_its_own_scenes_only(train_book, val_book):
    assert train_book.scenes == ("hpwren-1", "kodak-90", "rdust-1", "udacity-train")
    assert not set(train_book.scenes) & set(val_book.scenes)
    assert all(page.split == "train" for page in train_book.pages)


def test_a_rendered_picture_belongs_to_its_background(train_book):
    assert list(train_book.by_kind["synthetic"]) == ["kodak-90"]


def test_pictures_mattes_and_cells_come_along(train_book):
    page = train_book.by_kind["real-dust"]["rdust-1"][0]
    assert page.rgb().shape == (384, 640, 3)
    assert page.cells.shape == (3, 24, 40)
    assert page.boxes[0].kind == "dust"
    assert len(train_book.mattes) == 2
    assert train_book.doubtful == {"hpwren-1"}


def test_a_scene_in_two_splits_is_refused(book_folder, tmp_path):
    copy = shutil.copytree(book_folder, tmp_path / "book")
    manifest = copy / "manifest.csv"
    text = manifest.read_text().replace("syn:kodak-90", "syn:kodak-91")
    manifest.write_text(text)
    with pytest.raises(ValueError, match="scene 'kodak-91': expected one split"):
        load(copy)


def test_a_picture_that_is_missing_is_named(book_folder, tmp_path):
    copy = shutil.copytree(book_folder, tmp_path / "book")
    (copy / "images/kodak-90.jpg").unlink()
    with pytest.raises(ValueError, match=r"kodak-90\.jpg"):
        load(copy)


@pytest.mark.parametrize("count", [2, 4])
def test_every_scene_is_judged_in_one_fold(book_folder, count, seed):
    both = load(book_folder, ("train", "val"))
    pairs = folds(both, count, seed)
    judged = [scene for _, held in pairs for scene in held.scenes]
    assert sorted(judged) == sorted(both.scenes), seed
    for known, held in pairs:
        assert not set(known.scenes) & set(held.scenes)
        assert set(known.scenes) | set(held.scenes) == set(both.scenes)
    assert [h.scenes for _, h in folds(both, count, seed)] == [
        h.scenes for _, h in pairs
    ]


def test_frames_of_one_view_are_alike_and_a_turned_one_is_not(train_book):
    frames = train_book.by_kind["real-none"]["hpwren-1"]
    alike = train_book.views_alike(frames[0])
    assert set(alike) == set(frames[1:])
    turned = type(frames[0])(
        **{k: getattr(frames[0], k) for k in frames[0].__dataclass_fields__}
    )
    edges, colourful = turned.glance
    turned.__dict__["glance"] = (np.roll(edges, 7)[::-1], colourful)
    assert train_book.views_alike(turned) == ()
