"""What one unit refuses, learned by halving, remembered, and doubted rarely.

A device may refuse a block because of one register in it (exception 2), because of a
hole, or because it takes no request that long (exception 3). That the room around it is
not to blame is the bus's word: it asked for the bare block before. Halving finds out:

    refused, several points      ask for its halves, cut at a hole where there is one
        a half is refused        go on with that half
        both halves answered     reading across the boundary between them is refused
    refused, one address         this point is unsupported

Only a point refused when asked for alone is called unsupported; all else is a boundary
that no request crosses, because the registers beside it may be points of another scan.
Each finding lapses after ``retry_s``, one at a time: a refused point is then asked for
alone, once; a hole or boundary is simply read over again. Time is passed in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from drivers.modbus.plan import Block, block
from drivers.profiles.model import Table

if TYPE_CHECKING:
    from drivers.profiles.model import Point

RETRY_S = 600.0


class Split(msgspec.Struct):
    """A block cut in two: the boundary is guilty if both halves are answered."""

    table: Table
    boundary: int
    waiting: int = 2
    innocent: bool = False


class Attempt(msgspec.Struct, frozen=True):
    """One request of a search, and what its outcome will tell."""

    block: Block
    split: Split | None = None


class _Finding(msgspec.Struct, frozen=True):
    table: Table
    start: int
    count: int
    """Registers refused; 0: no request may reach across ``start``."""
    due: float


class Refusals:
    """The refused registers and boundaries of one unit; no I/O, no clock."""

    def __init__(self, retry_s: float = RETRY_S) -> None:
        self._retry_s = retry_s
        self._findings: list[_Finding] = []
        self._refused: set[tuple[Table, int]] = set()
        self._boundaries: set[tuple[Table, int]] = set()
        self._probation: set[tuple[Table, int]] = set()
        self.version = 0
        """Changes whenever a plan made before may no longer be the right one."""

    # What a plan asks

    def touches(self, point: Point) -> bool:
        """Whether a register of this point is refused or on probation."""
        if not self._refused and not self._probation:
            return False
        cells = _cells(point)
        return not (self._refused | self._probation).isdisjoint(cells)

    def on_probation(self, point: Point) -> bool:
        """Whether this point may be tried again, alone."""
        return self._refused.isdisjoint(_cells(point))

    def between(self, table: Table, left: int, right: int) -> bool:
        """Whether something refused lies after address left, up to the start of right.

        ``left`` and ``right`` are the first addresses of two neighbouring points.
        """
        if not self._findings and not self._probation:
            return False
        return any(
            (table, at) in self._refused or (table, at) in self._probation
            for at in range(left, right)
        ) or any((table, at) in self._boundaries for at in range(left + 1, right + 1))

    def free_after(self, table: Table, end: int, room: int) -> int:
        """How many of ``room`` registers from ``end`` on may be read along."""
        for i in range(room):
            if self._closed(table, end + i) or (table, end + i) in self._boundaries:
                return i
        return room

    def free_before(self, table: Table, start: int, room: int) -> int:
        """How many of ``room`` registers before ``start`` may be read along."""
        for i in range(room):
            if self._closed(table, start - 1 - i) or (
                (table, start - i) in self._boundaries
            ):
                return i
        return room

    def _closed(self, table: Table, address: int) -> bool:
        return (table, address) in self._refused or (table, address) in self._probation

    # What an exchange teaches

    def refused(self, attempt: Attempt, now: float) -> list[Attempt]:
        """Take in that a block was refused.

        Args:
            attempt: What was tried.
            now: Monotonic seconds.

        Returns:
            What to try next, in order. Nothing: its points are unsupported.
        """
        if attempt.split is not None:
            attempt.split.innocent = True
        span, points = attempt.block.span, attempt.block.points
        cut = _cut(points)
        if cut == 0:
            self._refuse(span.table, span.start, span.count, now)
            return []
        left, right = block(points[:cut]), block(points[cut:])
        split = Split(span.table, right.span.start)
        return [Attempt(left, split), Attempt(right, split)]

    def answered(self, attempt: Attempt, start: int, count: int, now: float) -> None:
        """Take in that a request was answered with these registers."""
        split = attempt.split
        if split is not None:
            split.waiting -= 1
            if not split.waiting and not split.innocent:
                self._close(split.table, split.boundary, now)
        if self._probation:
            table = attempt.block.span.table
            cells = {(table, at) for at in range(start, start + count)}
            if not self._probation.isdisjoint(cells):
                self._probation -= cells
                self.version += 1

    def lapse(self, now: float) -> None:
        """Doubt at most one finding that is older than the retry time."""
        if not self._findings or self._findings[0].due > now:
            return
        finding = self._findings.pop(0)
        self.version += 1
        if finding.count == 0:
            self._boundaries.discard((finding.table, finding.start))
            return
        cells = {
            (finding.table, at)
            for at in range(finding.start, finding.start + finding.count)
        }
        self._refused -= cells
        self._probation |= cells

    def _refuse(self, table: Table, start: int, count: int, now: float) -> None:
        cells = {(table, at) for at in range(start, start + count)}
        self._refused |= cells
        self._probation -= cells
        self._note(_Finding(table, start, count, now + self._retry_s))

    def _close(self, table: Table, boundary: int, now: float) -> None:
        self._boundaries.add((table, boundary))
        self._note(_Finding(table, boundary, 0, now + self._retry_s))

    def _note(self, finding: _Finding) -> None:
        same = (finding.table, finding.start, finding.count)
        self._findings = [
            f for f in self._findings if (f.table, f.start, f.count) != same
        ]
        self._findings.append(finding)
        self.version += 1


def _cells(point: Point) -> set[tuple[Table, int]]:
    return {
        (point.table, at)
        for at in range(point.address, point.address + point.registers)
    }


def _cut(points: tuple[Point, ...]) -> int:
    """Where to halve: the hole nearest the middle, else the middle; 0: nowhere."""
    end = 0
    choices: list[tuple[bool, int, int]] = []
    for i, point in enumerate(points):
        if i and point.address > points[i - 1].address:
            hole = point.address > end
            choices.append((not hole, abs(2 * i - len(points)), i))
        end = max(end, point.address + point.registers)
    return min(choices)[2] if choices else 0
