"""Which seqs of which class were written to disk, as the event loop knows it.

The segments know it too, but belong to the store's thread. What was removed from disk
meanwhile may still stand here: it is resolved for every target, so nobody asks for it.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from buffer.batch import runs_of
from buffer.intervals import Intervals
from buffer.model import PriorityClass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from buffer.cursor import Cursor
    from buffer.model import Entry


class OnDisk:
    """One set of seqs a class."""

    def __init__(self, runs: dict[PriorityClass, Intervals] | None = None) -> None:
        self._runs = runs or {cls: Intervals() for cls in PriorityClass}

    def add(self, cls: PriorityClass, entries: Sequence[Entry]) -> None:
        """Entries (not empty, ascending) became durable."""
        for first, last in runs_of(entries):
            self._runs[cls].add(first, last)

    def learn(self, stored: Mapping[PriorityClass, Intervals]) -> None:
        """These are on disk, as the store says: somebody new is owed all of it."""
        for cls, runs in stored.items():
            for first, last in runs.pairs():
                self._runs[cls].add(first, last)

    def forget(self, floor: int) -> None:
        """Nobody is owed anything at or below ``floor`` any more."""
        for runs in self._runs.values():
            if runs and runs.edges[0] <= floor:
                runs.remove(1, floor)

    def touches(self, first: int, last: int) -> bool:
        """Whether any of ``first..last`` is on disk."""
        return any(runs.touches(first, last) for runs in self._runs.values())

    def within(
        self, classes: AbstractSet[PriorityClass], first: int, last: int
    ) -> Iterator[tuple[int, int]]:
        """Inclusive runs of these classes in ``first..last``, ascending."""
        found = [self._runs[cls].within(first, last) for cls in classes]
        return found[0] if len(found) == 1 else heapq.merge(*found)


def owed(
    cursor: Cursor,
    candidates: Iterable[tuple[int, int]],
    skip: Intervals | None,
) -> Iterator[tuple[int, int]]:
    """What of ``candidates`` (ascending runs) is unresolved and not to be skipped."""
    for first, last in candidates:
        for low, high in cursor.unresolved(first, last):
            if skip is None:
                yield low, high
            else:
                yield from skip.gaps(low, high)


def enough(runs: Iterable[tuple[int, int]], records: int) -> list[tuple[int, int]]:
    """The first runs that hold ``records`` seqs together, all if there are fewer."""
    found = []
    for first, last in runs:
        found.append((first, last))
        records -= last - first + 1
        if records <= 0:
            break
    return found
