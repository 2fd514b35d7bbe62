"""The most recent records in memory, so that a target that keeps up costs no read."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from buffer.model import PriorityClass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buffer.model import Entry

_OVERHEAD_BYTES = 200
"""What a record costs in memory beside its data."""


class Tail:
    """Consecutive entries up to the newest; a dropped one leaves a hole."""

    __slots__ = ("_entries", "_seqs", "first", "size")

    def __init__(self, first: int) -> None:
        self.first = first
        """Seq of the oldest entry kept, or of the next one when empty."""
        self.size = 0
        """Bytes held, overhead included."""
        self._entries: list[Entry | None] = []
        self._seqs: dict[PriorityClass, list[int]] = {c: [] for c in PriorityClass}

    def append(self, entry: Entry) -> None:
        """Keep the next entry."""
        self._entries.append(entry)
        self._seqs[entry.cls].append(entry.seq)
        self.size += len(entry.data) + _OVERHEAD_BYTES

    def get(self, seq: int) -> Entry | None:
        """One entry, if it is kept."""
        at = seq - self.first
        return self._entries[at] if 0 <= at < len(self._entries) else None

    def between(self, first: int, last: int) -> Iterator[Entry]:
        """Entries of ``first..last`` (inclusive) that are kept, ascending."""
        low, entries = max(0, first - self.first), self._entries
        for at in range(low, min(last - self.first + 1, len(entries))):
            entry = entries[at]
            if entry is not None:
                yield entry

    def of_class(self, cls: PriorityClass, first: int, last: int) -> Iterator[Entry]:
        """The same of one class only, without passing over the others."""
        seqs = self._seqs[cls]
        for at in range(bisect_left(seqs, first), bisect_right(seqs, last)):
            entry = self.get(seqs[at])
            if entry is not None:
                yield entry

    def drop(self, seq: int) -> None:
        """Forget one entry, leaving a hole."""
        at = seq - self.first
        entry = self.get(seq)
        if entry is not None:
            self._entries[at] = None
            self.size -= len(entry.data) + _OVERHEAD_BYTES

    def trim(self, limit: int, *, durable: int, wanted: int) -> None:
        """Forget the oldest entries, never one above ``durable``.

        Args:
            limit: Bytes that may stay.
            durable: Highest seq that is on disk.
            wanted: Entries below it nobody needs.
        """
        entries, at = self._entries, 0
        while at < len(entries) and self.first + at <= durable:
            if self.size <= limit and self.first + at >= wanted:
                break
            entry = entries[at]
            if entry is not None:
                self.size -= len(entry.data) + _OVERHEAD_BYTES
            at += 1
        if at:
            del entries[:at]
            self.first += at
            for seqs in self._seqs.values():
                del seqs[: bisect_left(seqs, self.first)]
