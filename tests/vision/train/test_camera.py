import numpy as np
import pytest

from vision.train import camera as cameras
from vision.train import structure
from vision.train.camera import camera, taken
from vision.train.canvas import Canvas
from vision.train.caption import captioned
from vision.train.chance import dice
from vision.train.lens import blacked_out

PLAIN = camera(dice(0), gentle=True)._replace(noise=0.0, quality=95)


def scene(tone=120.0):
    return np.full((192, 256, 3), tone, np.float32)


def test_a_camera_that_does_nothing_hands_the_scene_over():
    assert np.abs(taken(scene(), PLAIN, 1).astype(int) - 120).max() <= 2


def test_noise_is_its_own_in_every_picture_and_repeats_by_seed(seed):
    how = PLAIN._replace(noise=6.0)
    one, two = taken(scene(), how, seed), taken(scene(), how, seed + 1)
    assert not np.array_equal(one, two)
    assert np.array_equal(one, taken(scene(), how, seed))
    assert 2 < one.astype(float).std() < 14, seed


@pytest.mark.parametrize(
    ("change", "sign"), [({"gain": 1.2}, 1), ({"gamma": 1.4}, -1), ({"lift": -15}, -1)]
)
def test_exposure_goes_where_it_should(change, sign):
    got = taken(scene(), PLAIN._replace(**change), 1).astype(float).mean()
    assert sign * (got - 120) > 5


def test_a_grey_camera_is_grey_and_its_noise_too(seed):
    image = scene()
    image[..., 0] = 200
    how = PLAIN._replace(saturation=0.0, noise=8.0)
    got = taken(image, how, seed).astype(int)
    assert np.abs(got[..., 0] - got[..., 2]).max() <= 3, seed


def test_a_lower_quality_loses_more(seed):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 255, (192, 256, 3)).astype(np.uint8)
    lost = [
        np.abs(cameras.jpeg(image, quality).astype(int) - image).mean()
        for quality in (90, 30)
    ]
    assert lost[0] < lost[1]


def test_a_caption_stands_at_one_place_and_only_its_clock_moves(seed):
    image = np.full((192, 256, 3), 128, np.uint8)
    one, two = captioned(image.copy(), seed, 4), captioned(image.copy(), seed, 5)
    written = (one != 128).any(2)
    assert written.sum() > 100, seed
    changed = (one != two).any(2)
    assert 0 < changed.sum() < written.sum(), seed


@pytest.mark.parametrize("draw", [blacked_out, structure.foreground])
def test_what_stands_before_the_lens_stands_there_before_and_now(draw, seed):
    sun = np.array([0, -0.8, 0.6], np.float32)
    for n in range(4):
        sky = np.full(3, 200, np.float32)
        canvas = Canvas(scene(), scene(), "painted", 220.0, sky, sun)
        draw(dice(seed, n), canvas)
        assert np.allclose(canvas.now, canvas.before, atol=1e-3), (seed, n)
        assert canvas.labels().target.max() == 0
