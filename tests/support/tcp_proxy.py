"""A TCP proxy on loopback that cuts, swallows and stalls, for links to real brokers."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType


class TcpProxy:
    """Forwards to ``upstream`` on loopback until told otherwise.

    Attributes:
        swallow_answers: What the server says is read and dropped.
        stall: Nothing the client says is read, so that its socket fills.
        connections: How many there have been.
    """

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.port = 0
        self.connections = 0
        self.swallow_answers = False

    def stall(self) -> None:
        self._flowing.clear()

    def flow(self) -> None:
        self._flowing.set()

    async def up(self) -> None:
        """Listen, on the same port as before."""
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port or None, limit=4096
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        """Refuse connections and cut those there are."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()
        await asyncio.sleep(0)

    def cut(self) -> None:
        """Reset all connections."""
        for writer in tuple(self._open):
            writer.transport.abort()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        try:
            up_reader, up_writer = await asyncio.open_connection(
                "127.0.0.1", self._upstream
            )
        except OSError:
            writer.transport.abort()
            return
        both = {writer, up_writer}
        self._open |= both
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._copy(reader, up_writer, answers=False))
                group.create_task(self._copy(up_reader, writer, answers=True))
        finally:
            self._open -= both
            for each in both:
                each.transport.abort()

    async def _copy(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        answers: bool,
    ) -> None:
        with contextlib.suppress(OSError):
            while True:
                if not answers:
                    await self._flowing.wait()
                data = await reader.read(65_536)
                if not data:
                    break
                if not (answers and self.swallow_answers):
                    writer.write(data)
                    await writer.drain()
        writer.transport.abort()

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._flowing.set()
        await self.down()
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task() and "_serve" in repr(task):
                with contextlib.suppress(asyncio.CancelledError, OSError):
                    await asyncio.wait_for(task, 2)
