"""Modbus on the wire: requests, answers, checksums and how long bytes travel.

Pure. One request is described once (:class:`Request`), whatever carries it::

    RTU   unit | function data... | crc lo hi
    TCP   id id 0 0 len len unit | function data...

ASCII frames have a module of their own (``ascii``).

Sources: MODBUS Application Protocol V1.1b3 (PDUs, limits), MODBUS over Serial Line
V1.02 (2.5.1: frames, CRC, 1.5 and 3.5 characters), MODBUS Messaging on TCP/IP V1.0b.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drivers.profiles.model import Table

READ_FUNCTION: Final[dict[Table, int]] = {
    "coil": 1,
    "discrete": 2,
    "holding": 3,
    "input": 4,
}
MAX_REGISTERS = 125
MAX_BITS = 2000
MAX_WRITE_REGISTERS = 123
MAX_WRITE_BITS = 1968

_READS = range(1, 5)
_WRITES = (5, 6, 15, 16)
_LAST_BIT_FUNCTION = 2
_EXCEPTION = 0x80
_COIL_ON = 0xFF00
_MBAP = 7
_MBAP_LENGTHS = range(3, 255)
_RTU_SHORTEST = 5
_RTU_WRITE = 8
_REFUSAL = 3
"""Unit, function, code."""


class Request(NamedTuple):
    """One request and what its answer must begin with."""

    function: int
    pdu: bytes
    expect: bytes
    """First bytes of the answer's PDU: function and byte count, or the whole echo."""
    size: int
    """Length of the answer's PDU."""


class Heard(NamedTuple):
    """A complete answer found among received bytes."""

    start: int
    end: int
    unit: int
    function: int
    """Without the exception bit."""
    size: int
    """Data bytes of a read's answer; 0 for writes and exceptions."""
    exception: int
    """0 for an ordinary answer."""
    number: int
    """Transaction id over TCP, -1 on a serial line."""


def read_request(function: int, start: int, count: int) -> Request:
    """A read by function 1 to 4 of ``count`` bits or registers from ``start``."""
    size = data_bytes(function, count)
    return Request(
        function,
        struct.pack(">BHH", function, start, count),
        bytes((function, size)),
        size + 2,
    )


