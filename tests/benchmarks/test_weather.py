"""What a rendered day may not show: a shadow in the sky is soot, a low cloud smoke."""

import numpy as np
import pytest

from benchmarks import skylines, weather
from benchmarks.false_alarms import PICTURES
from tests.support.vision_day import scene


def means(picture, where):
    return picture[where].astype(np.float32).mean()


def apart(one, other, where):
    return np.abs(one.astype(np.float32) - other)[where].mean()


@pytest.mark.parametrize("name", ["cloud_shadows", "clouds"])
def test_clouds_keep_to_the_sky_and_their_shadows_to_the_ground(name):
    seed = 1  # of a day that is neither overcast nor blue
    picture, view = scene(seed)
    there = (view.ground if name == "cloud_shadows" else 1 - view.ground) > 0
    frames = weather.frames(picture, name, 8, seed, view)
    noise = apart(weather.frames(picture, "still", 1, seed)[0], picture, ~there)
    changed = [means(frame, there) - means(picture, there) for frame in frames]
    for frame in frames:
        assert apart(frame, picture, ~there) < 1.3 * noise
    if name == "cloud_shadows":
        assert min(changed) < -2
    else:
        assert max(changed) > 2


def test_every_picture_has_a_skyline():
    assert {name.removesuffix(".jpg") for name in PICTURES} == set(skylines.SKYLINES)
    for name, line in skylines.SKYLINES.items():
        across = [x for x, _ in line]
        assert across == sorted(across), name
        assert (across[0], across[-1]) == (0, 100), name


def test_ground_is_below_its_line():
    ground = skylines.ground(((0, 25), (50, 75), (100, 75)), (80, 40))
    assert ground.shape == (40, 80)
    assert ground[-1].min() == ground[39, 0] == 1
    assert ground[0].max() < 0.01
    assert ground[20, 5] > 0.9
    assert ground[20, 60] < 0.1
