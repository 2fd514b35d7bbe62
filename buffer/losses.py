"""Statements of loss: made, stated by a record, settled once that record arrived.

    open      known to the control file, not yet stated by a record
    stated    a record says it; kept until every target has that record resolved
    reopened  that record was itself lost: open again

A loss is durable before any cursor counts its seqs as resolved; so a crash can repeat a
statement but never swallow one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from buffer.intervals import Intervals
from buffer.model import Cause, Loss

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from buffer.batch import Row
    from buffer.model import Entry


class Draft(NamedTuple):
    """A loss before it has its id."""

    first: int
    last: int
    counts: dict[str, int]
    t_ms: int
    until_ms: int
    cause: Cause
    certain: bool
    at_most: int


class Record(msgspec.Struct, frozen=True, array_like=True):
    """A loss as the control file keeps it."""

    loss: Loss
    stated_by: int
    """Seq of the record that states it; 0 while open."""


def draft(
    lost: Intervals,
    heads: Iterable[Row],
    *,
    cause: Cause,
    certain: bool = True,
    entries_of: Callable[[Row], Sequence[Entry] | None] = lambda _row: None,
) -> list[Draft]:
    """One draft per run of lost seqs, counted as far as rows tell.

    Args:
        lost: What is lost.
        heads: Rows that held some of it, ascending; heads suffice.
        cause: Why.
        certain: Whether every seq of ``lost`` surely held a record.
        entries_of: A row's records, asked only where a head does not tell enough.
    """
    rows = list(heads)
    made = []
    for first, last in lost.pairs():
        counts: dict[str, int] = {}
        times: list[int] = []
        for row in rows:
            if row.last < first or row.first > last:
                continue
            if row.consecutive and first <= row.first and row.last <= last:
                _tally(counts, row.counts)
                times += (row.t_min, row.t_max)
                continue
            for entry in entries_of(row) or ():
                if first <= entry.seq <= last:
                    _tally(counts, {entry.subject: 1})
                    times.append(entry.t_ms)
        made.append(
            Draft(
                first,
                last,
                counts,
                min(times, default=0),
                max(times, default=0),
                cause,
                certain,
                last - first + 1,
            )
        )
    return made


def unsure(given: Intervals, drafts: Iterable[Draft]) -> list[Draft]:
    """What was given to a target may have arrived, although nothing proved it."""
    return [
        d._replace(certain=d.certain and not given.touches(d.first, d.last))
        for d in drafts
    ]


def _tally(into: dict[str, int], more: dict[str, int]) -> None:
    for subject, n in more.items():
        into[subject] = into.get(subject, 0) + n


class Ledger:
    """All losses not yet delivered, and which of them changed since last stored."""

    def __init__(self, next_id: int = 1) -> None:
        self.next_id = next_id
        self.records: dict[int, Record] = {}
        self.changed: set[int] = set()

    def add(self, drafts: Iterable[Draft]) -> list[Loss]:
        """Open a loss for each draft."""
        made = []
        for one in drafts:
            loss = Loss(self.next_id, *one)
            self.next_id += 1
            self._put(Record(loss, 0))
            made.append(loss)
        return made

    def settle(self, loss_id: int, seq: int) -> None:
        """Note that the record ``seq`` states this loss; unknown ids pass."""
        record = self.records.get(loss_id)
        if record is not None:
            self._put(Record(record.loss, seq))

    def reopen(self, gone: Intervals) -> list[Loss]:
        """Open again what was stated only by records that are now lost."""
        back = [r.loss for r in self.records.values() if r.stated_by in gone]
        for loss in back:
            self._put(Record(loss, 0))
        return back

    def forget_delivered(self, resolved: Intervals) -> None:
        """Drop what a record stated that all targets have."""
        for loss_id, record in list(self.records.items()):
            if record.stated_by and record.stated_by in resolved:
                del self.records[loss_id]
                self.changed.add(loss_id)

    def open(self) -> list[Loss]:
        """Losses no record states yet, oldest first."""
        return [r.loss for _, r in sorted(self.records.items()) if not r.stated_by]

    def covered(self) -> Intervals:
        """All seqs stated lost."""
        return Intervals.of((r.loss.first, r.loss.last) for r in self.records.values())

    def _put(self, record: Record) -> None:
        self.records[record.loss.id] = record
        self.changed.add(record.loss.id)
