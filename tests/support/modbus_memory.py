"""A Modbus bus without wires: registers in a dict, refusals and silence on request.

It uses the room around a span as a real bus does, so that what a device offers as room
is tested too: by turns it reads 0, 1 or 2 registers more (8 or 16 bits). A refused
request that was wider than its span is asked again bare, and from then on bare only.
"""

from __future__ import annotations

import itertools
import struct
from typing import TYPE_CHECKING

from drivers.errors import DriverError, PointUnsupportedError, ResponseTimeoutError
from drivers.modbus.transaction import Reply, Span, Timing

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivers.profiles.model import Table

FUNCTION = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
TIMING = Timing(timeout_s=0.5)


class MemoryBus:
    """One unit behind a bus; implements ``drivers.modbus.transaction.Bus``."""

    def __init__(self, *, default: int | None = 0, most: int = 125) -> None:
        self.registers: dict[tuple[Table, int], int] = {}
        self.default = default
        self.most = most
        self.missing: set[tuple[Table, int]] = set()
        self.silent: Callable[[Table, int, int], bool] = lambda _t, _s, _c: False
        self.fails: Callable[[int], DriverError | None] = lambda _n: None
        self.asked: list[tuple[Table, int, int]] = []
        self.spans: list[Span] = []
        self.written: list[tuple[Table, int, tuple[int, ...]]] = []
        self.waits: list[float | None] = []
        self._bare: set[Span] = set()
        self._turn = itertools.cycle((0, 1, 2))

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def read(
        self, unit: int, span: Span, timing: Timing, wait_s: float | None = None
    ) -> Reply:
        del timing
        extra = 0 if span in self._bare else next(self._turn)
        try:
            return await self._ask(unit, span, wait_s, extra)
        except PointUnsupportedError:
            if self.asked[-1][2] == span.count:
                raise
            self._bare.add(span)
            return await self._ask(unit, span, wait_s, 0)

    async def _ask(
        self, unit: int, span: Span, wait_s: float | None, extra: int
    ) -> Reply:
        table = span.table
        bits = table in {"coil", "discrete"}
        extra *= 8 if bits else 1
        after = min(extra, span.room_after)
        before = min(extra - after, span.room_before)
        start, count = span.start - before, span.count + before + after
        self.spans.append(span)
        self.asked.append((table, start, count))
        self.waits.append(wait_s)
        sent = struct.pack(">BBHHH", unit, FUNCTION[table], start, count, 0xBEEF)
        assert start >= 0
        assert start + count <= 0x10000
        assert count <= (2000 if bits else 125)
        if error := self.fails(len(self.asked)):
            raise error
        if self.silent(table, start, count):
            raise ResponseTimeoutError(f"unit {unit}: no answer", sent=sent)
        cells = [(table, at) for at in range(start, start + count)]
        if count > (2000 if bits else self.most) or self.missing.intersection(cells):
            raise PointUnsupportedError(
                "exception 2", sent=sent, received=b"\x03\x83\x02"
            )
        values = [self.registers.get(cell, self.default) for cell in cells]
        if None in values:
            raise PointUnsupportedError("exception 2", sent=sent)
        if bits:
            packed = sum(bool(v) << i for i, v in enumerate(values))
            return Reply(start, count, packed.to_bytes((count + 7) // 8, "little"))
        return Reply(start, count, struct.pack(f">{count}H", *values))

    async def write(
        self,
        unit: int,
        table: Table,
        address: int,
        words: tuple[int, ...],
        timing: Timing,
    ) -> None:
        del unit, timing
        self.written.append((table, address, words))
        for i, word in enumerate(words):
            self.registers[table, address + i] = word
