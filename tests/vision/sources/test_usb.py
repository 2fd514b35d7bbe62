"""A USB camera that is unplugged, plugged in again, or hangs in its driver.

V4L2 devices cannot be made here without a kernel module, so what stands in for OpenCV's
capture is a fake that does what the driver does; the device's name is a file.
"""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from vision.feed import Feed
from vision.messages import Camera
from vision.sources import SourceError
from vision.sources.usb import Usb

cv2 = pytest.importorskip("cv2")
IMAGE = np.full((36, 64, 3), 90, np.uint8)


class Driver:
    """Every capture that is opened, and what the device does."""

    def __init__(self, device):
        self.device = device
        self.opens = True
        self.image = IMAGE
        self.buffer = None
        self.open_now = 0
        self.most_open = 0
        self.runs = threading.Event()
        self.runs.set()

    def plug(self):
        self.device.touch()

    def unplug(self):
        self.device.unlink()

    def capture(self, place, backend):
        assert (place, backend) == (str(self.device), cv2.CAP_V4L2)
        return Capture(self)


class Capture:
    """What ``cv2.VideoCapture`` is of a V4L2 device."""

    def __init__(self, driver):
        self._driver = driver
        self._open = driver.opens and driver.device.exists()
        driver.open_now += self._open
        driver.most_open = max(driver.most_open, driver.open_now)

    def isOpened(self):  # noqa: N802 - OpenCV's name
        return self._open

    def set(self, key, value):
        if key == cv2.CAP_PROP_BUFFERSIZE:
            self._driver.buffer = value
        return True

    def grab(self):
        time.sleep(0.002)
        self._driver.runs.wait(20.0)
        return self._open and self._driver.device.exists()

    def retrieve(self):
        return self._driver.image is not None, self._driver.image

    def release(self):
        self._driver.open_now -= self._open
        self._open = False


@pytest.fixture
def driver(tmp_path, monkeypatch):
    found = Driver(tmp_path / "video0")
    monkeypatch.setattr("vision.sources.usb.cv2.VideoCapture", found.capture)
    monkeypatch.setattr("vision.backoff.FIRST_S", 0.005)
    monkeypatch.setattr("vision.backoff.CAP_S", 0.02)
    yield found
    found.runs.set()


@pytest.fixture
def camera(driver):
    return Camera(name="yard", kind="usb", url=str(driver.device), every_s=0.01)


def wait_for(condition, timeout_s=20.0):
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.002)


def test_a_camera_that_is_there_gives_its_newest_picture(driver, camera):
    driver.plug()
    usb = Usb(camera)

    assert usb.read().image.shape == IMAGE.shape
    assert driver.buffer == 1  # a picture that waited is an old one
    usb.close()
    usb.close()
    assert driver.open_now == 0
    with pytest.raises(SourceError) as caught:
        usb.read()
    assert caught.value.fault == "gone"


@pytest.mark.parametrize(
    ("plugged", "opens", "key"),
    [
        (False, True, "vision.source.no_device"),
        (True, False, "vision.source.no_video"),
    ],
)
def test_what_cannot_be_opened_is_gone_and_says_why(
    driver, camera, plugged, opens, key
):
    if plugged:
        driver.plug()
    driver.opens = opens

    with pytest.raises(SourceError) as caught:
        Usb(camera)

    assert (caught.value.fault, caught.value.key) == ("gone", key)
    assert driver.open_now == 0


@pytest.mark.parametrize("image", [None, np.zeros((0, 0, 3), np.uint8)])
def test_a_picture_that_is_none_is_corrupt(driver, camera, image):
    driver.plug()
    driver.image = image

    with pytest.raises(SourceError) as caught:
        Usb(camera).read()

    assert caught.value.fault == "corrupt"


def test_unplugged_it_is_gone_and_plugged_in_again_it_is_back(driver, camera):
    driver.plug()
    feed = Feed(camera)
    for _ in range(5):
        wait_for(lambda: feed.newest() is not None and feed.fault is None)
        driver.unplug()
        wait_for(lambda: feed.fault is not None)
        assert feed.fault.fault == "gone"
        wait_for(lambda: feed.fault.args["why"] == "vision.source.no_device")
        assert feed.stuck_s() == 0.0
        seen = feed.frames
        driver.plug()
        wait_for(lambda seen=seen: feed.frames > seen)

    feed.close(20.0)
    assert not feed.alive
    assert (driver.open_now, driver.most_open) == (0, 1)


def test_one_that_stops_giving_pictures_is_silent_and_opened_again(driver, camera):
    driver.plug()
    feed = Feed(camera)
    wait_for(lambda: feed.frames > 0)

    grab, dead = Capture.grab, [True]
    try:
        Capture.grab = lambda self: not dead[0] and grab(self)
        wait_for(lambda: feed.fault is not None)
        assert feed.fault.fault == "silent"
        dead[0] = False
        wait_for(lambda: feed.fault is None)
    finally:
        Capture.grab = grab
    feed.close(20.0)
    assert driver.open_now == 0


def test_one_that_hangs_in_its_driver_is_silent_and_keeps_nobody(
    driver, camera, monkeypatch
):
    monkeypatch.setattr("vision.feed.READ_S", 0.05)
    monkeypatch.setattr("vision.feed._OVER_S", 0.05)
    driver.plug()
    feed = Feed(camera)
    wait_for(lambda: feed.frames > 0)

    driver.runs.clear()
    wait_for(lambda: feed.fault is not None)
    assert feed.fault.fault == "silent"
    wait_for(lambda: feed.stuck_s() > 0.1)  # so that the process is replaced

    seen = feed.frames
    driver.runs.set()
    wait_for(lambda: feed.frames > seen)
    wait_for(lambda: feed.fault is None)
    assert feed.stuck_s() == 0.0

    driver.runs.clear()
    wait_for(lambda: feed.stuck_s() > 0)
    began = time.monotonic()
    feed.close()
    assert time.monotonic() - began < 5.0
    driver.runs.set()
    wait_for(lambda: not feed.alive)
    assert driver.open_now == 0
