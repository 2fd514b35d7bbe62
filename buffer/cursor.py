"""How far one target is: all it has been proved to hold, or will never be given.

``floor``: all seqs at or below it are resolved. Above it a sorted set of resolved
intervals. Resolved = proved by the target, evicted, set aside, filtered out; it only
ever grows, so of two versions the union is right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from buffer.intervals import Intervals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

STORED_INTERVALS = 1024
"""More than these live in memory only: after a crash they cost repeats, not loss."""


class Cursor:
    """What one target has resolved."""

    __slots__ = ("above", "floor")

    def __init__(self, floor: int = 0, above: Iterable[int] = ()) -> None:
        self.floor = floor
        self.above = Intervals(above)

    def resolve(self, first: int, last: int) -> None:
        """Count ``first..last`` (inclusive) as resolved."""
        if last <= self.floor:
            return
        if first > self.floor + 1:
            self.above.add(first, last)
            return
        self.floor = last
        edges = self.above.edges
        while edges and edges[0] <= self.floor + 1:
            self.floor = max(self.floor, edges[1] - 1)
            del edges[:2]

    def resolve_all(self, runs: Intervals) -> None:
        """Count every run as resolved."""
        for first, last in runs.pairs():
            self.resolve(first, last)

    def is_resolved(self, seq: int) -> bool:
        """Whether the target needs ``seq`` no more."""
        return seq <= self.floor or seq in self.above

    def unresolved(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Inclusive runs of ``first..last`` still owed, ascending."""
        return self.above.gaps(max(first, self.floor + 1), last)

    def owed(self, high: int) -> int:
        """How many seqs up to ``high`` are still owed."""
        return max(0, high - self.floor) - self.above.total()

    def resolved(self) -> Intervals:
        """Everything resolved as one set."""
        edges = [1, self.floor + 1] if self.floor > 0 else []
        return Intervals(edges + self.above.edges)

    def copy(self) -> Cursor:
        """An independent copy."""
        return Cursor(self.floor, self.above.edges)

    def dump(self, limit: int = STORED_INTERVALS) -> list[int]:
        """Floor, then edges of the lowest ``limit`` intervals."""
        return [self.floor, *self.above.edges[: 2 * limit]]

    @classmethod
    def load(cls, numbers: Sequence[int]) -> Cursor:
        """The inverse of `dump`."""
        return cls(numbers[0], numbers[1:]) if numbers else cls()


def resolved_by_all(cursors: Iterable[Cursor]) -> Intervals:
    """What no target needs any more; nothing where there is no target."""
    common: Intervals | None = None
    for cursor in cursors:
        mine = cursor.resolved()
        common = mine if common is None else common & mine
    return common if common is not None else Intervals()
