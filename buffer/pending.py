"""Records in memory only: waiting for a commit, or in one under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buffer import ring
from buffer.model import PriorityClass

if TYPE_CHECKING:
    from buffer.intervals import Intervals
    from buffer.model import Entry

_MARK_S = 1.0
"""How finely the age of records is known."""


class Pending:
    """What is not durable yet, by class, with the losses it will settle."""

    def __init__(self) -> None:
        self.waiting: dict[PriorityClass, list[Entry]] = {c: [] for c in PriorityClass}
        self.inflight: dict[PriorityClass, list[Entry]] = {}
        self.size = 0
        """Bytes of data held."""
        self.settles: dict[int, int] = {}
        """Seq of a record -> id of the loss it states."""
        self.since = 0.0
        """Loop time of the oldest record that came after the last commit began."""
        self._fresh = True
        self._ages: list[tuple[float, int]] = []

    def add(self, entry: Entry, settles: int | None, now: float) -> None:
        """Take the next record."""
        self.waiting[entry.cls].append(entry)
        self.size += len(entry.data)
        if settles is not None:
            self.settles[entry.seq] = settles
        if self._fresh:
            self._fresh, self.since = False, now
        if not self._ages or now - self._ages[-1][0] >= _MARK_S:
            self._ages.append((now, entry.seq))

    def begin(self, oldest: float) -> dict[PriorityClass, list[Entry]]:
        """Hand everything to a commit; ages before ``oldest`` are forgotten."""
        self.inflight = {cls: found for cls, found in self.waiting.items() if found}
        for cls in self.inflight:
            self.waiting[cls] = []
        self._fresh = True
        if self._ages and self._ages[0][0] < oldest:
            self._ages = [age for age in self._ages if age[0] >= oldest - _MARK_S]
        return self.inflight

    def end(self, durable: list[tuple[PriorityClass, int]]) -> list[int]:
        """Take back what a commit did not write; returns losses settled by the rest."""
        settled = []
        for cls, n in durable:
            for entry in self.inflight[cls][:n]:
                self.size -= len(entry.data)
                if entry.seq in self.settles:
                    settled.append(self.settles.pop(entry.seq))
            del self.inflight[cls][:n]
        for cls, left in self.inflight.items():
            self.waiting[cls] = left + self.waiting[cls]
        self.inflight = {}
        return settled

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
            self.size -= len(entry.data)
        for entry in lost:
            self.settles.pop(entry.seq, None)
        return had, lost

    def first(self) -> int | None:
        """The lowest seq not durable."""
        groups = (*self.waiting.values(), *self.inflight.values())
        return min((found[0].seq for found in groups if found), default=None)

    def has_events(self) -> bool:
        """Whether an event waits."""
        return bool(self.waiting[PriorityClass.EVENT])

    def __len__(self) -> int:
        groups = (*self.waiting.values(), *self.inflight.values())
        return sum(len(found) for found in groups)
