import numpy as np
import pytest

from tests.support.vision_scene import BOX, Scene, camera, states
from vision.alarms.background import ALARM_S, SLOW_S, SUSPECT_S, Background
from vision.messages import LABELS, Rule


def quiet(shape):
    return np.zeros(shape, np.bool_)


def test_a_wall_that_always_scores_high_is_no_alarm_and_smoke_before_it_is():
    scene = Scene()
    scene.base[1, 8:13, 10:15] = 0.4
    scene.run(150, moving=[BOX])
    assert not scene.sights

    assert states(scene.run(10, [("light_smoke", 0.98)])) == [("light_smoke", "raised")]


def test_a_flickering_cell_needs_to_rise_further_than_it_flickers():
    calm, flickering = Scene(base=0.1), Scene(base=0.1)
    for n in range(150):
        calm.step([("light_smoke", 0.30)], moving=[BOX])
        flickering.step([("light_smoke", 0.1 if n % 2 else 0.5)], moving=[BOX])
    assert not calm.sights
    assert not flickering.sights

    assert calm.run(10, [("light_smoke", 0.80)])
    assert not flickering.run(10, [("light_smoke", 0.80)])


def test_a_low_threshold_does_not_make_a_small_rise_smoke():
    low = camera(rules={"dark_smoke": Rule(threshold=0.2)})
    scene = Scene(low, base=0.15).learned()
    assert not scene.run(30, [("dark_smoke", 0.28)])

    assert states(scene.run(10, [("dark_smoke", 0.40)])) == [("dark_smoke", "raised")]


def test_a_rise_just_under_what_counts_is_made_up_for_by_one_as_far_above():
    flat, uneven, odd = Scene().learned(), Scene().learned(), Scene().learned()
    for n in range(12):
        flat.step([("dark_smoke", 0.46)])
        uneven.step([("dark_smoke", (0.42, 0.62)[n % 2])])
        odd.step([("dark_smoke", (0.24, 1.0)[n % 2])])
    assert not flat.sights  # 0.41 of 0.45 in each frame
    assert states(uneven.sights) == [("dark_smoke", "raised")]
    assert not odd.sights  # every other frame shows nothing


def test_what_burns_from_the_first_frame_stands_when_the_background_is_learned():
    scene = Scene()
    scene.run(3, [("dark_smoke", 0.5)])  # learned, for it is not strong enough
    (raised,) = scene.run(100, [("dark_smoke", 0.85)])
    assert (raised.threshold, raised.score) == (0.65, 0.85)
    assert not scene.watcher.learning
    assert not scene.run(100, [("dark_smoke", 0.85)])
    assert states(scene.run(60)) == [("dark_smoke", "cleared")]


def test_a_strong_fire_from_the_first_frame_is_raised_and_a_weak_glow_is_not():
    assert states(Scene().run(20, [("dark_smoke", 0.9)])) == [("dark_smoke", "raised")]
    assert not Scene().run(100, [("dark_smoke", 0.55)])


def test_before_the_background_is_known_a_clear_rise_over_a_few_seconds_counts():
    scene = Scene()
    scene.run(8)
    assert scene.watcher.learning
    assert scene.run(10, [("dark_smoke", 0.55)])


def test_smoke_is_not_learned_away_while_its_alarm_stands():
    scene = Scene(every_s=5.0).learned()
    scene.run(1500, [("dark_smoke", 0.7)])
    assert states(scene.sights) == [("dark_smoke", "raised")]


def test_what_stands_for_hours_is_learned_in_the_end_and_cleared():
    scene = Scene(every_s=10.0).learned()
    scene.run(ALARM_S + 3 * SLOW_S, [("light_smoke", 0.7)])
    assert states(scene.sights)[-1] == ("light_smoke", "cleared")
    assert not scene.watcher.open


@pytest.mark.parametrize(
    ("kind", "limit_s"), [("suspected", SUSPECT_S), ("alarmed", ALARM_S)]
)
def test_a_frozen_cell_keeps_its_mean_for_a_bounded_time(kind, limit_s):
    background = Background((1, 1, 2))
    off, on = quiet((1, 1, 2)), np.array([[[True, False]]])
    for _ in range(100):
        background.step(np.full((1, 1, 2), 0.1, np.float32), 1.0, off, off)
    which = {"suspected": (on, off), "alarmed": (off, on)}[kind]

    for _ in range(int(limit_s)):
        background.step(np.full((1, 1, 2), 0.9, np.float32), 1.0, *which)
    assert background.mean[0, 0, 0] == pytest.approx(0.1, abs=0.01)
    assert background.mean[0, 0, 1] > 0.2
    for _ in range(int(3 * SLOW_S)):
        background.step(np.full((1, 1, 2), 0.9, np.float32), 1.0, *which)
    assert background.mean[0, 0, 0] > 0.8


def test_steam_that_puffs_all_day_is_one_alarm_and_then_the_usual():
    scene = Scene(every_s=5.0).learned()
    for _ in range(120):
        scene.run(25, [("light_smoke", 0.7)])
        scene.run(100)
    raised = [s for s in scene.sights if s.state == "raised"]
    assert len({s.id for s in raised}) == 1
    assert not [s for s in scene.sights if s.cause], "each puff was seen to end"
    late_ms = scene.t0_ms + (scene.t_s - 3600) * 1000
    assert not [s for s in raised if s.t_ms > late_ms]


