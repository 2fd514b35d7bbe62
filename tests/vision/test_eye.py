"""One camera of the process: what is told, in which order, and what is kept."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from tests.support.vision_scene import Scene
from vision.alarms.memory import LARGEST
from vision.eye import STATE_S, STATES, STUCK_S, WAIT_S, Eye, Parts
from vision.frame import Frame
from vision.messages import LEARNED, Camera, CameraBeat, Condition, Picture, Sight, Zone
from vision.mishaps import MOST_S
from vision.pipeline import Step
from vision.said import Trouble

CAMERA = Camera(name="yard-1", kind="rtsp", url="rtsp://h/a")


def a_frame(number):
    image = np.zeros((9, 16, 3), np.uint8)
    return Frame("yard-1", number, image, 1000 * number, float(number))


def a_sight(id_):
    return Sight(
        id=id_,
        camera="yard-1",
        label="dust",
        state="raised",
        t_ms=1,
        began_ms=1,
        score=0.9,
        peak=0.9,
        threshold=0.5,
        region=(0, 0, 1, 1),
        cells=4,
    )


def a_picture(event, n):
    return Picture(
        camera="yard-1",
        event=event,
        n=n,
        role="at",
        annotated=False,
        file="f",
        sha256="",
        bytes=1,
        t_ms=1,
    )


class Fake:
    """Feed, pipeline and keeper in one."""

    def __init__(self):
        self.frames = []
        self.fault = None
        self.ended = False
        self.stuck = 0.0
        self.next = Step([], [])
        self.faults = ()
        self.kept = []
        self.waited = 0
        self.trouble = None
        self.bug = self.unmade = None
        self.given = []
        self.forgot = 0
        self.restored = self.restored_view = None
        self.view = b""
        self.placed = True

    def newest(self, after=0):
        return next((f for f in self.frames if f.number > after), None)

    def stuck_s(self):
        return self.stuck

    def close(self, timeout_s=0.0):
        self.ended = True

    def step(self, frame, trouble=None):
        if self.bug is not None:
            raise self.bug
        return self.next

    def wait(self, trouble, t_ms, mono_s):
        self.waited += 1
        self.given.append(trouble)
        return self.next

    def beat(self):
        return CameraBeat(name="yard-1", faults=self.faults)

    def restore(self, state, t_ms, mono_s):
        self.restored = state
        return True

    def state(self, t_ms):
        return b"learned"

    def restore_view(self, state, t_ms, mono_s):
        self.restored_view = state
        return state == self.view

    def view_state(self, t_ms, mono_s):
        return self.view

    def frame(self, frame):
        self.kept.append(frame.number)

    def forget(self):
        self.forgot += 1

    def sight(self, sight, frame):
        if self.unmade is not None:
            raise self.unmade
        return [a_picture(sight.id, 1)]

    def tick(self, wall_ms, mono_s):
        return []

    def snapshot(self, ask):
        return [a_picture(ask, 1)]


@pytest.fixture
def fake():
    return Fake()


@pytest.fixture
def eye(fake, tmp_path):
    return Eye(CAMERA, Parts(fake, fake, fake), tmp_path)


def step(eye, mono_s=1.0):
    told = []
    looked = eye.step(int(mono_s * 1000), mono_s, told.append)
    return looked, told


def test_all_alarms_of_a_frame_are_told_before_any_of_their_pictures(eye, fake):
    fake.frames = [a_frame(1)]
    fake.next = Step([], [a_sight("a"), a_sight("b")])

    looked, told = step(eye)

    assert looked
    assert [type(one).__name__ for one in told] == [
        "Sight",
        "Sight",
        "Picture",
        "Picture",
    ]


def test_a_frame_is_looked_at_once(eye, fake):
    fake.frames = [a_frame(1)]

    assert step(eye)[0]
    assert not step(eye)[0]


def test_without_frames_faults_are_timed_all_the_same(eye, fake):
    gone = Condition(camera="yard-1", fault="gone", state="raised", t_ms=1)
    fake.next = Step([gone], [])

    _, first = step(eye, 10.0)
    _, soon = step(eye, 10.0 + WAIT_S / 2)
    _, later = step(eye, 10.0 + WAIT_S)

    assert (first, soon, later) == ([gone], [], [gone])


def test_a_picture_asked_for_waits_for_a_good_frame(eye, fake):
    fake.frames, fake.faults = [a_frame(1)], ("black",)
    eye.ask("q1")
    _, blind = step(eye)
    fake.frames, fake.faults = [a_frame(2)], ()
    _, told = step(eye)

    assert blind == []
    assert [one.event for one in told] == ["q1"]
    assert fake.kept == [2]


def test_a_camera_out_of_focus_still_gives_pictures(eye, fake):
    fake.frames, fake.faults = [a_frame(1)], ("defocused",)
    eye.ask("q1")

    assert [one.event for one in step(eye)[1]] == ["q1"]


def test_questions_without_end_are_not_kept(eye, fake):
    for n in range(100):
        eye.ask(f"q{n}")
    fake.frames = [a_frame(1)]

    assert len(step(eye)[1]) == 8


def test_what_was_learned_outlives_the_process(eye, fake, tmp_path):
    eye.restore(0, 0.0)
    first = fake.restored
    step(eye, STATE_S)

    again = Eye(CAMERA, Parts(fake, fake, fake), tmp_path)
    again.restore(0, 0.0)

    assert first is None
    assert fake.restored == b"learned"


def test_nothing_is_stored_where_nothing_may_be(fake, tmp_path):
    eye = Eye(CAMERA, Parts(fake, fake, fake), None)
    eye.restore(0, 0.0)
    step(eye, 10 * STATE_S)
    eye.store(0, 0.0)

    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_does_not_end_the_process(fake, tmp_path):
    (tmp_path / STATES).write_text("in the way")
    eye = Eye(CAMERA, Parts(fake, fake, fake), tmp_path)

    eye.restore(0, 0.0)
    eye.store(0, 0.0)


def test_a_reader_that_hangs_is_known(eye, fake):
    assert not eye.stuck
    fake.stuck = STUCK_S
    assert eye.stuck


def test_an_error_of_our_own_is_a_fault_of_that_camera_and_tried_ever_more_rarely(
    eye, fake, capsys
):
    fake.bug = ValueError("odd")
    tried = []
    for second in range(3600):
        fake.frames = [a_frame(second + 1)]
        before = len(fake.given)
        assert step(eye, float(second))[1] == []
        (trouble,) = fake.given[before:]
        assert trouble.fault == "corrupt"
        assert trouble.args["text"] == "odd"
        tried += [second] if eye._mishaps._happened_s == second else []
    fake.bug = None
    fake.frames = [a_frame(9999)]
    looked, _ = step(eye, 3600.0 + MOST_S)

    assert 8 <= len(tried) <= 14
    assert looked
    assert capsys.readouterr().err.count("ValueError: odd") == 1


def test_a_model_that_cannot_be_used_ends_the_process_all_the_same(eye, fake):
    fake.bug = Trouble("vision.model.nonsense")
    fake.frames = [a_frame(1)]
    with pytest.raises(Trouble):
        step(eye)


def test_a_picture_that_cannot_be_made_costs_no_alarm_and_is_said(eye, fake):
    fake.unmade = ValueError("of a picture")
    fake.frames = [a_frame(1)]
    fake.next = Step([], [a_sight("a"), a_sight("b")])
    _, told = step(eye)

    assert [one.id for one in told] == ["a", "b"]
    beat = eye.beat()
    assert (beat.unkept, beat.unkept_args) == (
        "vision.unkept.failed",
        {"error": "ValueError"},
    )
    full = {"path": "/media", "error": "No space left on device"}
    fake.trouble, fake.next = Trouble("vision.unkept.file", full), Step([], [])
    fake.frames = [a_frame(2)]
    step(eye)
    assert eye.beat().unkept_args == full


@pytest.mark.parametrize("fault", [*sorted(LEARNED), "unsteady"])
@pytest.mark.parametrize(("use", "shown"), [("private", False), ("ignore", True)])
def test_a_camera_that_was_turned_shows_nothing_that_could_be_private(
    fake, fault, use, shown
):
    zone = Zone(name="flats", area=((0, 0), (1, 0), (1, 1)), use=use)
    parts = Parts(fake, fake, fake)
    eye = Eye(msgspec.structs.replace(CAMERA, zones=(zone,)), parts, None)
    fake.frames, fake.faults = [a_frame(1)], (fault,)
    fake.next = Step([], [a_sight("a")])
    eye.ask("q1")
    _, told = step(eye)
    moved = (bool(fake.kept), fake.forgot, eye.beat().unkept)
    fake.frames, fake.faults = [a_frame(2)], ()
    step(eye)

    kinds = ["Sight", "Picture", "Picture"] if shown else ["Sight"]
    assert [type(one).__name__ for one in told] == kinds
    assert moved == ((True, 0, "") if shown else (False, 1, "vision.unkept.moved"))
    assert fake.kept[-1] == 2
    assert eye.beat().unkept == ""


def test_what_may_be_another_view_is_not_shown_before_it_has_a_name(fake):
    zone = Zone(name="flats", area=((0, 0), (1, 0), (1, 1)), use="private")
    parts = Parts(fake, fake, fake)
    eye = Eye(msgspec.structs.replace(CAMERA, zones=(zone,)), parts, None)
    said = []
    for number in range(1, 20):
        fake.frames, fake.placed = [a_frame(number)], number in {3, 19}
        step(eye, float(number))
        said.append(eye.beat().unkept)

    assert fake.kept == [3, 19]
    assert fake.forgot == 0  # what was kept was of the old view
    # A lorry is no trouble; what lasts is.
    assert said == [""] * 13 + ["vision.unkept.moved"] * 5 + [""]


def test_what_was_raised_is_stored_before_its_pictures_are_made(eye, fake, tmp_path):
    eye.restore(0, 0.0)
    fake.frames, fake.next = [a_frame(1)], Step([], [a_sight("a")])
    found = []
    fake.sight = lambda _sight, _frame: found.extend(tmp_path.rglob("y*.state")) or []
    step(eye)

    assert len(found) == 1


def test_the_usual_view_is_kept_apart_and_a_damaged_one_is_said_once(tmp_path, capsys):
    fake = Fake()
    eye = Eye(CAMERA, Parts(fake, fake, fake), tmp_path)
    eye.restore(0, 0.0)
    eye.store(1000, 1.0)
    kept = tmp_path / STATES / "yard-1.view"
    assert not kept.exists()  # nothing is known yet
    fake.view = b"view"
    eye.store(2000, 2.0)
    eye.restore(3000, 3.0)
    assert (fake.restored, fake.restored_view) == (b"learned", b"view")
    assert capsys.readouterr().err == ""

    kept.write_bytes(b"vi")
    for _ in range(3):
        Eye(CAMERA, Parts(fake, fake, fake), tmp_path).restore(4000, 4.0)
    assert capsys.readouterr().err.count("yard-1") == 1
    left = sorted(p.name for p in kept.parent.iterdir())
    assert left == ["yard-1.state", "yard-1.view.damaged"]


@pytest.mark.parametrize("how", ["damaged", "too long", "raises"])
def test_a_state_that_cannot_be_used_costs_no_camera(tmp_path, capsys, how):
    fake = Fake()
    path = tmp_path / STATES / "yard-1.state"
    path.parent.mkdir()
    path.write_bytes(b"x" * (LARGEST + 9 if how == "too long" else 9))

    def restore(state, _t_ms, _mono_s):
        if how == "raises":
            raise TypeError
        assert len(state) <= LARGEST + 1
        return False

    fake.restore = restore
    for _ in range(3):
        eye = Eye(CAMERA, Parts(fake, fake, fake), tmp_path)
        eye.restore(4000, 4.0)
        assert step(eye, 5.0) == (False, [])
    assert capsys.readouterr().err.count("yard-1") == 1
    assert [p.name for p in path.parent.iterdir()] == ["yard-1.state.damaged"]


def test_a_state_that_is_whole_and_too_old_is_no_damage(tmp_path, capsys):
    fake, scene = Fake(), Scene().learned()
    fake.restore = lambda _state, _t_ms, _mono_s: False
    path = tmp_path / STATES / "yard-1.state"
    path.parent.mkdir()
    for stored in (b"", scene.watcher.state(0)):
        path.write_bytes(stored)
        Eye(CAMERA, Parts(fake, fake, fake), tmp_path).restore(4000, 4.0)
        assert path.exists()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("of_the_view", ["blocked", "unsteady"])
def test_a_fault_of_the_view_is_stored_when_it_is_told(of_the_view, tmp_path):
    fake = Fake()
    fake.view = b"view"
    eye = Eye(CAMERA, Parts(fake, fake, fake), tmp_path)
    eye.restore(0, 0.0)
    for number, fault in ((1, "frozen"), (2, of_the_view)):
        told = Condition(camera="yard-1", fault=fault, state="raised", t_ms=1)
        fake.next = Step([told], [])
        fake.frames.append(a_frame(number))
        eye.step(number, float(number), lambda _told: None)
        assert (tmp_path / STATES / "yard-1.view").exists() == (fault == of_the_view)
