"""Open alarms through restarts, other grids, blindness: none is lost or left open."""

import io

import numpy as np
import pytest

from tests.support.vision_scene import LABELS, Cells, Glance, Scene, camera, states
from vision.alarms import Levels, Watcher
from vision.alarms.memory import LIVES_S, unpack
from vision.messages import Rule


def successor(scene, prefix="yard-2", gone_s=0.0):
    """A process that takes up where the one of ``scene`` ended."""
    stored_ms = scene.t0_ms + round(scene.t_s * 1000)
    state = scene.watcher.state(stored_ms)
    scene.t_s += gone_s
    after = Scene(scene.camera)
    after.watcher = Watcher(scene.camera, scene.watcher.levels, prefix)
    after.t_s, after.picture = scene.t_s, scene.picture
    t_ms = scene.t0_ms + round(scene.t_s * 1000)
    after.watcher.restore(state, t_ms, after.t_s)
    return after


def test_smoke_that_still_stands_is_told_by_the_next_process():
    scene = Scene().learned()
    scene.run(20, [("dark_smoke", 0.8)])
    (raised,) = scene.sights

    after = successor(scene)
    told = after.run(60, [("dark_smoke", 0.8)])

    # Or the gateway would close it after the cool-down: nobody saw it again.
    assert [(s.id, s.state) for s in told] == [(raised.id, "updated")]
    assert told[0].t_ms <= scene.t0_ms + round((scene.t_s + 10) * 1000)


def test_smoke_that_ended_with_the_process_is_not_told_as_seen():
    scene = Scene().learned()
    scene.run(20, [("dark_smoke", 0.8)])
    told = successor(scene).run(60)
    assert states(told) == [("dark_smoke", "cleared")]


def test_not_from_one_frame_nor_of_an_alarm_that_was_closed_meanwhile():
    scene = Scene().learned()
    scene.run(20, [("dark_smoke", 0.8)])
    once, long = successor(scene), successor(scene, gone_s=400.0)

    told = [once.step([("dark_smoke", 1.0)]), once.run(60)]
    assert [states(some) for some in told] == [[], [("dark_smoke", "cleared")]]
    # Past the cool-down the gateway has closed it: what is there now is a new one.
    told = long.run(20, [("dark_smoke", 0.8)])
    assert [(s.id == scene.sights[0].id, s.state) for s in told] == [(False, "raised")]


@pytest.mark.parametrize(
    ("every_s", "stopped_s"), [(60.0, 0.0), (900.0, 0.0), (1.0, 3600.0)]
)
def test_no_one_frame_ends_an_alarm(every_s, stopped_s):
    scene = Scene(camera(every_s=every_s), every_s=every_s).learned()
    scene.run(10 * every_s, [("dark_smoke", 0.8)])
    scene.t_s += stopped_s
    scene.step()
    scene.run(10 * every_s, [("dark_smoke", 0.8)])
    assert states(scene.sights) == [("dark_smoke", "raised")]
    scene.run(max(60.0, 4 * every_s))
    assert states(scene.sights)[-1] == ("dark_smoke", "cleared")


def test_smoke_that_fills_the_picture_is_not_called_unseen():
    scene = Scene(every_s=10.0)
    scene.run(600)
    for n in range(12):
        scene.run(10, [("dark_smoke", 0.8, (0, 0, 10 + n, 10 + 2 * n))])
    told = scene.run(2000, [("dark_smoke", 0.8, (0, 0, 24, 36))])
    assert not [s for s in told if s.cause]


def regridded(scene, seconds, rows, columns, score=0.8):
    """The same smoke on a grid of another size."""
    found = []
    for _ in range(seconds):
        maps = np.full((3, rows, columns), 0.05, np.float32)
        r0, r1 = 8 * rows // 24, 13 * rows // 24
        c0, c1 = 10 * columns // 40, 15 * columns // 40
        maps[LABELS.index("dark_smoke"), r0:r1, c0:c1] = score
        picture = scene.picture.copy()
        if score > 0.5:
            shape = (40, 40)
            picture[64:104, 80:120] = scene.rng.integers(0, 255, shape)
        t_ms = scene.t0_ms + round(scene.t_s * 1000)
        cells = Cells(maps, (0.0, 0.0, 0.0))
        found += scene.watcher.step(t_ms, scene.t_s, cells, Glance(picture))
        scene.t_s += 1
    return found


