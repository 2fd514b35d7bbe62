"""A gateway without any care: sends Modbus requests and keeps every byte that comes."""

from __future__ import annotations

import asyncio

from simulators.wire import rtu_frame, tcp_frame


def read_request(function: int, address: int, count: int) -> bytes:
    """The PDU of a read."""
    return bytes((function,)) + address.to_bytes(2, "big") + count.to_bytes(2, "big")


class Asker(asyncio.Protocol):
    """One port's client; ``got`` holds (loop time, bytes) of each arrival."""

    def __init__(self) -> None:
        self.got: list[tuple[float, bytes]] = []
        self.lost: list[Exception | None] = []
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.got.append((asyncio.get_running_loop().time(), data))

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)

    def send(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()

    async def rtu(
        self, unit: int, address: int, count: int, *, wait_s: float, function: int = 3
    ) -> bytes:
        """Ask and return all that arrived until ``wait_s`` later."""
        return await self._ask(
            rtu_frame(unit, read_request(function, address, count)), wait_s
        )

    async def tcp(
        self, number: int, unit: int, address: int, count: int, *, wait_s: float
    ) -> bytes:
        """Ask over TCP with this transaction number."""
        return await self._ask(
            tcp_frame(number, unit, read_request(3, address, count)), wait_s
        )

    async def _ask(self, frame: bytes, wait_s: float) -> bytes:
        before = len(self.got)
        self.send(frame)
        await asyncio.sleep(wait_s)
        return b"".join(data for _, data in self.got[before:])
