"""What one unit refuses, learned by halving, remembered, and doubted rarely.

A device may refuse a block because of one register in it (exception 2), because of a
hole, because of the room read around it, or because it takes no request that long
(exception 3). Halving finds out which:

    refused with room around     ask for the block alone; answered: the room is refused
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
    from drivers.modbus.transaction import Span
    from drivers.profiles.model import Point

RETRY_S = 600.0
_STRIKES = 2
"""Padded requests in a row without an answer until the room is held guilty."""


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
    padded: tuple[int, int] | None = None
    """The wider request, start and count, that was refused before this exact one."""


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
        self._roomy: set[tuple[Table, int, int]] = set()
        self._strikes: dict[tuple[Table, int, int], int] = {}
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

    def refused(
        self, attempt: Attempt, asked: tuple[int, int] | None, now: float
    ) -> list[Attempt]:
        """Take in that a request was refused.

        Args:
            attempt: What was tried.
            asked: Start and count that really were on the wire; None if unknown.
            now: Monotonic seconds.

        Returns:
            What to try next, in order. Nothing: its points are unsupported.
        """
        span = attempt.block.span
        if asked is None:
            asked = (
                span.start - span.room_before,
                span.count + span.room_before + span.room_after,
            )
        exact = block(attempt.block.points)
        if asked != (span.start, span.count) and (span.room_before or span.room_after):
            return [Attempt(exact, attempt.split, asked)]
        if attempt.split is not None:
            attempt.split.innocent = True
        cut = _cut(exact.points)
        if cut == 0:
            self._refuse(span.table, span.start, span.count, now)
            return []
        left, right = block(exact.points[:cut]), block(exact.points[cut:])
        split = Split(span.table, right.span.start)
        return [Attempt(left, split), Attempt(right, split)]

    def answered(self, attempt: Attempt, start: int, count: int, now: float) -> None:
        """Take in that a request was answered with these registers."""
        span = attempt.block.span
        if count != span.count:
            key = (span.table, span.start, span.count)
            if key not in self._roomy:
                self._roomy.add(key)
                self._strikes.pop(key, None)
        if attempt.padded is not None:
            self._refuse_room(span, attempt.padded, now)
        if attempt.split is not None:
            self._halved(attempt.split, now)
        if self._probation:
            cells = {(span.table, at) for at in range(start, start + count)}
            if not self._probation.isdisjoint(cells):
                self._probation -= cells
                self.version += 1

    def silent(self, block_: Block, asked: tuple[int, int] | None, now: float) -> None:
        """Take in that a unit, alive just before, said nothing to this request.

        Some devices stay silent where they should refuse: when that happens twice to a
        block read with room around it, and never was such a request answered, the
        room is given up.
        """
        span = block_.span
        key = (span.table, span.start, span.count)
        if asked is None or asked == (span.start, span.count) or key in self._roomy:
            return
        self._strikes[key] = self._strikes.get(key, 0) + 1
        if self._strikes[key] >= _STRIKES:
            del self._strikes[key]
            self._refuse_room(span, asked, now)

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
        self._roomy.clear()

    def _refuse(self, table: Table, start: int, count: int, now: float) -> None:
        cells = {(table, at) for at in range(start, start + count)}
        self._refused |= cells
        self._probation -= cells
        self._note(_Finding(table, start, count, now + self._retry_s))

    def _refuse_room(self, span: Span, asked: tuple[int, int], now: float) -> None:
        before = span.start - asked[0]
        after = asked[0] + asked[1] - span.start - span.count
        if before > 0:
            self._close(span.table, span.start, now)
        if after > 0:
            self._close(span.table, span.start + span.count, now)

    def _halved(self, split: Split, now: float) -> None:
        split.waiting -= 1
        if not split.waiting and not split.innocent:
            self._close(split.table, split.boundary, now)

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
