"""A camera's RTSP stream, decoded by FFmpeg.

H.264 cannot be decoded one frame a second: each frame needs those before it. So every
frame is grabbed (decoded), and only the one that is due is converted to a picture; and
because grabbing goes on all the time, nothing queues up behind us.

A frame that the decoder had to guess parts of is never given out, nor are those that
build on it, until a key frame makes all new.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit, urlunsplit

import cv2
import numpy as np

from vision.sources import decoder_log
from vision.sources.capture import open_stream
from vision.sources.describe import describe
from vision.sources.pace import Pace
from vision.sources.source import OPEN_S, READ_S, Grabbed, SourceError
from vision.sources.wire import authorities

if TYPE_CHECKING:
    import threading

    from vision.messages import Camera

_LAG_S = 0.5
"""So far behind the stream's own clock there may be a queue somewhere: drain it."""
_DRAIN_S = 2.0
_DAMAGED_S = 2.0
"""Without a whole frame for so long the stream is corrupt."""
_REFRESH_S = 15.0
"""Streams without key frames renew themselves bit by bit, in so long at most."""


class Rtsp:
    """An opened stream.

    Args:
        camera: Address, transport, login and rate.
        stop: Set by who closes.
        read_s: Silent after so long without a frame.

    Raises:
        SourceError: See ``describe``; ``gone`` where FFmpeg finds no video.
    """

    def __init__(
        self,
        camera: Camera,
        stop: threading.Event | None = None,
        read_s: float = READ_S,
    ) -> None:
        self._address = urlsplit(camera.url).netloc
        self._pace = Pace(camera.every_s, stop)
        describe(camera, OPEN_S)
        # To learn the rate FFmpeg would watch for 5 s, which is all the time it has at
        # five frames a second; measured, without it: 1.6 s.
        options = f"rtsp_transport;{camera.transport}|fpsprobesize;0"
        if camera.transport == "udp":
            # Packets out of order are waited for, at most 0.3 s.
            options += "|max_delay;300000"
        if camera.url.lower().startswith("rtsps:"):
            # FFmpeg checks no certificate unless told, and knows no authorities.
            options += f"|tls_verify;1|ca_file;{authorities()}"
        capture = open_stream(_with_login(camera), options, OPEN_S, read_s)
        if capture is None:
            raise SourceError("gone", "vision.source.no_video", address=self._address)
        self._capture: cv2.VideoCapture | None = capture
        self._read_s = read_s
        self._lag = _Lag()
        self._damage = Damage()
        self._whole_s = time.monotonic()
        decoder_log.listen()
        self._complaints = decoder_log.complaints()

    def read(self, timeout_s: float = READ_S) -> Grabbed:
        """See ``Source.read``; the time-out is the one given when opened."""
        del timeout_s
        capture = self._capture
        if capture is None:
            raise SourceError("gone", "vision.source.closed", address=self._address)
        drained_s = time.monotonic() + self._pace.every_s + _DRAIN_S
        while True:
            asked = time.monotonic()
            grabbed = capture.grab()
            now, stream_s = time.monotonic(), capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3
            # At its time-out FFmpeg may still hand out a frame that it held back.
            late = now - asked > 0.9 * self._read_s
            if late or not grabbed:
                raise SourceError(
                    "silent" if late else "gone",
                    "vision.source.silent" if late else "vision.source.closed",
                    address=self._address,
                )
            queued = self._lag.step(asked, now, stream_s)
            if self._pace.stopped:
                raise SourceError("silent", "vision.source.closing")
            complaints = decoder_log.complaints()
            key = bool(capture.get(cv2.CAP_PROP_LRF_HAS_KEY_FRAME))
            guessed = complaints > self._complaints
            self._complaints = complaints
            if self._damage.step(now, key=key, guessed=guessed):
                if now - self._whole_s > _DAMAGED_S:
                    self._whole_s = now
                    raise SourceError(
                        "corrupt", "vision.source.damaged", address=self._address
                    )
                continue
            self._whole_s = now
            if queued and now < drained_s:
                continue
            if self._pace.due():
                break
        ok, image = capture.retrieve()
        if not ok or image is None or not image.size:
            raise SourceError("corrupt", "vision.source.undecodable", bytes="0")
        return Grabbed(np.asarray(image, np.uint8), stream_s)

    def close(self) -> None:
        """Give the stream back."""
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.release()
        decoder_log.forget()


class Damage:
    """Whether frames are whole: pure, told of each frame's signs.

    A frame that was guessed damages all that follow, until a key frame. And where key
    frames came regularly and then stop, they were lost on the way: what still comes
    builds on a picture that nobody has. A camera whose frames are further apart than
    its key frames used to be has only slowed down.
    """

    def __init__(self) -> None:
        self._since_s: float | None = None
        self._keys = 0
        self._key_s = self._longest_s = self._last_s = 0.0

    def step(self, now_s: float, *, key: bool, guessed: bool) -> bool:
        """Take one decoded frame; True: it is not to be trusted.

        Args:
            now_s: When it came, monotonic.
            key: It is a key frame.
            guessed: The decoder complained about it.
        """
        apart_s, self._last_s = now_s - self._last_s, now_s
        if key:
            if self._keys:
                self._longest_s = max(self._longest_s, now_s - self._key_s)
            self._key_s = now_s
            self._keys += 1
        if guessed:
            self._since_s = now_s
        elif self._since_s is not None and (key or now_s - self._since_s > _REFRESH_S):
            self._since_s = None
        if self._since_s is not None:
            return True
        # Three tell the rhythm; cameras that stretch it when nothing moves are believed
        # once they have.
        slowed = apart_s > 1.2 * self._longest_s
        if self._keys < 4 or slowed:  # noqa: PLR2004
            return False
        return now_s - self._key_s > 1.5 * self._longest_s + 1.0


class _Lag:
    """Whether frames wait for us: they are late, and come faster than they were made.

    The least distance seen between our clock and the stream's is none; it may grow by
    0.1 %, for two clocks never agree. A camera that sets its clock starts anew.
    """

    def __init__(self) -> None:
        self._least: float | None = None
        self._then = (0.0, 0.0)

    def step(self, asked_s: float, now_s: float, stream_s: float) -> bool:
        """Whether newer frames wait already, after one of this stream time.

        Args:
            asked_s: When we asked for the frame.
            now_s: When it was there.
            stream_s: Its time.
        """
        distance = now_s - stream_s
        then_s, then_stream_s = self._then
        self._then = (now_s, stream_s)
        jumped = not -0.01 < stream_s - then_stream_s < 10.0  # noqa: PLR2004
        if self._least is None or jumped:
            self._least = distance
        self._least = min(self._least + 0.001 * max(0.0, now_s - then_s), distance)
        made_s = stream_s - then_stream_s
        at_once = now_s - asked_s < 0.3 * made_s < 3.0  # noqa: PLR2004
        return at_once and distance - self._least > _LAG_S


def _with_login(camera: Camera) -> str:
    """The address as FFmpeg wants it; never logged, never told."""
    if not camera.username:
        return camera.url
    parts = urlsplit(camera.url)
    user = quote(camera.username, safe="")
    password = quote(camera.password or "", safe="")
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.netloc}"))
