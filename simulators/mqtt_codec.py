"""The packets a publisher and a subscriber need, written from the standard.

For the load generator: thousands of clients in one process, without a thread or a
library's state each. Version 5 where ``v5``, else 3.1.1. Nothing is retransmitted here
and no state is kept: that is the client's.

Source: MQTT Version 5.0, 3.1 to 3.14; MQTT Version 3.1.1, the same sections.
"""

from __future__ import annotations

from typing import NamedTuple

from simulators.mqtt_packets import body_at

CONNACK, PUBLISH, PUBACK, SUBACK, PINGREQ, DISCONNECT = 2, 3, 4, 9, 12, 14
PINGREQ_PACKET = b"\xc0\x00"
DISCONNECT_PACKET = b"\xe0\x00"
_RECEIVE_MAXIMUM, _MAXIMUM_PACKET = 0x21, 0x27
_SIZES = {0x11: 4, 0x13: 2, 0x21: 2, 0x22: 2, 0x24: 1, 0x25: 1, 0x27: 4, 0x28: 1,
          0x29: 1, 0x2A: 1}  # fmt: skip
"""Bytes of the CONNACK properties that are numbers (3.2.2.3)."""


class Will(NamedTuple):
    """What the broker says for a client that is lost; QoS 1, retained."""

    topic: str
    payload: bytes


class ConnAck(NamedTuple):
    """The broker's answer to CONNECT."""

    code: int
    """0 = accepted."""
    session: bool
    receive_maximum: int
    maximum_packet: int | None


class Message(NamedTuple):
    """A PUBLISH from the broker."""

    topic: str
    payload: bytes
    qos: int
    packet_id: int
    retain: bool
    dup: bool


def connect(
    client_id: str,
    *,
    v5: bool,
    keepalive_s: int = 60,
    clean: bool = True,
    will: Will | None = None,
    kept_s: int = 3600,
) -> bytes:
    """CONNECT (3.1); ``kept_s``: how long a session that is not clean is kept."""
    flags = clean << 1
    payload = _text(client_id)
    if will is not None:
        flags |= 0x04 | 1 << 3 | 0x20
        payload += b"\x00" * v5 + _text(will.topic) + _binary(will.payload)
    properties = b""
    if v5:
        properties = b"" if clean else b"\x11" + kept_s.to_bytes(4, "big")
        properties = bytes([len(properties)]) + properties
    head = _text("MQTT") + bytes([5 if v5 else 4, flags])
    return _packet(0x10, head + keepalive_s.to_bytes(2, "big") + properties + payload)


def publish(
    topic: bytes,
    payload: bytes,
    packet_id: int,
    *,
    v5: bool,
    retain: bool = False,
    dup: bool = False,
) -> bytes:
    """PUBLISH at QoS 1 (3.3)."""
    head = len(topic).to_bytes(2, "big") + topic + packet_id.to_bytes(2, "big")
    return _packet(0x32 | retain | dup << 3, head + (b"\x00" if v5 else b"") + payload)


def subscribe(topic_filter: str, packet_id: int, *, v5: bool) -> bytes:
    """SUBSCRIBE at QoS 1 (3.8)."""
    head = packet_id.to_bytes(2, "big") + b"\x00" * v5
    return _packet(0x82, head + _text(topic_filter) + b"\x01")


def read_connack(packet: bytes, *, v5: bool) -> ConnAck:
    """CONNACK (3.2)."""
    at = body_at(packet)
    session, code = packet[at] & 1, packet[at + 1]
    found: dict[int, int] = {}
    if v5 and len(packet) > at + 2:
        size, at = _number(packet, at + 2)
        end = at + size
        while at < end:
            name = packet[at]
            at += 1
            if name in _SIZES:
                width = _SIZES[name]
                found[name] = int.from_bytes(packet[at : at + width], "big")
                at += width
            elif name == 0x26:  # noqa: PLR2004 a user property: two texts
                for _ in range(2):
                    at += 2 + int.from_bytes(packet[at : at + 2], "big")
            else:
                at += 2 + int.from_bytes(packet[at : at + 2], "big")
    return ConnAck(
        code,
        bool(session),
        found.get(_RECEIVE_MAXIMUM, 65_535),
        found.get(_MAXIMUM_PACKET),
    )


def read_puback(packet: bytes) -> tuple[int, int]:
    """PUBACK (3.4): packet identifier and reason code, 0 where there is none."""
    at = body_at(packet)
    packet_id = int.from_bytes(packet[at : at + 2], "big")
    return packet_id, packet[at + 2] if len(packet) > at + 2 else 0


def read_suback(packet: bytes, *, v5: bool) -> int:
    """SUBACK (3.9): the reason code of its one filter; 0x80 and above: refused."""
    at = body_at(packet) + 2
    if v5:
        size, at = _number(packet, at)
        at += size
    return packet[at]


def read_message(packet: bytes, *, v5: bool) -> Message:
    """PUBLISH (3.3)."""
    at = body_at(packet)
    size = int.from_bytes(packet[at : at + 2], "big")
    topic = packet[at + 2 : at + 2 + size].decode()
    at += 2 + size
    qos = packet[0] >> 1 & 3
    packet_id = 0
    if qos:
        packet_id = int.from_bytes(packet[at : at + 2], "big")
        at += 2
    if v5:
        properties, at = _number(packet, at)
        at += properties
    return Message(
        topic, packet[at:], qos, packet_id, bool(packet[0] & 1), bool(packet[0] & 8)
    )


def _packet(first: int, body: bytes) -> bytes:
    length, left = bytearray(), len(body)
    while True:
        left, byte = left >> 7, left & 0x7F
        length.append(byte | (0x80 if left else 0))
        if not left:
            return bytes([first]) + bytes(length) + body


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A variable byte integer (1.5.5), and where it ends."""
    value, shift = 0, 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at


def _text(text: str) -> bytes:
    return _binary(text.encode())


def _binary(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data
