"""A platform's reading of what a gateway publishes, written from its documentation.

Topics ``{prefix}/{gateway}/status | meta/{id} | data | event``; payloads as the
project's ``docs/mqtt.md`` describes them. A record is named by (gateway, store, seq);
records and ``lost`` ranges together cover every seq once. :class:`Consumer` is fed
messages and forms a :class:`~simulators.verdict.Verdict`; it does no I/O.
"""

from __future__ import annotations

import math
import zlib
from collections import OrderedDict, defaultdict
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from simulators import bench
from simulators.intervals import Intervals
from simulators.verdict import Times, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulators.profiled import Expectation

_REMEMBERED = 200_000
"""Records whose content is kept to compare with repeats, per store."""
_ZSTD = b"\x28\xb5\x2f\xfd"
"""Magic number of a zstd frame (RFC 8878, 3.1.1)."""
_SLOT_SLACK = 0.5
"""Part of a period that a scan may be late before a slot counts as missed."""
_CATCH_UP = 4
"""A busy machine's late scan is followed by the next within so many."""


class _Data(msgspec.Struct):
    """A ``data`` or ``event`` message."""

    v: int
    gw: str
    store: str
    meta: str
    lane: str
    sent: int
    records: list[msgspec.Raw]


class _Record(msgspec.Struct):
    """One record of any kind; unknown keys are ignored, as the rules ask."""

    seq: int
    kind: str
    t: int
    device: str | None = None
    until: int | None = None
    values: dict[str, Any] = {}
    q: dict[str, tuple[str, str]] = {}
    points: list[str] = []
    slots: int = 0
    seq_from: int | None = None
    seq_to: int | None = None
    counts: dict[str, int] = {}
    certain: bool = True
    clock: str | None = None


@dataclass
class _Store:
    """What is known of one store of one gateway."""

    arrived: Intervals = field(default_factory=Intervals)
    lost: Intervals = field(default_factory=Intervals)
    unsure: Intervals = field(default_factory=Intervals)
    stated: set[tuple[int, int]] = field(default_factory=set)
    """Ranges of ``lost`` records."""
    contents: OrderedDict[int, int] = field(default_factory=OrderedDict)
    last_seq: dict[tuple[str, str, str], int] = field(default_factory=dict)


@dataclass
class _Slots:
    """Whether every slot of one device and period was accounted for."""

    every_ms: int
    times: list[int] = field(default_factory=list)
    gaps: dict[int, int] = field(default_factory=dict)
    """Start of a gap -> slots; a restated gap replaces its earlier statement."""
    lost: int = 0


