"""The instruments of a run: ``python -m benchmarks.devices DEVICES POINTS START_NS``.

Each unit listens on a port of its own, as instruments with an address of their own do.
Prints ``{"ports": [...]}`` when all listen; ends when its input does.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import uvloop

from simulators.bench import BenchUnit
from simulators.station import Station, TcpServer


async def serve(devices: int, points: int, start_ns: int) -> None:
    """Listen until the parent closes our input."""
    loop = asyncio.get_running_loop()

    def now_ms() -> int:
        return (time.monotonic_ns() - start_ns) // 1_000_000

    ports = []
    for number in range(1, devices + 1):
        station = Station([BenchUnit(number, points, now_ms)])
        server = await loop.create_server(
            lambda station=station: TcpServer(station),  # type: ignore[misc]
            "127.0.0.1",
            0,
        )
        ports.append(server.sockets[0].getsockname()[1])
    print(json.dumps({"ports": ports}), flush=True)
    await loop.run_in_executor(None, sys.stdin.buffer.read)


if __name__ == "__main__":
    uvloop.run(serve(*(int(word) for word in sys.argv[1:4])))
