"""A camera kept open: back-off, hangs, leaks, the newest frame."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tests.support.http_camera import http_camera
from vision.feed import Feed
from vision.messages import Camera
from vision.sources import EndedError, Grabbed, SourceError
from vision.sources import source as source_module

CAMERA = Camera(name="yard", kind="rtsp", url="rtsp://192.0.2.1/live", every_s=0.0)
IMAGE = np.zeros((36, 64, 3), np.uint8)


class Scripted:
    """Yields what it is told: a number is a frame of that stream time."""

    def __init__(self, *script):
        self.script, self.opened, self.closed = list(script), 0, 0
        self.gate = threading.Semaphore(0)

    def open(self, camera, *, stop):
        self.opened += 1
        self.stop = stop
        step = self.script[0] if self.script else None
        if isinstance(step, Exception) and getattr(step, "at_open", False):
            self.script.pop(0)
            raise step
        return self

    def read(self, timeout_s):
        self.gate.acquire()
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        if callable(step):
            step()
        return Grabbed(IMAGE, step if isinstance(step, float) else None)

    def close(self):
        self.closed += 1


def broken(fault, key="vision.source.closed"):
    return SourceError(fault, key, address="192.0.2.1:554")


def wait_for(condition, timeout_s=20.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def open_handles():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.fixture
def fast(monkeypatch):
    monkeypatch.setattr("vision.backoff.FIRST_S", 0.001)


def test_a_refused_login_waits_unless_a_frame_came_since(fast, monkeypatch):
    monkeypatch.setattr("vision.backoff.REFUSED_S", (0.001, 1000.0))
    refused = broken("refused", "vision.source.refused")
    played = Scripted(refused, 1.0, refused, broken("gone"), refused, 2.0)
    feed = Feed(CAMERA, opener=played.open)
    played.gate.release(9)
    wait_for(lambda: played.opened == 4 and feed.fault)

    assert feed.fault.fault == "refused"
    assert (feed.frames, feed.restarts, feed.stuck_s()) == (1, 4, 0.0)
    feed.close(timeout_s=20.0)  # nor is a long wait waited for
    assert not feed.alive


def test_the_newest_frame_wins_and_older_ones_are_gone():
    played = Scripted(
        1.0, 2.0, 3.0, EndedError("gone", "vision.source.ended", path="x")
    )
    feed = Feed(CAMERA, opener=played.open)
    assert feed.newest() is None
    played.gate.release(4)
    wait_for(lambda: feed.ended)

    frame = feed.newest()

    assert (frame.number, frame.stream_s, frame.id) == (3, 3.0, "yard-3")
    assert feed.newest(after=3) is None
    assert feed.wait(3, 5.0) is None  # it has ended: nobody waits in vain
    assert feed.fault is None
    assert (played.opened, played.closed) == (1, 1)


def test_a_fault_is_told_until_a_frame_comes(fast):
    played = Scripted(broken("gone"), 1.0, broken("silent"), 2.0)
    feed = Feed(CAMERA, opener=played.open)
    played.gate.release()
    wait_for(lambda: feed.fault is not None)

    assert feed.fault.fault == "gone"
    assert feed.fault.args == {
        "why": "vision.source.closed",
        "address": "192.0.2.1:554",
    }
    played.gate.release()
    assert feed.wait(0, 20.0).number == 1
    assert feed.fault is None
    played.gate.release(2)
    assert feed.wait(1, 20.0).number == 2
    assert played.opened == 3
    feed.close()
    played.gate.release()


def test_a_broken_picture_is_read_past_and_three_reopen(fast):
    bad = broken("corrupt", "vision.source.truncated")
    played = Scripted(bad, 1.0, bad, bad, bad, 2.0)
    feed = Feed(CAMERA, opener=played.open)
    played.gate.release(2)
    wait_for(lambda: feed.frames == 1)
    assert played.opened == 1
    played.gate.release(4)
    wait_for(lambda: feed.frames == 2)

    assert played.opened == 2
    feed.close()
    played.gate.release()


def test_a_bug_in_a_source_is_a_fault_and_it_goes_on(fast):
    played = Scripted(ZeroDivisionError("x"), 1.0)
    feed = Feed(CAMERA, opener=played.open)
    played.gate.release()
    wait_for(lambda: feed.fault is not None)
    assert feed.fault.args["why"] == "vision.source.failed"
    played.gate.release()
    assert feed.wait(0, 20.0)
    feed.close()
    played.gate.release()


def test_a_hang_is_silent_and_stuck_and_nobody_waits_for_it(monkeypatch):
    monkeypatch.setattr("vision.feed.READ_S", 0.05)
    monkeypatch.setattr("vision.feed._OVER_S", 0.05)
    hangs = threading.Event()
    played = Scripted(1.0, hangs.wait)
    told = threading.Event()
    feed = Feed(CAMERA, opener=played.open, on_frame=told.set)
    played.gate.release(2)
    assert feed.wait(0, 20.0)
    assert told.is_set()

    wait_for(lambda: feed.stuck_s() > 0.1)
    assert feed.fault.fault == "silent"
    began = time.monotonic()
    feed.close()
    assert time.monotonic() - began < 10.0  # it hangs for ever
    assert feed.alive
    hangs.set()
    wait_for(lambda: not feed.alive)


def test_a_wait_for_the_next_snapshot_ends_when_closed():
    with http_camera() as (_, url):
        feed = Feed(Camera(name="a", kind="snapshot", url=url, every_s=1000.0))
        assert feed.wait(0, 20.0)
        feed.close(timeout_s=20.0)
        assert not feed.alive


@pytest.mark.parametrize("kind", ["snapshot", "mjpeg"])
def test_a_hundred_restarts_leave_nothing_behind(fast, kind, count):
    with http_camera() as (told, url):
        told.hold.set()
        if kind == "mjpeg":
            told.type = "multipart/x-mixed-replace; boundary=b"
            told.parts = [b"--b\r\n\r\n" + told.body + b"\r\n"]
        camera = Camera(name="a", kind=kind, url=url, every_s=0.0)
        _restart(camera, told, 5)
        handles, threads = open_handles(), threading.active_count()
        _restart(camera, told, count(20, 100))

        # The server's own threads end a moment later than its connections.
        wait_for(lambda: threading.active_count() <= threads)
        wait_for(lambda: open_handles() <= handles)


def _restart(camera, told, times):
    """Good, refused, good ...; a feed of its own each time."""
    for n in range(times):
        told.status = 200
        feed = Feed(camera)
        assert feed.wait(0, 20.0)
        told.status = 503
        wait_for(lambda feed=feed: feed.fault is not None)
        told.status = 200
        number = feed.frames
        assert feed.wait(number, 20.0), n
        feed.close(timeout_s=20.0)
        assert not feed.alive


def test_time_outs_add_up_to_ten_seconds():
    assert source_module.READ_S + 2.0 <= 10.0
    assert source_module.OPEN_S + 2.0 <= 10.0
