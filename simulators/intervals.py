"""Sets of whole numbers kept as ranges: which seqs arrived."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Intervals:
    """Sorted, disjoint, not touching ranges, both ends included."""

    def __init__(self) -> None:
        self._first: list[int] = []
        self._last: list[int] = []

    def add(self, first: int, last: int) -> int:
        """Take in a range; returns how many of its numbers were there already."""
        # In order and at the end: the usual case by far.
        if self._last and first == self._last[-1] + 1:
            self._last[-1] = last
            return 0
        low = bisect_right(self._last, first - 2)
        high = low
        had = 0
        start, end = first, last
        while high < len(self._first) and self._first[high] <= last + 1:
            overlap = min(last, self._last[high]) - max(first, self._first[high]) + 1
            had += max(overlap, 0)
            start = min(start, self._first[high])
            end = max(end, self._last[high])
            high += 1
        self._first[low:high] = [start]
        self._last[low:high] = [end]
        return had

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._first, number) - 1
        return at >= 0 and number <= self._last[at]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._first, self._last, strict=True)

    def __len__(self) -> int:
        """How many numbers it holds."""
        return sum(last - first + 1 for first, last in self)

    @property
    def last(self) -> int | None:
        """The highest number held."""
        return self._last[-1] if self._last else None

    def overlap(self, first: int, last: int) -> int:
        """How many numbers of a range are held."""
        at = bisect_right(self._last, first - 1)
        had = 0
        while at < len(self._first) and self._first[at] <= last:
            had += min(last, self._last[at]) - max(first, self._first[at]) + 1
            at += 1
        return had

    def without(self, other: Intervals) -> int:
        """How many numbers are held that another set does not hold."""
        return len(self) - sum(other.overlap(first, last) for first, last in self)

    def missing(self, start: int | None = None) -> list[tuple[int, int]]:
        """The ranges between ``start`` (default: the first held) and the last held."""
        holes = []
        at = start if start is not None else (self._first[0] if self._first else 0)
        for first, last in self:
            if first > at:
                holes.append((at, first - 1))
            at = max(at, last + 1)
        return holes
