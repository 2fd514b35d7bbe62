"""What one unit refuses, learned by halving, remembered, and doubted rarely.

A device may refuse a block because of one register in it (exception 2), because of a
hole, or because it takes no request that long (exception 3). That the room around it is
not to blame is the bus's word: it asked for the bare block before. Halving finds out:

    refused, several points      put a boundary in its middle (at a hole where there is
                                 one) and ask for both halves
        a half is refused        the boundary is innocent; go on with that half
        both halves answered     the boundary stays: reading across it is refused
    refused, one address         this point is unsupported

Only a point refused when asked for alone is called unsupported; all else is a boundary
that no request crosses, because the registers beside it may be points of another scan.
Every step is kept, so a search may stop anywhere and go on in a later scan; innocent
boundaries go when no part is left to be asked for. Each finding lapses after
``retry_s``, one at a time: a refused point is then asked for alone, once; a boundary is
simply read over again. Time is passed in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from drivers.modbus.block import Block, block
from drivers.profiles.model import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivers.profiles.model import ModbusPoint

RETRY_S = 600.0

_Cell = tuple[Table, int]


class _Finding(msgspec.Struct, frozen=True):
    table: Table
    start: int
    count: int
    """Registers refused; 0: no request may reach across ``start``."""
    due: float


class _Trial(msgspec.Struct):
    """A boundary whose two sides have not both been answered yet."""

    left: int
    """Address of the last point before it."""
    left_answered: bool = False
    right_answered: bool = False


class Refusals:
    """The refused registers and boundaries of one unit; no I/O, no clock."""

    def __init__(self, retry_s: float = RETRY_S) -> None:
        self._retry_s = retry_s
        self._findings: list[_Finding] = []
        self._refused: set[_Cell] = set()
        self._probation: set[_Cell] = set()
        self._boundaries: set[_Cell] = set()
        self._trials: dict[_Cell, _Trial] = {}
        self._innocent: set[_Cell] = set()
        self._pending: set[_Cell] = set()
        self.version = 0
        """Changes whenever a plan made before may no longer be the right one."""

    # What a plan asks

    def touches(self, point: ModbusPoint) -> bool:
        """Whether a register of this point is refused or on probation."""
        if not self._refused and not self._probation:
            return False
        return any(self._closed(cell) for cell in _cells(point))

    def on_probation(self, point: ModbusPoint) -> bool:
        """Whether this point may be tried again, alone."""
        return self._refused.isdisjoint(_cells(point))

    def between(self, table: Table, left: int, right: int) -> bool:
        """Whether something refused lies after address left, up to the start of right.

        ``left`` and ``right`` are the first addresses of two neighbouring points.
        """
        if not self._findings and not self._probation:
            return False
        return any(self._closed((table, at)) for at in range(left, right)) or any(
            (table, at) in self._boundaries for at in range(left + 1, right + 1)
        )

    def free_after(self, table: Table, end: int, room: int) -> int:
        """How many of ``room`` registers from ``end`` on may be read along."""
        for i in range(room):
            cell = (table, end + i)
            if cell in self._boundaries or self._closed(cell):
                return i
        return room

    def free_before(self, table: Table, start: int, room: int) -> int:
        """How many of ``room`` registers before ``start`` may be read along."""
        for i in range(room):
            if (table, start - i) in self._boundaries:
                return i
            if self._closed((table, start - i - 1)):
                return i
        return room

    def _closed(self, cell: _Cell) -> bool:
        return cell in self._refused or cell in self._probation

    # What an exchange teaches

    def refused(self, asked: Block, now: float) -> list[Block]:
        """Take in that a block was refused.

        Args:
            asked: What was asked for.
            now: Monotonic seconds.

        Returns:
            What to ask next, in order. Nothing: its points are unsupported.
        """
        table, points = asked.span.table, asked.points
        for boundary, _, _ in self._beside(asked):
            del self._trials[table, boundary]
            self._innocent.add((table, boundary))
        cut = _cut(points)
        if cut == 0:
            span = asked.span
            self._note(_Finding(table, span.start, span.count, now + self._retry_s))
            self._settle((table, span.start))
            return []
        left, right = block(points[:cut]), block(points[cut:])
        boundary = right.span.start
        self._trials[table, boundary] = _Trial(left.points[-1].address)
        self._note(_Finding(table, boundary, 0, now + self._retry_s))
        self._innocent.discard((table, boundary))
        self._pending |= {(table, left.span.start), (table, boundary)}
        return [left, right]

    def answered(self, asked: Block, start: int, count: int) -> None:
        """Take in that a block was answered, with these registers."""
        table = asked.span.table
        for boundary, trial, is_left in self._beside(asked):
            if is_left:
                trial.left_answered = True
            else:
                trial.right_answered = True
            if trial.left_answered and trial.right_answered:
                del self._trials[table, boundary]
        if self._pending:
            self._settle((table, asked.span.start))
        if self._probation:
            cells = {(table, at) for at in range(start, start + count)}
            if not self._probation.isdisjoint(cells):
                self._probation -= cells
                self.version += 1

    def lapse(self, now: float) -> None:
        """Doubt at most one finding that is older than the retry time."""
        if not self._findings or self._findings[0].due > now:
            return
        finding = self._findings[0]
        self._trials.pop((finding.table, finding.start), None)
        self._forget(finding)
        self._probation |= {
            (finding.table, finding.start + i) for i in range(finding.count)
        }

    def _beside(self, asked: Block) -> Iterator[tuple[int, _Trial, bool]]:
        """Boundaries on trial next to a block: where, which, is the block its left."""
        if not self._trials:
            return
        table, first = asked.span.table, asked.points[0].address
        last = asked.points[-1].address
        for (of, boundary), trial in list(self._trials.items()):
            if of == table and last == trial.left:
                yield boundary, trial, True
            elif of == table and first == boundary:
                yield boundary, trial, False

    def _settle(self, part: _Cell) -> None:
        """This part is decided; after the last one, innocent boundaries go."""
        self._pending.discard(part)
        if self._pending:
            return
        for table, boundary in self._innocent:
            self._forget(_Finding(table, boundary, 0, 0.0))
        self._innocent.clear()

    def _note(self, finding: _Finding) -> None:
        self._forget(finding)
        if finding.count:
            cells = {(finding.table, finding.start + i) for i in range(finding.count)}
            self._refused |= cells
            self._probation -= cells
        else:
            self._boundaries.add((finding.table, finding.start))
        self._findings.append(finding)

    def _forget(self, finding: _Finding) -> None:
        same = (finding.table, finding.start, finding.count)
        self._findings = [
            f for f in self._findings if (f.table, f.start, f.count) != same
        ]
        if finding.count:
            self._refused -= {
                (finding.table, finding.start + i) for i in range(finding.count)
            }
        else:
            self._boundaries.discard((finding.table, finding.start))
        self.version += 1


def _cells(point: ModbusPoint) -> list[_Cell]:
    return [(point.table, point.address + i) for i in range(point.registers)]


def _cut(points: tuple[ModbusPoint, ...]) -> int:
    """Where to halve: the hole nearest the middle, else the middle; 0: nowhere."""
    end = 0
    choices: list[tuple[bool, int, int]] = []
    for i, point in enumerate(points):
        if i and point.address > points[i - 1].address:
            hole = point.address > end
            choices.append((not hole, abs(2 * i - len(points)), i))
        end = max(end, point.address + point.registers)
    return min(choices)[2] if choices else 0
