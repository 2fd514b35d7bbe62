import numpy as np
import pytest

from tests.support.vision_scene import BOX, COLUMNS, ROWS, Scene, camera, states
from vision.messages import Rule

ALL = (0, 0, ROWS, COLUMNS)


def test_a_region_over_most_of_the_frame_is_fog_and_no_alarm():
    fog, plume = Scene().learned(), Scene().learned()
    for n in range(60):  # comes in over a minute
        rows = max(1, round(ROWS * min(1.0, n / 50)))
        fog.step([("light_smoke", 0.3 + 0.01 * n, (0, 0, rows, COLUMNS))], moving=[])
        plume.step([("light_smoke", 0.8, (0, 0, 12, 20))])
    assert not fog.sights
    assert plume.sights


def test_a_large_region_that_is_there_at_once_is_held_for_a_while():
    at_once, grown = Scene().learned(), Scene().learned()
    large = (2, 2, 18, 34)
    at_once.run(4, [("dust", 0.9, large)])
    for n in range(6):
        grown.step([("dust", 0.9, (2, 2, 4 + 2 * n, 6 + 4 * n))])
    assert not at_once.sights
    assert grown.sights


def test_a_jump_of_the_whole_picture_drops_what_was_half_confirmed():
    jumped, steady = Scene().learned(), Scene().learned()
    for scene in (jumped, steady):
        scene.run(3, [("dark_smoke", 0.8)])
    jumped.picture = np.clip(jumped.picture.astype(int) + 60, 0, 255).astype(np.uint8)
    assert steady.run(2, [("dark_smoke", 0.8)])
    assert not jumped.run(4, [("dark_smoke", 0.8)])
    assert jumped.run(20, [("dark_smoke", 0.8)])  # and it is not deaf for ever


def test_a_camera_that_pans_alarms_about_nothing():
    scene = Scene().learned()
    for n in range(30):
        scene.picture = np.roll(scene.picture, 7, axis=1)
        scene.step([("dark_smoke", 0.9, (8, n, 13, n + 5))], moving=[])
    assert not scene.sights


@pytest.mark.parametrize("fault", ["frozen", "black", "grey", "silent", "corrupt"])
def test_nothing_is_told_while_a_blinding_fault_stands(fault):
    scene = Scene().learned()
    assert not scene.run(60, [("dark_smoke", 0.95)], faults=(fault,))
    assert states(scene.run(10, [("dark_smoke", 0.95)])) == [("dark_smoke", "raised")]


def test_an_open_alarm_waits_for_the_camera_to_see_again():
    scene = Scene().learned()
    scene.run(10, [("dark_smoke", 0.8)])
    scene.run(300, faults=("frozen",))
    scene.watcher.blind(scene.t0_ms, scene.t_s + 300)
    scene.t_s += 300
    assert states(scene.sights) == [("dark_smoke", "raised")]
    scene.run(25)
    assert len(scene.sights) == 1
    scene.run(10)
    assert states(scene.sights)[-1] == ("dark_smoke", "cleared")


def test_a_partly_blocked_camera_still_warns_and_says_so():
    scene = Scene().learned()
    (raised,) = scene.run(10, [("dark_smoke", 0.9)], faults=("blocked",))
    assert raised.faults == ("blocked",)


def test_a_moved_camera_learns_its_new_view():
    scene = Scene().learned()
    scene.run(1, faults=("moved",))
    assert scene.watcher.learning
    scene.run(90, faults=("moved",))
    assert not scene.watcher.learning


def test_an_unsteady_camera_has_no_background_and_only_strong_sights_alarm():
    steady, unsteady = Scene().learned(), Scene().learned()
    faults = ("unsteady",)
    unsteady.run(120, faults=faults)
    assert unsteady.watcher.learning
    assert steady.run(20, [("dark_smoke", 0.6)])  # a rise of 0.55, and 0.45 is asked
    assert not unsteady.run(60, [("dark_smoke", 0.6)], faults=faults)
    # What scores as in the first minute is told, in twice the time.
    (raised,) = unsteady.run(12, [("dark_smoke", 0.9)], faults=faults)
    assert raised.faults == faults
    assert raised.t_ms - unsteady.t0_ms >= 180_000 + 4000


