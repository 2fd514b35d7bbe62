"""What to ask for: points become as few questions as the table's blocks allow. Pure.

A block identifier brings several items at once; it is asked when at least two of them
are wanted. A block that may not be asked now (refused, or haunted by a late answer, see
``ghosts``) falls back to single items, and a haunted item may still be had through its
block: another identifier is another question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from drivers.profiles.dlt645_items import Item, blocks, items
from drivers.profiles.dlt645_points import Dlt645Point

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Question(msgspec.Struct, frozen=True):
    """One read: an identifier, and what is wanted of its answer."""

    di: str
    wanted: tuple[Dlt645Point, ...]
    items: tuple[Item, ...]
    """What the answer holds, one after another."""
    open: bool = False
    """It may hold fewer or more of them."""

    @property
    def is_block(self) -> bool:
        """Whether the items have identifiers of their own."""
        return self.items[0].di != self.di

    @property
    def size(self) -> int:
        """Bytes of data behind the identifier."""
        return sum(item.size for item in self.items)

    def fits(self, size: int) -> bool:
        """Whether an answer with so many bytes can be taken apart."""
        if not self.is_block:
            return any(size == point.item.size for point in self.wanted)
        if not self.open:
            return size == self.size
        return size > 0 and size % self.items[0].size == 0

    def piece(self, di: str, data: bytes) -> bytes:
        """The bytes of one item; none where the answer ends before it."""
        if not self.is_block:
            return data
        at = 0
        for item in self.items:
            if item.di == di:
                return data[at : at + item.size]
            at += item.size
        return b""


class Plan(msgspec.Struct, frozen=True):
    """The questions of one scan, and what cannot be asked now."""

    questions: tuple[Question, ...]
    unasked: tuple[tuple[Dlt645Point, str], ...]
    """Points and why."""


def plan(
    points: Iterable[Dlt645Point],
    refused: Callable[[str], str | None],
    haunted: Callable[[str], bool],
) -> Plan:
    """Plan the questions that bring every point once.

    Args:
        points: Points of one meter, in any order.
        refused: Why an identifier is not to be asked; None: it may be.
        haunted: Whether an identifier's answer could not be proved now.

    Returns:
        Questions in the order of their first points; points that no question can
        bring are listed with the reason.
    """
    by_di: dict[str, list[Dlt645Point]] = {}
    for point in points:
        by_di.setdefault(point.di, []).append(point)
    ways = _blocks_for(by_di, refused, haunted)
    made: dict[str, Question] = {}
    unasked: list[tuple[Dlt645Point, str]] = []
    for di, wanted in by_di.items():
        question = ways.get(di)
        if question is not None:
            made.setdefault(question.di, question)
            continue
        why = refused(di) or ("unprovable" if haunted(di) else None)
        if why is not None:
            unasked += [(point, why) for point in wanted]
        else:
            made[di] = Question(di, tuple(wanted), (wanted[0].item,))
    return Plan(tuple(made.values()), tuple(unasked))


def singles(question: Question, refused: Callable[[str], str | None]) -> Plan:
    """The questions that stand for a block the meter would not give."""
    return plan(question.wanted, refused, lambda di: di == question.di)


def _blocks_for(
    by_di: dict[str, list[Dlt645Point]],
    refused: Callable[[str], str | None],
    haunted: Callable[[str], bool],
) -> dict[str, Question]:
    """Item -> the block that brings it."""
    ways: dict[str, Question] = {}
    for block in blocks():
        within = [
            di
            for di in block.items
            if di in by_di and by_di[di][0].item == items()[di] and not refused(di)
        ]
        free = not refused(block.di) and not haunted(block.di)
        saves = len(within) > 1 or any(haunted(di) for di in within)
        if not (free and saves):
            continue
        wanted = tuple(point for di in within for point in by_di[di])
        layout = tuple(items()[di] for di in block.items)
        question = Question(block.di, wanted, layout, block.open)
        ways |= dict.fromkeys(within, question)
    return ways
