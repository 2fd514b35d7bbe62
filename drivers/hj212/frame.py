r"""Frames in a stream of bytes: where one begins, whether it holds, what follows.

    ##  0101  QN=...;CP=&&...&&  1C80  \r\n
    |   |     |                  |     tail: not needed, its absence is counted
    |   |     |                  check over the segment, four hex digits
    |   |     data segment, so many bytes as the length says
    |   length, four decimal digits
    header

A frame is found by its header and length, never by its tail. A segment in plain text
has no ``##`` inside, so a header that is followed by another before its end was none,
or its frame was cut short: the search goes on at the next header at once, and nothing
that comes after damage waits for bytes that the damage promised. Every byte belongs to
one candidate only: time is linear, and what is kept is at most one frame of 9999 bytes.

(An encrypted segment of HJ 212-2025 may hold any byte. Instruments beside us do not
encrypt, and commands from a platform are not encrypted either; who opens sealed frames
takes them from a stream of their own.)

Source: HJ 212-2017, 6.3.1, table 2, and annex A.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

from drivers.hj212.crc import crc16
from drivers.hj212.deviations import Deviation, Refusal

HEADER = b"##"
TAIL = b"\r\n"
SEGMENT_LIMIT = 1024
"""Bytes; a longer segment should have been split."""
_PRINTED_TAIL = rb"\r\n"
_LENGTH_DIGITS = 4
_CRC_DIGITS = 4
_START = len(HEADER) + _LENGTH_DIGITS
_HEX = re.compile(rb"[0-9A-Fa-f]{4}")
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_MOST = 9999
_CHUNK = 16_384


class Frame(NamedTuple):
    """A frame whose length and check hold; its grammar was not looked at."""

    segment: bytes
    deviations: tuple[Deviation, ...] = ()


class FrameFinder:
    """Takes bytes as they come, gives frames; one for each connection or line."""

    def __init__(self) -> None:
        self.refused: Counter[Refusal] = Counter()
        """Candidates that were none, by cause."""
        self.deviations: Counter[Deviation] = Counter()
        """Those of tails; the others travel with their frame."""
        self.skipped = 0
        """Bytes that belonged to no frame that holds."""
        self._kept = bytearray()
        self._searched = 0
        """How far the candidate at the front was searched for the next header."""
        self._misfits = False
        """The candidate at the front does not hold at the length it gives."""
        self._after_frame = False

    @property
    def kept(self) -> int:
        """Bytes that wait for more."""
        return len(self._kept)

    def feed(self, data: bytes) -> list[Frame]:
        """Frames that are complete now.

        Args:
            data: What came, in pieces of any size.
        """
        found: list[Frame] = []
        for at in range(0, len(data), _CHUNK):
            self._kept += data[at : at + _CHUNK]
            while (frame := self._next()) is not None:
                found.append(frame)
        return found

    def _next(self) -> Frame | None:
        """The next frame; None: more bytes are needed."""
        while True:
            if self._after_frame and not self._pass_tail():
                return None
            if not self._at_header():
                return None
            frame, needs_more = self._judge()
            if frame is not None or needs_more:
                return frame

    def _pass_tail(self) -> bool:
        """Step over what ends a frame; False while that cannot be told yet."""
        ahead = bytes(self._kept[: len(_PRINTED_TAIL)])
        for tail in (TAIL, _PRINTED_TAIL):
            if ahead.startswith(tail):
                if tail is _PRINTED_TAIL:
                    self.deviations[Deviation.PRINTED_TAIL] += 1
                del self._kept[: len(tail)]
                self._after_frame = False
                return True
            if tail.startswith(ahead):
                return False
        self.deviations[Deviation.NO_TAIL] += 1
        self._after_frame = False
        return True

    def _at_header(self) -> bool:
        """Bring a header with its length to the front; False: none came yet."""
        kept = self._kept
        while True:
            at = kept.find(HEADER)
            if at < 0:
                self._skip(len(kept) - kept.endswith(b"#"))
                return False
            self._skip(at)
            digits = kept[len(HEADER) : _START]
            if digits.isdigit() or not digits:
                return len(digits) == _LENGTH_DIGITS
            self._skip(1)

    def _judge(self) -> tuple[Frame | None, bool]:
        """What the candidate at the front is: a frame, or None; and if it needs more.

        One that is refused is left behind: the search goes on at the next header.
        """
        kept = self._kept
        length = int(kept[len(HEADER) : _START])
        other = kept.find(HEADER, max(_START, self._searched - 1))
        self._searched = len(kept)
        closed = other >= 0
        limit = other if closed else len(kept)
        end = _START + length
        if limit < end + _CRC_DIGITS:
            return self._refuse(Refusal.CUT_SHORT) if closed else (None, True)
        if not self._misfits and length and self._holds(end):
            return self._take(end, ()), False
        self._misfits = True
        # Some count the characters of Chinese text where the standard counts bytes.
        later = self._end_in_characters(length, limit, closed=closed)
        if later is None:
            return None, True
        if later > end and self._holds(later):
            return self._take(later, (Deviation.LENGTH_IN_CHARACTERS,)), False
        hexadecimal = _HEX.fullmatch(kept, end, end + _CRC_DIGITS)
        return self._refuse(Refusal.CRC if hexadecimal else Refusal.LENGTH)

    def _holds(self, end: int) -> bool:
        """Whether four hex digits stand here and are the check of what is before."""
        kept = self._kept
        if _HEX.fullmatch(kept, end, end + _CRC_DIGITS) is None:
            return False
        return crc16(kept[_START:end]) == int(kept[end : end + _CRC_DIGITS], 16)

    def _end_in_characters(
        self, length: int, limit: int, *, closed: bool
    ) -> int | None:
        """Where a segment of so many characters ends; 0: nowhere; None: cannot tell."""
        kept = self._kept
        if _NOT_ASCII.search(kept, _START, _START + length) is None:
            return 0
        most = min(limit, _START + _MOST)
        try:
            text = kept[_START:most].decode()
        except UnicodeDecodeError as exc:
            # Cut in the middle of a character, or no UTF-8 at all.
            text = kept[_START : _START + exc.start].decode()
            if exc.reason != "unexpected end of data" and len(text) < length:
                return 0
        end = _START + len(text[:length].encode())
        if len(text) >= length and end + _CRC_DIGITS <= limit:
            return end
        return 0 if closed or limit >= _START + _MOST else None

    def _take(self, end: int, deviations: tuple[Deviation, ...]) -> Frame:
        kept = self._kept
        segment = bytes(kept[_START:end])
        check = kept[end : end + _CRC_DIGITS]
        found = [*deviations]
        if check != check.upper():
            found.append(Deviation.LOWER_CASE_CRC)
        if len(segment) > SEGMENT_LIMIT:
            found.append(Deviation.LONG_SEGMENT)
        del kept[: end + _CRC_DIGITS]
        self._forget()
        self._after_frame = True
        return Frame(segment, tuple(found))

    def _refuse(self, cause: Refusal) -> tuple[None, bool]:
        self.refused[cause] += 1
        self._skip(len(HEADER))
        return None, False

    def _skip(self, count: int) -> None:
        if count:
            self.skipped += count
            del self._kept[:count]
            self._forget()

    def _forget(self) -> None:
        self._searched, self._misfits = 0, False


def pack(segment: bytes, sealed: bytes | None = None) -> bytes:
    """The frame around a data segment.

    Args:
        segment: The segment in plain text, at most 9999 bytes.
        sealed: What travels in its place once it is encrypted (HJ 212-2025, 6.4.2):
            the check is over the plain text, and the length does not change.

    Raises:
        ValueError: Too long for four digits.
    """
    if not 0 < len(segment) <= _MOST:
        raise ValueError(
            f"expected a segment of 1 to {_MOST} bytes, got {len(segment)}"
        )
    body = segment if sealed is None else sealed
    return b"##%04d%b%04X\r\n" % (len(body), body, crc16(segment))
