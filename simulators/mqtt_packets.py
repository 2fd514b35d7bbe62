"""Just enough of MQTT to follow a stream of packets and to lay hands on some of them.

Source: MQTT Version 3.1.1, 2.2 (fixed header), 2.2.3 (remaining length), 3.3 (PUBLISH);
MQTT 5.0 has the same there, and properties after the packet identifier.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONNECT = 1
PUBLISH = 3
PUBACK = 4
_LENGTH_BYTES = 4
_MOST = 5
"""Bytes of the longest fixed header."""


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

    @property
    def between(self) -> bool:
        """Whether the last byte fed ended a packet: another may be put in here."""
        return self._mqtt and not self._body and self._length_at < 0

    def feed(self, data: bytes, *, drop: bool | Callable[[], bool]) -> bytes:
        """More bytes; returns what may pass.

        Args:
            data: The next piece of the stream.
            drop: Whether PUBACKs that begin in it are kept back; asked for each.
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
                self._header(data[at], drop)
            if not self._swallow:
                passed += data[at : at + size]
            at += size
        return bytes(passed)

    def _header(self, byte: int, drop: bool | Callable[[], bool]) -> None:
        if self._length_at < 0:
            self._length_at = 0
            self._length = 0
            self._swallow = byte >> 4 == PUBACK and (drop() if callable(drop) else drop)
            self.dropped += self._swallow
            return
        self._length |= (byte & 0x7F) << 7 * self._length_at
        self._length_at += 1
        if not byte & 0x80:
            self._body, self._length_at = self._length, -1
        elif self._length_at == _LENGTH_BYTES:
            self._mqtt = False


class Piece(NamedTuple):
    """Some bytes of a stream."""

    raw: bytes
    whole: bool
    """Exactly one packet; else a part of one, or no MQTT."""

    @property
    def type(self) -> int:
        """The packet's type; 0 for a part."""
        return self.raw[0] >> 4 if self.whole else 0


class Packets:
    """Cuts a stream into packets; what is no MQTT passes in pieces as it came.

    Args:
        first: Type of the packet the stream begins with, flags none; 0: any. TLS or a
            websocket may look like packets for a while, and then like half a packet.
    """

    def __init__(self, *, first: int = 0) -> None:
        self._first = first
        self._held = bytearray()
        self._rest = 0
        """Bytes to come of a packet whose beginning has passed."""
        self._mqtt = True

    @property
    def mqtt(self) -> bool:
        """Whether all so far may be MQTT."""
        return self._mqtt

    def feed(self, data: bytes, *, hold: bool) -> Iterator[Piece]:
        """More bytes.

        Args:
            data: The next piece of the stream.
            hold: Keep the beginning of a packet back until it is whole. Without,
                everything passes as soon as its fixed header is known.
        """
        if self._first and data:
            self._mqtt = data[0] == self._first << 4
            self._first = 0
        held = self._held
        held += data
        while held:
            size, whole = self._next(hold=hold)
            if not size:
                return
            raw = bytes(held[:size])
            del held[:size]
            yield Piece(raw, whole)

    def _next(self, *, hold: bool) -> tuple[int, bool]:
        held = len(self._held)
        if not self._mqtt:
            return held, False
        if self._rest:
            size = min(self._rest, held)
            self._rest -= size
            return size, False
        size = packet_size(self._held)
        if size < 0:
            self._mqtt = False
            return held, False
        if not size or (hold and held < size):
            return 0, False
        if held < size:
            self._rest = size - held
            return held, False
        return size, True


class Publish(NamedTuple):
    """What a PUBLISH says of itself."""

    topic: str
    qos: int
    packet_id: int
    """0 for QoS 0."""


def packet_size(data: bytes | bytearray) -> int:
    """Bytes of the packet that begins here; 0: not known yet, -1: no MQTT."""
    length = 0
    for at, byte in enumerate(data[1:_MOST]):
        length |= (byte & 0x7F) << 7 * at
        if not byte & 0x80:
            return 2 + at + length
    return 0 if len(data) < _MOST else -1


def body_at(packet: bytes) -> int:
    """Where the variable header of a whole packet begins."""
    at = 1
    while packet[at] & 0x80:
        at += 1
    return at + 1


def read_publish(packet: bytes) -> Publish:
    """Topic, QoS and packet identifier of a whole PUBLISH (MQTT 3.1.1, 3.3.2)."""
    at = body_at(packet)
    size = int.from_bytes(packet[at : at + 2], "big")
    topic = packet[at + 2 : at + 2 + size].decode("utf-8", "replace")
    qos = packet[0] >> 1 & 3
    after = at + 2 + size
    packet_id = int.from_bytes(packet[after : after + 2], "big") if qos else 0
    return Publish(topic, qos, packet_id)


def puback(packet_id: int) -> bytes:
    """Success, the same in both versions: MQTT 5 leaves reason code 0 out (3.4.2.1)."""
    return bytes([PUBACK << 4, 2]) + packet_id.to_bytes(2, "big")
