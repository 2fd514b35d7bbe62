"""Entries of the buffer to messages: never two meta versions or topics in one.

{"v":1,"gw":G,"store":S,"meta":M,"lane":L,"again":true,"sent":T,"skipped":[[a,b]],
 "records":[R,R,...]}

``again`` and ``skipped`` only where they say something. A part of a picture travels
alone, on a topic that names the picture, with its bytes as they are behind one line:

{"v":1,"gw":G,"store":S,"meta":M,"seq":N,"kind":"media","t":T,...}
bytes
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from gateway.record import (
    RecordError,
    UndatedError,
    dated_as_read,
    kind_of,
    media_bytes,
    media_topic,
    meta_of,
    to_wire,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.record import Kind, When
    from gateway.uplink.lanes import LaneName
    from gateway.uplink.source import Entry
    from gateway.uplink.topics import Topics

PACKET_HEAD = 32
"""Bytes of a PUBLISH beside topic and payload: type, length (<= 5), topic's length,
packet id, property length; the rest is room for properties (MQTT 5, 3.3)."""
_RECORDS = b',"records":['


class Message(msgspec.Struct, frozen=True):
    """Some records of one lane, ready to be published."""

    topic: str
    payload: bytes
    meta: str
    first: int
    last: int
    records: int
    data_bytes: int
    tells: bool = False
    """Whether it tells what was skipped."""


class Undated(msgspec.Struct, frozen=True):
    """The first record waits until somebody can say when it was."""

    seq: int


class Misfit(msgspec.Struct, frozen=True):
    """One record that cannot be sent as it is."""

    seq: int
    reason: str


class Bounds(msgspec.Struct, frozen=True):
    """How large one message may be."""

    records: int
    payload: int
    """Aimed at: a single larger record still travels alone."""
    hard: int | None = None
    """Bytes of payload and topic that the platform takes at most."""


class Packer:
    """Joins stored records into messages of one gateway for one target."""

    def __init__(
        self,
        topics: Topics,
        gateway: str,
        store: str,
        *,
        when: When = dated_as_read,
        compress: bool = False,
    ) -> None:
        self._topics = topics
        self._gateway = gateway
        self._store = store
        self._when = when
        self._compress = compress
        self._openings: dict[tuple[str, bytes, LaneName, bool], bytes] = {}
        whose = {"v": 1, "gw": gateway, "store": store}
        self._whose = msgspec.json.encode(whose)[:-1] + b',"meta":"'

    def pack(
        self,
        entries: Sequence[Entry],
        bounds: Bounds,
        lane: LaneName,
        sent_ms: int,
        *,
        again: bool = False,
        skipped: bytes = b"",
    ) -> Message | Misfit | Undated:
        """The next message from the front of ``entries``.

        Args:
            entries: At least one, in seq order.
            bounds: Its size.
            lane: How it travels.
            sent_ms: Now, UTC ms.
            again: The order of the lane does not hold for it.
            skipped: Ready JSON that tells what was filtered out; left out where it
                would take the room of a record.

        Returns:
            A message of one or more records; a misfit where the first record is
            unreadable or larger than the platform takes.
        """
        first = entries[0]
        try:
            kind = kind_of(first.data)
            if kind == "media":
                return self._picture(first, bounds)
            topic = self._topic(kind)
            wires = [to_wire(first.seq, first.data, self._when)]
        except RecordError as exc:
            return Misfit(first.seq, str(exc))
        except UndatedError:
            return Undated(first.seq)
        meta = meta_of(first.data)
        opening = self._opening(topic, meta, lane, again=again) + b"%d" % sent_ms
        room = bounds.payload if bounds.hard is None else bounds.hard - len(topic)
        room = min(room, bounds.payload) - len(opening) - len(_RECORDS) - 2
        room -= len(wires[0])
        if len(skipped) > max(room, 0):
            skipped = b""
        room -= len(skipped)
        last = first
        for entry in entries[1 : bounds.records]:
            wire = self._joining(entry, topic, meta)
            if wire is None or (room := room - len(wire) - 1) < 0:
                break
            wires.append(wire)
            last = entry
        payload = b"".join((opening, skipped, _RECORDS, b",".join(wires), b"]}"))
        plain = len(payload)
        if self._compress:
            payload = compressed(payload)
        if bounds.hard is not None and len(payload) + len(topic) > bounds.hard:
            return Misfit(
                first.seq,
                f"{len(payload)} bytes with one record, the platform takes "
                f"{bounds.hard - len(topic)}",
            )
        return Message(
            topic,
            payload,
            meta.hex(),
            first.seq,
            last.seq,
            len(wires),
            plain,
            bool(skipped),
        )

    def _picture(self, entry: Entry, bounds: Bounds) -> Message | Misfit:
        """A part of a picture by itself: the same bytes whenever it is sent."""
        wire = to_wire(entry.seq, entry.data, self._when)
        meta = meta_of(entry.data).hex()
        topic = self._topics.media(media_topic(entry.data))
        head = b"".join((self._whose, meta.encode(), b'",', wire[1:], b"\n"))
        payload = head + media_bytes(entry.data)
        size = len(payload)
        if bounds.hard is not None and size + len(topic) > bounds.hard:
            return Misfit(
                entry.seq,
                f"{size} bytes with one part of a picture, the platform takes "
                f"{bounds.hard - len(topic)}: set a smaller part_bytes "
                "(vision, evidence)",
            )
        return Message(topic, payload, meta, entry.seq, entry.seq, 1, size)

    def _topic(self, kind: Kind) -> str:
        return self._topics.event if kind == "event" else self._topics.data

    def _joining(self, entry: Entry, topic: str, meta: bytes) -> bytes | None:
        """The record's JSON if it may share this message."""
        if meta_of(entry.data) != meta:
            return None
        try:
            kind = kind_of(entry.data)
            if kind == "media" or self._topic(kind) != topic:
                return None
            return to_wire(entry.seq, entry.data, self._when)
        except (RecordError, UndatedError):
            return None  # it will be first next time, and be said then

    def _opening(
        self, topic: str, meta: bytes, lane: LaneName, *, again: bool
    ) -> bytes:
        key = (topic, meta, lane, again)
        opening = self._openings.get(key)
        if opening is None:
            envelope = {
                "v": 1,
                "gw": self._gateway,
                "store": self._store,
                "meta": meta.hex(),
                "lane": lane,
            }
            if again:
                envelope["again"] = True
            text = msgspec.json.encode(envelope)
            opening = self._openings[key] = text[:-1] + b',"sent":'
        return opening


def compressed(payload: bytes) -> bytes:
    """A zstd frame around the payload, or the payload where that is no smaller."""
    import zstandard  # noqa: PLC0415 - 5 MiB that most sites do not need

    packed = zstandard.ZstdCompressor(level=3).compress(payload)
    return packed if len(packed) < len(payload) else payload
