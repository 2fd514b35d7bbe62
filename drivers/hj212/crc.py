"""The check of an HJ 212 frame: called CRC16, eight bits strong in effect.

The standard shifts the register's low byte away before each byte (``R = R >> 8 ^ b``)
where Modbus keeps it (``R ^= b``). What is left after a byte depends on eight bits
only, so one wrong byte is always found (the way from high byte to high byte is one to
one), but of other damage one part in 256 passes. Length, grammar and known commands
must hold beside it, and it identifies nothing: different frames do share it.

Source: HJ 212-2017, annex A, the C code (its prose names the wrong byte); HJ 212-2025,
annex A.1, is the same.
"""

from __future__ import annotations

_START = 0xFFFF
_POLYNOMIAL = 0xA001


def _step(register: int) -> int:
    for _ in range(8):
        register = register >> 1 ^ (_POLYNOMIAL if register & 1 else 0)
    return register


_TABLE = tuple(_step(byte) for byte in range(256))


def crc16(data: bytes | bytearray | memoryview) -> int:
    """The check over a data segment; printed as four hex digits, high byte first."""
    register, table = _START, _TABLE
    for byte in data:
        register = table[register >> 8 ^ byte]
    return register
