import numpy as np
import pytest

from vision.train import view as views
from vision.train.book import Box
from vision.train.chance import dice
from vision.train.labels import pooled


@pytest.mark.parametrize("n", range(6))
def test_pictures_boxes_and_cells_are_cut_alike(n, seed):
    box = Box("smoke", 256, 128, 352, 224)
    view = views.around(dice(seed, n), box)
    image = np.zeros((384, 640, 3), np.uint8)
    image[128:224, 256:352] = 255
    cells = np.zeros((3, 24, 40), np.float16)
    cells[1, 8:14, 16:22] = 1
    cut = view.picture(image)
    assert cut.shape == (192, 256, 3)
    bright = pooled(cut[..., 0].astype(np.float32)) / 255
    from_box, ellipse = view.boxes([box])
    assert np.abs(pooled(from_box) - bright).mean() < 0.02, seed
    assert np.abs(pooled(view.cells(cells)[1]) - bright).mean() < 0.06, seed
    assert (ellipse <= from_box + 0.02).all()


def test_crops_stay_within_the_picture_and_in_the_allowed_sizes(seed):
    zooms = []
    for n in range(60):
        view = views.anywhere(dice(seed, n))
        zooms.append(view.zoom)
        corners = view.matrix @ np.array([[0, 255, 0, 255], [0, 0, 191, 191], [1] * 4])
        # A tilted crop may look past the edge by what its tilt needs.
        assert (corners > -60).all(), seed
        assert (corners[0] < 700).all(), seed
        assert (corners[1] < 444).all(), seed
    assert min(zooms) < 0.75, seed
    assert max(zooms) > 1.2, seed
    assert 0.5 <= min(zooms) <= max(zooms) <= 1.6


def test_the_whole_picture_is_the_picture():
    image = np.arange(384 * 640 * 3, dtype=np.uint32).astype(np.uint8)
    image = image.reshape(384, 640, 3)
    assert (views.whole().picture(image) == image).all()
