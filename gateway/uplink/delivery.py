"""What one target has got and refused so far; outlives its connections.

Every seq is in one state for a target (docs/adr/0005): resolved, or else owed by a
lane, on its way, or waiting for a receipt. Only this module resolves.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal, Protocol

from buffer import Intervals
from gateway.texts import t
from gateway.uplink.aside import AsideList
from gateway.uplink.filters import Filter, Skipped
from gateway.uplink.pace import Bucket
from gateway.uplink.receipts import Awaiting, ReceiptError, parse
from gateway.uplink.retry import Suspicion
from gateway.uplink.source import runs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from gateway.uplink.flight import Flight
    from gateway.uplink.receipts import Sent
    from gateway.uplink.source import Entry, Source

log = logging.getLogger(__name__)

PAUSE_S = 0.3
"""Between tries with one refused record."""
HOLD_S = 30.0
"""While the platform refuses whatever is sent."""
LONGEST_HOLD_S = 3600.0
"""While it takes everything but pictures."""


class Wishes(Protocol):
    """What a target's site keys say about what it gets."""

    @property
    def name(self) -> str:
        """The target's."""
        ...

    @property
    def devices(self) -> tuple[str, ...]:
        """Subjects of records it wants, patterns among them; none: all."""
        ...

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of records it wants; none: all."""
        ...

    @property
    def media(self) -> Literal["all", "alarms", "none"]:
        """Which pictures it wants."""
        ...

    @property
    def backfill_per_s(self) -> float:
        """Messages a second of what is older than the connection."""
        ...

    @property
    def receipts(self) -> bool:
        """Whether it confirms seqs by itself."""
        ...

    @property
    def receipt_wait_s(self) -> float:
        """An unconfirmed record is sent again after so long."""
        ...


class Wants(Protocol):
    """What a target is sent; see ``filters.Filter``."""

    @property
    def active(self) -> bool:
        """Whether there is anything it does not want."""
        ...

    def wants(self, entry: Entry) -> bool:
        """Whether this record is to travel."""
        ...


class Ledger(Protocol):
    """Who counts what became of records; see ``gateway.ledger``."""

    def sent(self, target: str, entries: Sequence[Entry | Sent]) -> None:
        """Handed to the link; repeats count again."""
        ...

    def proved(self, target: str, entries: Sequence[Entry | Sent]) -> None:
        """The platform has them."""
        ...

    def written(self, target: str, entries: Sequence[Entry | Sent]) -> None:
        """Handed over, and the platform never says whether it has them."""
        ...

    def lost(self, target: str, entries: Sequence[Entry | Sent], cause: str) -> None:
        """The platform will never have them: ``refused`` or ``filtered``."""
        ...


class Delivery:
    """Cursor, filter, suspicions, receipts and counters of one target."""

    def __init__(
        self,
        source: Source,
        target: Wishes,
        on_set_aside: Callable[[int, str], None] | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self._source = source
        self._target = target.name
        self._on_set_aside = on_set_aside
        self._ledger = ledger
        self._suspicion = Suspicion()
        self._cut_at = 0
        self._alone_since = 0.0
        self.filter: Wants = Filter(target.devices, target.kinds, target.media)
        self.skipped = Skipped()
        self.bucket = Bucket(target.backfill_per_s)
        self.awaiting = Awaiting(target.receipt_wait_s) if target.receipts else None
        self.doubt = Intervals()
        """Of messages that were refused: one of these records is the cause."""
        self.back: int | None = None
        """All lanes must begin again above this seq."""
        self.hold_until = 0.0
        """No records before this time of the loop."""
        self.hold_pictures_until = 0.0
        """No pictures before this time of the loop."""
        self._hold_s = HOLD_S
        self.records = self.messages = 0
        self.unproved_records = 0
        """Of ``records`` those that were only written."""
        self._note = f"aside:{target.name}"
        self.aside = AsideList(source.recall(self._note))
        self.receipts_ignored = 0
        self._furthest: dict[str, int] = {}

    @property
    def cautious(self) -> bool:
        """One message at a time, doubtful records alone: one of them is suspected."""
        return bool(self.doubt) or self._suspicion.active

    @property
    def suspicious(self) -> bool:
        """Every message that gets through counts: they are to be small and many."""
        return self._suspicion.active

    @property
    def skip(self) -> Intervals | None:
        """What the lanes pass by although it is not resolved."""
        return self.awaiting.open if self.awaiting and self.awaiting.open else None

    def back_to(self, seq: int) -> None:
        """Have the lanes begin again above ``seq``."""
        self.back = seq if self.back is None else min(self.back, seq)

    # -- before a record leaves ----------------------------------------------

    def wanted(self, found: Sequence[Entry]) -> Sequence[Entry]:
        """Those of ``found`` to be sent now; what is filtered out is resolved."""
        if self.filter.active:
            out = [entry for entry in found if not self.filter.wants(entry)]
            if out:
                self.unwanted(out)
                found = [entry for entry in found if self.filter.wants(entry)]
        if passed_by := self._suspicion.passed_by:
            found = [entry for entry in found if entry.seq not in passed_by]
        return found

    def unwanted(self, entries: Sequence[Entry]) -> None:
        """These are not for this target."""
        runs = runs_of(entry.seq for entry in entries)
        self._source.resolve_runs(self._target, runs)
        self.skipped.add(runs)
        if self._ledger is not None:
            self._ledger.lost(self._target, entries, "filtered")

    def out_of_order(self, flight_lane: str, seq: int) -> bool:
        """Whether later records of this lane arrived before."""
        return seq < self._furthest.get(flight_lane, 0)

    def published(self, flight: Flight) -> None:
        """A message was handed to the link."""
        if self.awaiting is not None:
            self.awaiting.published(flight.entries, flight.runs)
        if self._ledger is not None:
            self._ledger.sent(self._target, flight.entries)

    # -- what became of it ---------------------------------------------------

    def written(self, flight: Flight) -> None:
        """This target proves nothing: what was handed over is done with."""
        self.records += len(flight.entries)
        self.unproved_records += len(flight.entries)
        self.messages += 1
        self._source.resolve_runs(self._target, flight.runs)
        if self._ledger is not None:
            self._ledger.written(self._target, flight.entries)
        self._got_through(flight)

    def proved(self, flight: Flight, now_s: float) -> None:
        """The broker has this message; without receipts that is the proof."""
        self.records += len(flight.entries)
        self.messages += 1
        runs = flight.runs
        if not flight.lane.again:
            name, last = flight.lane.name, runs[-1][1]
            self._furthest[name] = max(last, self._furthest.get(name, 0))
        if self.awaiting is not None:
            self.awaiting.taken(runs, now_s)
        else:
            if len(runs) == 1:
                self._source.resolve(self._target, *runs[0])
            else:
                self._source.resolve_runs(self._target, runs)
            if self._ledger is not None:
                self._ledger.proved(self._target, flight.entries)
        self._got_through(flight)

    def _got_through(self, flight: Flight) -> None:
        """What else is suspected gets another chance."""
        runs = flight.runs
        self._alone_since = 0.0
        if flight.picture:
            self._hold_s = HOLD_S
        if self.doubt:
            self._no_doubt(runs)
        if self._cut_at and any(a <= self._cut_at <= b for a, b in runs):
            self._cut_at = 0
        if (seq := self._suspicion.accepted(flight.first, flight.kind)) is not None:
            self.back_to(seq - 1)

    def unproved(self, flight: Flight) -> None:
        """It was refused, or the connection ended: its records are owed again."""
        if self.awaiting is not None:
            self.awaiting.taken_back(flight.runs, again=flight.lane.again)
        self.skipped.give_back(flight.skipped)

    def receipt(self, payload: bytes, now_s: float) -> None:
        """The platform confirms or refuses seqs; nonsense is counted and ignored."""
        if self.awaiting is None:
            return
        try:
            receipt = parse(payload)
            if receipt.store != self._source.store:
                raise ReceiptError(  # noqa: TRY301 - ignored in one place
                    f"store: expected {self._source.store}, got {receipt.store[:16]!r}"
                )
        except ReceiptError as exc:
            self._ignore_receipt(str(exc))
            return
        outcome = self.awaiting.apply(receipt, now_s)
        if outcome.ok:
            runs = runs_of(sorted(sent.seq for sent in outcome.ok))
            self._source.resolve_runs(self._target, runs)
            if self._ledger is not None:
                self._ledger.proved(self._target, outcome.ok)
        for sent, reason in outcome.refused:
            self._set_aside(sent, reason, sent.size)
        if outcome.refused:
            self._save_aside()
        if outcome.strange:
            self._ignore_receipt(
                f"{outcome.strange} seqs were never sent or are settled"
            )

    def overdue(self, now_s: float) -> None:
        """Look for records that were not confirmed in time."""
        if self.awaiting is not None:
            self.awaiting.overdue(now_s)

    def gone(self, seqs: Iterable[int]) -> None:
        """Records to be sent again are not in the store any more."""
        if self.awaiting is not None:
            gone = [seq for seq in seqs if seq not in self._suspicion.passed_by]
            self.awaiting.forget(gone)

    def prune(self) -> None:
        """Forget what was resolved another way."""
        if self.awaiting is not None:
            self.awaiting.prune(self._source.floor(self._target))

    def put_aside(self, entry: Entry | Sent, reason: str, size: int) -> None:
        """This record can never be delivered here: go on, and say so."""
        self._set_aside(entry, reason, size)
        self._save_aside()

    def _save_aside(self) -> None:
        self._source.remember(self._note, self.aside.dump())

    def _set_aside(self, entry: Entry | Sent, reason: str, size: int) -> None:
        seq = entry.seq
        if self.awaiting is not None:
            self.awaiting.forget([seq])
        self._source.resolve(self._target, seq, seq)
        self.doubt.remove(seq, seq)
        self.aside.add(seq, entry.subject, entry.t_ms, reason, size)
        if self._ledger is not None:
            self._ledger.lost(self._target, [entry], "refused")
        log.warning(
            "%s", t("uplink.set_aside", target=self._target, seq=seq, reason=reason)
        )
        if self._on_set_aside is not None:
            self._on_set_aside(seq, reason)

    # -- refusals and cuts ---------------------------------------------------

    def refused(self, flights: Sequence[Flight], now_s: float) -> None:
        """All messages on their way are answered, these with no.

        Args:
            flights: In the order sent.
            now_s: The loop's time.
        """
        for flight in flights:
            self.unproved(flight)
            self.back_to(flight.first - 1)
        blameless = [flight for flight in flights if not flight.blames_message]
        if not all(flight.picture for flight in blameless):
            self.hold_until = now_s + HOLD_S
            return
        if blameless:
            self._hold_pictures(blameless[0].refusal or "", now_s)
        for flight in flights:
            if not flight.blames_message:
                continue
            if len(flight.entries) > 1:
                self._in_doubt(flight)
            else:
                self._failed(flight, flight.refusal or "", now_s, answered=True)

    def cut(self, oldest: Flight, now_s: float, reason: str = "") -> None:
        """A connection that worked ended with this message unproved.

        Once is bad luck; the same record at the head twice is suspicious: brokers that
        speak MQTT 3.1.1 have no other way to refuse a message than to close.

        Args:
            oldest: That message.
            now_s: The loop's time.
            reason: Why it is set aside, if it comes to that; else that it was closed.
        """
        self._suspicion.cut(oldest.first)
        if oldest.first != self._cut_at:
            self._cut_at = oldest.first
        elif len(oldest.entries) > 1:
            self._in_doubt(oldest)
        elif oldest.picture:
            # Brokers that close on a topic they do not allow close on every picture.
            self._hold_pictures(reason or t("uplink.reason.closed"), now_s)
        else:
            reason = reason or t("uplink.reason.closed")
            self._failed(oldest, reason, now_s, answered=False)

    def suspects(self, seq: int) -> bool:
        """Whether a connection ended with this record at the head before."""
        return seq == self._cut_at or seq in self.doubt

    def nothing_left(self, now_s: float) -> None:
        """All has been sent but suspects: without others to compare, they wait long."""
        if not self._suspicion.passed_by:
            return
        if not self._alone_since:
            self._alone_since = now_s
        elif now_s - self._alone_since >= HOLD_S:
            self._alone_since = 0.0
            if (first := self._suspicion.begin_again()) is not None:
                self.back_to(first - 1)

    def no_more_doubt(self) -> None:
        """Nothing is left to be sent: what is in doubt is gone in another way."""
        self.doubt = Intervals()

    def _in_doubt(self, flight: Flight) -> None:
        for first, last in flight.runs:
            self.doubt.add(first, last)

    def _no_doubt(self, runs: Iterable[tuple[int, int]]) -> None:
        for first, last in runs:
            self.doubt.remove(first, last)

    def _failed(
        self, flight: Flight, reason: str, now_s: float, *, answered: bool
    ) -> None:
        entry = flight.entries[0]
        self.hold_until = now_s + PAUSE_S
        verdict = self._suspicion.failed(entry.seq, answered=answered, kind=flight.kind)
        if verdict == "set_aside":
            self.put_aside(entry, reason, len(entry.data))
            return
        self.doubt.add(entry.seq, entry.seq)
        if verdict == "hold":
            self.back_to(0)
            if flight.picture:
                self._hold_pictures(reason, now_s)
            else:
                self.hold_until = now_s + HOLD_S

    def _hold_pictures(self, reason: str, now_s: float) -> None:
        """Pictures wait, each time longer; nothing else waits for them."""
        self.hold_pictures_until = now_s + self._hold_s
        log.warning(
            "%s",
            t(
                "uplink.pictures_held",
                target=self._target,
                reason=reason,
                seconds=f"{self._hold_s:.0f}",
            ),
        )
        self._hold_s = min(2 * self._hold_s, LONGEST_HOLD_S)

    def _ignore_receipt(self, why: str) -> None:
        """Count it; the first of a run is logged."""
        self.receipts_ignored += 1
        if self.receipts_ignored & (self.receipts_ignored - 1) == 0:
            log.warning(
                "%s",
                t(
                    "uplink.receipt_ignored",
                    target=self._target,
                    why=why,
                    count=self.receipts_ignored,
                ),
            )
