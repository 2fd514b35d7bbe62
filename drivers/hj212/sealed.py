r"""Frames in a stream whose segments may be encrypted: by their length, not by content.

Encrypted bytes may be anything: ``##``, ``&&``, CR LF, the whole head of a frame. So
where a header stands, its length says where the frame ends, and what is inside is not
looked at before. That leaves two things to the check, for a length may be damage:

* a frame that does not hold is left behind by its header alone, and the search goes on
  inside of it;
* while one waits for bytes that its length promises, a frame inside of it that is whole
  and holds (head, check, and text once it is decrypted) is taken: the one that waited
  was none. That encrypted bytes look so by chance is out of the question.

Only for streams of whom a key was agreed with; all others are ``frame.FrameFinder``'s.

Source: HJ 212-2025, 6.3.1 and 6.4.2.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from drivers.hj212.deviations import Deviation, Refusal
from drivers.hj212.frame import HEADER, SEGMENT_LIMIT, TAIL, Frame
from drivers.hj212.seal import unseal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drivers.hj212.seal import Sm4

_HEADER = re.compile(rb"##([0-9]{4})")
_START = 6
_CRC_DIGITS = 4
_HEX = re.compile(rb"[0-9A-Fa-f]{4}")
_HEADS = (b"QN=", b"ST=")
_CLOSE = b"&&"
_PRINTED_TAIL = rb"\r\n"
_CHUNK = 16_384


class SealedFinder:
    """Takes bytes as they come, gives frames in plain text; one for a connection."""

    def __init__(self, keys: Sequence[Sm4]) -> None:
        """Prepare.

        Args:
            keys: Those that may be used, the likeliest first.
        """
        self.keys = tuple(keys)
        """May be replaced at any time; holds for what is not complete yet."""
        self.refused: Counter[Refusal] = Counter()
        """Candidates that were none, by cause."""
        self.deviations: Counter[Deviation] = Counter()
        """Those of tails; the others travel with their frame."""
        self.skipped = 0
        """Bytes that belonged to no frame that holds."""
        self._kept = bytearray()
        self._inner: list[tuple[int, int]] = []
        """Headers inside the candidate that waits: where they begin, where they end."""
        self._searched = _START
        self._after_frame = False

    @property
    def kept(self) -> int:
        """Bytes that wait for more."""
        return len(self._kept)

    def feed(self, data: bytes) -> list[Frame]:
        """Frames that are complete now, decrypted.

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
            end = self._end_of(0)
            if end > len(self._kept):
                at = self._inside()
                if at is None:
                    return None
                self.refused[Refusal.CUT_SHORT] += 1
                self._skip(at)
                end = self._end_of(0)
            frame = self._take(end)
            if frame is not None:
                return frame

    def _pass_tail(self) -> bool:
        """Step over what ends a frame; False while that cannot be told yet."""
        ahead = bytes(self._kept[: len(_PRINTED_TAIL)])
        for tail in (TAIL, _PRINTED_TAIL):
            if ahead.startswith(tail):
                if tail is _PRINTED_TAIL:
                    self.deviations[Deviation.PRINTED_TAIL] += 1
                self._drop(len(tail))
                self._after_frame = False
                return True
            if tail.startswith(ahead):
                return False
        self.deviations[Deviation.NO_TAIL] += 1
        self._after_frame = False
        return True

    def _at_header(self) -> bool:
        """Bring a header with its length to the front; False: none came yet."""
        match = _HEADER.search(self._kept)
        if match is not None:
            self._skip(match.start())
            return True
        # What could still become one: "##012" at the very end.
        keep = next(
            (n for n in range(_START - 1, 0, -1) if _begins(self._kept[-n:])), 0
        )
        self._skip(max(0, len(self._kept) - keep))
        return False

    def _end_of(self, at: int) -> int:
        """Where the frame ends, check included, whose header stands there."""
        start = at + len(HEADER)
        return at + _START + int(self._kept[start : at + _START]) + _CRC_DIGITS

    def _inside(self) -> int | None:
        """Where a whole frame stands inside the one that waits; None: nowhere."""
        for match in _HEADER.finditer(self._kept, self._searched):
            self._inner.append((match.start(), self._end_of(match.start())))
        self._searched = max(_START, len(self._kept) - _START + 1)
        kept, waiting = len(self._kept), list[tuple[int, int]]()
        found = None
        for at, end in self._inner:
            if end > kept:
                waiting.append((at, end))
            elif found is None and self._plain(at, end) is not None:
                found = at
        self._inner = waiting
        return found

    def _plain(self, at: int, end: int) -> bytes | None:
        """The plain segment of the frame from here to there, if it holds."""
        body = bytes(self._kept[at + _START : end - _CRC_DIGITS])
        check = bytes(self._kept[end - _CRC_DIGITS : end])
        if _HEX.fullmatch(check) is None or not body.startswith(_HEADS):
            return None
        if not body.endswith(_CLOSE):
            return None
        return unseal(body, int(check, 16), self.keys)

    def _take(self, end: int) -> Frame | None:
        """The frame at the front; None: it was none and is left behind."""
        check = bytes(self._kept[end - _CRC_DIGITS : end])
        segment = self._plain(0, end)
        if segment is None:
            hexadecimal = _HEX.fullmatch(check)
            self.refused[Refusal.CRC if hexadecimal else Refusal.LENGTH] += 1
            self._skip(len(HEADER))
            return None
        found: list[Deviation] = []
        if check != check.upper():
            found.append(Deviation.LOWER_CASE_CRC)
        if len(segment) > SEGMENT_LIMIT:
            found.append(Deviation.LONG_SEGMENT)
        self._drop(end)
        self._after_frame = True
        return Frame(segment, tuple(found))

    def _skip(self, count: int) -> None:
        self.skipped += count
        self._drop(count)

    def _drop(self, count: int) -> None:
        if count:
            del self._kept[:count]
            self._inner.clear()
            self._searched = _START


def _begins(data: bytes | bytearray) -> bool:
    """Whether this may be the start of a header with its length."""
    return HEADER.startswith(data) or (
        data.startswith(HEADER) and data[len(HEADER) :].isdigit()
    )
