"""A Modbus recording, replayed: registers hold what the recorded answers say.

Anything else reads A5A5, so that a point at a wrong address shows. Each exchange's
frames must carry the right CRC, which is computed here and not by the driver.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from drivers.modbus.device import ModbusDevice
from tests.support.modbus_memory import TIMING, MemoryBus
from tests.support.recordings import points_of

if TYPE_CHECKING:
    from drivers.profiles.document import Node
    from drivers.profiles.model import Profile
    from drivers.values import Answer

TABLE = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}


async def play(profile: Profile, recording: Node) -> Answer:
    """One answer; four scans, each with another size of request, must agree on it."""
    bus, points = replay(recording), points_of(profile, recording)
    for point in points:
        cells = range(point.address, point.address + point.registers)
        assert {(point.table, at) for at in cells} <= bus.registers.keys(), point.name
    unit = recording.get("unit").value
    device = ModbusDevice(
        profile.profile, unit, bus, points, TIMING, profile.max_registers
    )
    names = [point.name for point in points]
    first, *others = [await device.scan(names) for _ in range(4)]
    for other in others:
        assert (other.values, other.flaws) == (first.values, first.flaws)
    return first


def replay(root: Node) -> MemoryBus:
    """A bus that holds what the recorded answers say."""
    bus = MemoryBus(default=0xA5A5)
    for exchange in root.get("exchanges").plain():
        request, response = map(
            bytes.fromhex, (exchange["request"], exchange["response"])
        )
        for frame in (request, response):
            assert crc(frame[:-2]) == frame[-2:], f"{frame.hex(' ')}: CRC"
        unit, function, start, count = struct.unpack(">BBHH", request[:-2])
        assert response[:2] == request[:2]
        assert response[2] == len(response) - 5
        assert unit == root.get("unit").value
        data = response[3:-2]
        if function in {1, 2}:
            assert len(data) == (count + 7) // 8
            values = [data[i // 8] >> i % 8 & 1 for i in range(count)]
        else:
            values = struct.unpack(f">{count}H", data)
        for i, value in enumerate(values):
            bus.registers[TABLE[function], start + i] = value
    return bus


def crc(frame: bytes) -> bytes:
    """MODBUS over Serial Line V1.02, 6.2.2, bit by bit."""
    register = 0xFFFF
    for byte in frame:
        register ^= byte
        for _ in range(8):
            register = (register >> 1) ^ (0xA001 if register & 1 else 0)
    return struct.pack("<H", register)
