"""JPEGs, whole or not: cv2 decodes a cut one without a word, its rest smeared grey.

Source: ITU-T T.81, B.1.1 (markers), B.1.1.5 (in scan data 0xFF is followed by 0x00 or
a restart marker); so the end found by walking the segments is the true one, whatever
thumbnails hide in application segments.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from vision.sources.source import LARGEST_PIXELS, SourceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SOI = b"\xff\xd8\xff"
_EOI, _SOS, _SOI_CODE, _TEM = 0xD9, 0xDA, 0xD8, 0x01
_RESTARTS = range(0xD0, 0xD8)
_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Frame headers (SOFn): they hold height and width."""
_IN_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


class NotJpegError(ValueError):
    """These bytes can never become a JPEG, whatever follows."""


class Walk:
    """Finds where a JPEG ends while its bytes still come; each byte is seen once."""

    def __init__(self) -> None:
        self._at = 2
        self._scanning = False
        self.pixels = 0

    def end(self, data: bytes | bytearray) -> int | None:
        """Bytes of the JPEG that ``data`` begins with; None: more are needed.

        Args:
            data: From the start of the picture; the same and longer on each call.

        Raises:
            NotJpegError: The structure is broken.
        """
        if len(data) >= 2 and data[:2] != SOI[:2]:  # noqa: PLR2004
            raise NotJpegError("expected ff d8")
        while True:
            if self._scanning:
                found = _IN_SCAN.search(data, self._at)
                if found is None:
                    self._at = max(self._at, len(data) - 1)
                    return None
                self._at, self._scanning = found.start(), False
            code = self._marker(data)
            if code is None:
                return None
            if code == _EOI:
                if not self.pixels:
                    raise NotJpegError("ends without a frame header")
                return self._at + 2
            if not self._segment(data, code):
                return None

    def _marker(self, data: bytes | bytearray) -> int | None:
        """The marker at our place; fill bytes before it are skipped."""
        while self._at + 1 < len(data) and data[self._at + 1] == 0xFF:  # noqa: PLR2004
            if data[self._at] != 0xFF:  # noqa: PLR2004
                raise NotJpegError("expected a marker")
            self._at += 1
        if self._at + 1 >= len(data):
            return None
        code = data[self._at + 1]
        # A second beginning: the picture before it was cut off.
        if data[self._at] != 0xFF or code in {0, _SOI_CODE}:  # noqa: PLR2004
            raise NotJpegError("expected a marker")
        return code

    def _segment(self, data: bytes | bytearray, code: int) -> bool:
        """Step over one marker and what belongs to it; False: more bytes needed."""
        if code in _RESTARTS or code == _TEM:
            self._at += 2
            return True
        if self._at + 4 > len(data):
            return False
        size = int.from_bytes(data[self._at + 2 : self._at + 4], "big")
        if size < 2:  # noqa: PLR2004 - it counts itself
            raise NotJpegError("a segment shorter than its length")
        if self._at + 2 + size > len(data):
            return False
        if code in _SIZES:
            if size < 8:  # noqa: PLR2004
                raise NotJpegError("a frame header too short")
            height = int.from_bytes(data[self._at + 5 : self._at + 7], "big")
            width = int.from_bytes(data[self._at + 7 : self._at + 9], "big")
            self.pixels = height * width
        self._at += 2 + size
        self._scanning = code == _SOS
        return True


class Whole(NamedTuple):
    """A complete JPEG's length and promised size."""

    end: int
    pixels: int


def whole(data: bytes | bytearray) -> Whole | None:
    """Where the JPEG that ``data`` begins with ends; None: it is cut off or broken."""
    walk = Walk()
    try:
        end = walk.end(data)
    except NotJpegError:
        return None
    return None if end is None else Whole(end, walk.pixels)


def decode(data: bytes | bytearray) -> NDArray[np.uint8]:
    """A complete JPEG as BGR, (height, width, 3) uint8.

    Raises:
        SourceError: ``corrupt``: cut off, no JPEG, too large or undecodable.
    """
    found = whole(data)
    if found is None:
        raise SourceError("corrupt", "vision.source.truncated", bytes=str(len(data)))
    if found.pixels > LARGEST_PIXELS:
        raise SourceError(
            "corrupt", "vision.source.too_many_pixels", pixels=str(found.pixels)
        )
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise SourceError("corrupt", "vision.source.undecodable", bytes=str(len(data)))
    return np.asarray(image, np.uint8)
