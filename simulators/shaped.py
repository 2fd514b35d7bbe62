"""Registers that hold no plain number, written a second time from the profile's words.

BCD: four bits a decimal digit, the first in the highest. Texts: two characters a
register, or one in its low byte. Times: a form (words, bytes, bcd) and its fields in
the order of the wire, or seconds since 1970.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drivers.profiles.model import ModbusPoint

BCD_DIGITS = {"bcd16": 4, "bcd32": 8, "bcd64": 16}
_CHINA_S = 8 * 3600


def bcd_bytes(number: int, kind: str) -> bytes:
    """Decimal digits, two in each byte."""
    digits = [int(digit) for digit in f"{number:0{BCD_DIGITS[kind]}d}"]
    return bytes(16 * a + b for a, b in zip(digits[::2], digits[1::2], strict=True))


def text_bytes(text: str, point: ModbusPoint) -> bytes:
    """A text as its point's registers hold it, padded with NUL."""
    room = point.length if point.layout == "low" else 2 * point.length
    data = text.encode(point.encoding)[:room].ljust(room, b"\0")
    if point.layout == "low":
        return b"".join(bytes((0, character)) for character in data)
    if point.layout == "low_high":
        return b"".join(bytes((data[i + 1], data[i])) for i in range(0, room, 2))
    return data


def time_bytes(utc_s: float, layout: str, offset_s: int = _CHINA_S) -> bytes:
    """A time as its point's registers hold it, most significant byte first.

    Args:
        utc_s: Seconds since 1970.
        layout: As of the profile.
        offset_s: What the instrument's clock is ahead of UTC.
    """
    if layout.startswith("unix"):
        size = 4 if layout == "unix32" else 8
        number = int(utc_s * 1000) if layout.endswith("ms") else int(utc_s)
        return number.to_bytes(size, "big")
    form, _, fields = layout.partition(":")
    year, month, day, hour, minute, second, weekday, *_ = time.gmtime(utc_s + offset_s)
    whole = {"M": month, "D": day, "h": hour, "m": minute, "s": second}
    whole |= {"W": weekday + 1, "x": 0, "Y": year % 100}
    out = bytearray()
    left = fields
    while left:
        letter, number, size = left[0], whole[left[0]], 1
        if form == "words":
            number, size = (year if letter == "Y" else number), 2
        elif left.startswith("YY"):
            number, size = year, 2
        left = left[1 if form == "words" else size :]
        if form == "bcd":
            out += bytes.fromhex(f"{number:0{2 * size}d}")
        else:
            out += number.to_bytes(size, "big")
    return bytes(out)
