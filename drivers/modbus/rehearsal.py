"""A scan in the head: how long it takes on a line where nothing goes wrong. Pure.

The same choices as in earnest (``order``, ``proof``), with exchanges that take as long
as they are said to. For whoever must know before the first request what a device will
cost: blocks of one size without room wait for each other, or are halved.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from drivers.modbus.order import any_alike, split, take_next
from drivers.modbus.proof import Shape, UnitProof

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from drivers.modbus.block import Block
    from drivers.modbus.proof import Outlook
    from drivers.modbus.transaction import Span

_SCANS = 6
_SETTLED = 3
_APART_S = 1.0


class Rehearsed(NamedTuple):
    """What one scan takes, once sizes alternate."""

    seconds: float
    requests: float


class _Asked(NamedTuple):
    block: Block


def rehearse(
    blocks: Sequence[Block], exchange_s: Callable[[Shape], float], window_s: float
) -> Rehearsed:
    """Scan these blocks of one unit a few times.

    Args:
        blocks: As the planner gives them.
        exchange_s: How long a request of this shape takes, its answer included.
        window_s: How long an answered shape is held back (twice the time-out in force).
    """
    proof, now = UnitProof(), 0.0
    alike = any_alike(block.span for block in blocks)
    least_s = exchange_s(Shape(3, 0, 1, 2, 0, 0))
    spent, requests = 0.0, 0
    for scan in range(_SCANS):
        todo = deque(_Asked(block) for block in blocks)
        began = now
        while todo:
            outlook = partial(_outlook, proof, now)
            asked = take_next(todo, outlook, _halves, least_s, alike=alike)
            shape = proof.choose(asked.block.span, now)
            while not isinstance(shape, Shape):
                now = shape.until
                shape = proof.choose(asked.block.span, now)
            proof.sent(shape, now)
            now += exchange_s(shape)
            proof.answered(asked.block.span, shape, now, window_s)
            requests += scan >= _SETTLED
        spent += (now - began) if scan >= _SETTLED else 0.0
        now += _APART_S
    settled = _SCANS - _SETTLED
    return Rehearsed(spent / settled, requests / settled)


def _outlook(proof: UnitProof, now: float, span: Span) -> Outlook:
    return proof.outlook(span, now)


def _halves(asked: _Asked) -> tuple[_Asked, _Asked] | None:
    parts = split(asked.block)
    return (_Asked(parts[0]), _Asked(parts[1])) if parts else None
