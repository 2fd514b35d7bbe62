"""A Modbus device that does what a test's script says, on any asyncio transport.

Bytes are packed here by hand, not by the driver under test.
"""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Asked(NamedTuple):
    """One request as the device understood it."""

    unit: int
    function: int
    address: int
    count: int
    """Registers or bits; the value of a single write."""
    pdu: bytes
    number: int
    at: float


Piece = tuple[float, bytes]


def crc(data: bytes) -> bytes:
    """CRC-16/MODBUS, bit by bit as the standard's appendix has it."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return struct.pack("<H", value)


def rtu(unit: int, pdu: bytes) -> bytes:
    body = bytes([unit]) + pdu
    return body + crc(body)


def mbap(number: int, unit: int, pdu: bytes) -> bytes:
    return struct.pack(">HHHB", number, 0, len(pdu) + 1, unit) + pdu


def registers(function: int, values: Iterable[int]) -> bytes:
    """PDU of an answer to function 3 or 4."""
    data = b"".join(struct.pack(">H", v & 0xFFFF) for v in values)
    return bytes([function, len(data)]) + data


def plain(asked: Asked) -> bytes:
    """The right answer's PDU: every register holds its own address."""
    if asked.function in {3, 4}:
        span = range(asked.address, asked.address + asked.count)
        return registers(asked.function, span)
    if asked.function in {1, 2}:
        size = (asked.count + 7) // 8
        bits = sum(1 << i for i in range(asked.count) if (asked.address + i) % 3 == 0)
        return bytes([asked.function, size]) + bits.to_bytes(size, "little")
    return asked.pdu[:5]


class FakeDevice(asyncio.Protocol):
    """Answers by its script; ``tcp`` says how frames look."""

    def __init__(
        self,
        *,
        tcp: bool,
        script: Callable[[Asked], Iterable[Piece]] | None = None,
        delay: float = 0.01,
    ) -> None:
        self.tcp = tcp
        self.delay = delay
        self.script = script or self.right
        self.asked: list[Asked] = []
        self.transport: Any = None
        self._buffer = b""

    def __call__(self) -> FakeDevice:
        return self

    def frame(self, asked: Asked, pdu: bytes, unit: int | None = None) -> bytes:
        unit = asked.unit if unit is None else unit
        return mbap(asked.number, unit, pdu) if self.tcp else rtu(unit, pdu)

    def right(self, asked: Asked) -> list[Piece]:
        return [(self.delay, self.frame(asked, plain(asked)))]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._buffer = b""

    def say(self, data: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        self._buffer += data
        while (asked := self._take(loop.time())) is not None:
            self.asked.append(asked)
            for delay, piece in self.script(asked):
                if delay:
                    loop.call_later(delay, self.say, piece)
                else:
                    self.say(piece)

    def _take(self, now: float) -> Asked | None:
        buffer, number = self._buffer, -1
        if self.tcp:
            if len(buffer) < 6:
                return None
            number, _, length = struct.unpack(">HHH", buffer[:6])
            if len(buffer) < 6 + length:
                return None
            body, self._buffer = buffer[6 : 6 + length], buffer[6 + length :]
        else:
            if len(buffer) < 8:
                return None
            length = 9 + buffer[6] if buffer[1] in {15, 16} else 8
            if len(buffer) < length:
                return None
            body, self._buffer = buffer[: length - 2], buffer[length:]
        address, count = struct.unpack(">HH", body[2:6])
        return Asked(body[0], body[1], address, count, body[1:], number, now)