class Consumer:
    """De-duplicates, orders, compares and counts.

    Args:
        start_utc_ms: When the shared start of benchmark devices was; switches the
            check of their times on.
        expectations: Device name -> what it must have shown.
        retime_ms: How far a record's time may lie from the device's own instant.
        from_seq: The first seq that must have arrived; None = the first that did.
    """

    def __init__(
        self,
        *,
        start_utc_ms: int | None = None,
        expectations: Mapping[str, Expectation] | None = None,
        retime_ms: float = 2000.0,
        from_seq: int | None = None,
    ) -> None:
        self.start_utc_ms = start_utc_ms
        self._expectations = expectations or {}
        self._retime_ms = retime_ms
        self._from_seq = from_seq
        self._verdict = Verdict()
        self._latency = Times()
        self._slowest = 0.0
        self._stores: defaultdict[tuple[str, str], _Store] = defaultdict(_Store)
        self._slots: dict[tuple[str, int], _Slots] = {}
        self._every: dict[str, dict[str, dict[str, int]]] = {}
        self._first_ms: float | None = None
        self._last_ms: float | None = None
        self._decode = msgspec.json.Decoder(_Data).decode
        self._decode_record = msgspec.json.Decoder(_Record).decode
        self.status: dict[str, dict[str, Any]] = {}
        """Gateway -> its last status message."""
        self.metas: dict[str, dict[str, Any]] = {}
        """Meta id -> its content."""

    # -- feeding ------------------------------------------------------------

    def feed(
        self, topic: str, payload: bytes, at_ms: float, *, retained: bool = False
    ) -> None:
        """One message.

        Args:
            topic: Its full topic.
            payload: As received, perhaps compressed.
            at_ms: When it arrived, UTC ms.
            retained: Whether the broker kept it from before.
        """
        kind = topic.rsplit("/", 2)
        try:
            if "meta" in kind[1:-1]:
                self._take_meta(payload)
            elif kind[-1] == "status":
                self._take_status(payload)
            elif kind[-1] in {"data", "event"}:
                self._take_data(payload, at_ms)
        except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as exc:
            self._verdict.note(
                "unreadable", f"{topic} (retained: {retained}): {exc}: {payload[:80]!r}"
            )

    def _take_meta(self, payload: bytes) -> None:
        if not payload:
            return  # emptied: no stored record refers to it any more
        meta: dict[str, Any] = msgspec.json.decode(_plain(payload))
        self.metas[meta["meta"]] = meta
        periods: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for point in meta.get("points", ()):
            periods[point["device"]][point["name"]] = point["every_ms"]
        self._every[meta["meta"]] = periods

    def _take_status(self, payload: bytes) -> None:
        status: dict[str, Any] = msgspec.json.decode(payload)
        self.status[status["gw"]] = status

    def _take_data(self, payload: bytes, at_ms: float) -> None:
        message = self._decode(_plain(payload))
        if message.v != 1:
            raise ValueError(f"expected v 1, got {message.v}")
        self._pass_time(at_ms)
        self._verdict.messages += 1
        store = self._stores[message.gw, message.store]
        for raw in message.records:
            self._take_record(store, message, raw, at_ms)

    def _pass_time(self, at_ms: float) -> None:
        verdict = self._verdict
        if self._last_ms is None or self._first_ms is None:
            self._first_ms = at_ms
            verdict.first_utc_ms = int(at_ms)
        else:
            silence = int(at_ms - self._last_ms)
            verdict.longest_silence_ms = max(verdict.longest_silence_ms, silence)
        self._last_ms = at_ms

    # -- one record ---------------------------------------------------------

    def _take_record(
        self, store: _Store, message: _Data, raw: msgspec.Raw, at_ms: float
    ) -> None:
        record = self._decode_record(raw)
        data = bytes(raw)
        if store.arrived.add(record.seq, record.seq):
            self._take_again(store, record, data)
            return
        store.contents[record.seq] = zlib.crc32(data)
        if len(store.contents) > _REMEMBERED:
            store.contents.popitem(last=False)
        self._verdict.records += 1
        if record.seq in store.lost:
            self._verdict.note("covered_twice", f"seq {record.seq} arrived and is lost")
        if record.kind == "lost":
            self._take_lost(store, record)
            return
        self._check_order(store, record, message.lane)
        if record.kind == "scan":
            self._take_scan(record, message, at_ms)
        elif record.kind == "gap":
            self._take_gap(record, message.meta)
        elif record.kind == "event":
            self._verdict.events += 1

    def _take_again(self, store: _Store, record: _Record, data: bytes) -> None:
        self._verdict.duplicates += 1
        known = store.contents.get(record.seq)
        if known is not None and known != zlib.crc32(data):
            self._verdict.note(
                "conflicts", f"seq {record.seq} came again as {data[:120]!r}"
            )

    def _check_order(self, store: _Store, record: _Record, lane: str) -> None:
        key = (lane, record.kind, record.device or "")
        last = store.last_seq.get(key, -1)
        if record.seq < last:
            self._verdict.note(
                "disordered", f"seq {record.seq} of {record.device} after {last}"
            )
        store.last_seq[key] = max(record.seq, last)

    def _take_lost(self, store: _Store, record: _Record) -> None:
        if record.seq_from is None or record.seq_to is None:
            raise ValueError(
                f"seq {record.seq}: a lost record without seq_from, seq_to"
            )
        verdict = self._verdict
        stated = (record.seq_from, record.seq_to)
        if stated in store.stated:
            # The same loss under another seq: who states it may itself have been lost.
            verdict.duplicates += 1
            return
        store.stated.add(stated)
        if record.certain:
            already = sum(
                max(0, min(last, record.seq_to) - max(first, record.seq_from) + 1)
                for first, last in store.arrived
            )
            already += store.lost.add(record.seq_from, record.seq_to)
            if already:
                verdict.note(
                    "covered_twice",
                    f"{already} of seqs {record.seq_from} to {record.seq_to}"
                    " are stated lost for certain and were accounted for before",
                )
        else:
            store.unsure.add(record.seq_from, record.seq_to)
        for device, count in record.counts.items():
            for (name, _), slots in self._slots.items():
                if name == device:
                    slots.lost += count

    def _take_gap(self, record: _Record, meta: str) -> None:
        self._verdict.gaps += 1
        device = record.device or ""
        periods = self._every.get(meta, {}).get(device, {})
        for every_ms in {
            every
            for name, every in periods.items()
            if name in record.points or "*" in record.points
        }:
            slots = self._slots.setdefault((device, every_ms), _Slots(every_ms))
            slots.gaps[record.t] = max(slots.gaps.get(record.t, 0), record.slots)

    def _take_scan(self, record: _Record, message: _Data, at_ms: float) -> None:
        verdict = self._verdict
        device = record.device or ""
        verdict.scans += 1
        verdict.values += len(record.values)
        verdict.devices[device] = verdict.devices.get(device, 0) + 1
        for name, (quality, reason) in record.q.items():
            verdict.bad += quality == "bad"
            verdict.reasons[reason] = verdict.reasons.get(reason, 0) + 1
            if (quality == "bad") == (name in record.values):
                verdict.note("wrong", f"seq {record.seq}: {name} is {quality} {reason}")
        self._check_values(record, device)
        born_ms = self._birth(record)
        if message.lane == "live":
            latency = at_ms - born_ms
            self._latency.add(latency)
            self._slowest = max(self._slowest, latency)
        periods = self._every.get(message.meta, {}).get(device)
        if periods:
            self._take_slot(record, device, periods)

    def _birth(self, record: _Record) -> float:
        """The device's own instant, UTC ms; the record's time where it has none."""
        if self.start_utc_ms is not None and record.clock is None:
            for name, value in record.values.items():
                address = bench.address_of(name)
                if address is None or bench.kind_of(address) != "age":
                    continue
                if not isinstance(value, int):
                    continue
                born_ms = self.start_utc_ms + value
                if abs(born_ms - record.t) > self._retime_ms:
                    self._verdict.note(
                        "retimed",
                        f"seq {record.seq} of {record.device} says {record.t},"
                        f" {name} was taken at {born_ms}",
                    )
                return born_ms
        return record.t

    def _check_values(self, record: _Record, device: str) -> None:
        wrong = []
        if bench.unit_of(device) is not None:
            wrong = bench.check_scan(device, record.values)
        expectation = self._expectations.get(device)
        if expectation is not None:
            slack_s = self._retime_ms / 1000
            for name, value in record.values.items():
                text = expectation.wrong(name, value, record.t / 1000, slack_s)
                if text is not None:
                    wrong.append(f"{device}.{text}")
        for text in wrong:
            self._verdict.note("wrong", f"seq {record.seq}: {text}")

    def _take_slot(
        self, record: _Record, device: str, periods: Mapping[str, int]
    ) -> None:
        asked = {periods[name] for name in record.values if name in periods}
        asked |= {periods[name] for name in record.q if name in periods}
        for every_ms in asked:
            key = (device, every_ms)
            if key not in self._slots:
                self._slots[key] = _Slots(every_ms)
            self._slots[key].times.append(record.t)

    # -- judging ------------------------------------------------------------

    def verdict(self) -> Verdict:
        """What can be said now; may be asked for again later."""
        verdict = self._verdict
        verdict.missing = 0
        verdict.lost_stated = 0
        for store in self._stores.values():
            covered = Intervals()
            for part in (store.arrived, store.lost, store.unsure):
                for first, last in part:
                    covered.add(first, last)
            holes = covered.missing(self._from_seq)
            verdict.missing += sum(last - first + 1 for first, last in holes)
            verdict.lost_stated += len(covered) - len(store.arrived)
        verdict.gap_slots = sum(sum(s.gaps.values()) for s in self._slots.values())
        verdict.unexplained_slots = sum(map(_unexplained, self._slots.values()))
        verdict.latency_ms = {
            "p50": self._latency.percentile(0.5),
            "p99": self._latency.percentile(0.99),
            "max": round(self._slowest, 1) if len(self._latency) else None,
        }
        if self._first_ms is not None and self._last_ms is not None:
            verdict.seconds = round((self._last_ms - self._first_ms) / 1000, 3)
        return verdict


def _plain(payload: bytes) -> bytes:
    if not payload.startswith(_ZSTD):
        return payload
    import zstandard  # noqa: PLC0415 only where a gateway compresses

    return zstandard.ZstdDecompressor().decompress(payload)


def _unexplained(slots: _Slots) -> int:
    """Slots between the first and the last scan that nothing accounts for."""
    times = sorted(slots.times)
    distances = [(b - a) / slots.every_ms for a, b in pairwise(times)]
    missed = 0
    for at, distance in enumerate(distances):
        if distance > 1 + _SLOT_SLACK:
            # Where the next ones come sooner, this one was late: nothing was missed.
            late = accumulate(d - 1 for d in distances[at : at + _CATCH_UP])
            missed += max(0, math.floor(min(late) + 0.5))
    return max(0, missed - sum(slots.gaps.values()) - slots.lost)
