"""The few frames that find and question a device, and what answers them. Pure.

Modbus: reads of registers, and identification (functions 17 and 43/14) where it is
allowed. DL/T 645: read address, read data. Nothing here writes anything. The framing is
the drivers' own: what finds a device is what will poll it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from drivers.dlt645.frame import ANY_METER, Finder, Function, di_bytes, request
from drivers.dlt645.question import told_address
from drivers.modbus.ascii import ascii_frame, content, walk_ascii
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

    from drivers.dlt645.frame import Frame

ENERGY, ENERGY_1997 = "00010000", "9010"
ADDRESS_ITEM = "04000401"
"""Its own address: an item that nobody polls, so that a late answer to a search can be
taken for no poll's."""
_REQUEST_BYTES = 8


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
            body, end = _objects(received, at + 8)
        else:
            continue
        if end <= len(received) and crc_fits(received[at:end]):
            words = "".join(chr(b) if 32 <= b < 127 else " " for b in body)  # noqa: PLR2004
            return " ".join(words.split())
    return ""


def _objects(received: bytes, at: int) -> tuple[bytes, int]:
    """The texts of the objects that begin here, and where their frame ends.

    Each is its number, its length and its text (V1.1b3, 6.21); before the first stands
    how many there are.
    """
    texts = []
    for _ in range(received[at - 1] if at <= len(received) else 0):
        if at + 1 >= len(received):
            break
        begin, at = at + 2, at + 2 + received[at + 1]
        texts.append(received[begin:at])
    return b" ".join(texts), at + 2


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
    """The same read in Modbus ASCII."""
    return ascii_frame(unit, read_request(function, start, count).pdu)


def ascii_answers(received: bytes) -> list[Answer]:
    """Every complete Modbus ASCII answer; a parity bit in the top bit is ignored."""
    text = bytes(b & 0x7F for b in received)
    return [
        Answer(h.unit, h.function, content(text[h.start : h.end])[3:-1], h.exception)
        for h in walk_ascii(text)
    ]


# -- DL/T 645 -----------------------------------------------------------------


def read_address() -> bytes:
    """Asks whatever meter hears it for its address."""
    return request(Function.READ_ADDRESS, ANY_METER)


def read_item(address: str, item: str) -> bytes:
    """A read of one identifier, such as ``02010100``, or of 1997, such as ``9010``."""
    old = len(item) == len(ENERGY_1997)
    function = Function.READ_1997 if old else Function.READ
    return request(function, address, di_bytes(item))


def meter_frames(received: bytes) -> Iterator[Frame]:
    """Every frame whose checksum and end are right, in any noise."""
    finder, left = Finder(), bytearray(received)
    while (frame := finder.find(left)) is not None:
        yield frame


def meters(received: bytes) -> list[str]:
    """Addresses of the meters that answered, each once."""
    told = [told_address(frame) for frame in meter_frames(received)]
    return [address for address in dict.fromkeys(told) if address is not None]
