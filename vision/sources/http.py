"""A GET of a picture or of an endless stream of them, with login."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from vision.sources.login import Login
from vision.sources.source import OPEN_S, SourceError
from vision.sources.wire import Head, Wire

if TYPE_CHECKING:
    from vision.messages import Camera

_OK, _REFUSED, _MOVED = 200, frozenset({401, 403}), frozenset({301, 302, 303, 307, 308})
_ROUNDS = 4
"""A redirect, a challenge, a stale nonce, the answer."""


class Answer:
    """An answer whose body still comes.

    Args:
        head: What was said before it.
        wire: Where it comes from; closed with the answer.
    """

    def __init__(self, head: Head, wire: Wire) -> None:
        self.head = head
        self.type = head.first("content-type").partition(";")[0].strip().lower()
        self._wire = wire
        self._chunked = "chunked" in head.first("transfer-encoding").lower()
        length = head.first("content-length")
        self.length = int(length) if length.isdigit() and not self._chunked else None
        self._left = self.length

    def piece(self, deadline_s: float) -> bytes:
        """The next bytes of the body; nothing at its end.

        Raises:
            SourceError: ``silent``, ``gone``, or ``corrupt`` chunks.
        """
        if self._chunked and not self._left:
            self._left = self._chunk(deadline_s)
        if self._left == 0:
            return b""
        data = self._wire.some(deadline_s, min(self._left or 65_536, 65_536))
        if self._left is not None:
            if not data:
                raise self._wire.cut()
            self._left -= len(data)
            if self._chunked and not self._left:
                self._wire.line(deadline_s)
        return data

    def _chunk(self, deadline_s: float) -> int:
        line = self._wire.line(deadline_s)
        size = line.split(b";")[0].strip()
        try:
            found = int(size, 16) if size[:1].isalnum() else -1
        except ValueError:
            found = -1
        if found < 0:
            raise SourceError(
                "corrupt",
                "vision.source.no_answer",
                address=self._wire.address,
                got=ascii(line[:40])[1:],
            )
        return found

    def close(self) -> None:
        """Hang up."""
        self._wire.close()


class Http:
    """Asks one camera; remembers its challenge, so that later asks need one round.

    Args:
        camera: Its url, user and password.
    """

    def __init__(self, camera: Camera) -> None:
        self._url = camera.url
        self._login = (
            Login(camera.username, camera.password or "") if camera.username else None
        )

    def get(self, timeout_s: float = OPEN_S) -> Answer:
        """Ask, log in where wanted, and give the answer with status 200.

        Raises:
            SourceError: ``refused``, ``gone`` (also any other status), ``silent``.
        """
        deadline_s, url, challenged = time.monotonic() + timeout_s, self._url, 0
        for _ in range(_ROUNDS):
            wire, head = self._ask(url, deadline_s)
            if head.status == _OK:
                return Answer(head, wire)
            wire.close()
            if head.status in _MOVED and (moved := self._moved(url, head)):
                url = moved
                continue
            if head.status not in _REFUSED:
                raise SourceError(
                    "gone",
                    "vision.source.status",
                    address=wire.address,
                    status=head.line,
                )
            asked = head.all("www-authenticate")
            stale = "stale=true" in " ".join(asked).lower().replace('"', "")
            # A second 401 may only mean that the nonce grew old; a third never does.
            again = challenged == 0 or (challenged == 1 and stale)
            if self._login is None or not again or not self._login.challenged(asked):
                break
            challenged += 1
        key = "vision.source.refused" if self._login else "vision.source.no_login"
        raise SourceError("refused", key, address=wire.address, status=head.line)

    def _ask(self, url: str, deadline_s: float) -> tuple[Wire, Head]:
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        host, port = parts.hostname or "", parts.port or (443 if tls else 80)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        wire = Wire(host, port, max(0.1, deadline_s - time.monotonic()), tls=tls)
        shown = f"[{host}]" if ":" in host else host
        lines = [
            f"GET {target} HTTP/1.1",
            f"Host: {shown}" + (f":{port}" if parts.port else ""),
            "User-Agent: ecogate",
            "Accept: image/jpeg, multipart/x-mixed-replace, */*;q=0.1",
            "Connection: close",
        ]
        login = self._login.header("GET", target) if self._login else None
        if login:
            lines.append(f"Authorization: {login}")
        try:
            wire.send("\r\n".join([*lines, "", ""]).encode(), deadline_s)
            return wire, wire.head(deadline_s)
        except BaseException:
            wire.close()
            raise

    def _moved(self, url: str, head: Head) -> str | None:
        """Where to instead; only on the same host, for we bring a password."""
        target = urljoin(url, head.first("location"))
        old, new = urlsplit(url), urlsplit(target)
        same = (old.scheme, old.netloc) == (new.scheme, new.netloc)
        return target if same and target != url else None
