"""A video file that plays like a camera, by its own time stamps."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vision.sources.capture import open_stream
from vision.sources.pace import Pace
from vision.sources.source import READ_S, EndedError, Grabbed, SourceError

if TYPE_CHECKING:
    import threading

    from vision.messages import Camera


class VideoFile:
    """Shows a frame every ``every_s`` of the file's own time.

    Args:
        camera: Where it lies, rate, and whether it begins again at its end.
        stop: Set by who closes.
        paced: In real time, or as fast as it is read.
    """

    def __init__(
        self,
        camera: Camera,
        stop: threading.Event | None = None,
        *,
        paced: bool = True,
    ) -> None:
        self._path = Path(camera.url.removeprefix("file://"))
        self._every_s, self._loop, self._paced = camera.every_s, camera.loop, paced
        self._pace = Pace(0.0, stop)
        self._capture: cv2.VideoCapture | None = None
        self._shift_s = 0.0  # of this round: stream time goes on rising
        self._last_s, self._step_s = -1.0, 0.04
        self._due_s = 0.0
        self._began_s = time.monotonic()
        self._open()

    def _open(self) -> None:
        if not self._path.is_file():
            raise SourceError("gone", "vision.source.no_file", path=str(self._path))
        self._capture = open_stream(str(self._path.absolute()))
        if self._capture is None:
            raise SourceError(
                "corrupt", "vision.source.not_video", path=str(self._path)
            )
        self._last_s = -1.0

    def read(self, timeout_s: float = READ_S) -> Grabbed:
        """See ``Source.read``.

        Raises:
            EndedError: It does not loop.
        """
        del timeout_s
        while True:
            stream_s = self._grab()
            if stream_s >= self._due_s - 1e-3:
                break
        self._due_s = max(self._due_s + self._every_s, stream_s - self._every_s)
        if self._paced:
            self._pace.sleep(self._began_s + stream_s - time.monotonic())
        assert self._capture is not None  # noqa: S101 - _grab has seen to it
        ok, image = self._capture.retrieve()
        if not ok or image is None or not image.size:
            raise SourceError("corrupt", "vision.source.undecodable", bytes="0")
        return Grabbed(np.asarray(image, np.uint8), stream_s)

    def _grab(self) -> float:
        """The next frame's stream time, seconds since the first round began."""
        for _ in range(2):
            if self._capture is None:
                raise EndedError("gone", "vision.source.ended", path=str(self._path))
            if self._capture.grab():
                at_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3
                if at_s <= self._last_s:  # files without time stamps tell zeros
                    at_s = self._last_s + self._step_s
                elif self._last_s >= 0:
                    self._step_s = at_s - self._last_s
                at_s = max(at_s, 0.0)
                self._last_s = at_s
                return self._shift_s + at_s
            if self._last_s < 0:
                raise SourceError(
                    "corrupt", "vision.source.not_video", path=str(self._path)
                )
            self.close()
            if self._loop:
                self._shift_s += self._last_s + self._step_s
                self._open()
        raise EndedError("gone", "vision.source.ended", path=str(self._path))

    def close(self) -> None:
        """Give the file back."""
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.release()
