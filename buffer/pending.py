"""Records in memory only: waiting for a commit, or in one under way."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from buffer import ring
from buffer.batch import ROW_BYTES
from buffer.model import BULKY, PriorityClass

if TYPE_CHECKING:
    from collections.abc import Collection

    from buffer.cursor import Cursor
    from buffer.intervals import Intervals
    from buffer.model import Entry

_MARK_S = 0.05
"""How finely the age of records is known; events exactly."""
BULKY_BYTES = ROW_BYTES
"""Of pictures in one commit: an event waits for no more than this to be written, and
making room for one commit never costs a small store all it holds."""


class Pending:
    """What is not durable yet, by class, with the losses it will settle."""

    def __init__(self) -> None:
        self.waiting: dict[PriorityClass, list[Entry]] = {c: [] for c in PriorityClass}
        self.inflight: dict[PriorityClass, list[Entry]] = {}
        self.count = 0
        """Records held."""
        self.size = 0
        """Bytes of data held."""
        self.settles: dict[int, int] = {}
        """Seq of a record -> id of the loss it states."""
        self._ages: list[tuple[float, int]] = []
        """Loop time, and the first seq appended then."""

    def add(self, entry: Entry, settles: int | None, now: float) -> None:
        """Take the next record."""
        self.waiting[entry.cls].append(entry)
        self.count += 1
        self.size += len(entry.data)
        if settles is not None:
            self.settles[entry.seq] = settles
        ages = self._ages
        if (
            not ages
            or now - ages[-1][0] >= _MARK_S
            or (entry.cls is PriorityClass.EVENT and now > ages[-1][0])
        ):
            ages.append((now, entry.seq))

    def due(self, commit_s: float, event_s: float) -> float | None:
        """When the next of the waiting records has to be written, loop time."""
        due = None
        for cls, entries in self.waiting.items():
            if entries:
                limit = event_s if cls is PriorityClass.EVENT else commit_s
                at = self.since(entries[0].seq) + limit
                due = at if due is None or at < due else due
        return due

    def since(self, seq: int) -> float:
        """When a record was appended, loop time; at most 50 ms too early."""
        at = bisect_right(self._ages, seq, key=_seq_of)
        return self._ages[at - 1][0] if at else float("-inf")

    def begin(self, oldest: float) -> dict[PriorityClass, list[Entry]]:
        """Hand to a commit what it takes; ages before ``oldest`` are forgotten.

        That is everything, but of bulky records only what fits in ``BULKY_BYTES``: the
        rest waits for the next commit, which follows at once.
        """
        self.inflight, room = {}, BULKY_BYTES
        for cls, found in self.waiting.items():
            count = len(found)
            if cls in BULKY and found:
                count = _fitting(found, room, first=room == BULKY_BYTES)
                room -= sum(len(entry.data) for entry in found[:count])
            if count:
                self.inflight[cls], self.waiting[cls] = found[:count], found[count:]
        # In order of time: only the front is looked at, however many there are.
        del self._ages[: bisect_left(self._ages, oldest - _MARK_S, key=_time_of)]
        return self.inflight

    def end(self, durable: list[tuple[PriorityClass, int]]) -> list[int]:
        """Take back what a commit did not write; returns losses settled by the rest."""
        settled = []
        for cls, n in durable:
            for entry in self.inflight[cls][:n]:
                self._gone(entry)
                if entry.seq in self.settles:
                    settled.append(self.settles.pop(entry.seq))
            del self.inflight[cls][:n]
        for cls, left in self.inflight.items():
            self.waiting[cls] = left + self.waiting[cls]
        self.inflight = {}
        return settled

    def drop_proved(self, cursors: Collection[Cursor]) -> list[Entry]:
        """Take out what every cursor has, but for records that settle a loss.

        Those are written all the same: a loss that is known to be stated only by a
        record nobody keeps would be stated again after a crash.
        """
        if not self.count or not cursors:
            return []
        floor = min(cursor.floor for cursor in cursors)
        dropped: list[Entry] = []
        for cls, entries in self.waiting.items():
            if not entries:
                continue
            if entries[-1].seq <= floor and not self.settles:
                dropped += entries
                self.waiting[cls] = []
                continue
            kept = []
            for entry in entries:
                if entry.seq not in self.settles and all(
                    cursor.is_resolved(entry.seq) for cursor in cursors
                ):
                    dropped.append(entry)
                else:
                    kept.append(entry)
            self.waiting[cls] = kept
        for entry in dropped:
            self._gone(entry)
        if not self.count:
            self._ages.clear()
        return dropped

    def shed(
        self, *, older_than: float, ring_bytes: int, resolved: Intervals
    ) -> tuple[list[Entry], list[Entry]]:
        """Drop what need not or cannot be kept: had by all targets, and lost."""
        had, lost = ring.shed(
            self.waiting,
            cutoff=max((seq for t, seq in self._ages if t <= older_than), default=0),
            ring_bytes=ring_bytes,
            resolved=resolved,
            keep=self.settles,
        )
        for entry in (*had, *lost):
            self._gone(entry)
        for entry in lost:
            self.settles.pop(entry.seq, None)
        return had, lost

    def first(self) -> int | None:
        """The lowest seq not durable."""
        lowest = None
        for groups in (self.waiting, self.inflight):
            for found in groups.values():
                if found and (lowest is None or found[0].seq < lowest):
                    lowest = found[0].seq
        return lowest

    def left(self) -> int | None:
        """The lowest seq that is in no commit yet."""
        return min((w[0].seq for w in self.waiting.values() if w), default=None)

    def left_bulky(self) -> int:
        """How many bulky records are in no commit yet."""
        return sum(len(self.waiting[cls]) for cls in BULKY)

    def __len__(self) -> int:
        return self.count

    def _gone(self, entry: Entry) -> None:
        self.count -= 1
        self.size -= len(entry.data)


def _fitting(entries: list[Entry], room: int, *, first: bool) -> int:
    """How many of them fit in ``room`` bytes; one at least if ``first``."""
    size = 0
    for count, entry in enumerate(entries):
        size += len(entry.data)
        if size > room and (count or not first):
            return count
    return len(entries)


def _seq_of(age: tuple[float, int]) -> int:
    return age[1]


def _time_of(age: tuple[float, int]) -> float:
    return age[0]
