"""A Modbus TCP instrument whose registers move: what a stack's analyzers look like.

    python -m benchmarks.stack_device

Prints ``{"ports": {"gas": ..., "flue": ...}}``, serves until its input ends. Unit 1 has
twelve gases, oxygen and a state word, 2 what is measured in the flue. Neither is held
against anything: what the gateway makes of them is what other tests are for.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import time

GASES = (
    "so2", "no", "co", "hcl", "hf", "nh3", "hg", "co2", "ch4", "nmhc", "h2s", "dust",
)  # fmt: skip
FLUE = ("temperature", "pressure", "moisture", "velocity", "furnace_1", "furnace_2")
_LEVEL = {
    "oxygen": 1050, "state": 0, "temperature": 1250, "pressure": 180, "moisture": 112,
    "velocity": 1230, "furnace_1": 9100, "furnace_2": 9050,
}  # fmt: skip
UNITS = {1: (*GASES, "oxygen", "state"), 2: (*FLUE, "state")}
_GAS_LEVEL = 300
_HEAD = struct.Struct(">HHHB")
_ASKED = struct.Struct(">BHH")


def registers(unit: int, tick: int) -> list[int]:
    """What a unit shows in one tenth of a second."""
    shown = []
    for place, name in enumerate(UNITS[unit]):
        level = _LEVEL.get(name, _GAS_LEVEL)
        noise = (tick * 2654435761 + place * 40503) % 1009 % (level // 10 + 1)
        shown.append(level + noise)
    return shown + [0] * 8


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            number, _, _, unit = _HEAD.unpack(await reader.readexactly(_HEAD.size))
            function, address, count = _ASKED.unpack(
                await reader.readexactly(_ASKED.size)
            )
            shown = registers(unit, time.monotonic_ns() // 100_000_000)
            words = shown[address : address + count]
            pdu = struct.pack(f">BB{len(words)}H", function, 2 * len(words), *words)
            writer.write(_HEAD.pack(number, 0, len(pdu) + 1, unit) + pdu)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    """Serve until nobody wants it any more."""
    servers = {
        name: await asyncio.start_server(_serve, "127.0.0.1", 0)
        for name in ("gas", "flue")
    }
    ports = {name: one.sockets[0].getsockname()[1] for name, one in servers.items()}
    print(json.dumps({"ports": ports}), flush=True)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.buffer.read)
    for server in servers.values():
        server.close()


if __name__ == "__main__":
    asyncio.run(main())
