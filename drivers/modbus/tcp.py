"""Modbus TCP: one connection, one open request, checked by number and by shape.

The transaction id starts anywhere, goes on across reconnects and is never 0: a device
that always answers 0 matches nothing unless its profile says so. A connection on which
every unit has gone silent is closed after three failures: the worker reopens it.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any

from drivers.errors import BusError, TransientError
from drivers.modbus.diagnosis import tcp_advice
from drivers.modbus.line import Link, OwnBus
from drivers.modbus.wire import tcp_frame, tcp_head, walk_tcp
from drivers.tcp_port import open_tcp, why

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from drivers.modbus.bus import Answer, Peer
    from drivers.modbus.transaction import Timing
    from drivers.modbus.wire import Heard, Request

    Connect = Callable[[Callable[[], asyncio.Protocol]], Awaitable[Any]]

FAILURES = 3
_NUMBERS = 0x10000
_EXCEPTION = 0x80


class TcpBus(OwnBus):
    """A Modbus TCP endpoint: a device, or a gateway with several units behind it."""

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
        self._number = secrets.randbelow(_NUMBERS - 1) + 1
        self._checked = True
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

    def _encode(self, peer: Peer, request: Request, timing: Timing) -> bytes:
        number = self._number = self._number % (_NUMBERS - 1) + 1
        unit, size = peer.unit, request.size
        self._checked = timing.check_transaction_id
        self._head = tcp_head(number, unit, request.expect, size)
        self._length = 7 + size
        self._body = slice(9, None)
        error = bytes((request.function | _EXCEPTION,))
        self._error_head = tcp_head(number, unit, error, 2)
        if not self._checked:
            self._head, self._error_head = self._head[2:], self._error_head[2:]
        self._error_length, self._error_code = 9, 8
        self._earliest = self._wire_s = 0.0
        return tcp_frame(number, unit, request.pdu)

    def _find(self, head: bytes, length: int) -> int:
        buffer = self._buffer
        if self._checked:
            at = buffer.find(head, self._since)
            return at if at >= 0 and at + length <= len(buffer) else -1
        # Without a number the head is short: it counts only where a frame begins.
        for heard in walk_tcp(buffer):
            start, end = heard.start, heard.end
            if end - start == length and buffer.startswith(head, start + 2):
                return start
        return -1

    def _walk(self, data: bytes | bytearray) -> Iterator[Heard]:
        return walk_tcp(data)

    def _is_open(self, heard: Heard) -> bool:
        if self._open is None or heard.exception:
            return False
        peer, request, _ = self._open
        return (
            (heard.number == self._number or not self._checked)
            and heard.unit == peer.unit
            and heard.function == request.function
            and heard.size == request.size - 2
        )

    def _advice(self, peer: Peer, received: bytes) -> str:
        assert self._open is not None  # noqa: S101 only asked after an exchange
        return tcp_advice(
            peer.unit, self._number, self._open[1], received, checked=self._checked
        )
