"""Just enough of MQTT to tell packets apart in a stream of bytes.

Source: MQTT Version 3.1.1 and 5.0, 2.1 (fixed header) and 2.2.3 / 1.5.5 (variable byte
integer); the fixed header is the same in both.
"""

from __future__ import annotations

PUBLISH = 3
PUBACK = 4
_LENGTH_BYTES = 4


class PacketSplitter:
    """Cuts a stream into control packets."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[bytes]:
        """More bytes; returns the whole packets."""
        buffer = self._buffer + data if self._buffer else data
        packets = []
        at = 0
        while (end := _end_of_packet(buffer, at)) is not None and end <= len(buffer):
            packets.append(buffer[at:end])
            at = end
        self._buffer = buffer[at:]
        return packets


def _end_of_packet(buffer: bytes, at: int) -> int | None:
    """Where the packet at ``at`` ends; None while its length has not arrived."""
    length = 0
    for i in range(_LENGTH_BYTES):
        place = at + 1 + i
        if place >= len(buffer):
            return None
        length |= (buffer[place] & 0x7F) << 7 * i
        if not buffer[place] & 0x80:
            return place + 1 + length
    raise ValueError(f"not an MQTT packet: {buffer[at : at + 5]!r}")


def is_puback(packet: bytes) -> bool:
    """Whether it acknowledges a QoS 1 message."""
    return packet[0] >> 4 == PUBACK
