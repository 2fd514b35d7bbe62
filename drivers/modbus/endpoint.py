"""A TCP endpoint that answers Modbus: reached, and left when everybody is silent.

A connection on which every unit has gone silent is closed after three failures: the
worker reopens it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from drivers.errors import BusError, TransientError
from drivers.modbus.line import Link, OwnBus
from drivers.tcp_port import open_tcp, why

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from drivers.modbus.bus import Answer, Peer
    from drivers.modbus.transaction import Timing
    from drivers.modbus.wire import Request

    Connect = Callable[[Callable[[], asyncio.Protocol]], Awaitable[Any]]

FAILURES = 3


class Endpoint(OwnBus):
    """Connecting, and giving a dead connection up; subclasses frame."""

    def __init__(
        self, host: str, port: int = 502, *, connect: Connect | None = None
    ) -> None:
        """Name the endpoint; nothing is opened yet.

        Args:
            host: Name or address.
            port: TCP port.
            connect: How to reach it instead: given a protocol factory, like
                ``loop.create_connection``.
        """
        super().__init__(f"{host}:{port}")
        self._host, self._port = host, port
        self._connect = connect
        self._failures = 0
        self._failed: set[int] = set()
        self._served: set[int] = set()

    async def open(self) -> None:
        """Connect.

        Raises:
            BusError: Nobody answers there within 5 s, or refuses.
        """
        await self.close()
        self._loop = asyncio.get_running_loop()
        link = Link(self)
        try:
            if self._connect is None:
                await open_tcp(self._host, self._port, lambda: link)
            else:
                await self._connect(lambda: link)
        except OSError as exc:
            await self.close()
            raise BusError(
                f"{self.name}: cannot connect ({why(exc)}); check the address, the port"
                " and that no other master holds the device's only connection"
            ) from exc
        self._failures = 0
        self._failed.clear()
        self._served.clear()

    async def _ask(
        self, peer: Peer, request: Request, timing: Timing, timeout_s: float
    ) -> Answer:
        try:
            answer = await super()._ask(peer, request, timing, timeout_s)
        except TransientError as exc:
            self._failures += 1
            self._failed.add(peer.unit)
            # One dead unit behind a gateway must not cost the others their connection.
            if self._failures >= FAILURES and self._served <= self._failed:
                await self.close()
                raise BusError(
                    f"{exc}; {self._failures} failures in a row on this connection,"
                    " closing it",
                    sent=exc.sent,
                    received=exc.received,
                ) from exc
            raise
        self._failures = 0
        self._failed.clear()
        self._served.add(peer.unit)
        return answer
