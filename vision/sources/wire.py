"""One TCP connection to a camera: every wait has a deadline, every answer a size.

HTTP and RTSP share the form of their heads, so both are asked over this. It is our own
because a drip of one byte a second keeps the standard library's client for ever.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from pathlib import Path
from typing import NamedTuple

from vision.sources.source import SourceError

HEAD_BYTES = 65_536


_AUTHORITIES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
)
"""Of Debian and its kin, of Fedora and its: where OpenSSL's own default is no file."""


def authorities() -> str:
    """The file of certificates this system trusts; nothing: there is none."""
    found = (ssl.get_default_verify_paths().cafile, *_AUTHORITIES)
    return next((path for path in found if path and Path(path).is_file()), "")


class Head(NamedTuple):
    """Status line and headers of an answer."""

    status: int
    line: str
    """The status as the camera words it: ``404 Not Found``."""
    headers: list[tuple[str, str]]
    """Names in lower case."""

    def first(self, name: str) -> str:
        """The first header of this name, or nothing."""
        return next((value for key, value in self.headers if key == name), "")

    def all(self, name: str) -> list[str]:
        """Every header of this name."""
        return [value for key, value in self.headers if key == name]


class Wire:
    """A connected socket.

    Args:
        host: Name or address.
        port: TCP port.
        timeout_s: To be connected.
        tls: Encrypt, and check the camera's certificate.

    Raises:
        SourceError: ``gone``: nobody answers there.
    """

    def __init__(
        self, host: str, port: int, timeout_s: float, *, tls: bool = False
    ) -> None:
        self.address = f"{host}:{port}"
        try:
            self._socket: socket.socket = socket.create_connection(
                (host, port), timeout_s
            )
        except OSError as exc:
            raise self._gone(exc) from None
        if tls:
            try:
                context = ssl.create_default_context()
                self._socket = context.wrap_socket(self._socket, server_hostname=host)
            except OSError as exc:  # an SSLError is one
                self.close()
                raise self._gone(exc) from None
        self._held = bytearray()

    def _gone(self, exc: OSError) -> SourceError:
        reason = exc.strerror or str(exc) or type(exc).__name__
        return SourceError(
            "gone", "vision.source.unreachable", address=self.address, reason=reason
        )

    def send(self, data: bytes, deadline_s: float) -> None:
        """All of it, before ``time.monotonic()`` passes the deadline."""
        try:
            self._arm(deadline_s)
            self._socket.sendall(data)
        except OSError as exc:
            raise self._lost(exc) from None

    def some(self, deadline_s: float, most: int = 65_536) -> bytes:
        """What has come, at least one byte; nothing at the end of the stream.

        Raises:
            SourceError: ``silent``: nothing came in time; ``gone``: it was cut.
        """
        if self._held:
            data = bytes(self._held[:most])
            del self._held[:most]
            return data
        try:
            self._arm(deadline_s)
            return self._socket.recv(most)
        except OSError as exc:
            raise self._lost(exc) from None

    def line(self, deadline_s: float, most: int = 8_192) -> bytes:
        """One line with its end."""
        return self._until(b"\n", deadline_s, most)

    def head(self, deadline_s: float) -> Head:
        """The head of an answer.

        Raises:
            SourceError: ``corrupt``: it is none; ``silent``, ``gone``.
        """
        raw = self._until(b"\r\n\r\n", deadline_s, HEAD_BYTES)
        lines = raw.decode("latin-1").split("\r\n")
        version, _, status = lines[0].partition(" ")
        if version[:5] not in {"HTTP/", "RTSP/"} or not status[:3].isdigit():
            raise SourceError(
                "corrupt",
                "vision.source.no_answer",
                address=self.address,
                got=ascii(lines[0][:60]),
            )
        pairs = (line.partition(":") for line in lines[1:] if ":" in line)
        headers = [(name.strip().lower(), value.strip()) for name, _, value in pairs]
        return Head(int(status[:3]), ascii(status[:60]).strip("'\""), headers)

    def _until(self, end: bytes, deadline_s: float, most: int) -> bytes:
        looked = 0
        while (found := self._held.find(end, looked)) < 0:
            if len(self._held) > most:
                raise SourceError(
                    "corrupt",
                    "vision.source.no_answer",
                    address=self.address,
                    got=ascii(bytes(self._held[:40]))[1:],
                )
            looked = max(0, len(self._held) - len(end))
            held, self._held = self._held, bytearray()
            more = self.some(deadline_s)
            self._held = held + more
            if not more:
                raise self.cut()
        data = bytes(self._held[: found + len(end)])
        del self._held[: found + len(end)]
        return data

    def _arm(self, deadline_s: float) -> None:
        left = deadline_s - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)

    def _lost(self, exc: OSError) -> SourceError:
        if isinstance(exc, TimeoutError):
            return SourceError("silent", "vision.source.silent", address=self.address)
        return self._gone(exc)

    def cut(self) -> SourceError:
        """What to raise when the camera ended it too early."""
        return SourceError("gone", "vision.source.cut", address=self.address)

    def close(self) -> None:
        """Give the socket back."""
        with contextlib.suppress(OSError):
            self._socket.close()
