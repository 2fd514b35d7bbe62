"""HJ 212 frames a second time, from the standard alone: what instruments send and hear.

Source: HJ 212-2017, 6.3 and annex A; the check follows the C code of annex A line by
line, bit by bit.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_FRAME = re.compile(rb"##([0-9]{4})")
_ANSWER = re.compile(
    r"QN=([0-9]{17});ST=91;CN=(901[34]);PW=([^;]*);MN=([^;]*);Flag=([0-9]+);CP=&&&&"
)
_MOST_KEPT = 4096


def check_of(data: bytes) -> str:
    """Four hex digits over a data segment."""
    register = 0xFFFF
    for byte in data:
        register = (register >> 8) ^ byte
        for _ in range(8):
            carry = register & 1
            register >>= 1
            if carry:
                register ^= 0xA001
    return f"{register:04X}"


def framed(segment: str) -> bytes:
    """The frame around a segment."""
    data = segment.encode("utf-8")
    return b"##" + b"%04d" % len(data) + data + check_of(data).encode() + b"\r\n"


class Heard(NamedTuple):
    """One answer of a host."""

    qn: str
    cn: int
    pw: str
    mn: str
    flag: int


class Hearing:
    """Cuts what a host sends into answers; anything else is wrong."""

    def __init__(self) -> None:
        self.wrong: list[bytes] = []
        """What was no answer in the standard's form."""
        self._kept = b""

    def feed(self, data: bytes) -> list[Heard]:
        """Answers that are complete now."""
        self._kept += data
        found = []
        while self._kept:
            match = _FRAME.match(self._kept)
            if match is None:
                if len(self._kept) >= 6 or not b"##".startswith(self._kept[:2]):  # noqa: PLR2004
                    self.wrong.append(self._kept[:_MOST_KEPT])
                    self._kept = b""
                break
            end = 6 + int(match[1])
            if len(self._kept) < end + 6:
                break
            whole, self._kept = self._kept[: end + 6], self._kept[end + 6 :]
            heard = self._read(whole[6:end], whole[end:])
            if heard is None:
                self.wrong.append(whole)
            else:
                found.append(heard)
        return found

    def _read(self, segment: bytes, tail: bytes) -> Heard | None:
        if tail != check_of(segment).encode() + b"\r\n":
            return None
        match = _ANSWER.fullmatch(segment.decode("ascii", "replace"))
        if match is None:
            return None
        return Heard(match[1], int(match[2]), match[3], match[4], int(match[5]))
