"""Benchmark devices on TCP ports of their own, in a thread, with moods to be told.

with MoodyDevices(10, births) as devices:
    devices.tell(5, "babble")
    devices.tell(5, "well")
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from typing import TYPE_CHECKING, Any

from simulators.bench import BenchUnit
from simulators.births import BirthLog
from simulators.station import Station, TcpServer

if TYPE_CHECKING:
    from pathlib import Path

MOODS = {
    "silent": "takes requests, answers none",
    "garbage": "answers each request with random bytes",
    "truncated": "answers each request with the first bytes of the right frame",
    "babble": "sends random bytes without end",
    "closes": "breaks the connection instead of answering",
    "hangs-up": "breaks each connection at once",
    "refuses": "does not listen",
    "foreign": "answers with frames of another unit and number",
}
_BABBLE_S = 0.005


class _Endpoint:
    """One device, one port."""

    def __init__(self, number: int, station: Station, seed: int) -> None:
        self.station = station
        self.mood = "well"
        self.random = random.Random(f"{seed}/{number}")
        self.open: set[_Moody] = set()
        self.port = 0
        self.accepted = 0
        self._server: asyncio.Server | None = None

    async def listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Moody(self), "127.0.0.1", self.port
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def tell(self, mood: str) -> None:
        self.mood = mood
        if mood == "refuses" and self._server is not None:
            self._server.close()
            self._server = None
        elif self._server is None:
            await self.listen()
        for connection in tuple(self.open):
            connection.changed()

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in tuple(self.open):
            connection.end()


class _Moody(TcpServer):
    """One connection, in the mood of its endpoint."""

    def __init__(self, endpoint: _Endpoint) -> None:
        super().__init__(endpoint.station)
        self._endpoint = endpoint
        self._talk: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._endpoint.open.add(self)
        self._endpoint.accepted += 1
        super().connection_made(transport)
        self.changed()

    def connection_lost(self, exc: Exception | None) -> None:
        self._endpoint.open.discard(self)
        if self._talk is not None:
            self._talk.cancel()
        super().connection_lost(exc)

    def changed(self) -> None:
        """The mood may be another."""
        if self._endpoint.mood in {"hangs-up", "refuses"}:
            self.end()
        elif self._endpoint.mood == "babble" and self._talk is None:
            self._babble()

    def end(self) -> None:
        self._break()

    def data_received(self, data: bytes) -> None:
        mood, noise = self._endpoint.mood, self._endpoint.random
        if mood == "well" or mood in {"truncated", "foreign"}:
            super().data_received(data)
        elif mood == "garbage":
            self._transport.write(noise.randbytes(noise.randrange(1, 300)))
        elif mood == "closes":
            self._break()

    def _send(self, data: bytes) -> None:
        mood, noise = self._endpoint.mood, self._endpoint.random
        if mood == "truncated":
            data = data[: noise.randrange(1, len(data))]
        elif mood == "foreign":
            number = noise.randbytes(2)
            data = number + data[2:6] + bytes([data[6] ^ 0x55]) + data[7:]
        super()._send(data)

    def _babble(self) -> None:
        self._talk = None
        if self._endpoint.mood == "babble" and self._transport is not None:
            self._transport.write(self._endpoint.random.randbytes(512))
            self._talk = self._loop.call_later(_BABBLE_S, self._babble)


class MoodyDevices:
    """Ten devices by default; unit ids from 1."""

    def __init__(
        self, count: int, births: Path, *, points: int = 10, seed: int = 1
    ) -> None:
        self.start_ns = time.monotonic_ns()
        self.births = BirthLog(births)
        self._endpoints = {
            n: _Endpoint(
                n,
                Station(
                    [BenchUnit(n, points, self.now_ms)],
                    births=self.births,
                    now_ms=self.now_ms,
                ),
                seed,
            )
            for n in range(1, count + 1)
        }
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="devices")

    def now_ms(self) -> int:
        """Milliseconds since the shared start."""
        return (time.monotonic_ns() - self.start_ns) // 1_000_000

    @property
    def ports(self) -> dict[int, int]:
        """Unit id -> port."""
        return {n: endpoint.port for n, endpoint in self._endpoints.items()}

    def accepted(self, unit: int) -> int:
        """Connections taken so far."""
        return self._endpoints[unit].accepted

    def tell(self, unit: int, mood: str) -> None:
        """Be in this mood from now on."""
        if mood != "well" and mood not in MOODS:
            raise ValueError(mood)
        self._do(self._endpoints[unit].tell(mood))

    def __enter__(self) -> MoodyDevices:
        self._thread.start()
        for endpoint in self._endpoints.values():
            self._do(endpoint.listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        self.births.close()

    async def _close(self) -> None:
        for endpoint in self._endpoints.values():
            endpoint.close()
        await asyncio.sleep(0.01)  # a turn for every connection's end

    def _do(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)
