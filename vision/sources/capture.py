"""cv2's video captures: opened in one place, because their options are process wide.

What was found out, on OpenCV 5.0 with FFmpeg 8:

* ``OPENCV_FFMPEG_CAPTURE_OPTIONS`` is read from the environment when a capture is
  opened, the only way to say ``rtsp_transport``. Captures that want other options wait
  until nobody is opening.
* Every open holds one lock of the process until it ends, a time-out of a dead camera
  included, unless ``OPENCV_FFMPEG_IS_THREAD_SAFE`` is set (FFmpeg has been since 4.0).
* A failed open prints the address, password and all, unless the log is silent.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import cv2

from vision.sources.source import OPEN_S, READ_S, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_opening = threading.Condition()
_state = {"count": 0}


def prepare() -> None:
    """Make cv2 quiet and single threaded; harmless to repeat."""
    os.environ.setdefault("OPENCV_FFMPEG_IS_THREAD_SAFE", "1")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    cv2.setNumThreads(1)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


@contextmanager
def _options(text: str, timeout_s: float) -> Iterator[None]:
    """The environment holds these options while a capture is opened in here."""
    with _opening:
        deadline_s = time.monotonic() + timeout_s
        while _state["count"] and os.environ.get(_OPTIONS) != text:
            if not _opening.wait(deadline_s - time.monotonic()):
                raise SourceError("silent", "vision.source.busy")
        os.environ[_OPTIONS] = text
        _state["count"] += 1
    try:
        yield
    finally:
        with _opening:
            _state["count"] -= 1
            _opening.notify_all()


def open_stream(
    url: str, options: str = "", open_s: float = OPEN_S, read_s: float = READ_S
) -> cv2.VideoCapture | None:
    """A capture by FFmpeg that decodes with one thread; None: it cannot be opened.

    Args:
        url: Address or file; it may hold a password, so it is told to nobody.
        options: FFmpeg's, as ``name;value|name;value``.
        open_s: Given up after so long.
        read_s: A read fails after so long without a frame.
    """
    prepare()
    asked = [
        *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, int(open_s * 1000)),
        *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, int(read_s * 1000)),
        # More threads hold frames back (one each) and take memory.
        *(cv2.CAP_PROP_N_THREADS, 1),
    ]
    with _options(options or "rtsp_transport;tcp", 2 * open_s):
        capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG, asked)
    if capture.isOpened():
        return capture
    capture.release()
    return None
