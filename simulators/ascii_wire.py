"""Modbus ASCII on the wire, the server's side, from the standard alone.

MODBUS over Serial Line V1.02, 2.5.2: a colon, two hexadecimal characters for each byte
of unit, PDU and LRC, then CR LF; 6.1: the LRC is the two's complement of the sum of the
bytes before it, without carries.
"""

from __future__ import annotations

_MAX_CHARACTERS = 513
_MIN_BYTES = 3
"""Unit, function, LRC."""
_DIGITS = b"0123456789ABCDEF"


def ascii_frame(unit: int, pdu: bytes) -> bytes:
    """Unit, PDU and LRC as characters."""
    out, total = bytearray(b":"), 0
    for byte in (unit, *pdu):
        out += bytes((_DIGITS[byte >> 4], _DIGITS[byte & 15]))
        total += byte
    check = (0x100 - total % 0x100) % 0x100
    return bytes(out) + bytes((_DIGITS[check >> 4], _DIGITS[check & 15])) + b"\r\n"


class AsciiSplitter:
    """Cuts a stream of request characters into frames; drops what is none.

    A colon begins a frame whatever stood before it, as the standard wants.
    """

    def __init__(self) -> None:
        self._line: bytearray | None = None
        self.dropped = 0
        """Characters that belonged to no frame."""

    @property
    def waiting(self) -> int:
        """Characters of an incomplete frame."""
        return len(self._line or b"")

    def forget(self) -> None:
        """Nothing: characters may be a second apart, and a colon begins anew."""

    def feed(self, data: bytes) -> list[tuple[int, bytes, bytes]]:
        """More characters; returns (unit, PDU, frame) for each whole frame."""
        found = []
        for character in data:
            if character == ord(":"):
                self.dropped += self.waiting
                self._line = bytearray()
            elif self._line is None:
                self.dropped += 1
                continue
            line = self._line
            line.append(character)
            if character == ord("\n"):
                self._line = None
                body = _body(bytes(line))
                if body is None:
                    self.dropped += len(line)
                else:
                    found.append((body[0], body[1:], bytes(line)))
            elif len(line) > _MAX_CHARACTERS:
                self.dropped += len(line)
                self._line = None
        return found


def _body(line: bytes) -> bytes | None:
    """Unit and PDU of a whole line; None where it is damaged."""
    digits = line[1:-2]
    if line[-2:] != b"\r\n" or len(digits) % 2 or any(d not in _DIGITS for d in digits):
        return None
    values = [
        _DIGITS.index(digits[i]) << 4 | _DIGITS.index(digits[i + 1])
        for i in range(0, len(digits), 2)
    ]
    if len(values) < _MIN_BYTES or sum(values) % 0x100:
        return None
    return bytes(values[:-1])
