"""Modbus TCP: one connection, one open request, checked by number and by shape.

The transaction id starts anywhere, goes on across reconnects and is never 0: a device
that always answers 0 matches nothing unless its profile says so.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from drivers.modbus.diagnosis import tcp_advice
from drivers.modbus.endpoint import FAILURES, Endpoint
from drivers.modbus.wire import tcp_frame, tcp_head, walk_tcp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivers.modbus.bus import Peer
    from drivers.modbus.endpoint import Connect
    from drivers.modbus.transaction import Timing
    from drivers.modbus.wire import Heard, Request

__all__ = ["FAILURES", "TcpBus"]

_NUMBERS = 0x10000
_EXCEPTION = 0x80


class TcpBus(Endpoint):
    """A Modbus TCP endpoint: a device, or a gateway with several units behind it."""

    def __init__(
        self, host: str, port: int = 502, *, connect: Connect | None = None
    ) -> None:
        """Name the endpoint; nothing is opened yet. Arguments as of ``Endpoint``."""
        super().__init__(host, port, connect=connect)
        self._number = secrets.randbelow(_NUMBERS - 1) + 1
        self._checked = True

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
