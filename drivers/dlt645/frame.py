"""The frame of DL/T 645, both editions: built in one place, found among anything.

    [FE ...] 68 A0..A5 68 C L DATA CS 16

A0..A5 are twelve BCD digits, low byte first; DATA is L bytes, each sent with 33H
added; CS is the sum of everything from the first 68 through DATA, modulo 256. FE before
a frame wakes the receiver and is no part of it. 68 and 16 occur inside data as well, so
a frame begins where two 68 stand seven apart and ends where L says.

Nothing here can build a frame that alters a meter: ``request`` knows the functions of
:class:`Function` and no other, and each with its own address and length only.

Source: DL/T 645-2007 and DL/T 645-1997 by two public implementations (PyPI dlt645,
WKJay/DLT645) and recorded frames; the standards' text was not at hand.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

START, END, WAKE = 0x68, 0x16, 0xFE
OFFSET = 0x33
ANSWER, REFUSED, MORE = 0x80, 0x40, 0x20
"""Bits of C: the meter's, an error answer, more data to be asked for."""
ANY_METER = "A" * 12
EVERY_METER = "9" * 12
"""The address of a broadcast: nobody answers."""
PREAMBLE = 4
OVERHEAD = 12
LONGEST = OVERHEAD + 255
_MARKS_APART = 7
_LENGTH_AT = 9


class Function(Enum):
    """Everything that this driver can send: questions, and the time where allowed."""

    READ = 0x11
    FOLLOW = 0x12
    READ_ADDRESS = 0x13
    READ_1997 = 0x01
    FOLLOW_1997 = 0x02
    BROADCAST_TIME = 0x08


_DATA_BYTES = {
    Function.READ: 4,
    Function.FOLLOW: 5,
    Function.READ_ADDRESS: 0,
    Function.READ_1997: 2,
    Function.FOLLOW_1997: 2,
    Function.BROADCAST_TIME: 6,
}


class Frame(NamedTuple):
    """One frame whose length, sum and end fit."""

    address: str
    """Twelve digits; A where a shortened address leaves them open."""
    control: int
    data: bytes
    """With the 33H taken off again."""
    raw: bytes
    """As it stood on the wire, without FE."""

    @property
    def from_meter(self) -> bool:
        """Whether a meter sent it; otherwise a master did, or it is our echo."""
        return bool(self.control & ANSWER)


def request(
    function: Function, address: str, data: bytes = b"", preamble: int = PREAMBLE
) -> bytes:
    """The bytes that ask.

    Args:
        function: What is asked.
        address: Twelve digits, the leading pairs may be AA (shortened address).
        data: Without 33H added: identifier low byte first, sequence number, time.
        preamble: FE before it, 1 to 4 by the standard; none for a peer that wants none.

    Raises:
        ValueError: The address or the length of data is none of this function's.
    """
    if len(data) != _DATA_BYTES[function]:
        raise ValueError(
            f"{function.name}: expected {_DATA_BYTES[function]} bytes, got {len(data)}"
        )
    to_all = address == EVERY_METER
    if to_all != (function is Function.BROADCAST_TIME):
        raise ValueError(f"{function.name}: not to address {address}")
    if function is Function.READ_ADDRESS and address != ANY_METER:
        raise ValueError(f"READ_ADDRESS: expected {ANY_METER}, got {address}")
    body = bytes((START, *encode_address(address), START, function.value, len(data)))
    body += bytes((byte + OFFSET) & 0xFF for byte in data)
    return bytes((WAKE,)) * preamble + body + bytes((sum(body) & 0xFF, END))


def encode_address(address: str) -> bytes:
    """Six bytes, low byte first.

    Raises:
        ValueError: It is not twelve digits behind leading pairs of A.
    """
    digits = address.lstrip("A")
    well = len(address) == 12 and len(digits) % 2 == 0  # noqa: PLR2004 - see above
    if not well or not (digits.isascii() and (digits.isdecimal() or not digits)):
        raise ValueError(f"expected twelve digits, got {address!r}")
    return bytes.fromhex(address)[::-1]


def matches(pattern: str, address: str) -> bool:
    """Whether a meter of this address answers to a (shortened) address."""
    return all(p in {"A", a} for p, a in zip(pattern, address, strict=True))


class Finder:
    """Finds frames in a growing buffer; what cannot begin one is deleted from it.

    A place that looks like the begin of a long frame holds nothing up: a whole frame
    behind it is found first. So neither noise with two 68 in it nor a doubled 68 can
    swallow what follows, and no byte is looked at for longer than a frame is long.
    """

    def __init__(self) -> None:
        self.damaged = False
        """Whether something had the shape of a frame and a wrong sum or end."""

    def find(self, buffer: bytearray) -> Frame | None:
        """The first whole frame, cut out with all before it; None: not yet."""
        open_at = -1
        at = buffer.find(START)
        while at >= 0:
            verdict = self._look(buffer, at)
            if isinstance(verdict, Frame):
                del buffer[: at + len(verdict.raw)]
                return verdict
            if verdict is None and open_at < 0:
                open_at = at
            at = buffer.find(START, at + 1)
        del buffer[: open_at if open_at >= 0 else len(buffer)]
        return None

    def _look(self, buffer: bytearray, at: int) -> Frame | bool | None:
        """The frame that begins here; False: none does; None: it may go on."""
        head = bytes(buffer[at : at + _LENGTH_AT + 1])
        if head[_MARKS_APART : _MARKS_APART + 1] not in {b"", bytes((START,))}:
            return False
        if len(head) <= _LENGTH_AT or len(buffer) < at + OVERHEAD + head[-1]:
            return None
        raw = bytes(buffer[at : at + OVERHEAD + head[-1]])
        if raw[-1] != END or sum(raw[:-2]) & 0xFF != raw[-2]:
            self.damaged = True
            return False
        address = raw[6:0:-1].hex().upper()
        digits = address.lstrip("A")
        if digits and not digits.isdecimal():
            return False
        data = bytes((byte - OFFSET) & 0xFF for byte in raw[10:-2])
        return Frame(address, raw[8], data, raw)


def di_bytes(di: str) -> bytes:
    """An identifier as it stands in data: written 00010000, sent 00 00 01 00."""
    return bytes.fromhex(di)[::-1]