def test_smoke_that_fills_the_view_of_its_alarm_does_not_end_it():
    """What moves in all of a view may be the smoke itself."""
    scene, faults = Scene().learned(), ("unsteady",)
    (raised,) = scene.run(10, [("dark_smoke", 0.55)])
    assert not scene.run(180, [("dark_smoke", 0.42)], faults=faults)
    assert [one.id for one in scene.watcher.open] == [raised.id]
    assert scene.watcher.learning
    assert states(scene.run(120, faults=faults)) == [("dark_smoke", "cleared")]


def test_what_was_half_confirmed_when_it_began_to_move_is_dropped():
    steady, unsteady = Scene().learned(), Scene().learned()
    for scene in (steady, unsteady):
        assert not scene.run(3, [("dark_smoke", 0.9)])
    assert steady.run(2, [("dark_smoke", 0.9)])
    # Eight frames more, not five.
    assert not unsteady.run(7, [("dark_smoke", 0.9)], faults=("unsteady",))
    assert unsteady.run(2, [("dark_smoke", 0.9)], faults=("unsteady",))


def test_when_it_stands_again_its_background_is_learned():
    scene = Scene().learned()
    scene.run(30, faults=("unsteady",))
    scene.run(65)
    assert not scene.watcher.learning
    assert states(scene.run(10, [("dark_smoke", 0.6)])) == [("dark_smoke", "raised")]


def test_after_hours_without_pictures_the_background_is_learned_anew():
    short, long = Scene().learned(), Scene().learned()
    for scene, gone_s in ((short, 600), (long, 4000)):
        for _ in range(10):
            scene.t_s += gone_s / 10
            scene.watcher.blind(scene.t0_ms, scene.t_s)
        scene.step()
    assert not short.watcher.learning
    assert long.watcher.learning


def test_what_was_not_judged_is_neither_a_hit_nor_a_clearing():
    scene = Scene().learned()
    scene.run(2, [("dark_smoke", 0.9)])
    scene.run(60, judged=False)
    assert not scene.sights
    scene.run(10, [("dark_smoke", 0.9)])
    scene.run(200, judged=False)
    assert states(scene.sights) == [("dark_smoke", "raised")]


def test_labels_and_rules_of_a_camera_are_kept():
    only_dust = Scene(camera(labels=("dust",))).learned()
    off = Scene(camera(rules={"dark_smoke": Rule(off=True)})).learned()
    higher = Scene(camera(rules={"dark_smoke": Rule(threshold=0.9)})).learned()
    for scene in (only_dust, off, higher):
        scene.run(30, [("dark_smoke", 0.8)])
        assert not scene.sights
    assert Scene(higher.camera).learned().run(10, [("dark_smoke", 0.97)])
    assert only_dust.run(10, [("dust", 0.9)])


def test_a_camera_s_threshold_makes_the_first_minute_stricter_never_less_strict():
    low = camera(rules={"dark_smoke": Rule(threshold=0.2)})
    assert not Scene(low).run(20, [("dark_smoke", 0.6)])
    assert Scene(low).run(20, [("dark_smoke", 0.7)])
    high = camera(rules={"dark_smoke": Rule(threshold=0.8)})
    assert not Scene(high).run(20, [("dark_smoke", 0.7)])


def test_scores_that_are_no_numbers_count_as_nothing():
    scene = Scene().learned()
    scene.base[0, BOX[0] : BOX[2], BOX[1] : BOX[3]] = np.nan
    scene.run(30, moving=[BOX])
    assert not scene.sights
    scene.base[0] = 0.05
    assert scene.run(10, [("dark_smoke", 0.9)])
