"""DL/T 645 as a meter speaks it, written from the standard's frame and nothing of ours.

    [FE] 68 address(6, low byte first) 68 C L data(+33H) CS 16

A meter believes a request whose sum fits and whose address is its own, AA..AA, or its
own last digits behind AA. Values are BCD, low byte first.

Source: DL/T 645-2007, chapters 5 to 7, by descriptions and recorded frames.
"""

from __future__ import annotations

from typing import NamedTuple

READ_2007, FOLLOW_2007, ADDRESS_2007 = 0x11, 0x12, 0x13
READ_1997, FOLLOW_1997 = 0x01, 0x02
TIME = 0x08
READS = {READ_2007: 4, READ_1997: 2}
"""Function -> bytes of an identifier."""
WAKE = b"\xfe" * 4
LONGEST_ANSWER = 200
_LEAST = 12


class Asked(NamedTuple):
    """One request as it came."""

    address: str
    """Twelve characters as written on the meter; A for a digit left open."""
    code: int
    data: bytes
    raw: bytes


def dressed(address: str, code: int, data: bytes, wake: int = 4) -> bytes:
    """A whole frame."""
    numbers = [int(address[i : i + 2], 16) for i in range(10, -1, -2)]
    frame = [0x68, *numbers, 0x68, code, len(data), *((b + 0x33) % 256 for b in data)]
    return bytes([0xFE] * wake + [*frame, sum(frame) % 256, 0x16])


class Listener:
    """Cuts requests out of what arrives."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> list[Asked]:
        """The requests that are complete now."""
        held, asked = self._held + data, []
        while True:
            begin = held.find(b"\x68")
            if begin < 0:
                held = b""
                break
            held = held[begin:]
            if len(held) < _LEAST:
                break
            size = _LEAST + held[9]
            if held[7] != 0x68:  # noqa: PLR2004 - the second mark
                held = held[1:]
                continue
            if len(held) < size:
                break
            frame = held[:size]
            if frame[-1] != 0x16 or sum(frame[:-2]) % 256 != frame[-2]:  # noqa: PLR2004
                held = held[1:]
                continue
            address = "".join(f"{b:02X}" for b in reversed(frame[1:7]))
            plain = bytes((b - 0x33) % 256 for b in frame[10:-2])
            asked.append(Asked(address, frame[8], plain, frame))
            held = held[size:]
        self._held = held[-300:]
        return asked

    def forget(self) -> None:
        """Silence: what was begun is not ended."""
        self._held = b""


def meant(asked: str, own: str) -> bool:
    """Whether a meter answers to this address."""
    return all(a in ("A", b) for a, b in zip(asked, own, strict=True))


def bcd(number: int, size: int, *, minus: bool = False) -> bytes:
    """A number of so many bytes, the last two digits first; 80H says minus."""
    digits = f"{number:0{2 * size}d}"
    if len(digits) > 2 * size:
        raise ValueError(f"{number} has no room in {size} bytes")
    data = bytearray(int(digits[i : i + 2], 16) for i in range(2 * size - 2, -1, -2))
    if minus:
        data[-1] |= 0x80
    return bytes(data)
