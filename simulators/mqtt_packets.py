"""Just enough of MQTT to leave PUBACKs out of a stream of bytes.

Source: MQTT Version 3.1.1, 2.2 (fixed header) and 2.2.3 (remaining length); MQTT 5.0,
2.1, has the same.
"""

from __future__ import annotations

PUBACK = 4
_LENGTH_BYTES = 4


class AckFilter:
    """Passes bytes on at once, and keeps PUBACK packets back while told to.

    It follows packet by packet from the first byte of a connection, so that it may be
    switched at any time. A stream that is no MQTT passes unchanged.
    """

    def __init__(self) -> None:
        self.dropped = 0
        """PUBACKs kept back."""
        self._body = 0
        self._length = 0
        self._length_at = -1
        """Which byte of the remaining length comes next; -1 = a new packet."""
        self._swallow = False
        self._mqtt = True

    def feed(self, data: bytes, *, drop: bool) -> bytes:
        """More bytes; returns what may pass.

        Args:
            data: The next piece of the stream.
            drop: Whether PUBACKs that begin in it are kept back.
        """
        passed = bytearray()
        at = 0
        while at < len(data):
            if not self._mqtt:
                passed += data[at:]
                break
            size = min(self._body, len(data) - at) or 1
            if self._body:
                self._body -= size
            else:
                self._header(data[at], drop=drop)
            if not self._swallow:
                passed += data[at : at + size]
            at += size
        return bytes(passed)

    def _header(self, byte: int, *, drop: bool) -> None:
        if self._length_at < 0:
            self._length_at = 0
            self._length = 0
            self._swallow = drop and byte >> 4 == PUBACK
            self.dropped += self._swallow
            return
        self._length |= (byte & 0x7F) << 7 * self._length_at
        self._length_at += 1
        if not byte & 0x80:
            self._body, self._length_at = self._length, -1
        elif self._length_at == _LENGTH_BYTES:
            self._mqtt = False
