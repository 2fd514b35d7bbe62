import numpy as np
import pytest

from vision.train import plume
from vision.train.chance import dice
from vision.train.noise import SIDE, billow_bank, fractal, fractal_bank
from vision.train.plume import Cone

STEADY = Cone(
    x=128, y=150, angle=-np.pi / 2, bend=0, length=120, width=10, spread=0.2,
    depth=4, thinning=0.3, billow=0.6, ragged=0.6, soft=0.5,
)  # fmt: skip


def test_a_plume_stands_downwind_of_its_source_and_widens(seed):
    cloud = plume.cone(dice(seed), 192, 256, STEADY)
    opacity = cloud.opacity
    assert 0 <= opacity.min() <= opacity.max() <= 1
    assert opacity[165:].max() < 0.02, seed
    assert opacity[130:148].max() > 0.5, seed
    near = (opacity[135:145] > 0.1).sum(1).mean()
    far = (opacity[85:95] > 0.1).sum(1).mean()
    assert far > near, seed


def test_a_large_soft_plume_is_rendered_small_and_looks_the_same(seed):
    how = STEADY._replace(width=30, soft=0.6)
    cloud = plume.cone(dice(seed), 192, 256, how)
    assert cloud.depth.shape == (192, 256)
    assert cloud.opacity.mean() > 0.02, seed


@pytest.mark.parametrize("angle", [-2.8, -1.57, -0.3])
def test_wind_carries_it(angle, seed):
    cloud = plume.cone(dice(seed), 192, 256, STEADY._replace(angle=angle, y=100))
    y, x = np.mgrid[0:192, 0:256]
    mass = cloud.opacity / cloud.opacity.sum()
    drift = np.array([(x * mass).sum() - 128, (y * mass).sum() - 100])
    towards = drift @ np.array([np.cos(angle), np.sin(angle)])
    assert towards > 0.8 * np.linalg.norm(drift), seed


def test_a_foot_is_where_the_ground_is(seed):
    cloud = plume.cone(dice(seed), 192, 256, STEADY._replace(angle=0.0, width=25))
    footed = plume.footed(dice(seed), cloud, 150, 10)
    assert cloud.opacity[160:].max() > 0.1, seed
    assert footed.opacity[165:].max() < 0.02, seed


def test_filmed_smoke_stands_on_its_foot(seed):
    matte = np.full((200, 80), 220, np.uint8)
    cloud = plume.filmed(dice(seed), 192, 256, matte, (128, 150), 100, 2.0)
    assert cloud.opacity.max() > 0.3, seed
    assert np.isfinite(cloud.depth).all()


def test_clouds_add_up_in_depth(seed):
    one = plume.cone(dice(seed), 96, 128, STEADY._replace(x=64, y=90))
    two = plume.together([one, one])
    assert np.allclose(1 - two.opacity, (1 - one.opacity) ** 2, atol=1e-5)


def test_light_falls_from_the_sun(seed):
    y, x = np.mgrid[0:64, 0:64].astype(np.float32)
    dome = np.sqrt(np.maximum(900 - (x - 32) ** 2 - (y - 32) ** 2, 0))
    cloud = plume.Cloud(dome, dome, dome * 0)
    lit = plume.shade(cloud, np.array([-0.6, -0.6, 0.5], np.float32), 0.4, 0.8)
    assert lit[18, 18] > lit[46, 46] + 0.1


def test_banks_are_tiles_without_a_seam():
    for bank in (
        fractal_bank(1.5),
        fractal_bank(2.0, 3),
        billow_bank(),
        billow_bank(2),
    ):
        tile = bank[0]
        assert tile.shape == (SIDE, SIDE)
        seam = np.abs(tile[0] - tile[-1]).mean()
        inside = np.abs(np.diff(tile, axis=0)).mean()
        assert seam < 3 * inside
    assert fractal(dice(1), 20, 30, 12.0).shape == (20, 30)
