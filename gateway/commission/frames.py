"""The few frames that find and question a device, and what answers them. Pure.

Modbus: reads of registers, and identification (functions 17 and 43/14) where it is
allowed. DL/T 645: read address, read data. Nothing here writes anything.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from drivers.modbus.wire import (
    crc_fits,
    read_request,
    rtu_frame,
    tcp_frame,
    walk_rtu,
    walk_tcp,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

WILD = "AAAAAAAAAAAA"
READ_DATA, READ_ADDRESS = 0x11, 0x13
READ_1997 = 0x01
ENERGY = "00010000"
ADDRESS_ITEM = "04000401"
"""Its own address: an item that nobody polls, so that a late answer to a search can be
taken for no poll's."""
_OFFSET = 0x33
_METER_HEAD = 10
_METER_REST = 2
_REQUEST_BYTES = 8
_ANSWERED = 0x80
_LENGTH_MOST = 200


def read_registers(
    unit: int, function: int, start: int, count: int, *, tcp: int = 0
) -> bytes:
    """A read as RTU, or as Modbus TCP with this number."""
    pdu = read_request(function, start, count).pdu
    return tcp_frame(tcp, unit, pdu) if tcp else rtu_frame(unit, pdu)


def report_id(unit: int) -> bytes:
    """Report Server ID (function 17)."""
    return rtu_frame(unit, b"\x11")


def device_id(unit: int) -> bytes:
    """Read Device Identification, basic stream (function 43, MEI 14)."""
    return rtu_frame(unit, b"\x2b\x0e\x01\x00")


def identity_text(unit: int, received: bytes) -> str:
    """The printable words of an identification answer; empty: none came."""
    for at in range(len(received) - 4):
        if received[at] != unit:
            continue
        if received[at + 1] == 0x11:  # noqa: PLR2004
            end = at + 5 + received[at + 2]
            body = received[at + 3 : end - 2]
        elif received[at + 1 : at + 3] == b"\x2b\x0e":
            end, body = len(received), received[at + 8 : -2]
        else:
            continue
        if end <= len(received) and crc_fits(received[at:end]):
            words = "".join(chr(b) if 32 <= b < 127 else " " for b in body)  # noqa: PLR2004
            return " ".join(words.split())
    return ""


class Answer(NamedTuple):
    """One Modbus answer."""

    unit: int
    function: int
    data: bytes
    exception: int


def rtu_answers(received: bytes) -> list[Answer]:
    """Every complete RTU answer in these bytes."""
    return [
        Answer(h.unit, h.function, received[h.start + 3 : h.end - 2], h.exception)
        for h in walk_rtu(received)
    ]


def tcp_answers(received: bytes) -> list[Answer]:
    """Every complete Modbus TCP answer in these bytes."""
    return [
        Answer(h.unit, h.function, received[h.start + 9 : h.end], h.exception)
        for h in walk_tcp(received)
    ]


def rtu_requests(heard: bytes) -> list[tuple[int, int]]:
    """Unit and function of every read request in these bytes: a master's words."""
    found, at = [], 0
    while at + _REQUEST_BYTES <= len(heard):
        frame = heard[at : at + _REQUEST_BYTES]
        if frame[1] in (1, 2, 3, 4, 5, 6) and crc_fits(frame):
            found.append((frame[0], frame[1]))
            at += _REQUEST_BYTES
        else:
            at += 1
    return found


def ascii_request(unit: int, function: int, start: int, count: int) -> bytes:
    """The same read in Modbus ASCII (MODBUS over Serial Line V1.02, 2.5.2)."""
    body = struct.pack(">BBHH", unit, function, start, count)
    return b":%b%02X\r\n" % (body.hex().upper().encode(), -sum(body) & 0xFF)


def ascii_answers(received: bytes) -> list[Answer]:
    """Every complete Modbus ASCII answer; a parity bit in the top bit is ignored."""
    found = []
    text = bytes(b & 0x7F for b in received)
    for line in text.split(b":")[1:]:
        digits = line.partition(b"\r")[0]
        try:
            body = bytes.fromhex(digits.decode("ascii"))
        except ValueError:
            continue
        if len(body) < 4 or sum(body) & 0xFF:  # noqa: PLR2004
            continue
        wrong = body[1] & _ANSWERED
        data = b"" if wrong else body[3:-1]
        found.append(Answer(body[0], body[1] & 0x7F, data, body[2] if wrong else 0))
    return found


# -- DL/T 645 -----------------------------------------------------------------


class MeterFrame(NamedTuple):
    """One DL/T 645 frame, data without the 33H."""

    address: str
    control: int
    data: bytes

    @property
    def answer(self) -> bool:
        """Whether a meter said it."""
        return bool(self.control & _ANSWERED)


def meter_request(address: str, control: int, data: bytes = b"") -> bytes:
    """A request with its wake-up bytes; ``AA`` stands for any two digits."""
    coded = bytes((b + _OFFSET) & 0xFF for b in data)
    low_first = bytes.fromhex(address)[::-1]
    body = b"\x68%b\x68%c%c%b" % (low_first, control, len(data), coded)
    return b"\xfe\xfe\xfe\xfe%b%c\x16" % (body, sum(body) & 0xFF)


def read_item(address: str, item: str) -> bytes:
    """A read of one identifier, such as ``02010100``."""
    return meter_request(address, READ_DATA, bytes.fromhex(item)[::-1])


def meter_frames(received: bytes) -> Iterator[MeterFrame]:
    """Every frame whose checksum and end are right, in any noise."""
    at = received.find(0x68)
    while 0 <= at <= len(received) - _METER_HEAD - _METER_REST:
        size = received[at + 9]
        end = at + _METER_HEAD + size + _METER_REST
        frame = received[at:end]
        if (
            size <= _LENGTH_MOST
            and len(frame) == end - at
            and frame[7] == 0x68  # noqa: PLR2004
            and frame[-1] == 0x16  # noqa: PLR2004
            and sum(frame[:-2]) & 0xFF == frame[-2]
        ):
            data = bytes((b - _OFFSET) & 0xFF for b in frame[10:-2])
            yield MeterFrame(frame[6:0:-1].hex().upper(), frame[8], data)
            at = received.find(0x68, end)
        else:
            at = received.find(0x68, at + 1)


def meters(received: bytes) -> list[str]:
    """Addresses of the meters that answered, each once."""
    told = [f.address for f in meter_frames(received) if f.answer]
    return [a for a in dict.fromkeys(told) if a.isdecimal()]
