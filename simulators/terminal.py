"""A terminal server in transparent mode: a line's frames on a TCP port.

What the gateway writes goes to the line as it is, what the line says comes back in
lumps of the server's choosing; no header, no number.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from simulators.station import RtuServer, Station

if TYPE_CHECKING:
    from collections.abc import Callable


class TerminalPort:
    """Listens and hands each connection to the line; can vanish and come back.

    Args:
        station: The units on the line.
        host: Where to listen.
        port: 0 chooses one and keeps it.
        serve: What the units speak: RtuServer, AsciiServer.
    """

    def __init__(
        self,
        station: Station,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        serve: Callable[[Station], RtuServer] = RtuServer,
    ) -> None:
        self.station = station
        self.host, self.port = host, port
        self._serve = serve
        self._server: asyncio.AbstractServer | None = None
        self._open: set[asyncio.BaseTransport] = set()
        self._return: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        station.on_vanish = self.vanish

    async def open(self) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._connection, self.host, self.port)
        self._server = server
        self.port = cast("Any", server).sockets[0].getsockname()[1]

    def vanish(self, for_s: float) -> None:
        """Refuse and drop connections for so long, then listen again."""
        if self._return is None:
            self._take_away()
            loop = asyncio.get_running_loop()
            self._return = loop.call_later(for_s, self._come_back)

    def close(self) -> None:
        """Stop; may be called twice."""
        if self._return is not None:
            self._return.cancel()
            self._return = None
        self._take_away()

    def _connection(self) -> asyncio.Protocol:
        return _Tracked(self._serve(self.station), self._open)

    def _take_away(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for transport in tuple(self._open):
            cast("asyncio.Transport", transport).abort()

    def _come_back(self) -> None:
        self._return = None
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(self.open(), name=f"terminal:{self.port}")


class _Tracked(asyncio.Protocol):
    """A connection that its port can find."""

    def __init__(self, line: RtuServer, among: set[asyncio.BaseTransport]) -> None:
        self._line = line
        self._among = among
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hand it on."""
        self._transport = transport
        self._among.add(transport)
        self._line.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Hand it on."""
        self._line.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand it on."""
        if self._transport is not None:
            self._among.discard(self._transport)
        self._line.connection_lost(exc)
