import time

import cv2
import numpy as np
import pytest

from tests.support.scenes import Scene, blurred, infrared
from vision.frame import Frame
from vision.look import SIZE, glance, look


def test_a_look_measures_what_it_says():
    image = Scene(noise=0).frame()
    seen = look(Frame("a", 1, image, 0, 12.5, 3.5))
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)

    assert (seen.mono_s, seen.stream_s, seen.size) == (12.5, 3.5, (640, 360))
    assert seen.grey.shape == SIZE[::-1]
    assert seen.mean == pytest.approx(grey.mean(), abs=1)
    assert seen.contrast == pytest.approx(seen.grey.std(), rel=0.01)
    assert seen.bright == pytest.approx(np.percentile(seen.grey, 99.5), abs=1.5)
    assert seen.means == pytest.approx(
        seen.grey.reshape(12, 16, 20, 16).mean((1, 3)), abs=0.01
    )
    steps = np.abs(np.diff(seen.grey.astype(int), axis=1))
    assert seen.across[3, 4] == pytest.approx(steps[48:64, 64:80].mean(), abs=0.01)


@pytest.mark.parametrize(
    "shape", [(1, 1), (48, 64), (360, 640), (1080, 1920), (2160, 3840)]
)
def test_any_size_is_looked_at(shape):
    seen = glance(np.full((*shape, 3), 77, np.uint8))

    assert (seen.mean, seen.contrast, seen.colour) == (77, 0, 0)


def test_sharpness_falls_out_of_focus_and_not_with_light_or_haze():
    image = Scene().frame()
    sharp = glance(image).sharpness

    assert glance(blurred(image)).sharpness < 0.65 * sharp
    assert glance((image * 0.5).astype(np.uint8)).sharpness == pytest.approx(
        sharp, rel=0.1
    )
    hazy = (image * 0.5 + 100).astype(np.uint8)
    assert glance(hazy).sharpness == pytest.approx(sharp, rel=0.1)


def test_colour_tells_infrared_from_a_grey_yard():
    yard = np.full((360, 640, 3), 120, np.uint8)
    yard[300:, 500:] = (40, 60, 160)

    assert glance(yard).colour > 6
    assert glance(infrared(Scene().frame())).colour < 3


def test_a_glance_costs_less_than_a_millisecond(figure):
    cv2.setNumThreads(1)
    image, took = Scene().frame(), []
    for _ in range(50):
        began = time.perf_counter()
        glance(image)
        took.append(time.perf_counter() - began)
    figure("look_ms", round(float(np.median(took)) * 1000, 3))

    assert np.median(took) < 0.01
