"""Sets of seqs as sorted, disjoint intervals.

Kept as one sorted list of edges, half-open: ``[5, 8, 20, 21]`` is 5, 6, 7 and 20.
An even number of edges at or below a seq means it is outside, an odd one inside.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence


class Intervals:
    """A mutable set of positive integers made of few runs."""

    __slots__ = ("_edges",)

    def __init__(self, edges: Iterable[int] = ()) -> None:
        self._edges = list(edges)

    @classmethod
    def of(cls, pairs: Iterable[tuple[int, int]]) -> Intervals:
        """The union of inclusive pairs, in any order."""
        made = cls()
        for first, last in pairs:
            made.add(first, last)
        return made

    @property
    def edges(self) -> list[int]:
        """The half-open edges themselves, for storing."""
        return self._edges

    def copy(self) -> Intervals:
        """An independent copy."""
        return Intervals(self._edges)

    def add(self, first: int, last: int) -> None:
        """Put ``first..last`` in, inclusive; nothing when ``last < first``."""
        if last < first:
            return
        edges, end = self._edges, last + 1
        if edges and first >= edges[-1]:
            if first == edges[-1]:
                edges[-1] = end
            else:
                edges += (first, end)
            return
        low, high = bisect_left(edges, first), bisect_right(edges, end)
        # An odd index means the edge itself lies inside a present run, which grows.
        fresh = [] if low % 2 else [first]
        if high % 2 == 0:
            fresh.append(end)
        edges[low:high] = fresh

    def remove(self, first: int, last: int) -> None:
        """Take ``first..last`` out, inclusive."""
        if last < first:
            return
        edges, end = self._edges, last + 1
        low, high = bisect_left(edges, first), bisect_right(edges, end)
        fresh = [first] if low % 2 else []
        if high % 2:
            fresh.append(end)
        edges[low:high] = fresh

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Inclusive runs, ascending."""
        edges = self._edges
        for at in range(0, len(edges), 2):
            yield edges[at], edges[at + 1] - 1

    def total(self) -> int:
        """How many seqs are inside."""
        return sum(self._edges[1::2]) - sum(self._edges[::2])

    def covers(self, first: int, last: int) -> bool:
        """Whether all of ``first..last`` is inside; true when that is empty."""
        if last < first:
            return True
        at = bisect_right(self._edges, first)
        return at % 2 == 1 and self._edges[at] > last

    def touches(self, first: int, last: int) -> bool:
        """Whether any of ``first..last`` is inside."""
        if last < first:
            return False
        at = bisect_right(self._edges, first)
        return at % 2 == 1 or (at < len(self._edges) and self._edges[at] <= last)

    def gaps(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Inclusive runs of ``first..last`` that are outside, ascending."""
        edges = self._edges
        at = bisect_right(edges, first)
        start = first
        if at % 2:
            start = edges[at]
            at += 1
        while start <= last:
            if at >= len(edges):
                yield start, last
                return
            if edges[at] > last:
                yield start, last
                return
            yield start, edges[at] - 1
            start = edges[at + 1]
            at += 2

    def within(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Inclusive runs of ``first..last`` that are inside, ascending."""
        edges = self._edges
        at = bisect_right(edges, first)
        if at % 2:
            at -= 1
        while at < len(edges) and edges[at] <= last and first <= last:
            yield max(first, edges[at]), min(last, edges[at + 1] - 1)
            at += 2

    def clip(self, first: int, last: int) -> Intervals:
        """What of ``first..last`` is inside."""
        return self & Intervals((first, last + 1) if last >= first else ())

    def __contains__(self, seq: int) -> bool:
        return bisect_right(self._edges, seq) % 2 == 1

    def __len__(self) -> int:
        return len(self._edges) // 2

    def __bool__(self) -> bool:
        return bool(self._edges)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Intervals) and self._edges == other._edges

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        runs = ", ".join(f"{a}..{b}" if b > a else f"{a}" for a, b in self.pairs())
        return f"Intervals({runs})"

    def __or__(self, other: Intervals) -> Intervals:
        return _sweep(self._edges, other._edges, lambda a, b: a or b)

    def __and__(self, other: Intervals) -> Intervals:
        return _sweep(self._edges, other._edges, lambda a, b: a and b)

    def __sub__(self, other: Intervals) -> Intervals:
        return _sweep(self._edges, other._edges, lambda a, b: a and not b)


def _sweep(
    left: Sequence[int], right: Sequence[int], keep: Callable[[bool, bool], bool]
) -> Intervals:
    edges: list[int] = []
    i = j = 0
    in_left = in_right = inside = False
    while i < len(left) or j < len(right):
        at = left[i] if j >= len(right) else right[j]
        if i < len(left):
            at = min(at, left[i])
        if i < len(left) and left[i] == at:
            in_left, i = not in_left, i + 1
        if j < len(right) and right[j] == at:
            in_right, j = not in_right, j + 1
        if keep(in_left, in_right) is not inside:
            edges.append(at)
            inside = not inside
    return Intervals(edges)
