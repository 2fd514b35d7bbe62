"""What to ask for: points become as few and as short requests as pay off.

A request costs about as much as ``request_cost`` more registers in one that is sent
anyway (eight bytes out, five around the answer, two silences and the device's own
thinking), so a hole between points up to that size is read over. Within what a device
accepts in one request the cheapest split is found, not guessed.

A block never cuts a point, never crosses what the device refused (``Refusals``), and
says how much room a bus has around it to vary the size of a request, which is how an
RTU answer is told from a late one (see ``transaction``).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from drivers.modbus.block import Block, block

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drivers.modbus.refusals import Refusals
    from drivers.profiles.model import ModbusPoint, Table

BIT_TABLES = frozenset({"coil", "discrete"})
_LAST_ADDRESS = 0xFFFF
_SPARE = 4


class Limits(msgspec.Struct, frozen=True):
    """What one request may hold, and when a hole is worth reading over.

    Source of the maxima: MODBUS Application Protocol V1.1b3, 6.1 to 6.4.
    """

    registers: int = 125
    bits: int = 2000
    request_cost: int = 16
    """One more request costs as much as this many more registers."""
    bit_request_cost: int = 256
    max_hole: int | None = None
    """Never read over more registers than this; None: as far as it pays."""
    holes_refused: bool = False
    """The device refuses whatever lies between its points, and around them."""
    pad: int = 8
    """Registers of room offered on either side of a block: 17 sizes to choose from."""
    bit_pad: int = 32
    """A bit answer changes its size only every eighth bit."""


class Plan(msgspec.Struct, frozen=True):
    """The requests of one scan, and the points that the device is known to refuse."""

    blocks: tuple[Block, ...]
    unsupported: tuple[str, ...] = ()


class _Rules(NamedTuple):
    most: int
    cost: int
    hole: int
    pad: int


def plan(
    points: Iterable[ModbusPoint],
    limits: Limits = Limits(),  # noqa: B008 - frozen
    refusals: Refusals | None = None,
) -> Plan:
    """Plan the requests that read every point once.

    Args:
        points: Points of one unit, in any order, of any table.
        limits: What one request may hold, and what a request costs.
        refusals: What the device is known to refuse.

    Returns:
        Blocks ordered by table and address. Points touching a refused register are
        left out and listed; points on probation stand in a block of their own.
    """
    by_table: dict[Table, list[ModbusPoint]] = {}
    for point in points:
        by_table.setdefault(point.table, []).append(point)
    blocks: list[Block] = []
    unsupported: list[str] = []
    for table, members in sorted(by_table.items()):
        rules = _rules(table, limits)
        readable: list[ModbusPoint] = []
        for point in sorted(members, key=lambda p: (p.address, p.registers)):
            if refusals is None or not refusals.touches(point):
                readable.append(point)
            elif refusals.on_probation(point):
                blocks.append(block([point]))
            else:
                unsupported.append(point.name)
        for run in _runs(readable, rules, refusals):
            blocks.extend(
                _with_room(part, rules, refusals) for part in _split(run, rules)
            )
    return Plan(tuple(blocks), tuple(unsupported))


def _rules(table: Table, limits: Limits) -> _Rules:
    if table in BIT_TABLES:
        cost, most, pad = limits.bit_request_cost, limits.bits, limits.bit_pad
        hole = cost
    else:
        cost, most, pad = limits.request_cost, limits.registers, limits.pad
        hole = cost if limits.max_hole is None else limits.max_hole
    if limits.holes_refused:
        hole = pad = 0
    return _Rules(most, cost, hole, pad)


def _runs(
    points: list[ModbusPoint], rules: _Rules, refusals: Refusals | None
) -> list[list[ModbusPoint]]:
    """Points that may share a block by all rules but its size."""
    runs: list[list[ModbusPoint]] = []
    end = 0
    for point in points:
        joined = (
            runs
            and point.address - end <= rules.hole
            and not (
                refusals
                and refusals.between(point.table, runs[-1][-1].address, point.address)
            )
        )
        if joined:
            runs[-1].append(point)
            end = max(end, point.address + point.registers)
        else:
            runs.append([point])
            end = point.address + point.registers
    return runs


def _split(run: list[ModbusPoint], rules: _Rules) -> list[list[ModbusPoint]]:
    """Cut a run into blocks of lowest total cost, none above the size allowed.

    A few registers are kept free for the sizes to vary, where a device allows enough.
    """
    most = rules.most - _SPARE if rules.most >= 4 * _SPARE else rules.most
    most = max(most, *(p.registers for p in run))
    ends = [p.address + p.registers for p in run]
    if max(ends) - run[0].address <= most:
        return [run]
    # best[i]: cheapest way to read the first i points; cut[i]: start of its last block
    best = [0.0] + [float("inf")] * len(run)
    cut = [0] * (len(run) + 1)
    for i in range(1, len(run) + 1):
        end = 0
        for j in range(i - 1, -1, -1):
            end = max(end, ends[j])
            size = end - run[j].address
            if size > most:
                break
            cost = best[j] + rules.cost + size
            if cost < best[i]:
                best[i], cut[i] = cost, j
    cuts = [len(run)]
    while cuts[-1]:
        cuts.append(cut[cuts[-1]])
    return [run[a:b] for b, a in reversed(list(pairwise(cuts)))]


def _with_room(
    points: list[ModbusPoint], rules: _Rules, refusals: Refusals | None
) -> Block:
    exact = block(points)
    span = exact.span
    spare = max(rules.most - span.count, 0)
    end = span.start + span.count
    after = min(rules.pad, spare, _LAST_ADDRESS + 1 - end)
    if refusals:
        after = refusals.free_after(span.table, end, after)
    before = min(rules.pad, spare - after, span.start)
    if refusals:
        before = refusals.free_before(span.table, span.start, before)
    roomy = msgspec.structs.replace(span, room_before=before, room_after=after)
    return Block(roomy, exact.points)
