"""The ledger's rows as notes in the store, and what a kill does to them.

    ledger            Head: when it was saved, which hours there are, gaps still open
    ledger:HOUR       [[device, row, {target: counts}], ...] of one UTC hour

Only hours that changed are written: in a steady run that is the current one, some 40
bytes a device and target. They ride with the store's next control file (``lazily``), at
most once in ten minutes; a clean stop writes all.

    run before                    known              said
    stopped clean, counts saved   everything         -
    killed                        up to the save     from the save to the end incomplete
    killed, a target had backlog  up to the save     so are hours it had not all of
    notes damaged or absent       nothing            hours of end and start incomplete

Incomplete means that records, values and proofs are missing from the counts; none is
counted twice, because notes are never newer than the cursors they are saved with. The
gap of the time without power begins with the last sign of life on the disk, up to a
minute before the kill: slots of that minute are counted as gap although a platform may
hold their scans. Only the platform knows; it narrows that gap by what it holds.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from gateway.ledger import FATES, UNDATED, DeliveryLedger, Row, Telling
from gateway.spread import HOUR_MS, HOURS_KEPT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

log = logging.getLogger(__name__)

HEAD = "ledger"


class GapNote(msgspec.Struct, array_like=True):
    """A gap that may be told again."""

    device: str
    points: tuple[str, ...]
    since_ms: int
    told: Telling


class Head(msgspec.Struct):
    """What the ledger knows beside its rows."""

    saved_ms: int
    clean: bool
    hours: list[int]
    incomplete: list[int]
    tellings: list[GapNote] = []
    losses: list[tuple[int, int]] = []
    told: dict[str, int] = {}
    """Local day -> checksum of what its records said."""


class _Line(msgspec.Struct, array_like=True):
    device: str
    row: Row
    counts: dict[str, list[int]] = {}


_encode = msgspec.msgpack.Encoder().encode
_decode_head = msgspec.msgpack.Decoder(Head).decode
_decode_lines = msgspec.msgpack.Decoder(list[_Line]).decode


class LedgerNotes:
    """Saves a ledger in a store's notes and reads it back."""

    def __init__(
        self,
        ledger: DeliveryLedger,
        *,
        remember: Callable[[str, bytes | None], None],
        recall: Callable[[str], bytes | None],
    ) -> None:
        """Prepare.

        Args:
            ledger: The rows.
            remember: Keeps a note; None forgets it. May be slow to reach the disk.
            recall: A note's content.
        """
        self._ledger = ledger
        self._remember = remember
        self._recall = recall
        self._hours: set[int] = set()
        self.told: dict[str, int] = {}

    def load(self, now_ms: int, *, ended_ms: int | None) -> None:
        """Go on where the run before ended.

        Args:
            now_ms: UTC ms.
            ended_ms: When the run before was last known to live; None: a new store.
        """
        ledger, now = self._ledger, now_ms // HOUR_MS
        head = self._head()
        if head is None:
            if ended_ms is not None:
                ledger.incomplete.update((ended_ms // HOUR_MS, now))
            return
        whole = True
        for hour in head.hours:
            whole &= self._load_hour(hour)
        self._hours = set(head.hours)
        ledger.incomplete.update(head.incomplete)
        ledger.tellings.update(
            {(g.device, g.points, g.since_ms): g.told for g in head.tellings}
        )
        ledger.losses.update(dict.fromkeys(head.losses))
        self.told = dict(head.told)
        if head.clean and whole:
            return
        # A minute may pass between the last sign of life and the kill.
        last = min((ended_ms or now_ms) // HOUR_MS + 1, now)
        first = max(min(head.saved_ms // HOUR_MS, last), last - HOURS_KEPT)
        ledger.incomplete.update(range(first, last + 1))
        ledger.incomplete.update(self._unsettled() if whole else head.hours)

    def save(self, now_ms: int, *, clean: bool = False) -> None:
        """Note every row that changed.

        Args:
            now_ms: UTC ms.
            clean: Nothing will be counted after this.
        """
        ledger = self._ledger
        ledger.dirty.update(self._hours - ledger.hours())
        for hour in sorted(ledger.dirty):
            lines = self._lines(hour)
            self._remember(f"{HEAD}:{hour}", _encode(lines) if lines else None)
            if lines:
                self._hours.add(hour)
            else:
                self._hours.discard(hour)
        ledger.dirty.clear()
        self.save_head(now_ms, self._remember, clean=clean)

    def save_head(
        self,
        now_ms: int,
        remember: Callable[[str, bytes | None], None],
        *,
        clean: bool = False,
    ) -> None:
        """Note everything but the rows; see ``save``."""
        ledger = self._ledger
        head = Head(
            saved_ms=now_ms,
            clean=clean,
            hours=sorted(self._hours),
            incomplete=sorted(ledger.incomplete),
            tellings=[GapNote(*key, told) for key, told in ledger.tellings.items()],
            losses=list(ledger.losses),
            told=self.told,
        )
        remember(HEAD, _encode(head))

    def _head(self) -> Head | None:
        note = self._recall(HEAD)
        if note is None:
            return None
        try:
            return _decode_head(note)
        except msgspec.DecodeError as exc:
            log.warning("the note %s cannot be read: %s", HEAD, exc)
            return None

    def _load_hour(self, hour: int) -> bool:
        note = self._recall(f"{HEAD}:{hour}")
        try:
            lines = _decode_lines(note or b"")
        except msgspec.DecodeError as exc:
            log.warning("the note %s:%d cannot be read: %s", HEAD, hour, exc)
            return False
        for line in lines:
            self._ledger.rows[line.device, hour] = line.row
            for target, counts in line.counts.items():
                book = self._ledger.books.setdefault(target, {})
                book[line.device, hour] = (counts + [0] * len(FATES))[: len(FATES)]
        return True

    def _lines(self, hour: int) -> list[_Line]:
        ledger = self._ledger
        lines: dict[str, _Line] = {}
        for device in ledger.devices(hour):
            row = ledger.rows.get((device, hour), Row())
            counts = {
                name: book[device, hour]
                for name, book in ledger.books.items()
                if (device, hour) in book
            }
            lines[device] = _Line(device, row, counts)
        return list(lines.values())

    def _unsettled(self) -> Collection[int]:
        """Hours of which some target had not settled every record."""
        ledger = self._ledger
        return {
            hour
            for (device, hour), row in ledger.rows.items()
            if hour != UNDATED
            for book in ledger.books.values()
            if sum(book.get((device, hour), [0])[1:]) < row.records
        }
