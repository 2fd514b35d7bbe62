"""What the pump needs of the buffer: the seam that ``buffer.Buffer`` fills."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Entry(Protocol):
    """One stored record."""

    @property
    def seq(self) -> int:
        """Its place in the store."""
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
        self, target: str, after: int, max_records: int, max_bytes: int
    ) -> Sequence[Entry] | None:
        """Unproved entries above ``after``, oldest first; None: they are on disk."""
        ...

    async def read(
        self, target: str, after: int, max_records: int, max_bytes: int
    ) -> Sequence[Entry]:
        """The same, from disk."""
        ...

    def resolve(self, target: str, first: int, last: int) -> None:
        """Proved, or set aside: the cursor moves."""
        ...

    def floor(self, target: str) -> int:
        """All at or below this seq are resolved."""
        ...

    def backlog(self, target: str) -> Backlog:
        """What is not resolved."""
        ...

    def on_append(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have this called after an append; returns how to end that."""
        ...
