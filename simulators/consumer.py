"""A platform's reading of what a gateway publishes, written from its documentation.

Topics ``{prefix}/{gateway}/status | meta/{id} | data | event | media/{event}/{n}``, and
``receipt`` the other way; payloads as the project's ``docs/mqtt.md`` describes them. A
record is named by (gateway, store, seq); records and ``lost`` ranges together cover
every seq once.
:class:`Consumer` is fed messages and forms a :class:`~simulators.verdict.Verdict`; it
does no I/O.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import msgspec

from simulators import bench
from simulators.payloads import Data, Media, Record, Status, plain
from simulators.pictures import Pictures
from simulators.receipts import Receipts
from simulators.seqs import SeqLine
from simulators.slots import ENDS, UNCERTAIN, GapSaid, SlotLine
from simulators.verdict import Times, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from simulators.profiled import Expectation


_EXAMPLES = 10


class Consumer:
    """De-duplicates, orders, compares and counts.

    Args:
        start_utc_ms: When the shared start of benchmark devices was; switches the
            check of their times on.
        expectations: Device name -> what it must have shown.
        retime_ms: How far a record's time may lie from the device's own instant.
        from_seq: The first seq that must have arrived; None = the first that did.
        refuse: Asked for every record that arrives, with it as JSON: a reason not to
            take it, or None. A refused record counts as not arrived.
        pictures: A folder for the pictures that are whole.
    """

    def __init__(
        self,
        *,
        start_utc_ms: int | None = None,
        expectations: Mapping[str, Expectation] | None = None,
        retime_ms: float = 2000.0,
        from_seq: int | None = None,
        refuse: Callable[[dict[str, Any]], str | None] | None = None,
        pictures: Path | None = None,
    ) -> None:
        self.start_utc_ms = start_utc_ms
        self._expectations = expectations or {}
        self._retime_ms = retime_ms
        self._from_seq = from_seq
        self._refuse = refuse
        self._verdict = Verdict()
        self._latency: defaultdict[str, Times] = defaultdict(Times)
        self._stores: defaultdict[tuple[str, str], SeqLine] = defaultdict(SeqLine)
        self._slots: dict[tuple[str, str, int], SlotLine] = {}
        self._starts: defaultdict[str, set[int]] = defaultdict(set)
        self._every: dict[str, dict[str, dict[str, int]]] = {}
        self._receipts = Receipts()
        self._first_ms: float | None = None
        self._last_ms: float | None = None
        self._decode = msgspec.json.Decoder(Data).decode
        self._decode_record = msgspec.json.Decoder(Record).decode
        self._decode_media = msgspec.json.Decoder(Media).decode
        self.pictures = Pictures(pictures)
        """What is whole of the pictures of cameras, and what is on its way."""
        self.status: dict[str, dict[str, Any]] = {}
        """Gateway -> its last status message."""
        self.metas: dict[str, dict[str, Any]] = {}
        """Meta id -> its content."""
        self.periods: dict[tuple[str, str, int], dict[int, dict[str, Any]]] = {}
        """Minutes, hours and days: (station, kind, t) -> revision -> content."""
        self.ledgers: list[dict[str, Any]] = []
        """Records of kind ``ledger``: what the gateway says of a day itself."""

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
            if topic.split("/")[-3:-2] == ["media"]:
                self._take_media(topic, payload, at_ms)
            elif "meta" in kind[1:-1]:
                self._take_meta(payload)
            elif kind[-1] == "status":
                self._take_status(payload)
            elif kind[-1] in {"data", "event"}:
                self._take_data(topic, payload, at_ms)
        except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as exc:
            self._verdict.note(
                "unreadable", f"{topic} (retained: {retained}): {exc}: {payload[:80]!r}"
            )

    def receipts(self) -> list[tuple[str, bytes]]:
        """Topic and payload of what confirms everything fed since the last call.

        A real platform sends them after its own commit. Records that came again are
        confirmed again.
        """
        return self._receipts.take()

    def _take_meta(self, payload: bytes) -> None:
        if not payload:
            return  # emptied: no stored record refers to it any more
        meta: dict[str, Any] = msgspec.json.decode(plain(payload))
        self.metas[meta["meta"]] = meta
        periods: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for point in meta.get("points", ()):
            periods[point["device"]][point["name"]] = point["every_ms"]
        self._every[meta["meta"]] = periods

    def _take_status(self, payload: bytes) -> None:
        status: dict[str, Any] = msgspec.json.decode(payload)
        self.status[status["gw"]] = status
        read = msgspec.convert(status, Status)
        if read.store:
            store = self._stores[read.gw, read.store]
            store.high = max(store.high, read.seq_high)
            for first, last in read.skipped:
                store.skipped.add(first, last)

    def _take_data(self, topic: str, payload: bytes, at_ms: float) -> None:
        message = self._decode(plain(payload))
        if message.v != 1:
            raise ValueError(f"expected v 1, got {message.v}")
        self._pass_time(at_ms)
        verdict = self._verdict
        verdict.messages += 1
        verdict.again += message.again
        store = self._stores[message.gw, message.store]
        for first, last in message.skipped:
            store.skipped.add(first, last)
        for raw in message.records:
            self._take_record(store, message, topic, raw, at_ms)

    def _take_media(self, topic: str, payload: bytes, at_ms: float) -> None:
        """A part of a picture: a line of JSON, and its bytes as they are."""
        line, end, data = payload.partition(b"\n")
        part = self._decode_media(line)
        if part.v != 1 or not end:
            raise ValueError(f"expected v 1 and a line end, got {part.v} {end!r}")
        self._pass_time(at_ms)
        verdict, seq = self._verdict, part.seq
        verdict.messages += 1
        prefix = topic.rsplit("/", 3)[0]
        store = self._stores[part.gw, part.store]
        if self._refuse and (reason := self._refuse(msgspec.json.decode(line))):
            verdict.refused += 1
            store.refused.add(seq, seq)
            self._receipts.refused(prefix, part.store, seq, reason)
            return
        self._receipts.ok(prefix, part.store, seq)
        came = store.take(seq, payload)
        if came != "new":
            verdict.duplicates += 1
            if came == "other":
                verdict.note("conflicts", f"seq {seq} came again as {line[:120]!r}")
            return
        verdict.records += 1
        verdict.media += 1
        if seq in store.lost:
            verdict.note("covered_twice", f"seq {seq} arrived and is lost")
        if part.clock is not None:
            verdict.clock[part.clock] = verdict.clock.get(part.clock, 0) + 1
        try:
            if self.pictures.take(part, data) is None:
                return
        except ValueError as exc:
            verdict.note("wrong", f"seq {seq}: {exc}")
            return
        verdict.pictures += 1
        self._latency["media"].add(at_ms - part.t)

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
        self, store: SeqLine, message: Data, topic: str, raw: msgspec.Raw, at_ms: float
    ) -> None:
        record = self._decode_record(raw)
        seq, verdict = record.seq, self._verdict
        prefix, _, end = topic.rpartition("/")
        if self._refuse and (reason := self._refuse(msgspec.json.decode(raw))):
            verdict.refused += 1
            store.refused.add(seq, seq)
            self._receipts.refused(prefix, message.store, seq, reason)
            return
        self._receipts.ok(prefix, message.store, seq)
        data = bytes(raw)
        came = store.take(seq, data)
        if came != "new":
            verdict.duplicates += 1
            if came == "other":
                verdict.note("conflicts", f"seq {seq} came again as {data[:120]!r}")
            return
        verdict.records += 1
        if seq in store.lost:
            verdict.note("covered_twice", f"seq {seq} arrived and is lost")
        if not message.again:
            newest = store.newest(message.lane, end, record.device or "", seq)
            if seq < newest:
                verdict.note(
                    "disordered",
                    f"seq {seq} of {record.device} after {newest}, lane {message.lane}",
                )
        if record.clock is not None:
            verdict.clock[record.clock] = verdict.clock.get(record.clock, 0) + 1
            self._check_bounds(record)
        self._take_kind(store, message, record, raw, at_ms)

    def _take_kind(
        self,
        store: SeqLine,
        message: Data,
        record: Record,
        raw: msgspec.Raw,
        at_ms: float,
    ) -> None:
        if record.kind == "lost":
            self._take_lost(store, record, at_ms)
        elif record.kind == "scan":
            self._take_scan(record, message, at_ms)
        elif record.kind == "gap":
            self._take_gap(record, message)
        elif record.kind == "event":
            self._verdict.events += 1
            if record.type == "gateway_started":
                self._starts[message.gw].add(record.t)
            self._latency["event"].add(at_ms - (record.until or record.t))
        elif record.kind == "ledger":
            self._take_ledger(msgspec.json.decode(raw))
        elif record.kind in ("minute", "hour", "day"):
            self._take_period(msgspec.json.decode(raw))

    def _check_bounds(self, record: Record) -> None:
        """Where only neighbours date a record, its time lies between them."""
        low = record.t if record.t_min is None else record.t_min
        high = record.t if record.t_max is None else record.t_max
        if not low <= record.t <= high:
            self._verdict.note(
                "retimed", f"seq {record.seq} says {record.t}, of {low} to {high}"
            )

    def _take_ledger(self, said: dict[str, Any]) -> None:
        self._verdict.ledgers += 1
        self.ledgers.append(said)
        parts = sum(said.get(name, 0) for name in ("value", "bad", "gap"))
        if said.get("scheduled", 0) != parts:
            self._verdict.note("wrong", f"seq {said['seq']}: {parts} is not the sum")

    def _take_period(self, said: dict[str, Any]) -> None:
        """What is told twice under one name must be the same; later ones go on."""
        key = said["station"], said["kind"], said["t"]
        told = self.periods.setdefault(key, {})
        content = {name: said[name] for name in ("until", "agg", "noted")}
        if told.setdefault(said["rev"], content) != content:
            self._verdict.note("wrong", f"seq {said['seq']}: {key} told otherwise")
        for name, one in said["agg"].items():
            parts = sum(one.get("marks", {"valid": one["n"]}).values())
            if not one["n"] <= one["of"] == parts:
                self._verdict.note("wrong", f"seq {said['seq']}: parts of {name}")

    def _take_lost(self, store: SeqLine, record: Record, at_ms: float) -> None:
        verdict = self._verdict
        already = store.lose(record)
        if already is None:
            verdict.duplicates += 1
            return
        cause = record.cause or "unknown"
        verdict.losses[cause] = verdict.losses.get(cause, 0) + 1
        self._latency["event"].add(at_ms - (record.noted or record.t))
        if already:
            verdict.note(
                "covered_twice",
                f"{already} of seqs {record.seq_from} to {record.seq_to}"
                " are stated lost for certain and were accounted for before",
            )

    def _take_gap(self, record: Record, message: Data) -> None:
        verdict = self._verdict
        verdict.gaps += 1
        cause = record.cause or "unknown"
        verdict.gap_causes[cause] = verdict.gap_causes.get(cause, 0) + 1
        device = record.device or ""
        periods = self._every.get(message.meta, {}).get(device, {})
        certain = record.certain is not False and cause not in UNCERTAIN
        until = record.t if record.until is None else record.until
        said = GapSaid(record.t, until, record.slots, certain)
        meant = (
            {record.every_ms}
            if record.every_ms
            else {
                every
                for name, every in periods.items()
                if name in record.points or "*" in record.points
            }
        )
        for every_ms in meant:
            line = self._line(message.gw, device, every_ms)
            if cause in ENDS:
                line.ends.add(record.t)
            else:
                line.gap(said)

    def _take_scan(self, record: Record, message: Data, at_ms: float) -> None:
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
        self._latency[message.lane].add(at_ms - self._born(record))
        periods = self._every.get(message.meta, {}).get(device)
        # Without a time there is no place in the line.
        if periods and record.clock != "unknown":
            asked = {periods[name] for name in record.values if name in periods}
            asked |= {periods[name] for name in record.q if name in periods}
            for every_ms in asked:
                self._line(message.gw, device, every_ms).scan(record.t)

    def _line(self, gateway: str, device: str, every_ms: int) -> SlotLine:
        key = (gateway, device, every_ms)
        if key not in self._slots:
            self._slots[key] = SlotLine(every_ms)
        return self._slots[key]

    def _born(self, record: Record) -> float:
        """When it came to be, UTC ms: the device's own instant where it shows one."""
        if self.start_utc_ms is None:
            return record.t
        for name, value in record.values.items():
            address = bench.address_of(name)
            if address is None or bench.kind_of(address) != "age":
                continue
            if isinstance(value, int):
                born_ms = self.start_utc_ms + value
                self._check_time(record, name, born_ms)
                return born_ms
        return record.t

    def _check_time(self, record: Record, name: str, born_ms: int) -> None:
        low = high = record.t
        if record.clock == "unknown":
            # Its time is no more than these bounds; none means that nobody knows.
            low = -(2**53) if record.t_min is None else record.t_min
            high = 2**53 if record.t_max is None else record.t_max
        if not low - self._retime_ms <= born_ms <= high + self._retime_ms:
            self._verdict.note(
                "retimed",
                f"seq {record.seq} of {record.device} says {record.t},"
                f" {name} was taken at {born_ms}",
            )

    def _check_values(self, record: Record, device: str) -> None:
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

    # -- judging ------------------------------------------------------------

    def verdict(self) -> Verdict:
        """What can be said now; may be asked for again later."""
        verdict = self._verdict
        verdict.pictures_open = self.pictures.open
        self._judge_seqs(verdict)
        self._judge_slots(verdict)
        verdict.lanes = {lane: times.say() for lane, times in self._latency.items()}
        verdict.latency_ms = self._latency["live"].say()
        if self._first_ms is not None and self._last_ms is not None:
            verdict.seconds = round((self._last_ms - self._first_ms) / 1000, 3)
        return verdict

    def _judge_seqs(self, verdict: Verdict) -> None:
        verdict.missing = verdict.lost_stated = verdict.skipped = verdict.behind = 0
        for store in self._stores.values():
            covered = store.covered()
            holes = covered.missing(self._from_seq)
            verdict.missing += sum(last - first + 1 for first, last in holes)
            verdict.lost_stated += store.lost_records()
            verdict.skipped += store.skipped.without(store.arrived)
            verdict.behind += max(0, store.high - (covered.last or 0))

    def _judge_slots(self, verdict: Verdict) -> None:
        verdict.gap_slots = verdict.doubled_slots = verdict.lost_slots = 0
        verdict.slot_examples = []
        open_slots: defaultdict[tuple[str, str], int] = defaultdict(int)
        for (gateway, device, _), line in self._slots.items():
            line.starts = self._starts[gateway]
            found = line.add_up()
            verdict.gap_slots += found.gaps
            verdict.doubled_slots += found.doubled
            open_slots[gateway, device] += found.unexplained
            verdict.slot_examples += [f"{device}: {said}" for said in found.examples]
        del verdict.slot_examples[_EXAMPLES:]
        # A lost scan leaves its slot open; a loss names devices as far as it knows.
        for (gateway, _), store in self._stores.items():
            nameless = 0
            for loss in store.losses.values():
                for device, count in loss.counts.items():
                    verdict.lost_slots += _close(open_slots, (gateway, device), count)
                named = sum(loss.counts.values())
                nameless += max(0, store.absent(loss) - named)
            for key in open_slots:
                if key[0] == gateway:
                    closed = _close(open_slots, key, nameless)
                    nameless -= closed
                    verdict.lost_slots += closed
        verdict.unexplained_slots = sum(open_slots.values())


def _close(
    open_slots: dict[tuple[str, str], int], key: tuple[str, str], count: int
) -> int:
    """Take up to ``count`` from what is open; returns how many that were."""
    closed = min(open_slots.get(key, 0), count)
    if closed:
        open_slots[key] -= closed
    return closed
