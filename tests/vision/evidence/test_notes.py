"""Pictures that the gateway is yet to be told of are noted before they have a name."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec
import numpy as np
import pytest

from vision.evidence import Keeper, Shelf
from vision.frame import Frame
from vision.messages import UNTOLD_FOLDER, Camera, Evidence, Picture, Sight, note_of

pytest.importorskip("cv2")

T0 = 1_763_712_000_000  # 2025-11-21 16:00:00 in Shanghai
IMAGE = np.random.default_rng(5).integers(0, 255, (180, 320, 3), np.uint8)


def frame(n):
    return Frame("north", n, IMAGE, T0 + n * 1000, 100.0 + n)


def raised(of):
    return Sight(
        id="north-1-1",
        camera="north",
        label="dust",
        state="raised",
        t_ms=of.wall_ms,
        began_ms=of.wall_ms - 2000,
        score=0.8,
        peak=0.8,
        threshold=0.5,
        region=(0.2, 0.2, 0.5, 0.5),
        cells=5,
    )


def a_keeper(folder, *, notes=True, heartbeat=None):
    evidence = Evidence(folder=str(folder))
    camera = Camera(name="north", kind="file", url="x", heartbeat=heartbeat, clip_s=4.0)
    return Keeper(evidence, camera, Shelf(evidence, notes=notes))


def play(keep, first=1, last=24):
    made = []
    for n in range(first, last + 1):
        keep.frame(frame(n))
        made += keep.tick(frame(n).wall_ms, frame(n).mono_s)
    return made


def noted(folder):
    return {
        path.name: msgspec.json.decode(path.read_bytes(), type=Picture)
        for path in (folder / UNTOLD_FOLDER).glob("*.json")
    }


def test_every_picture_of_an_alarm_and_of_the_day_has_a_note_that_says_all_of_it(
    tmp_path,
):
    keep = a_keeper(tmp_path, heartbeat="08:00")
    made = play(keep, 1, 8)
    made += keep.sight(raised(frame(8)), frame(8))
    made += play(keep, 9, 24)

    roles = [picture.role for picture in made]
    assert roles == ["heartbeat", "at", "at", "before", "after", "clip"]
    assert noted(tmp_path) == {Path(note_of(p)).name: p for p in made}
    for picture in made:
        data = (tmp_path / picture.file).read_bytes()
        assert hashlib.sha256(data).hexdigest() == picture.sha256
        assert len(data) == picture.bytes


def test_a_picture_somebody_waits_for_and_a_trial_leave_no_note(tmp_path):
    keep = a_keeper(tmp_path / "served")
    play(keep, 1, 3)
    keep.snapshot("north-asked")
    trial = a_keeper(tmp_path / "trial", notes=False)
    play(trial, 1, 8)
    trial.sight(raised(frame(8)), frame(8))

    assert noted(tmp_path / "served") == {}
    assert noted(tmp_path / "trial") == {}


@pytest.mark.parametrize("fails", ["note", "name"])
def test_a_picture_that_came_to_nothing_leaves_no_note(tmp_path, monkeypatch, fails):
    keep = a_keeper(tmp_path)
    play(keep, 1, 3)

    def refused(*_):
        raise OSError(5, "Input/output error")

    if fails == "note":
        monkeypatch.setattr("vision.evidence.keeper.note", refused)
    else:
        monkeypatch.setattr(Path, "replace", refused)
    made = keep.sight(raised(frame(3)), frame(3))

    assert made == []
    assert noted(tmp_path) == {}
    assert not list(tmp_path.rglob("*.jpg"))
    assert "Input/output error" in str(keep.trouble)


class Killed(BaseException):
    """No code of ours runs after it: nothing of ours catches it."""


def test_a_process_killed_at_any_point_leaves_no_picture_without_a_note(
    tmp_path, monkeypatch
):
    survived = False
    for at in range(1, 40):
        folder, calls = tmp_path / str(at), [0]
        keep = a_keeper(folder)
        for n in range(1, 4):
            keep.frame(frame(n))

        def counted(real, calls=calls, at=at):
            def call(*args):
                calls[0] += 1
                if calls[0] == at:
                    raise Killed
                return real(*args)

            return call

        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_bytes", counted(Path.write_bytes))
            patch.setattr(Path, "replace", counted(Path.replace))
            patch.setattr(os, "fsync", counted(os.fsync))
            try:
                keep.sight(raised(frame(3)), frame(3))
                survived = True
            except Killed:
                pass

        named = {str(p.relative_to(folder)) for p in folder.rglob("[!.]*.jpg")}
        assert named <= {p.file for p in noted(folder).values()}, at
        if survived:
            break
    assert survived
    assert at > 10