@pytest.mark.parametrize("grid", [(22, 40), (24, 30), (12, 20), (48, 80)])
def test_a_picture_of_another_size_keeps_the_alarm_and_clears_it(grid):
    scene = Scene().learned()
    scene.run(20, [("dark_smoke", 0.8)])
    (raised,) = scene.sights

    burning = regridded(scene, 60, *grid)
    assert not [s for s in burning if s.state != "updated"], "it goes on as it was"
    over = regridded(scene, 60, *grid, score=0.05)

    assert [(s.id, s.state) for s in over] == [(raised.id, "cleared")]


def test_an_id_is_never_given_twice():
    scene = Scene(camera(rules={"dark_smoke": Rule(cooldown_s=0.0)})).learned()
    scene.run(20, [("dark_smoke", 0.8)])
    scene.run(60)
    regridded(scene, 90, 12, 20, score=0.05)
    told = regridded(scene, 30, 12, 20)
    assert told[0].state == "raised"
    assert told[0].id != scene.sights[0].id


@pytest.mark.parametrize("how", ["silent", "night"])
def test_an_alarm_that_cannot_be_seen_any_more_does_not_stay_open_for_ever(how):
    scene = Scene(every_s=10.0)
    scene.run(600)
    scene.run(120, [("dark_smoke", 0.8)])
    assert states(scene.sights) == [("dark_smoke", "raised")]
    told = []
    if how == "night":
        scene.light = {"mean": 10.0}
        told += scene.run(LIVES_S + 60)
    else:
        for _ in range(int(LIVES_S) + 60):
            scene.t_s += 1
            t_ms = scene.t0_ms + round(scene.t_s * 1000)
            told += scene.watcher.blind(t_ms, scene.t_s)
    assert states(told) == [("dark_smoke", "cleared")]
    assert told[0].cause == "unseen"
    assert not scene.watcher.open


@pytest.mark.parametrize("at", [0, 0.05, 0.3, 0.5, 0.9, 0.999])
def test_a_damaged_state_is_learned_anew(at):
    scene = Scene().learned()
    good = scene.watcher.state(1)
    cut = good[: int(len(good) * at)]
    broken = bytearray(good)
    broken[int(len(good) * at)] ^= 0x5A
    for bad in (cut, bytes(broken)):
        Watcher(scene.camera, scene.watcher.levels, "x").restore(bad, 1, 0.0)


def test_a_state_of_an_absurd_shape_is_none():
    scene = Scene().learned()
    with np.load(io.BytesIO(scene.watcher.state(1))) as stored:
        arrays = {name: stored[name] for name in stored.files}
    for shape in (b"[3,999999,999999]", b"[3,0,40]", b"[2,24,40]", b"[3,-1,-1]"):
        head = arrays["head"].tobytes().replace(b"[3,24,40]", shape)
        file = io.BytesIO()
        np.savez_compressed(file, **arrays | {"head": np.frombuffer(head, np.uint8)})
        assert unpack(file.getvalue()) is None


def test_another_model_says_nothing_of_what_the_one_before_saw():
    scene = Scene(model_sha256="aa").learned()
    scene.run(20, [("dark_smoke", 0.8)])
    other = Watcher(
        scene.camera, {"dark_smoke": Levels(0.9, 0.9, 0.9)}, "y", model_sha256="bb"
    )
    same = Watcher(
        scene.camera, {"dark_smoke": Levels(0.6, 0.8, 0.7)}, "y", model_sha256="aa"
    )
    for watcher in (other, same):
        watcher.restore(scene.watcher.state(0), 0, scene.t_s)

    assert not other.open
    assert [alarm.threshold for alarm in same.open] == [0.6]
