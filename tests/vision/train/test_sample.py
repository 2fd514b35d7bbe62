import itertools

import numpy as np
import pytest

from vision.train.negative import NEGATIVES
from vision.train.sample import EMISSIONS, MIX, emissions, hard_negatives, sample

SEEN_FROM_ANY_BOOK = {"painted"}


def same(one, two):
    return all(
        np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b
        for a, b in zip(one, two, strict=True)
    )


def test_a_number_gives_the_same_sample_again(train_book, seed, count):
    for n in range(count(12, 200)):
        assert same(sample(seed + n, train_book), sample(seed + n, train_book)), (
            seed + n
        )
    first, second = sample(seed, train_book), sample(seed + 1, train_book)
    assert not np.array_equal(first.image, second.image)


def test_shapes_and_ranges(train_book, seed, count):
    negative = total = 0
    kinds = set()
    for n in range(count(60, 600)):
        item = sample(seed + n, train_book)
        for image in (item.image, item.before):
            assert (image.shape, image.dtype) == ((192, 256, 3), np.uint8)
        for field in (item.target, item.weight):
            assert (field.shape, field.dtype) == ((3, 12, 16), np.float16)
            assert np.isfinite(field).all()
            assert 0 <= field.min() <= field.max() <= 1, (seed + n, item.kind)
        # Dark is asked of smoke only.
        assert not (item.weight[1] > 0)[item.target[0] == 0].any(), seed + n
        negative += item.target.max() == 0
        total += 1
        kinds.add(item.kind.partition(":")[0])
    assert 0.3 < negative / total < 0.7, seed
    assert {"real-none", "hard"} <= kinds, seed


def test_no_scene_of_the_other_split_is_ever_shown(train_book, val_book, seed, count):
    for n in range(count(60, 600)):
        item = sample(seed + n, train_book)
        assert item.scene in {*train_book.scenes, *SEEN_FROM_ANY_BOOK}, item.scene
        assert item.scene not in val_book.scenes


@pytest.mark.parametrize("kind", sorted(NEGATIVES))
def test_hard_negatives_have_no_target_and_are_asked(val_book, kind, seed):
    item = hard_negatives(seed, val_book, kind)
    assert item.image.shape == (384, 640, 3)
    assert item.target.shape == item.weight.shape == (3, 24, 40)
    assert item.target.max() == 0, seed
    assert item.weight[[0, 2]].min() > 0
    assert item.kind == f"hard:{kind}"
    assert item.scene in val_book.scenes


def test_negatives_of_the_mix_have_no_target(train_book, seed, count):
    only = dict.fromkeys(("hard", "plain", "real-none"), 1.0)
    for n in range(count(40, 400)):
        item = sample(seed + n, train_book, only)
        assert item.target.max() == 0, (seed + n, item.kind)
        assert item.weight[0].max() > 0


@pytest.mark.parametrize("kind", EMISSIONS)
def test_emissions_fill_whole_pictures(val_book, kind, seed):
    item = emissions(seed, val_book, kind)
    assert item.image.shape == item.before.shape == (384, 640, 3)
    smoke, dark, dust = item.target
    if kind == "dust":
        assert (dust > 0).sum() >= 14, seed
        return
    assert (smoke > 0).sum() >= (2 if kind.startswith("far") else 14), seed
    assert (dark.max() > 0.5) == kind.endswith("dark"), seed
    assert same(item, emissions(seed, val_book, kind))


def test_before_is_the_scene_without_the_emission(val_book, seed):
    """Where nothing was laid both pictures agree; where smoke is they do not."""
    # Now and then black smoke lies on black ground all over, and nothing is asked.
    for n in range(4):
        item = emissions(seed + n, val_book, "near-dark")
        smoke = (item.target[0] > 0) & (item.weight[0] > 0)
        if smoke.any():
            break
    change = np.abs(item.image.astype(float) - item.before).mean(2)
    cells = change.reshape(24, 16, 40, 16).mean((1, 3))
    assert smoke.any(), seed
    assert np.median(cells[smoke]) > np.median(cells[item.target[0] == 0]), seed


def test_what_is_asked_for_wrongly_is_named(val_book):
    with pytest.raises(ValueError, match="'smog'"):
        hard_negatives(0, val_book, "smog")
    with pytest.raises(ValueError, match="'near'"):
        emissions(0, val_book, "near")


def test_a_mix_of_one_kind_gives_that_kind(train_book, seed):
    for kind, n in itertools.product(("real-smoke", "real-dust"), range(4)):
        assert sample(seed + n, train_book, {kind: 1.0}).kind == kind
    assert abs(sum(MIX.values()) - 1) < 1e-6


def test_earlier_frames_stand_for_before(train_book, seed):
    items = [sample(seed + n, train_book, {"real-smoke": 1.0}) for n in range(6)]
    assert all(item.known for item in items), seed
    items = [sample(seed + n, train_book, {"real-dust": 1.0}) for n in range(3)]
    assert not any(item.known for item in items), seed
