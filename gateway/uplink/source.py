"""What the pump needs of the buffer: the seam that ``buffer.Buffer`` fills."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from buffer import Intervals, PriorityClass

Runs = tuple[tuple[int, int], ...]
"""Inclusive runs of seqs, ascending: ((1, 4), (9, 9))."""


class Entry(Protocol):
    """One stored record."""

    @property
    def seq(self) -> int:
        """Its place in the store."""
        ...

    @property
    def cls(self) -> PriorityClass:
        """What it is worth; decides its lane."""
        ...

    @property
    def t_ms(self) -> int:
        """Acquisition time, UTC ms, as the clock said then."""
        ...

    @property
    def subject(self) -> str:
        """Its device; empty: the site's."""
        ...

    @property
    def data(self) -> bytes:
        """Its stored bytes."""
        ...


class Backlog(Protocol):
    """How much a target has not proved yet."""

    @property
    def records(self) -> int:
        """Number of records."""
        ...

    @property
    def oldest_t_ms(self) -> int | None:
        """Acquisition time of the oldest, UTC ms."""
        ...


class Source(Protocol):
    """A durable log with a cursor per target; see ``buffer.Buffer``."""

    @property
    def store(self) -> str:
        """Eight hex digits that name this store."""
        ...

    @property
    def high(self) -> int:
        """The highest seq given out."""
        ...

    def peek(
        self,
        target: str,
        after: int,
        max_records: int,
        max_bytes: int,
        *,
        upto: int | None = None,
        classes: frozenset[PriorityClass] | None = None,
        skip: Intervals | None = None,
    ) -> Sequence[Entry] | None:
        """Unresolved entries of ``after < seq <= upto``, oldest first.

        Args:
            target: Whose cursor counts.
            after: Begin above this seq.
            max_records: No more than these.
            max_bytes: Nor more than this, but one at least.
            upto: End here.
            classes: Of these only.
            skip: Without these.

        Returns:
            None: the next is on disk.
        """
        ...

    async def read(
        self,
        target: str,
        after: int,
        max_records: int,
        max_bytes: int,
        *,
        upto: int | None = None,
        classes: frozenset[PriorityClass] | None = None,
        skip: Intervals | None = None,
    ) -> Sequence[Entry]:
        """The same, from disk."""
        ...

    def resolve(self, target: str, first: int, last: int) -> None:
        """Proved, set aside or filtered out, all of first..last."""
        ...

    def resolve_runs(self, target: str, runs: Iterable[tuple[int, int]]) -> None:
        """The same for several runs."""
        ...

    def floor(self, target: str) -> int:
        """All at or below this seq are resolved."""
        ...

    def backlog(
        self,
        target: str,
        *,
        upto: int | None = None,
        above: int = 0,
        classes: frozenset[PriorityClass] | None = None,
    ) -> Backlog:
        """What is not resolved of ``above < seq <= upto``."""
        ...

    def on_append(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have this called after an append; returns how to end that."""
        ...

    def remember(self, key: str, value: bytes | None) -> None:
        """Keep a note beside the records; None forgets it."""
        ...

    def recall(self, key: str) -> bytes | None:
        """A note kept before."""
        ...


def runs_of(seqs: Iterable[int]) -> Runs:
    """Ascending seqs as runs: 1, 2, 3, 7 is ((1, 3), (7, 7))."""
    runs: list[tuple[int, int]] = []
    first = last = 0
    for seq in seqs:
        if seq != last + 1 or not last:
            if last:
                runs.append((first, last))
            first = seq
        last = seq
    if last:
        runs.append((first, last))
    return tuple(runs)
