import numpy as np
import pytest

from tests.support.vision_scene import BOX, Scene, camera, states
from vision.alarms.persistence import SPAN_S, Window
from vision.messages import Rule


def test_four_of_six_frames_are_an_alarm_and_three_are_not():
    three, four = Scene().learned(), Scene().learned()
    for hit in (1, 0, 1, 0, 1, 0):
        three.step([("dark_smoke", 0.8)] if hit else [], moving=[BOX])
    for hit in (1, 0, 1, 1, 0, 1):
        four.step([("dark_smoke", 0.8)] if hit else [], moving=[BOX])

    assert not three.sights
    assert states(four.sights) == [("dark_smoke", "raised")]


def test_the_alarm_began_with_its_first_frame():
    scene = Scene().learned()
    began_ms = scene.t0_ms + round(scene.t_s * 1000)
    (raised,) = scene.run(10, [("dark_smoke", 0.8)])
    assert raised.began_ms == began_ms
    assert raised.t_ms == began_ms + 3000


@pytest.mark.parametrize("every_s", [0.1, 0.25, 0.5, 1.0, 5.0])
def test_no_rate_confirms_faster_than_its_share_of_three_seconds(every_s):
    scene = Scene(every_s=every_s).learned()
    began_s = scene.t_s
    while not scene.step([("dark_smoke", 0.8)]):
        assert scene.t_s - began_s < 30
    took_s = scene.t_s - every_s - began_s
    assert took_s >= SPAN_S * 4 / 6 - every_s - 1e-9
    assert took_s <= max(3 * every_s, SPAN_S * 4 / 6 + every_s) + 1e-9


@pytest.mark.parametrize("every_s", [0.1, 0.25, 1.0])
def test_a_fire_from_the_first_frame_needs_four_seconds_at_any_rate(every_s):
    scene = Scene(every_s=every_s)
    while not scene.step([("dark_smoke", 0.95)]):
        assert scene.t_s < 20
    assert scene.t_s - every_s >= 2 * SPAN_S * 4 / 6 - 1e-9


def test_the_rule_of_a_camera_says_how_often():
    eager = Scene(camera(rules={"dark_smoke": Rule(confirm=2, of=3)})).learned()
    patient = Scene(camera(rules={"dark_smoke": Rule(confirm=10, of=12)})).learned()
    assert eager.run(3, [("dark_smoke", 0.8)])
    assert not patient.run(9, [("dark_smoke", 0.8)])
    assert patient.run(3, [("dark_smoke", 0.8)])


def test_a_rule_of_one_frame_still_needs_two():
    scene = Scene(camera(rules={"dark_smoke": Rule(confirm=1, of=1)})).learned()
    assert not scene.step([("dark_smoke", 1.0)])
    scene.run(60)
    assert not scene.sights


def test_something_that_passes_through_is_no_alarm_and_what_drifts_is():
    car, plume = Scene().learned(), Scene().learned()
    for n in range(6):
        at = (8, 2 + 6 * n, 12, 6 + 6 * n)
        car.step([("dark_smoke", 0.9, at)])
        drift = (8, 10 + n, 13, 15 + n)
        plume.step([("dark_smoke", 0.9, drift)])
    assert not car.sights
    assert plume.sights


@pytest.mark.parametrize(("cells_a_s", "raised"), [(0, True), (2.5, True), (10, False)])
def test_driving_dust_is_met_again_and_a_car_is_not(cells_a_s, raised):
    scene = Scene(every_s=0.25).learned()
    for n in range(16):
        left = round(1 + cells_a_s * 0.25 * n)
        if left < 34:
            scene.step([("dust", 0.9, (10, left, 14, left + 5))])
    assert bool(scene.sights) == raised


def test_hits_of_another_time_do_not_count():
    window = Window(4, 6, longest_s=30.0)
    cells, high = np.ones((2, 2), np.bool_), np.ones((2, 2), np.float32)
    for at_s in (0.0, 1.0, 2.0):
        window.push(at_s, 0, high, high, cells, cells)
    window.push(100.0, 0, high, high, cells, cells)
    assert window.confirmed() is None
    for at_s in (101.0, 102.0, 103.0):
        window.push(at_s, 0, high, high, cells, cells)
    assert window.confirmed() is not None


def test_a_still_patch_is_no_alarm_and_one_that_moves_in_half_of_the_frames_is():
    still, moving, little = Scene().learned(), Scene().learned(), Scene().learned()
    still.run(60, [("light_smoke", 0.9)], moving=[])
    for n in range(12):
        # Two of three frames: the running mean makes the others differ as well.
        moving.step([("light_smoke", 0.9)], moving=[BOX] if n % 3 else [])
        little.step([("light_smoke", 0.9)], moving=[(20, 30, 22, 33)])
    assert not still.sights
    assert moving.sights
    assert not little.sights  # what moves is elsewhere