def write_request(table: Table, address: int, words: Sequence[int]) -> Request:
    """A write of one (functions 5, 6) or several (15, 16) bits or registers.

    Raises:
        ValueError: The table is read-only, or more is written than one request holds.
    """
    if table not in {"coil", "holding"} or not words:
        raise ValueError(f"{table} {address}: nothing that can be written")
    coil = table == "coil"
    if len(words) == 1:
        function, value = (5, _COIL_ON * bool(words[0])) if coil else (6, words[0])
        pdu = struct.pack(">BHH", function, address, value)
        return Request(function, pdu, pdu, 5)
    most = MAX_WRITE_BITS if coil else MAX_WRITE_REGISTERS
    if len(words) > most:
        raise ValueError(f"{table} {address}: at most {most} at once, not {len(words)}")
    if coil:
        bits = sum(1 << i for i, word in enumerate(words) if word)
        data = bits.to_bytes((len(words) + 7) // 8, "little")
    else:
        data = struct.pack(f">{len(words)}H", *words)
    function = 15 if coil else 16
    head = struct.pack(">BHH", function, address, len(words))
    return Request(function, head + bytes((len(data),)) + data, head, 5)


def data_bytes(function: int, count: int) -> int:
    """How many data bytes an answer to a read carries."""
    return (count + 7) // 8 if function <= _LAST_BIT_FUNCTION else 2 * count


# -- RTU ----------------------------------------------------------------------


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (0xA001 if value & 1 else 0)
        table.append(value)
    return table


_CRC = _crc_table()


def crc16(data: bytes | bytearray) -> int:
    """CRC-16/MODBUS; sent low byte first. Check value: b"123456789" gives 0x4B37."""
    crc, table = 0xFFFF, _CRC
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc


def rtu_frame(unit: int, pdu: bytes) -> bytes:
    """Unit, PDU and checksum."""
    body = bytes((unit,)) + pdu
    return body + crc16(body).to_bytes(2, "little")


def crc_fits(frame: bytes | bytearray) -> bool:
    """Whether the last two bytes are the checksum of the others."""
    return crc16(frame[:-2]) == frame[-2] | frame[-1] << 8


def find_rtu(buffer: bytes | bytearray, head: bytes, length: int, since: int) -> int:
    """Where a frame that begins with ``head`` and has a right checksum starts.

    Returns:
        Offset at or after ``since``, or -1 while there is none that is complete.
    """
    at = buffer.find(head, since)
    while at >= 0 and at + length <= len(buffer):
        if crc_fits(buffer[at : at + length]):
            return at
        at = buffer.find(head, at + 1)
    return -1


def walk_rtu(buffer: bytes | bytearray) -> Iterator[Heard]:
    """Every complete answer with a right checksum, in any noise, of any unit."""
    at, end = 0, len(buffer)
    while at + _RTU_SHORTEST <= end:
        function, third = buffer[at + 1], buffer[at + 2]
        plain = function & ~_EXCEPTION
        size = exception = 0
        if function in _READS:
            size, length = third, _RTU_SHORTEST + third
        elif function in _WRITES:
            length = _RTU_WRITE
        elif function != plain and (plain in _READS or plain in _WRITES):
            exception, length = third, _RTU_SHORTEST
        else:
            at += 1
            continue
        if at + length <= end and crc_fits(buffer[at : at + length]):
            unit, start, at = buffer[at], at, at + length
            yield Heard(start, at, unit, plain, size, exception, -1)
        else:
            at += 1


def answer_of(body: bytes, length: int, start: int, end: int) -> Heard | None:
    """The answer that the content of a frame is, where the frame says its own end.

    Args:
        body: Unit and PDU, perhaps with more behind them.
        length: Bytes of unit and PDU.
        start: Where its frame began.
        end: Where it ended.

    Returns:
        None where it is no answer to a read or a write: its length does not fit.
    """
    function, third = body[1], body[2]
    plain = function & ~_EXCEPTION
    size = exception = 0
    if function in _READS:
        size, fits = third, length == 3 + third
    elif function in _WRITES:
        fits = length == _RTU_WRITE - 2
    else:
        exception = third
        fits = length == _REFUSAL and (plain in _READS or plain in _WRITES)
    if not fits:
        return None
    return Heard(start, end, body[0], plain, size, exception, -1)


# -- TCP ----------------------------------------------------------------------


def tcp_frame(number: int, unit: int, pdu: bytes) -> bytes:
    """MBAP header and PDU."""
    return struct.pack(">HHHB", number, 0, len(pdu) + 1, unit) + pdu


def tcp_head(number: int, unit: int, expect: bytes, size: int) -> bytes:
    """What an answer must begin with, PDU of ``size`` bytes from ``expect`` on."""
    return struct.pack(">HHHB", number, 0, size + 1, unit) + expect


def walk_tcp(buffer: bytes | bytearray) -> Iterator[Heard]:
    """Every complete answer, frame after frame, stepping over what is no header."""
    at, end = 0, len(buffer)
    while at + _MBAP + 2 <= end:
        number, protocol, length, unit = struct.unpack_from(">HHHB", buffer, at)
        if protocol or length not in _MBAP_LENGTHS:
            at += 1
            continue
        if at + 6 + length > end:
            return
        function, third = buffer[at + _MBAP], buffer[at + _MBAP + 1]
        plain = function & ~_EXCEPTION
        read = function in _READS and third == length - 3
        start, at = at, at + 6 + length
        yield Heard(
            start,
            at,
            unit,
            plain,
            third if read else 0,
            third if function != plain else 0,
            number,
        )


# -- time on the wire ---------------------------------------------------------


def char_bits(framing: str) -> int:
    """Bits of one character, start bit included: ``8N1`` has 10, ``8E1`` 11.

    Raises:
        ValueError: Not of the form data bits, parity (N, E, O), stop bits.
    """
    if (
        len(framing) != 3  # noqa: PLR2004 such as 8N1
        or framing[0] not in "78"
        or framing[1] not in "NEO"
        or framing[2] not in "12"
    ):
        raise ValueError(f"framing {framing!r}: expected such as 8N1, 8E1, 7E2")
    return 1 + int(framing[0]) + (framing[1] != "N") + int(framing[2])


def char_s(baud: int, framing: str) -> float:
    """Seconds one character takes."""
    return char_bits(framing) / baud


_FAST_BAUD = 19200
_FAST_SILENCE_S = 0.00175


def silence_s(baud: int, framing: str) -> float:
    """t3.5, the silence between frames: fixed at 1.75 ms above 19200 baud."""
    return _FAST_SILENCE_S if baud > _FAST_BAUD else 3.5 * char_s(baud, framing)
