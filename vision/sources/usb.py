"""A camera on USB or another V4L2 device: ``/dev/video0``, or better its by-id name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vision.sources.capture import prepare
from vision.sources.pace import Pace
from vision.sources.source import READ_S, Grabbed, SourceError

if TYPE_CHECKING:
    import threading

    from vision.messages import Camera


class Usb:
    """An opened V4L2 device; a camera of its own rate, of which the newest is taken."""

    def __init__(self, camera: Camera, stop: threading.Event | None = None) -> None:
        device = camera.url.removeprefix("usb:").removeprefix("//")
        self._device = f"/dev/video{device}" if device.isdigit() else device
        self._pace = Pace(camera.every_s, stop)
        # Opening by FFmpeg's or V4L2's own search would take another camera instead.
        if not Path(self._device).exists():
            raise SourceError("gone", "vision.source.no_device", device=self._device)
        prepare()
        capture = cv2.VideoCapture(self._device, cv2.CAP_V4L2)
        if not capture.isOpened():
            capture.release()
            raise SourceError("gone", "vision.source.no_video", address=self._device)
        # One buffer: a picture that waited is an old one. Not every driver obeys.
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self._capture: cv2.VideoCapture | None = capture

    def read(self, timeout_s: float = READ_S) -> Grabbed:
        """See ``Source.read``; V4L2 itself gives up after ten seconds."""
        del timeout_s
        capture = self._capture
        while capture is not None:
            if not capture.grab():
                key = "vision.source.closed"
                fault = Path(self._device).exists()
                raise SourceError(
                    "silent" if fault else "gone", key, address=self._device
                )
            if self._pace.stopped:
                raise SourceError("silent", "vision.source.closing")
            if self._pace.due():
                ok, image = capture.retrieve()
                if not ok or image is None or not image.size:
                    raise SourceError("corrupt", "vision.source.undecodable", bytes="0")
                return Grabbed(np.asarray(image, np.uint8))
        raise SourceError("gone", "vision.source.closed", address=self._device)

    def close(self) -> None:
        """Give the device back."""
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.release()
