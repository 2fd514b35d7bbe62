"""The switches of a simulated camera over HTTP on loopback, for tests and curl.

GET /state    what is in force, pictures shown, connections: JSON
POST /fault   {"begin": "freeze", "for": 10}, {"end": "freeze"} or {"end": null}
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from simulators.camera.http_wire import HEAD_BYTES, read_request, send

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulators.camera.http_wire import Request

HOST = "127.0.0.1"


class Control:
    """Serves the switches.

    Args:
        port: 0 chooses one.
        command: Carries out what was posted, ``{}`` for nothing; returns the state.
            Raises ValueError for what it does not understand.
    """

    def __init__(
        self, port: int, command: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> None:
        self.port = port
        self._command = command
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(
            self._serve, HOST, self.port, limit=HEAD_BYTES
        )
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Stop; may be called twice."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while (request := await read_request(reader)) is not None:
                status, answer = self._answer(request)
                body = json.dumps(answer).encode() + b"\n"
                await send(writer, status, body, value="application/json")
        except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError):
            pass  # whoever asked has gone, or spoke no HTTP
        finally:
            writer.close()

    def _answer(self, request: Request) -> tuple[str, dict[str, Any]]:
        match request.method, request.path:
            case "GET", "/state":
                return "200 OK", self._command({})
            case "POST", "/fault":
                try:
                    return "200 OK", self._command(json.loads(request.body))
                except ValueError as exc:
                    return "400 Bad Request", {"error": str(exc)}
        return "404 Not Found", {"error": "GET /state or POST /fault"}
