"""HJ 212 frames a second time, from the standard alone: what instruments send and hear.

Source: HJ 212-2017, 6.3 and annex A; the check follows the C code of annex A line by
line, bit by bit.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

_FRAME = re.compile(rb"##([0-9]{4})")
_ANSWER = re.compile(
    r"QN=([0-9]{17});ST=91;CN=(901[34]);PW=([^;]*);MN=([^;]*);Flag=([0-9]+);CP=&&&&"
)
_MOST_KEPT = 4096
_HEAD = 6
"""``##`` and the four digits of the length."""
_CHECK = 4


def check_of(data: bytes) -> str:
    """Four hex digits over a data segment."""
    register = 0xFFFF
    for byte in data:
        register = _eight_bits((register >> 8) ^ byte)
    return f"{register:04X}"


@cache
def _eight_bits(register: int) -> int:
    """The inner loop; one of 256 values goes in."""
    for _ in range(8):
        carry = register & 1
        register >>= 1
        if carry:
            register ^= 0xA001
    return register


def framed(segment: str) -> bytes:
    """The frame around a segment."""
    return enveloped(segment.encode("utf-8"))


def enveloped(data: bytes, check: str | None = None) -> bytes:
    """The frame around bytes; ``check`` where it is not that of these bytes."""
    check = check_of(data) if check is None else check
    return b"##" + b"%04d" % len(data) + data + check.encode() + b"\r\n"


class Cut(NamedTuple):
    """One frame as it stood in the stream; nothing of it is judged yet."""

    raw: bytes
    segment: bytes
    check: str
    """Four characters as they came."""
    tail: bytes
    """CR LF; what stood there instead; empty where nothing did."""
    before: bytes
    """Bytes between the frame before and this one."""


class Cutter:
    """Cuts a stream by ``##`` and the length, never by its ends of lines.

    Encrypted bytes may hold CR LF, ``##`` and ``&&``; so only the length counts.
    """

    def __init__(self) -> None:
        self._kept = b""
        self._before = b""

    def feed(self, data: bytes) -> list[Cut]:
        """Frames that are complete now."""
        self._kept += data
        found = []
        while (cut := self._next()) is not None:
            found.append(cut)
        return found

    @property
    def pending(self) -> bytes:
        """Bytes that are no whole frame yet."""
        return self._before + self._kept

    def _next(self) -> Cut | None:
        self._to_start()
        match = _FRAME.match(self._kept)
        if match is None:
            return None
        end = _HEAD + int(match[1])
        if len(self._kept) < end + _CHECK:
            return None
        tail = _tail_of(self._kept[end + _CHECK :])
        if tail is None:
            return None
        stop = end + _CHECK + len(tail)
        raw, self._kept = self._kept[:stop], self._kept[stop:]
        before, self._before = self._before, b""
        check = raw[end : end + _CHECK].decode("ascii", "replace")
        return Cut(raw, raw[_HEAD:end], check, tail, before)

    def _to_start(self) -> None:
        """Drop what cannot begin a frame; it is told with the next one."""
        while self._kept:
            at = self._kept.find(b"##")
            if at < 0:
                at = len(self._kept) - self._kept.endswith(b"#")
            skipped, self._kept = self._kept[:at], self._kept[at:]
            self._before = (self._before + skipped)[-_MOST_KEPT:]
            head = self._kept[2:_HEAD]
            if not head or head.isdigit():
                return
            self._before += self._kept[:1]
            self._kept = self._kept[1:]


def _tail_of(rest: bytes) -> bytes | None:
    """The tail at the start of ``rest``; None: more bytes are needed to know."""
    for tail in (b"\r\n", b"\\r\\n"):
        if rest.startswith(tail):
            return tail
    if any(tail.startswith(rest) for tail in (b"\r\n", b"\\r\\n")):
        return None
    return b""


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