@pytest.mark.parametrize("every_s", [0.25, 1.0, 10.0])
def test_learning_takes_a_minute_and_twenty_frames_at_any_rate(every_s):
    background, steps = Background((1, 1, 1)), 0
    zero = np.zeros((1, 1, 1), np.float32)
    while background.learning:
        background.step(zero, every_s, quiet((1, 1, 1)), quiet((1, 1, 1)))
        steps += 1
    assert steps == max(20, 60 / every_s)


def test_a_restart_keeps_the_background_and_the_open_alarm():
    scene = Scene().learned()
    scene.run(20, [("dark_smoke", 0.8)])
    (raised,) = scene.sights
    state = scene.watcher.state(scene.t0_ms + 110_000)

    after = Scene()
    after.t0_ms += 115_000
    assert after.watcher.restore(state, after.t0_ms, 0.0)
    assert not after.watcher.learning
    after.run(60, [("dark_smoke", 0.8)])
    # Neither learned away nor raised again; but the gateway hears that it stands.
    assert [(s.id, s.state) for s in after.sights] == [(raised.id, "updated")]
    over = after.run(60)
    assert [(s.id, s.state) for s in over] == [(raised.id, "cleared")]


def test_without_the_state_a_restart_before_weak_smoke_would_learn_it():
    scene = Scene()
    assert not scene.run(100, [("dark_smoke", 0.6)])


@pytest.mark.parametrize(
    "change",
    ["old", "future", "model", "cut", "noise", "empty"],
)
def test_a_state_that_does_not_fit_is_not_believed(change, seed):
    scene = Scene(model_sha256="aa").learned()
    t_ms = scene.t0_ms + 90_000
    state = scene.watcher.state(t_ms)
    now_ms = {"old": t_ms + 2_000_000, "future": t_ms - 60_000}.get(change, t_ms + 1000)
    if change == "cut":
        state = state[: len(state) // 2]
    if change == "noise":
        state = np.random.default_rng(seed).bytes(5000)
    if change == "empty":
        state = b""

    after = Scene(model_sha256="bb" if change == "model" else "aa")
    assert not after.watcher.restore(state, now_ms, 0.0), seed
    assert after.watcher.learning
    assert after.run(20, [("dark_smoke", 0.9)])  # and it works


def test_a_state_of_other_rules_brings_no_alarm_that_nobody_watches():
    scene = Scene().learned()
    scene.run(20, [("dark_smoke", 0.8)])
    state = scene.watcher.state(scene.t0_ms)

    after = Scene(camera(labels=("dust",)))
    after.watcher.restore(state, scene.t0_ms, 0.0)
    assert not after.watcher.open


@pytest.mark.parametrize("every_s", [1.0, 5.0])
@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("grows_s", [120, 600])
def test_smoke_that_comes_slowly_is_raised_and_not_learned_away(
    label, grows_s, every_s
):
    scene = Scene(every_s=every_s).learned()
    began_s = scene.t_s
    while not scene.sights and scene.t_s < began_s + grows_s + 30:
        share = min(1.0, (scene.t_s - began_s) / grows_s)
        scene.step([(label, 0.05 + share * 0.85)])
    assert states(scene.sights) == [(label, "raised")]
    # And it stands.
    assert not [s for s in scene.run(300, [(label, 0.9)]) if s.state == "cleared"]


def test_what_slowly_comes_to_score_less_than_a_fire_alone_is_the_weather():
    scene = Scene(every_s=5.0).learned()
    for n in range(720):  # an hour
        scene.step([("light_smoke", 0.05 + 0.55 * n / 720)])
    assert not scene.run(600, [("light_smoke", 0.6)])
    assert not scene.sights


@pytest.mark.parametrize("label", LABELS)
def test_a_steady_high_score_cancels_out_over_hours(label):
    scene = Scene(every_s=5.0)
    scene.base[:, 8:13, 10:15] = 0.6
    for n in range(1440):
        scene.step([(label, 0.6 + (0.1, -0.1)[n % 2])])
    assert not scene.sights


def test_what_was_learned_in_an_alarm_is_usual_for_the_slow_mean_too():
    scene = Scene(every_s=10.0).learned()
    scene.run(ALARM_S + 3 * SLOW_S, [("dark_smoke", 0.9)])
    assert states(scene.sights)[-1] == ("dark_smoke", "cleared")
    assert scene.sights[-1].cause == "usual"
    assert not scene.run(3 * 3600, [("dark_smoke", 0.9)])


@pytest.mark.parametrize("usual", [0.3, 0.45, 0.6])
def test_over_a_bright_background_smoke_has_room_to_rise(usual):
    shipped = camera(rules={"light_smoke": Rule(threshold=0.61)})
    scene = Scene(shipped, base=usual).learned()
    assert states(scene.run(10, [("light_smoke", 0.98)])) == [("light_smoke", "raised")]


def test_a_bright_background_that_flickers_gives_no_room_to_its_noise():
    calm, flickering = Scene(base=0.45), Scene(base=0.45)
    for n in range(150):
        calm.step(moving=[BOX])
        flickering.step([("light_smoke", (0.28, 0.62)[n % 2])])
    assert not flickering.run(30, [("light_smoke", 0.9)])
    assert calm.run(10, [("light_smoke", 0.9)])


def test_a_rule_that_asks_for_nearly_all_still_does_over_a_bright_background():
    strict = camera(rules={"light_smoke": Rule(threshold=0.95)})
    scene = Scene(strict, base=0.4).learned()
    assert not scene.run(30, [("light_smoke", 0.95)])
