"""A process is replaced; what its camera usually sees is not lost with it."""

import numpy as np
import pytest

from tests.support.scenes import (
    Scene,
    blurred,
    concealed,
    covered,
    infrared,
    looks,
    shifted,
)
from vision.condition import Watch
from vision.condition.kept_view import LARGEST, WELL_LIVES_S, unpack
from vision.messages import Camera, Mount, Zone

WARM, GONE_S = 45, 5
CLOTH = np.random.default_rng(1)
CAMERA = Camera(name="a", kind="rtsp", url="rtsp://x/y")
ODD = {
    "defocused": lambda scene: scene.frame(through=blurred),
    "blocked": lambda scene: covered(scene.frame(), CLOTH),
    "moved": lambda scene: shifted(scene.frame()),
}


def before(scene, odd=None, seconds=12, camera=CAMERA):
    """A process that has looked for a while, and its state as it ends."""
    watch = Watch(camera)
    looks(watch, [scene.frame() for _ in range(WARM)])
    if odd is not None:
        looks(watch, [odd(scene) for _ in range(seconds)], start_s=float(WARM))
    return watch.state(WARM * 1000, WARM + 2.0 * seconds)


def after(state, frames, *, gone_s=GONE_S, camera=CAMERA):
    """The next one: what it is told of at first, and what changes (second, ...)."""
    watch = Watch(camera)
    # Its clock may count from anywhere.
    assert watch.restore(state, (WARM + gone_s) * 1000, 5e6)
    faults = watch.faults
    changed, _ = looks(watch, frames, start_s=5e6)
    return faults, [(at - 5e6, fault, what) for at, fault, what in changed], watch


@pytest.mark.parametrize("fault", ODD)
def test_a_fault_of_the_view_outlives_the_process_and_ends_when_it_is_over(fault):
    scene = Scene()
    frames = [ODD[fault](scene) for _ in range(60)] + [scene.frame() for _ in range(8)]
    faults, changed, _ = after(before(scene, ODD[fault]), frames)

    assert faults == (fault,)
    assert changed == [(63, fault, "cleared")]


@pytest.mark.parametrize("fault", ODD)
def test_what_changed_while_nobody_looked_is_found(fault):
    scene = Scene()
    faults, changed, _ = after(before(scene), [ODD[fault](scene) for _ in range(20)])

    assert faults == ()
    assert [(one, what) for _, one, what in changed] == [(fault, "raised")]
    assert changed[0][0] <= 10


def test_a_camera_that_sees_as_before_says_nothing_and_need_not_learn():
    scene = Scene()
    _, changed, watch = after(before(scene), [scene.frame() for _ in range(3)])

    assert changed == []
    assert not watch.learning


@pytest.mark.parametrize(
    ("how", "through"),
    [("night", infrared), ("dusk", lambda image: (image * 0.4).astype(np.uint8))],
)
def test_the_light_may_change_while_nobody_looks(how, through):
    scene = Scene()
    frames = [through(scene.frame()) for _ in range(40)]
    assert after(before(scene), frames)[1] == [], how


def test_an_old_view_another_camera_and_a_clock_set_back_are_learned_anew():
    scene = Scene()
    well = before(scene)
    seen = [ODD["moved"](scene) for _ in range(12)]
    other = Camera(name="a", kind="rtsp", url="rtsp://x/other")

    for state, gone_s, camera in (
        (well, WELL_LIVES_S + 1, CAMERA),
        (well, -1, CAMERA),
        (well, 1, other),
    ):
        faults, changed, watch = after(state, seen, gone_s=gone_s, camera=camera)
        assert (faults, changed, watch.learning) == ((), [], True)


FLAT = Zone(name="flat", area=((0, 0), (0.2, 0), (0.2, 0.2)), use="private")
PRIVATE = Camera(name="a", kind="rtsp", url="rtsp://x/y", zones=(FLAT,))


@pytest.mark.parametrize("fault", ODD)
@pytest.mark.parametrize("gone_s", [60, -1, -3600, 49 * 3600])
def test_what_stood_stands_whatever_the_clock_says(fault, gone_s):
    scene = Scene()
    state = before(scene, ODD[fault], camera=PRIVATE)
    frames = [ODD[fault](scene) for _ in range(8)] + [scene.frame() for _ in range(6)]
    faults, changed, _ = after(state, frames, gone_s=gone_s, camera=PRIVATE)

    assert faults == (fault,)
    assert changed == [(11, fault, "cleared")]


def test_a_view_is_where_it_was_when_it_was_seen_again():
    scene = Scene()
    for image, known in ((scene.frame(), True), (ODD["moved"](scene), False)):
        watch = Watch(PRIVATE)
        watch.restore(before(scene, camera=PRIVATE), WARM * 1000, 0.0)
        assert not watch.placed
        looks(watch, [image])
        assert watch.placed == known

    # And a process that saw it otherwise, or not at all, leaves that to the next.
    for camera, lives in ((PRIVATE, True), (CAMERA, False)):
        watch = Watch(camera)
        watch.restore(before(scene, camera=camera), WARM * 1000, 0.0)
        looks(watch, [ODD["moved"](scene) for _ in range(2)])
        assert watch.faults == ()
        late = Watch(camera)
        late.restore(watch.state(0, 2.0), 1000 * 86_400, 0.0)
        assert late.learning != lives


@pytest.mark.parametrize("share", [0.3, 0.8])
def test_nobody_knows_where_a_frame_is_that_a_decoder_filled_in(share):
    scene, watch = Scene(), Watch(PRIVATE)
    looks(watch, [scene.frame() for _ in range(WARM)])
    assert watch.placed
    # Turned while key frames are lost: no fault has a name yet.
    looks(watch, [concealed(ODD["moved"](scene), share)], start_s=float(WARM))
    assert watch.faults == ()
    assert not watch.placed
    looks(watch, [scene.frame()], start_s=WARM + 1.0)
    assert watch.placed


def test_who_writes_the_private_zones_or_the_mount_anew_has_looked():
    scene = Scene()
    state = before(scene, ODD["moved"], camera=PRIVATE)
    frames = [ODD["moved"](scene) for _ in range(3)]
    road = Zone(name="road", area=FLAT.area, use="ignore")
    other = Zone(name="flat", area=((0, 0), (0.2, 0), (0.2, 0.21)), use="private")

    for zones, mount, faults in (
        ((FLAT,), Mount(), ("moved",)),
        ((FLAT, road), Mount(), ("moved",)),
        ((other,), Mount(), ()),
        ((FLAT,), Mount(bearing=90.0), ()),
    ):
        camera = Camera(
            name="a", kind="rtsp", url="rtsp://x/y", zones=zones, mount=mount
        )
        found, changed, watch = after(state, frames, camera=camera)
        assert (found, changed, watch.placed) == (faults, [], not faults)


def test_a_view_is_small_and_what_is_not_whole_is_none(seed):
    state, rng = before(Scene()), np.random.default_rng(seed)

    assert 1000 < len(state) < 60_000
    assert Watch(CAMERA).state(0, 0.0) == b""  # nothing is known yet
    for size in range(0, len(state), 1499):
        assert unpack(state[:size]) is None
    assert unpack(bytes(LARGEST + 1)) is None
    for _ in range(200):
        spoilt = bytearray(state)
        for at in rng.integers(0, len(state), 3):
            spoilt[at] = rng.integers(256)
        watch = Watch(CAMERA)
        watch.restore(bytes(spoilt), WARM * 1000, 0.0)  # whatever it is: no error
