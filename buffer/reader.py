"""Records from disk in seq order, across the chains of all classes.

What a damaged segment no longer holds is stated as lost while reading goes on; so is
a seq that ought to be on disk and is not, whatever the reason.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from buffer import losses
from buffer.batch import unpack
from buffer.errors import DamagedError, DiskTroubleError
from buffer.intervals import Intervals
from buffer.model import BULKY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from buffer.batch import Row
    from buffer.cursor import Cursor
    from buffer.model import Entry, Loss, PriorityClass
    from buffer.segment import Segment
    from buffer.store import Store

_CACHED_BYTES = 2_000_000


@dataclass
class Got:
    """What one read found."""

    entries: list[Entry] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    lost: Intervals = field(default_factory=Intervals)


class Owing(NamedTuple):
    """Whose loss it is if something is not there."""

    cursors: dict[str, Cursor]
    given: Intervals
    """What was given to any target: it may have arrived."""


class _MissingError(Exception):
    """Seqs that ought to be there are not, and whose they are is not known."""


class _DamageError(Exception):
    """A segment turned out damaged half-way."""

    def __init__(self, segment: Segment) -> None:
        super().__init__(segment.name)
        self.segment = segment


class Reader:
    """Reads one store; keeps a few unpacked batches, one open file a class."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: dict[PriorityClass, Segment] = {}
        self._cache: OrderedDict[tuple[str, int], tuple[list[Entry], int]] = (
            OrderedDict()
        )
        self._cached = 0

    def read(
        self,
        wanted: list[tuple[int, int]],
        max_records: int,
        max_bytes: int,
        classes: AbstractSet[PriorityClass] | None = None,
        owing: Owing | None = None,
    ) -> Got | None:
        """Entries of ``wanted`` (inclusive runs, ascending), as many as fit.

        Args:
            wanted: Seqs owed, all of them written once.
            max_records: At most so many entries.
            max_bytes: At most so many bytes of data, but always one entry.
            classes: Whose seqs ``wanted`` are; of any when left out.
            owing: What each target has, to state a loss against.

        Returns:
            What was found; ``None`` when something is damaged or missing and
            ``owing`` was not given.

        Raises:
            DiskTroubleError: A file cannot be opened now.
        """
        got = Got()
        chosen = [c for c in self._store.chains if classes is None or c in classes]
        while True:
            try:
                got.entries = self._collect(
                    wanted, max_records, max_bytes, chosen, got, owing
                )
            except _MissingError:
                return None
            except _DamageError as exc:
                if owing is None:
                    return None
                self._salvage(exc.segment, got, owing)
                wanted = [
                    run for first, last in wanted for run in got.lost.gaps(first, last)
                ]
                continue
            except DiskTroubleError:
                if not got.lost:
                    raise
            return got

    def _collect(
        self,
        wanted: list[tuple[int, int]],
        max_records: int,
        max_bytes: int,
        classes: list[PriorityClass],
        got: Got,
        owing: Owing | None,
    ) -> list[Entry]:
        entries: list[Entry] = []
        size = 0
        for first, last in wanted:
            expected = first
            for entry in self._between(classes, first, last):
                if entry.seq < expected:
                    continue
                if entries and (
                    len(entries) >= max_records or size + len(entry.data) > max_bytes
                ):
                    return entries
                if entry.seq > expected:
                    self._state_missing(expected, entry.seq - 1, got, owing)
                expected = entry.seq + 1
                size += len(entry.data)
                entries.append(entry)
            if expected <= last:
                self._state_missing(expected, last, got, owing)
        return entries

    def _between(
        self, classes: list[PriorityClass], first: int, last: int
    ) -> Iterator[Entry]:
        chains = [self._chain(cls, first, last) for cls in classes]
        return chains[0] if len(chains) == 1 else heapq.merge(*chains)

    def _chain(self, cls: PriorityClass, first: int, last: int) -> Iterator[Entry]:
        for segment in list(self._store.chains[cls]):
            for low, high in segment.present.within(first, last):
                self._use(segment)
                for entries in self._batches(segment, low, high):
                    for entry in entries:
                        if low <= entry.seq <= high:
                            yield entry

    def _batches(self, segment: Segment, low: int, high: int) -> Iterator[list[Entry]]:
        at = low
        while at <= high:
            cached = self._cached_batch(segment, at)
            if cached is None:
                break
            yield cached
            at = cached[-1].seq + 1
        if at > high:
            return
        try:
            for row in segment.rows(at, high):
                entries = unpack(row, segment.cls)
                if segment.cls not in BULKY:  # they would push out all the rest
                    self._remember(segment, row, entries)
                yield entries
        except DamagedError as exc:
            raise _DamageError(segment) from exc

    def _cached_batch(self, segment: Segment, seq: int) -> list[Entry] | None:
        for (name, first), (entries, _) in reversed(self._cache.items()):
            if name == segment.name and first <= seq <= entries[-1].seq:
                return entries
        return None

    def _remember(self, segment: Segment, row: Row, entries: list[Entry]) -> None:
        size = sum(len(e.data) + 100 for e in entries)
        key = (segment.name, row.first)
        old = self._cache.pop(key, None)
        self._cached += size - (old[1] if old else 0)
        self._cache[key] = (entries, size)
        while self._cached > _CACHED_BYTES or len(self._cache) > 16:  # noqa: PLR2004
            _, (_, freed) = self._cache.popitem(last=False)
            self._cached -= freed

    def _use(self, segment: Segment) -> None:
        """Keep one closed file open a class, not a handle for every one ever read."""
        old = self._open.get(segment.cls)
        if old is not segment and old is not None and old.closed:
            old.release()
        self._open[segment.cls] = segment

    def _salvage(self, segment: Segment, got: Got, owing: Owing) -> None:
        self._cache.clear()
        self._cached = 0
        held = segment.present.copy()
        heads = self._store.replace_damaged(segment)
        chain = self._store.chains[segment.cls]
        left = next((s.present for s in chain if s.name == segment.name), Intervals())
        gone = held - left
        owed = Intervals()
        for cursor in owing.cursors.values():
            owed |= gone - cursor.resolved()
        drafts = losses.draft(owed, heads, cause="damaged")
        drafts = losses.unsure(owing.given, drafts)
        got.losses += self._store.state_losses(drafts)
        got.losses += self._store.ledger.reopen(owed)
        self._store.absent.add(gone.pairs())
        got.lost |= owed

    def _state_missing(
        self, first: int, last: int, got: Got, owing: Owing | None
    ) -> None:
        missing = Intervals.of([(first, last)]) - got.lost
        if not missing:
            return
        if owing is None:
            raise _MissingError
        # Evicted since it was asked for: stated already.
        fresh = missing - self._store.ledger.covered()
        drafts = losses.draft(fresh, (), cause="damaged", certain=False)
        got.losses += self._store.state_losses(drafts)
        self._store.absent.add(missing.pairs())
        got.lost |= missing
