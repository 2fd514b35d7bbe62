"""A camera that sends JPEGs one after the other in one endless HTTP answer.

Servers get boundaries and lengths wrong in every way there is: a ``Content-Length`` of
the last picture, boundaries with two dashes more or less than announced, none at all.
So neither is believed: a picture begins with its first marker and ends where its own
structure ends. The announced boundary only proves that a picture was cut off.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from vision.sources.http import Answer, Http
from vision.sources.jpeg import SOI, NotJpegError, Walk, decode
from vision.sources.pace import Pace
from vision.sources.source import OPEN_S, READ_S, Grabbed, SourceError

if TYPE_CHECKING:
    import threading

    from vision.messages import Camera

LARGEST = 8_000_000
"""Bytes of one part; also of what may come without any picture in it."""


class Parts:
    """Bytes of a multipart stream to complete JPEGs; memory is bounded.

    Args:
        boundary: As announced, with or without its dashes; nothing: not announced.
        largest: Bytes of one part.
    """

    def __init__(self, boundary: bytes = b"", largest: int = LARGEST) -> None:
        bare = boundary.strip().strip(b'"').lstrip(b"-")
        self._boundary = b"--" + bare if bare else b""
        self._largest = largest
        self._held = bytearray()
        self._walk: Walk | None = None
        self._skipped = 0
        self.broken = 0
        """Pictures that were cut off or damaged, and dropped."""

    def feed(self, data: bytes) -> list[bytes]:
        """The JPEGs that are complete with these bytes.

        Raises:
            SourceError: ``corrupt``: a part without end, or no picture at all.
        """
        self._held += data
        found: list[bytes] = []
        while self._step(found):
            pass
        return found

    def _step(self, found: list[bytes]) -> bool:
        """One picture more, or one dropped; False: more bytes are needed."""
        if self._walk is None and not self._seek():
            return False
        assert self._walk is not None  # noqa: S101 - _seek has set it
        try:
            end = self._walk.end(self._held)
        except NotJpegError:
            return self._drop()
        if end is None:
            if len(self._held) > self._largest:
                raise SourceError(
                    "corrupt",
                    "vision.source.too_large",
                    bytes=str(len(self._held)),
                    limit=str(self._largest),
                )
            return self._cut_off(len(self._held)) and self._drop()
        if self._cut_off(end):
            return self._drop()
        found.append(bytes(self._held[:end]))
        del self._held[:end]
        self._walk, self._skipped = None, 0
        return True

    def _seek(self) -> bool:
        start = self._held.find(SOI)
        if start < 0:
            # The first two bytes of a beginning may be the last that came.
            gone = max(0, len(self._held) - 2)
            del self._held[:gone]
            self._skipped += gone
            if self._skipped > self._largest:
                raise SourceError("corrupt", "vision.source.not_jpeg", type="multipart")
            return False
        del self._held[:start]
        self._walk = Walk()
        return True

    def _cut_off(self, end: int) -> bool:
        return bool(self._boundary) and self._held.find(self._boundary, 0, end) >= 0

    def _drop(self) -> bool:
        """This beginning led nowhere: go on behind it."""
        self.broken += 1
        self._skipped += 2
        del self._held[:2]
        self._walk = None
        return True


class Mjpeg:
    """Reads everything, decodes only what is due, and of that the newest."""

    def __init__(self, camera: Camera, stop: threading.Event | None = None) -> None:
        self._address = urlsplit(camera.url).netloc
        self._pace = Pace(camera.every_s, stop)
        self._answer: Answer = Http(camera).get(OPEN_S)
        if self._answer.type == "image/jpeg":
            self._answer.close()
            raise SourceError("corrupt", "vision.source.is_still")
        told = self._answer.head.first("content-type")
        _, _, boundary = told.partition("boundary=")
        self._parts = Parts(boundary.partition(";")[0].encode("latin-1", "ignore"))

    def read(self, timeout_s: float = READ_S) -> Grabbed:
        """See ``Source.read``; a cut off picture is passed over, the next is whole."""
        newest: bytes | None = None
        deadline_s = time.monotonic() + max(timeout_s, 0.0)
        broken = self._parts.broken
        while True:
            try:
                data = self._answer.piece(deadline_s)
            except SourceError as exc:
                if exc.fault == "silent" and self._parts.broken > broken:
                    raise SourceError(
                        "corrupt",
                        "vision.source.truncated",
                        bytes=str(self._parts.broken - broken),
                    ) from None
                raise
            if not data:
                raise SourceError("gone", "vision.source.closed", address=self._address)
            for picture in self._parts.feed(data):
                newest = picture
                deadline_s = time.monotonic() + timeout_s
            if self._pace.stopped:
                raise SourceError("silent", "vision.source.closing")
            if newest is not None and self._pace.due():
                return Grabbed(decode(newest))

    def close(self) -> None:
        """Hang up."""
        self._answer.close()
