"""One RTSP question of our own before FFmpeg is let in: is it there, does it know us?

FFmpeg through cv2 says only that it could not open a stream, after a time-out. A
DESCRIBE tells a refused login from a wrong path and from nobody there, within a second,
and a camera that is away then never makes FFmpeg wait.

Source: RFC 2326, 10.2 (DESCRIBE), 11.3 (status codes are HTTP's); chapter 14. ``rtsps``
and its port: RFC 7826, 4.2 and 22.14.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from vision.sources.login import Login
from vision.sources.source import OPEN_S, SourceError
from vision.sources.wire import Head, Wire

if TYPE_CHECKING:
    from vision.messages import Camera

PORT, PORT_TLS = 554, 322
_OK, _UNAUTHORISED, _FORBIDDEN = 200, 401, 403
_REDIRECT = range(300, 400)
_LARGEST_SDP = 65_536


def describe(camera: Camera, timeout_s: float = OPEN_S) -> str:
    """The camera's own description of its stream (SDP).

    Raises:
        SourceError: ``refused``: login wrong or missing; ``gone``: nobody there, or
            another status (its line is told); ``silent``: connected, no answer.
    """
    parts = urlsplit(camera.url)
    deadline_s = time.monotonic() + timeout_s
    tls = parts.scheme == "rtsps"
    port = parts.port or (PORT_TLS if tls else PORT)
    wire = Wire(parts.hostname or "", port, timeout_s, tls=tls)
    login = Login(camera.username, camera.password or "") if camera.username else None
    try:
        head = _ask(wire, camera.url, 1, None, deadline_s)
        if (
            head.status == _UNAUTHORISED
            and login
            and login.challenged(head.all("www-authenticate"))
        ):
            _body(wire, head, deadline_s)
            answer = login.header("DESCRIBE", camera.url)
            head = _ask(wire, camera.url, 2, answer, deadline_s)
        if head.status in {_UNAUTHORISED, _FORBIDDEN}:
            key = "vision.source.refused" if login else "vision.source.no_login"
            raise SourceError("refused", key, address=wire.address, status=head.line)
        if head.status in _REDIRECT:
            return ""  # FFmpeg follows it
        if head.status != _OK:
            raise SourceError(
                "gone", "vision.source.status", address=wire.address, status=head.line
            )
        return _body(wire, head, deadline_s).decode("utf-8", "replace")
    finally:
        wire.close()


def _ask(wire: Wire, url: str, n: int, login: str | None, deadline_s: float) -> Head:
    lines = [
        f"DESCRIBE {url} RTSP/1.0",
        f"CSeq: {n}",
        "User-Agent: ecogate",
        "Accept: application/sdp",
    ]
    if login:
        lines.append(f"Authorization: {login}")
    wire.send("\r\n".join([*lines, "", ""]).encode(), deadline_s)
    return wire.head(deadline_s)


def _body(wire: Wire, head: Head, deadline_s: float) -> bytes:
    length = head.first("content-length")
    left = min(int(length), _LARGEST_SDP) if length.isdigit() else 0
    body = b""
    while len(body) < left:
        more = wire.some(deadline_s, left - len(body))
        if not more:
            break
        body += more
    return body
