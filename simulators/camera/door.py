"""The door of a simulated camera: a TCP port in front of its RTSP server.

A server of good manners cannot vanish in the middle of a picture or fall silent with
its connections open; a door in front of it can. UDP does not pass through it: there the
pictures themselves stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

_LINGER_NOT = struct.pack("ii", 1, 0)
_CHUNK = 1 << 16


def reset(writer: asyncio.StreamWriter) -> None:
    """Close it with a reset, as a device whose power went."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    writer.transport.abort()


class Door:
    """Passes bytes between whoever connects and a server.

    Args:
        behind: The server's port.
        port: Ours; 0 chooses one and keeps it.
    """

    def __init__(self, behind: int, port: int, host: str = "127.0.0.1") -> None:
        self.behind, self.host, self.port = behind, host, port
        self.silent = False
        """Nothing is passed to whoever is connected."""
        self.torn = False
        """Connections end in the middle of the next lump."""
        self.accepted = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        """Listen; nothing where it listens already."""
        if self._server is None:
            server = await asyncio.start_server(self._pass, self.host, self.port)
            self.port = server.sockets[0].getsockname()[1]
            self._server = server

    def close(self) -> None:
        """Listen no longer; the connections stay. May be called twice."""
        if self._server is not None:
            self._server.close()
            self._server = None

    @property
    def is_open(self) -> bool:
        """Whether it listens."""
        return self._server is not None

    def throw_out(self) -> None:
        """Reset every connection."""
        for writer in tuple(self._open):
            reset(writer)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.accepted += 1
        self._open.add(writer)
        try:
            inner = await asyncio.open_connection(self.host, self.behind)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._ask(reader, inner[1]))
                    group.create_task(self._answer(inner[0], writer))
            finally:
                inner[1].close()
        except* (OSError, _EndedError):
            pass
        except* RuntimeError:
            # uvloop's word for a write to a connection that the other side closed.
            if not writer.is_closing():
                raise
        finally:
            self._open.discard(writer)
            writer.close()

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
        raise _EndedError

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(_CHUNK):
            if self.torn:
                writer.write(data[: len(data) // 2])
                await asyncio.sleep(0)
                reset(writer)
                break
            if self.silent:
                continue
            writer.write(data)
            await writer.drain()
        raise _EndedError


class _EndedError(Exception):
    """One side has ended: so does the other."""
