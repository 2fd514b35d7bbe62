"""Light keeps a texture in proportion; what comes between does not."""

import numpy as np
import pytest

from tests.support.vision_scene import BOX, Scene
from vision.alarms.light import HOLDS_S, Light

CELLS = np.zeros((24, 40), np.bool_)
CELLS[8:13, 10:15] = True
PART = np.s_[64:104, 80:120]


def seen(change, seed, *, texture=25, learned_s=30):
    """What is said of a part of a noisy picture that ``change`` is done to."""
    rng, light = np.random.default_rng(seed), Light()
    yard = 110 + texture * rng.standard_normal((192, 320))
    for _ in range(learned_s):
        shot = yard + rng.normal(0, 1.5, yard.shape)
        light.step(np.clip(shot, 0, 255).astype(np.uint8), 1.0, None)
    now = yard.copy()
    now[PART] = change(now[PART], rng)
    now += rng.normal(0, 1.5, yard.shape)
    light.step(np.clip(now, 0, 255).astype(np.uint8), 1.0, None)
    return light.only(CELLS)


def veil(opacity, level):
    return lambda part, _: part * (1 - opacity) + opacity * level


@pytest.mark.parametrize("gain", [0.5, 0.7, 0.85, 1.2, 1.4])
def test_a_shadow_and_the_sun_are_light_alone(gain, seed):
    assert seen(lambda part, _: part * gain, seed), seed


@pytest.mark.parametrize(
    ("opacity", "level"), [(0.5, 40), (0.7, 40), (0.9, 20), (0.4, 220), (0.6, 150)]
)
def test_smoke_and_dust_are_not(opacity, level, seed):
    assert not seen(veil(opacity, level), seed), seed


def test_what_hides_the_view_is_not(seed):
    assert not seen(lambda part, rng: rng.normal(60, 20, part.shape), seed), seed


def test_where_nothing_is_to_be_told_nothing_is_said(seed):
    shadow = veil(0.5, 0)
    assert not seen(shadow, seed, texture=1), "a calm sea"
    assert not seen(shadow, seed, learned_s=5), "no usual picture yet"
    assert not seen(lambda part, _: part, seed), "nothing changed"


def shaded(seconds, score, *, opacity=0.5, level=0):
    """When a part of a learned scene, darkened and moving a little, is an alarm."""
    scene = Scene().learned()
    usual, began_s = scene.picture, scene.t_s
    for n in range(seconds):
        part = veil(opacity * (0.9 + 0.1 * (n % 2)), level)
        scene.picture = usual.copy()
        scene.picture[PART] = part(usual[PART].astype(float), None)
        scene.step([("dark_smoke", score, BOX)], moving=[])
    return [
        (sight.t_ms - scene.t0_ms) / 1000 - began_s
        for sight in scene.sights
        if sight.state == "raised"
    ]


def test_a_shadow_that_passes_is_no_alarm_and_smoke_is():
    assert not shaded(6, 0.65)
    assert shaded(6, 0.65, opacity=0.6, level=40)


def test_soot_as_black_as_a_shadow_is_excused_for_five_seconds_only():
    (plain_s,) = shaded(20, 0.65, opacity=0.6, level=40)
    (excused_s,) = shaded(20, 0.65)
    assert plain_s < excused_s <= plain_s + HOLDS_S + 1


def test_where_the_model_is_sure_nothing_is_excused():
    assert shaded(20, 0.9) == shaded(20, 0.9, opacity=0.6, level=40)
