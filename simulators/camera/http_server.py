"""Pictures of a simulated camera over HTTP: one at a time, or one after the other.

    GET /snapshot.jpg     a JPEG
    GET /mjpeg            multipart/x-mixed-replace

Basic or digest login. What is wrong with it is switched from outside.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from simulators.camera.door import reset
from simulators.camera.http_wire import HEAD_BYTES, read_request, send
from simulators.camera.login import Gatekeeper

if TYPE_CHECKING:
    from simulators.camera.http_wire import Request
    from simulators.camera.login import Login

_BOUNDARY = "camera"
_LOOK_S = 0.1
"""How often one that waits looks whether its looker is still there."""
_FIRST_S = 10.0


class Pictures:
    """The newest picture, for any number of lookers."""

    def __init__(self) -> None:
        self.jpeg = b""
        self._news = asyncio.Event()

    def show(self, jpeg: bytes) -> None:
        """This is the newest."""
        self.jpeg = jpeg
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def next(self, timeout_s: float) -> bytes:
        """The one after the newest of now; nothing: none came in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._news.wait()
                return self.jpeg
        return b""


class HttpCamera:
    """The HTTP side.

    Args:
        port: Ours; 0 chooses one and keeps it.
        login: For the pictures.
    """

    def __init__(self, port: int, login: Login, host: str = "127.0.0.1") -> None:
        self.host, self.port = host, port
        self.pictures = Pictures()
        self.gate = Gatekeeper(login)
        self.silent = self.torn = self.refusing = False
        self.pause_s = 0.0
        """A picture takes so long."""
        self.served = 0
        """Pictures that were sent."""
        self._server: asyncio.Server | None = None
        self._lookers: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    async def open(self) -> None:
        """Listen; nothing where it listens already."""
        if self._server is None:
            server = await asyncio.start_server(
                self._serve, self.host, self.port, limit=HEAD_BYTES
            )
            self.port = server.sockets[0].getsockname()[1]
            self._server = server

    def throw_out(self) -> None:
        """Reset whoever looks."""
        for writer in tuple(self._lookers):
            reset(writer)

    def close(self) -> None:
        """Listen no longer; the connections stay. May be called twice."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def finish(self) -> None:
        """Stop for good."""
        self.close()
        self.throw_out()
        tasks = [task for task in self._lookers.values() if task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._lookers[writer] = asyncio.current_task()
        try:
            while (request := await read_request(reader)) is not None:
                if not await self._answer(request, writer):
                    break
        except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError):
            pass
        finally:
            self._lookers.pop(writer, None)
            writer.close()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Answer; False: the connection ends."""
        await self._hold_back(writer)
        if not self._allowed(request):
            return await send(
                writer,
                "401 Unauthorized",
                b"",
                "WWW-Authenticate",
                self.gate.challenge(),
            )
        if request.method != "GET":
            return await send(writer, "405 Method Not Allowed", b"", "Allow", "GET")
        match request.path.partition("?")[0]:
            case "/snapshot.jpg":
                return await self._snapshot(writer)
            case "/mjpeg":
                return await self._mjpeg(writer)
        return await send(writer, "404 Not Found", b"no such path\n")

    def _allowed(self, request: Request) -> bool:
        said = request.headers.get("authorization")
        return not self.refusing and self.gate.lets_in(request.method, said)

    async def _hold_back(self, writer: asyncio.StreamWriter) -> None:
        while self.silent and not writer.is_closing():  # noqa: ASYNC110 begins again
            await asyncio.sleep(_LOOK_S)

    async def _snapshot(self, writer: asyncio.StreamWriter) -> bool:
        if self.pause_s:
            await asyncio.sleep(self.pause_s)
        await self._hold_back(writer)
        jpeg = self.pictures.jpeg or await self.pictures.next(_FIRST_S)
        if self.torn:
            return await _tear(writer, b"HTTP/1.1 200 OK\r\n\r\n", jpeg)
        self.served += 1
        return await send(writer, "200 OK", jpeg, "Content-Type", "image/jpeg")

    async def _mjpeg(self, writer: asyncio.StreamWriter) -> bool:
        writer.write(
            b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nConnection: close\r\n"
            b"Content-Type: multipart/x-mixed-replace; boundary=" + _BOUNDARY.encode()
        )
        writer.write(b"\r\n\r\n")
        while not writer.is_closing():
            jpeg = await self.pictures.next(_LOOK_S)
            await self._hold_back(writer)
            if not jpeg:
                continue
            part = (
                f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\n"
                f"Content-Length: {len(jpeg)}\r\n\r\n"
            ).encode()
            if self.torn:
                return await _tear(writer, part, jpeg)
            writer.write(part + jpeg + b"\r\n")
            await writer.drain()
            self.served += 1
        return False


async def _tear(writer: asyncio.StreamWriter, head: bytes, jpeg: bytes) -> bool:
    """Half a picture, and a reset."""
    writer.write(head + jpeg[: len(jpeg) // 2])
    await asyncio.sleep(0)
    reset(writer)
    return False
