"""A camera that gives one JPEG for each HTTP GET."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from vision.sources.http import Http
from vision.sources.jpeg import decode
from vision.sources.pace import Pace
from vision.sources.source import READ_S, Grabbed, SourceError

if TYPE_CHECKING:
    import threading

    from vision.messages import Camera
    from vision.sources.http import Answer

LARGEST = 16_000_000
"""Bytes of one picture; a 12-megapixel JPEG has 6."""


class Snapshot:
    """Asks for a picture whenever one is due; a connection for each."""

    def __init__(self, camera: Camera, stop: threading.Event | None = None) -> None:
        self._http = Http(camera)
        self._pace = Pace(camera.every_s, stop)

    def read(self, timeout_s: float = READ_S) -> Grabbed:
        """See ``Source.read``; ``timeout_s`` is for the whole exchange."""
        self._pace.wait()
        deadline_s = time.monotonic() + timeout_s
        answer = self._http.get(timeout_s)
        try:
            return Grabbed(decode(_body(answer, deadline_s)))
        finally:
            answer.close()

    def close(self) -> None:
        """Nothing stays open between two pictures."""


def _too_large(size: int) -> SourceError:
    return SourceError(
        "corrupt", "vision.source.too_large", bytes=str(size), limit=str(LARGEST)
    )


def _body(answer: Answer, deadline_s: float) -> bytearray:
    """All of a picture's bytes."""
    if answer.type.startswith("multipart/"):
        raise SourceError("corrupt", "vision.source.is_stream", type=ascii(answer.type))
    if answer.type.startswith("text/"):
        raise SourceError("corrupt", "vision.source.not_jpeg", type=ascii(answer.type))
    if (answer.length or 0) > LARGEST:
        raise _too_large(answer.length or 0)
    body = bytearray()
    while True:
        try:
            piece = answer.piece(deadline_s)
        except SourceError as exc:
            if exc.key == "vision.source.cut":  # answered, then sent half a picture
                raise SourceError(
                    "corrupt", "vision.source.truncated", bytes=str(len(body))
                ) from None
            raise
        if not piece:
            return body
        body += piece
        if len(body) > LARGEST:
            raise _too_large(len(body))
