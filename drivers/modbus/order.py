"""Which block of a scan goes next, so that no answer has to be waited for idly. Pure.

Two blocks of one size cannot follow each other quickly: a repeat of the first answer
would be taken for the second (``proof``). Room around a block lets its size vary; a
device that refuses what lies between its points leaves none. Then

* a block whose size is free, and was not asked for just before, goes before one that
  would have to wait, or would prove itself by time alone;
* where there is none, and waiting costs more than one more request, a block of several
  points is asked for in two parts. Each has the other's registers for room, so their
  sizes differ from those of all others.

What an answer has to prove stays the same; only what is asked, and when, changes.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from drivers.modbus.block import Block, block

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Iterable

    from drivers.modbus.proof import Outlook
    from drivers.modbus.transaction import Span


class Wanted(Protocol):
    """One request of a plan."""

    @property
    def block(self) -> Block:
        """What it asks for."""
        ...


W = TypeVar("W", bound=Wanted)


def take_next(
    todo: deque[W],
    outlook: Callable[[Span], Outlook],
    halves: Callable[[W], tuple[W, W] | None],
    worth_s: float,
    *,
    alike: bool = False,
) -> W:
    """Take the request that goes next out of what is to do.

    Args:
        todo: At least one; a halved request leaves its other half there.
        outlook: How a span stands now.
        halves: A request in two parts; None where it has only one point.
        worth_s: A wait longer than this is worth one more request.
        alike: Whether spans of the plan have the same size.
    """
    first = todo[0]
    if not alike and _free(outlook(first.block.span)):
        return todo.popleft()
    seen = {index: outlook(asked.block.span) for index, asked in enumerate(todo)}
    free = [index for index, look in seen.items() if _free(look)]
    if free:
        at = free[0] if len(free) == 1 else _scarcest(todo, seen, free)
    else:
        at = min(seen, key=lambda index: (*_pain(seen[index]), index))
        if seen[at].repeats or seen[at].wait_s > worth_s:
            part = _halved(todo, outlook, halves, seen[at])
            if part is not None:
                return part
    asked = todo[at]
    del todo[at]
    return asked


def _halved(
    todo: deque[W],
    outlook: Callable[[Span], Outlook],
    halves: Callable[[W], tuple[W, W] | None],
    rather: Outlook,
) -> W | None:
    """Half of a block that is free; or one that need not repeat, where all others do.

    The other half takes the block's place.
    """
    best: tuple[bool, float] = rather.repeats, 0.0
    found: tuple[int, W, W] | None = None
    for index, asked in enumerate(todo):
        parts = halves(asked)
        for part, other in (parts, parts[::-1]) if parts else ():
            pain = _pain(outlook(part.block.span))
            if pain < best or (found is None and pain == (False, 0.0)):
                best, found = pain, (index, part, other)
    if found is None:
        return None
    index, part, other = found
    todo[index] = other
    return part


def _pain(seen: Outlook) -> tuple[bool, float]:
    return seen.repeats, seen.wait_s


def _scarcest(todo: deque[W], seen: dict[int, Outlook], free: list[int]) -> int:
    """Those that share their only size have the longest way to go: they begin."""
    sizes = Counter(
        (todo[index].block.span.table, todo[index].block.span.count)
        for index, look in seen.items()
        if look.rigid
    )

    def sharing(index: int) -> int:
        span = todo[index].block.span
        return sizes[span.table, span.count] if seen[index].rigid else 0

    return max(free, key=lambda index: (sharing(index), -index))


def any_alike(spans: Iterable[Span]) -> bool:
    """Whether two of these have the same size."""
    sizes = [(span.table, span.count) for span in spans]
    return len(set(sizes)) < len(sizes)


def _free(seen: Outlook) -> bool:
    return not seen.wait_s and not seen.repeats


def split(whole: Block) -> tuple[Block, Block] | None:
    """A block in two, cut between points as near its middle as it goes.

    Returns:
        Both parts, each with all registers of the block (and its room) for room; None
        where no cut is possible.
    """
    span, points = whole.span, whole.points
    middle = span.start + span.count / 2
    cut, best, end = 0, float("inf"), 0
    for index, point in enumerate(points):
        if index and point.address >= end and abs(point.address - middle) < best:
            cut, best = index, abs(point.address - middle)
        end = max(end, point.address + point.registers)
    if not cut:
        return None
    left, right = (_inside(block(part), span) for part in (points[:cut], points[cut:]))
    return left, right


def _inside(part: Block, span: Span) -> Block:
    before = part.span.start - span.start
    after = span.count - before - part.span.count
    roomy = msgspec.structs.replace(
        part.span,
        room_before=span.room_before + before,
        room_after=span.room_after + after,
    )
    return Block(roomy, part.points)
