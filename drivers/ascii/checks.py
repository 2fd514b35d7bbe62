"""Check characters: computed for what is sent, compared in what was received.

Sources: Vaisala WXT520 User's Guide M210906EN, appendix on CRC-16; NMEA 0183; Gill
WindSonic manual 1405 PS 0019, 9.1; METTLER TOLEDO Wildcat technical manual, appendix 2;
Thermo iSeries manuals, appendix B "set format".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivers.profiles.dialogue import Check, CheckKind

_DIGITS: Final[dict[CheckKind, int]] = {
    "xor": 2,
    "xor_all": 2,
    "sum8": 2,
    "sum16": 4,
    "complement": 1,
    "crc3": 3,
}


class Framed(NamedTuple):
    """A message between its signs."""

    start: bytes
    body: bytes
    end: bytes
    tail: bytes
    """What follows the end and belongs to it."""


def covered(check: Check, framed: Framed) -> bytes | None:
    """The body without its check, or None where the check does not hold."""
    kind = check.kind
    if kind == "none":
        return framed.body
    if kind == "nmea":
        return _nmea(framed.body)
    size = _DIGITS[kind]
    body, said = framed.body, framed.tail[:size]
    if len(said) < size:
        body, said = body[:-size], body[-size:]
    if len(said) != size or not body.endswith(check.mark):
        return None
    body = body[: len(body) - len(check.mark)]
    if kind == "complement":
        whole = framed.start + body + framed.end
        return body if complement(whole) == said else None
    if kind == "crc3":
        return body if crc3(body) == said else None
    whole = framed.start + body + framed.end if kind == "xor_all" else body
    # Hex digits are the same in small letters.
    return body if _HEX_MADE[kind](whole) == said.upper() else None


def xor(data: bytes) -> bytes:
    """Exclusive or, two hex digits."""
    result = 0
    for byte in data:
        result ^= byte
    return b"%02X" % result


def sum8(data: bytes) -> bytes:
    """Sum modulo 256, two hex digits."""
    return b"%02X" % (sum(data) & 0xFF)


def sum16(data: bytes) -> bytes:
    """Sum modulo 65536, four hex digits."""
    return b"%04X" % (sum(data) & 0xFFFF)


def complement(data: bytes) -> bytes:
    """Two's complement of the low seven bits of the sum, one byte."""
    return bytes((-sum(data) & 0x7F,))


def crc3(data: bytes) -> bytes:
    """CRC-16 as three printable characters, six bits each on 40h."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xA001 if crc & 1 else 0)
    return bytes((0x40 | crc >> 12, 0x40 | crc >> 6 & 0x3F, 0x40 | crc & 0x3F))


def nmea(data: bytes) -> bytes:
    """``*hh`` for what stands after the last ``$``."""
    return b"*" + xor(data.rpartition(b"$")[2])


_HEX_MADE: Final[dict[CheckKind, Callable[[bytes], bytes]]] = {
    "xor": xor,
    "xor_all": xor,
    "sum8": sum8,
    "sum16": sum16,
}


def _nmea(body: bytes) -> bytes | None:
    """What stands between ``$`` and ``*hh``."""
    content, star, said = body.lstrip(b"$").rpartition(b"*")
    said = said.rstrip()
    if not star or len(said) != 2 or b"$" in content:  # noqa: PLR2004 two digits
        return None
    return content if xor(content) == said.upper() else None
