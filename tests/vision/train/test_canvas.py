import numpy as np

from vision.train import canvas as scenes
from vision.train import labels as labelled
from vision.train.canvas import DARK, DUST, LIGHT, Canvas
from vision.train.chance import dice
from vision.train.labels import SMOKE


def painted(tone=120.0, given=None):
    image = np.full((192, 256, 3), tone, np.float32)
    sky = np.full(3, 220, np.float32)
    sun = np.array([0.3, -0.8, 0.5], np.float32)
    return Canvas(image, image, "painted", 230.0, sky, sun, given)


def patch(opacity, rows=slice(32, 96), columns=slice(64, 160)):
    field = np.zeros((192, 256), np.float32)
    field[rows, columns] = opacity
    return field


def test_labels_are_the_opacity_that_was_laid():
    canvas = painted()
    canvas.lay(patch(0.5), np.full(3, 20, np.float32), DARK)
    told = canvas.labels()
    expected = np.zeros((12, 16))
    expected[2:6, 4:10] = 1
    assert (told.target[SMOKE] == expected).all()
    assert (told.target[labelled.DARK] == expected).all()
    assert np.allclose(canvas.now[40, 100], 70)
    assert np.allclose(canvas.before, 120)


def test_opacity_of_a_tenth_counts_and_of_a_twentieth_is_not_asked():
    canvas = painted()
    canvas.lay(patch(0.101), np.zeros(3, np.float32), LIGHT)
    assert canvas.labels().target[SMOKE].sum() == 24
    canvas = painted()
    canvas.lay(patch(0.05), np.zeros(3, np.float32), LIGHT)
    told = canvas.labels()
    assert told.target[SMOKE].sum() == 0
    assert told.weight[SMOKE].sum() == 12 * 16 - 24


def test_what_stands_before_smoke_hides_it_from_the_labels():
    canvas = painted()
    canvas.lay(patch(0.9), np.full(3, 240, np.float32), LIGHT)
    canvas.both(patch(1.0, columns=slice(64, 112)), np.full(3, 30, np.float32))
    told = canvas.labels()
    assert told.target[SMOKE, 3, 4:7].max() == 0
    assert told.target[SMOKE, 3, 7:10].min() == 1
    assert np.allclose(canvas.before[40, 70], 30)


def test_smoke_that_changes_nothing_is_not_asked():
    canvas = painted(240.0)
    canvas.lay(patch(0.9), np.full(3, 241, np.float32), LIGHT)
    assert canvas.labels().weight[SMOKE, 3, 5] == 0


def test_what_is_no_emission_leaves_no_label():
    canvas = painted()
    canvas.lay(patch(1.0), np.full(3, 250, np.float32))
    told = canvas.labels()
    assert told.target.max() == 0
    assert told.weight[SMOKE].min() == 1


def test_a_backgrounds_own_dust_stays_until_it_is_covered():
    none = np.zeros((12, 16), np.float32)
    dust = none.copy()
    dust[2:6, 4:10] = 0.9
    given = labelled.from_opacity(none, none, dust)
    canvas = painted(given=given)
    assert canvas.labels().target[labelled.DUST].sum() == 24
    canvas.lay(patch(1.0, columns=slice(64, 112)), np.zeros(3, np.float32))
    canvas.lay(patch(0.6, columns=slice(112, 128)), np.zeros(3, np.float32))
    told = canvas.labels()
    assert told.target[labelled.DUST, 3, 4:10].tolist() == [0, 0, 0, 1, 1, 1]
    assert told.weight[labelled.DUST, 3, 4:10].tolist() == [1, 1, 1, 0, 1, 1]


def test_dust_and_smoke_keep_apart():
    canvas = painted()
    canvas.lay(patch(0.7), np.full(3, 200, np.float32), DUST)
    told = canvas.labels()
    assert told.target[labelled.DUST].sum() == 24
    assert told.target[SMOKE].max() == 0


def test_a_skyline_is_found_where_the_ground_begins(seed):
    image = np.full((192, 256, 3), 210, np.float32)
    image[110:] = 60
    line = scenes.skyline(image, dice(seed))
    assert np.abs(line - 110).max() < 6, seed
    assert np.abs(scenes.above(line, 192).sum(0) - 110).max() < 7, seed


def test_who_passes_by_is_in_one_picture_only(seed):
    other = np.full((192, 256, 3), 15, np.float32)
    for n in range(8):
        canvas = painted()
        scenes.passer_by(canvas, dice(seed, n), other)
        changed = [bool(np.abs(p - 120).max() > 1) for p in (canvas.now, canvas.before)]
        assert sum(changed) == 1, (seed, n)
        assert canvas.labels().target.max() == 0
