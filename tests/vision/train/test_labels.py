import numpy as np

from vision.train import labels
from vision.train.labels import DARK, DUST, SMOKE


def cells(value=0.0):
    return np.full((12, 16), value, np.float32)


def test_opacity_decides_and_its_edge_is_not_asked():
    light = cells()
    light[0, :5] = (0.0, 0.01, 0.05, 0.10, 0.9)
    told = labels.from_opacity(cells(), light, cells())
    assert told.target[SMOKE, 0, :5].tolist() == [0, 0, 0, 1, 1]
    assert told.weight[SMOKE, 0, :5].tolist() == [1, 1, 0, 1, 1]
    assert told.weight[DARK, 0, :5].tolist() == [0, 0, 0, 1, 1]
    assert told.target[DARK].max() == 0
    assert told.target[DUST].max() == 0
    assert told.weight[DUST].min() == 1


def test_dark_is_the_share_of_dark_in_the_smoke():
    told = labels.from_opacity(cells(0.3), cells(0.1), cells())
    assert np.allclose(told.target[DARK], 0.75)


def test_the_rim_of_a_box_is_not_asked():
    box, ellipse = (np.zeros((192, 256), np.float32) for _ in "be")
    box[32:128, 48:208] = 1
    y, x = np.mgrid[0:192, 0:256]
    ellipse[((x - 128) / 80) ** 2 + ((y - 80) / 48) ** 2 < 1] = 1
    told = labels.from_boxes(box, ellipse)
    assert told.target[SMOKE, 5, 8] == 1
    assert (told.target[SMOKE, 2, 3], told.weight[SMOKE, 2, 3]) == (0, 0)
    assert (told.target[SMOKE, 10, 3], told.weight[SMOKE, 10, 3]) == (0, 1)
    assert told.weight[DARK].max() == 0


def test_a_box_smaller_than_a_cell_still_counts_once():
    box = np.zeros((192, 256), np.float32)
    box[34:42, 50:60] = 1
    told = labels.from_boxes(box, box * 0.8)
    assert told.target[SMOKE].sum() == 1
    assert told.target[SMOKE, 2, 3] == 1


def test_around_hand_drawn_dust_is_not_asked():
    dust = cells()
    dust[5:8, 5:8] = 0.9
    told = labels.dust_margin(labels.from_opacity(cells(), cells(), dust))
    assert told.weight[DUST, 4, 4] == 0
    assert told.weight[DUST, 6, 6] == 1
    assert told.weight[DUST, 2, 2] == 1
    assert told.weight[SMOKE, 6, 6] == 0.5


def test_white_on_white_is_not_asked():
    told = labels.from_opacity(cells(), cells(0.5), cells())
    change = cells(20)
    change[0] = 0.5
    told = labels.without_unseen(told, change, 2.5)
    assert told.weight[SMOKE, 0].max() == 0
    assert told.weight[SMOKE, 1].min() == 1
