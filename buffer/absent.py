"""Seqs that are not on disk for a reason: every target had them, or they are stated.

Kept above the lowest floor of all cursors only: what lies below nobody asks for. So
after a crash a seq that is neither stored nor here nor resolved was lost, and nothing
that was proved is ever taken for damage, however much of the cursors was not stored.

What came since the control file was written rides in the stamp of each commit
(`buffer.control`), all of it each time: one damaged row then hides nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from buffer.intervals import Intervals

if TYPE_CHECKING:
    from collections.abc import Iterable

LARGEST_STAMPED = 64
"""Runs beyond which the control file is written, so that stamps stay short."""
TOO_MANY = 1024
"""Runs beyond which nothing more is left out, until the cursors have moved on."""


class Absent:
    """One set for the control file, and the part of it that is newer."""

    def __init__(self, known: Intervals | None = None) -> None:
        self.known = known or Intervals()
        self.fresh = Intervals()
        """Not in the control file yet."""

    def add(self, runs: Iterable[tuple[int, int]]) -> None:
        """These are not on disk, or will not be once this is stored."""
        for first, last in runs:
            self.known.add(first, last)
            self.fresh.add(first, last)

    def forget(self, floor: int) -> None:
        """Every target has all up to ``floor``."""
        for runs in (self.known, self.fresh):
            if runs and runs.edges[0] <= floor:
                runs.remove(1, floor)

    def saved(self) -> None:
        """The control file has it all."""
        self.fresh = Intervals()

    @property
    def scattered(self) -> bool:
        """Whether it takes more room than it is worth."""
        return len(self.known) > TOO_MANY


def steps(edges: list[int]) -> list[int]:
    """Edges as the distance from each to the next: small numbers."""
    return [b - a for a, b in zip([0, *edges], edges, strict=False)]


def from_steps(numbers: Iterable[int]) -> Intervals:
    """The inverse of `steps`."""
    at, edges = 0, []
    for step in numbers:
        at += step
        edges.append(at)
    return Intervals(edges)
