"""Modbus ASCII frames: every byte as two hexadecimal characters, a sum at the end.

::

    ':' | unit function data... lrc, each as two of 0-9 A-F | CR LF

Pure. A colon always begins a frame and nothing else may contain one, so a frame that
was cut off costs only itself; characters may be as much as a second apart, for which
the exchange's own deadline stands. The LRC is a plain sum of eight bits: it lets one
damaged frame in 256 through where a line has no parity, so ASCII lines keep theirs
(7E1). Small letters are taken as well: some devices send them, the sum proves them.

Source: MODBUS over Serial Line V1.02, 2.5.2 (frame, delimiters, one second) and 2.5.2.2
(LRC: the two's complement of the sum of the content).
"""

from __future__ import annotations

from binascii import Error, a2b_hex
from typing import TYPE_CHECKING

from drivers.modbus.wire import Heard, answer_of

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = 513
"""A colon, two characters for each of 255 bytes, CR LF (V1.02, 2.5.2.1)."""
_COLON = 0x3A
_END = b"\r\n"
_SHORTEST = 4
"""Bytes: unit, function, one of content, LRC."""


def lrc(content: bytes | bytearray) -> int:
    """What the sum of content and itself brings back to zero."""
    return -sum(content) & 0xFF


def ascii_frame(unit: int, pdu: bytes) -> bytes:
    """Unit, PDU and sum, as characters."""
    body = bytes((unit,)) + pdu
    return ascii_head(body) + b"%02X\r\n" % lrc(body)


def ascii_head(content: bytes) -> bytes:
    """How a frame begins whose content begins so."""
    return b":" + content.hex().upper().encode("ascii")


def content(frame: bytes) -> bytes:
    """Unit, PDU and sum of a frame that :func:`find_ascii` found."""
    return a2b_hex(frame[1:-2])


def find_ascii(buffer: bytes | bytearray, head: bytes, length: int, since: int) -> int:
    """Where a frame that begins with ``head`` and has a right sum starts.

    Returns:
        Offset at or after ``since``, or -1 while there is none that is complete.
    """
    at = buffer.find(head, since)
    while at >= 0 and at + length <= len(buffer):
        if _opened(buffer, at, at + length - len(_END)) is not None:
            return at
        at = buffer.find(head, at + 1)
    return -1


def walk_ascii(buffer: bytes | bytearray) -> Iterator[Heard]:
    """Every complete answer with a right sum, in any noise, of any unit."""
    at = buffer.find(_COLON)
    while at >= 0:
        after = buffer.find(_COLON, at + 1)
        stop = min(at + LONGEST, len(buffer) if after < 0 else after)
        end = buffer.find(_END, at, stop)
        body = _opened(buffer, at, end) if end >= 0 else None
        if body is not None:
            heard = answer_of(body, len(body) - 1, at, end + len(_END))
            if heard is not None:
                yield heard
        at = after


def _opened(buffer: bytes | bytearray, at: int, end: int) -> bytes | None:
    """The content from a colon up to its line's end; None: damaged."""
    if buffer[end : end + len(_END)] != _END or (end - at) % 2 == 0:
        return None
    try:
        body = a2b_hex(buffer[at + 1 : end])
    except (Error, ValueError):  # no hexadecimal, or no ASCII at all
        return None
    return body if len(body) >= _SHORTEST and not sum(body) & 0xFF else None
