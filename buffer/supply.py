"""What a target is owed: from memory where it is there, else which seqs to read.

Everything below ``tail.first`` that somebody is owed is on disk, everything from there
on is in the tail; a lane asks for some classes and some stretch of seqs only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from buffer.model import Backlog, PriorityClass
from buffer.ondisk import enough, owed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from collections.abc import Set as AbstractSet

    from buffer.cursor import Cursor
    from buffer.intervals import Intervals
    from buffer.model import Entry
    from buffer.ondisk import OnDisk
    from buffer.tail import Tail

_ALL = frozenset(PriorityClass)
_KNOWN_TIMES = 256


class Supply:
    """The reading half of the event loop's side; touches no file."""

    def __init__(self, cursors: dict[str, Cursor], tail: Tail, on_disk: OnDisk) -> None:
        self._cursors = cursors
        self._tail = tail
        self._on_disk = on_disk
        self._times: dict[int, int] = {}
        """Acquisition times of seqs on disk, as far as somebody asked."""
        self._asked: set[int] = set()

    def in_memory(
        self,
        target: str,
        after: int,
        upto: int,
        *,
        max_records: int,
        max_bytes: int,
        classes: AbstractSet[PriorityClass] | None,
        skip: Intervals | None,
    ) -> list[Entry] | None:
        """Entries owed in ``after < seq <= upto``; ``None``: the next is on disk."""
        cursor, start = self._cursors[target], self._tail.first
        if after + 1 < start:
            end = min(upto, start - 1)
            for _ in self._stored(cursor, after + 1, end, classes, skip):
                return None
            after = start - 1
        found: list[Entry] = []
        size = 0
        for entry in self._kept(cursor, after + 1, upto, classes, skip):
            size += len(entry.data)
            if found and (len(found) >= max_records or size > max_bytes):
                break
            found.append(entry)
        return found

    def on_disk(
        self,
        target: str,
        after: int,
        upto: int,
        *,
        max_records: int,
        classes: AbstractSet[PriorityClass] | None,
        skip: Intervals | None,
    ) -> list[tuple[int, int]]:
        """Runs to read from disk for the next ``max_records`` entries."""
        end = min(upto, self._tail.first - 1)
        stored = self._stored(self._cursors[target], after + 1, end, classes, skip)
        return enough(stored, max_records)

    def backlog(
        self,
        target: str,
        above: int,
        upto: int,
        classes: AbstractSet[PriorityClass] | None,
    ) -> Backlog:
        """How much is owed in ``above < seq <= upto``; an age on disk may lag."""
        cursor, start = self._cursors[target], self._tail.first
        if classes is None or classes >= _ALL:
            runs: Iterable[tuple[int, int]] = cursor.unresolved(above + 1, upto)
        else:
            end = min(upto, start - 1)
            runs = list(self._stored(cursor, above + 1, end, classes, None))
            first = max(above + 1, start)
            kept = self._kept(cursor, first, upto, classes, None)
            runs += [(entry.seq, entry.seq) for entry in kept]
        oldest, records = 0, 0
        for first, last in runs:
            oldest = oldest or first
            records += last - first + 1
        return Backlog(records, self._time_of(oldest) if oldest else None)

    def asked(self) -> list[int]:
        """Seqs on disk whose acquisition time is wanted; each is told once."""
        asked, self._asked = list(self._asked), set()
        return asked

    def told(self, times: dict[int, int]) -> None:
        """The answers."""
        self._times |= times
        while len(self._times) > _KNOWN_TIMES:
            del self._times[next(iter(self._times))]

    def ask_for_oldest(self) -> None:
        """Want to know how old the oldest record on disk of each target is."""
        for cursor in self._cursors.values():
            for first, _ in cursor.unresolved(1, self._tail.first - 1):
                self._time_of(first)
                break

    def _time_of(self, seq: int) -> int | None:
        entry = self._tail.get(seq)
        if entry is not None:
            return entry.t_ms
        if seq not in self._times:
            self._asked.add(seq)
            # A few records back is as good, until the answer is there.
            return self._times.get(max((s for s in self._times if s < seq), default=0))
        return self._times[seq]

    def _stored(
        self,
        cursor: Cursor,
        first: int,
        last: int,
        classes: AbstractSet[PriorityClass] | None,
        skip: Intervals | None,
    ) -> Iterator[tuple[int, int]]:
        if classes is None:
            return owed(cursor, [(first, last)], skip)
        first = max(first, cursor.floor + 1)
        return owed(cursor, self._on_disk.within(classes, first, last), skip)

    def _kept(
        self,
        cursor: Cursor,
        first: int,
        last: int,
        classes: AbstractSet[PriorityClass] | None,
        skip: Intervals | None,
    ) -> Iterator[Entry]:
        tail = self._tail
        if classes is not None and len(classes) == 1:
            (cls,) = classes
            for entry in tail.of_class(cls, max(first, cursor.floor + 1), last):
                if not cursor.is_resolved(entry.seq) and (
                    skip is None or entry.seq not in skip
                ):
                    yield entry
            return
        for low, high in owed(cursor, [(first, last)], skip):
            for entry in tail.between(low, high):
                if classes is None or entry.cls in classes:
                    yield entry
