"""One TCP connection to an HJ 212 platform: frames in, bytes out, ends told by name.

The standard fixes neither the port nor who connects; we connect, and stay connected.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
import struct
import termios
from typing import TYPE_CHECKING

from drivers.hj212.frame import FrameFinder
from gateway.texts import t
from gateway.uplink.link import ConnectError, LinkLostError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from drivers.hj212.frame import Frame
    from gateway.uplink.hj212.seams import Finder

    Open = Callable[
        [str, int], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
    ]

CONNECT_S = 10.0
TAKE_S = 20.0
"""A platform that takes no bytes for so long is gone."""
READ_BYTES = 65_536
HELD_BYTES = 8_192
"""More than this is not kept here and not in the system, unsent: on a slow line what is
new would wait behind it."""
_NOTSENT_LOWAT = 25
DEAD_MS = 20_000
"""Bytes that its machine does not confirm for so long end the connection."""


class Connection:
    """Used once: a new one is made for every attempt."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        finder: Finder | None = None,
    ) -> None:
        """Take over an open connection."""
        self._reader, self._writer = reader, writer
        writer.transport.set_write_buffer_limits(high=HELD_BYTES)
        self.handed = 0
        """Bytes handed over."""
        self._confirmed = 0
        self.finder = finder or FrameFinder()

    @classmethod
    async def open(
        cls, host: str, port: int, finder: Finder | None = None, how: Open | None = None
    ) -> Connection:
        """Connect.

        Args:
            host: Name or address.
            port: The platform's.
            finder: Finds frames in what comes; of plain ones by default.
            how: Opens the streams; ``asyncio.open_connection`` by default.

        Raises:
            ConnectError: Nobody answers there.
        """
        try:
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await (how or asyncio.open_connection)(host, port)
        except TimeoutError as exc:
            raise ConnectError(
                t("uplink.hj212.no_answer", host=host, port=port, seconds=CONNECT_S)
            ) from exc
        except OSError as exc:
            raise ConnectError(
                t(
                    "uplink.hj212.unreachable",
                    host=host,
                    port=port,
                    error=exc.strerror or str(exc),
                )
            ) from exc
        _watch(writer)
        return cls(reader, writer, finder)

    @property
    def confirmed(self) -> int:
        """Of the bytes handed over, those that the other machine says it has."""
        writer = self._writer
        if not writer.is_closing():  # what is thrown away then is not waiting either
            waiting = writer.transport.get_write_buffer_size()
            sock = writer.get_extra_info("socket")
            with contextlib.suppress(OSError):
                waiting += _unconfirmed(sock) if sock is not None else 0
                self._confirmed = max(self._confirmed, self.handed - waiting)
        return self._confirmed

    async def read(self) -> list[Frame]:
        """Frames that have come; waits for bytes, of which there may be no frame.

        Raises:
            LinkLostError: The platform has closed, or the network has.
        """
        try:
            data = await self._reader.read(READ_BYTES)
        except OSError as exc:
            raise LinkLostError(
                t("uplink.hj212.broken", error=exc.strerror or str(exc))
            ) from exc
        if not data:
            raise LinkLostError(t("uplink.hj212.closed"))
        return self.finder.feed(data)

    async def write(self, data: bytes) -> None:
        """Send; returns when there is room for more.

        Raises:
            LinkLostError: The connection is gone, or takes nothing.
        """
        if self._writer.is_closing():
            raise LinkLostError(t("uplink.hj212.closed"))
        self.handed += len(data)
        self._writer.write(data)
        while True:
            before = self.confirmed
            try:
                async with asyncio.timeout(TAKE_S):
                    await self._writer.drain()
            except TimeoutError as exc:
                if self.confirmed > before:
                    continue  # a slow line is none that is dead
                raise LinkLostError(
                    t("uplink.hj212.takes_nothing", seconds=TAKE_S)
                ) from exc
            except OSError as exc:
                raise LinkLostError(
                    t("uplink.hj212.broken", error=exc.strerror or str(exc))
                ) from exc
            return

    async def close(self) -> None:
        """Close; may be called twice."""
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(1.0):
                await self._writer.wait_closed()
        self._writer.transport.abort()


def _unconfirmed(sock: socket.socket) -> int:
    """Bytes in the system that the other machine has not confirmed (SIOCOUTQ)."""
    found = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4))
    return int(struct.unpack("i", found)[0])


def _watch(writer: asyncio.StreamWriter) -> None:
    """Have the system notice by itself that the other machine is gone."""
    sock = writer.get_extra_info("socket")
    if sock is None:
        return  # a pipe in memory
    for level, option, value in (
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_MS),
        (socket.IPPROTO_TCP, _NOTSENT_LOWAT, HELD_BYTES),
    ):
        with contextlib.suppress(OSError):
            sock.setsockopt(level, option, value)
