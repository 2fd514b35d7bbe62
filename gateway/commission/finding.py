"""Searching a line: asks what ``search`` says next, in slices, and tells what comes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from gateway.commission import frames
from gateway.commission.search import Probe, Search, judge

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from gateway.commission.door import Door
    from gateway.commission.search import Found
    from gateway.commission.tap import Tap

SLICE_S = 0.25
"""The port is held so long at most, and to the end of the question under way."""
_SETTLE_S = 0.03

Told = dict[str, Any]
"""One item of what a search tells: ``kind`` is progress, found or end."""


async def find(door: Door, search: Search) -> AsyncGenerator[Told]:
    """Search until the end; close the generator to stop, the state stays whole.

    Yields:
        ``{"kind": "found", "device": Found}`` and, after each slice of time,
        ``{"kind": "progress", "done", "total", "setting", "asking", "state"}``.

    Raises:
        OSError, BusError: The port cannot be used.
    """
    while (probe := search.next()) is not None:
        found = await door.use(probe.setting, lambda tap: _slice(tap, search))
        for device in found:
            yield {"kind": "found", "device": device}
        yield {
            "kind": "progress",
            "done": search.done,
            "total": search.total,
            "setting": str(probe.setting or ""),
            "asking": probe.address or probe.kind,
            "state": search.state,
        }


async def _slice(tap: Tap, search: Search) -> list[Found]:
    """Questions at one setting, until the slice of time is over."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + SLICE_S
    found: list[Found] = []
    probe = search.next()
    setting = probe.setting if probe else None
    while probe is not None and probe.setting == setting:
        found += await _ask(tap, search, probe)
        if tap.closed or loop.time() >= ends:
            break
        probe = search.next()
    return found


async def _ask(tap: Tap, search: Search, probe: Probe) -> list[Found]:
    tcp = search.state.plan.over_tcp == "modbus-tcp"

    def done(received: bytes) -> bool:
        heard = received.removeprefix(probe.frame)
        if probe.kind == "modbus":
            unit = int(probe.address)
            answers = frames.tcp_answers(heard) if tcp else frames.rtu_answers(heard)
            return any(answer.unit == unit for answer in answers)
        # Others may answer a wildcard later: only a full time-out hears them all.
        return False

    settle_s = _SETTLE_S if probe.kind == "modbus" else 0.0
    exchange = await tap.ask(probe.frame, done, probe.wait_s, settle_s=settle_s)
    outcome = judge(probe, exchange.received, exchange.first_s, tcp=tcp)
    return search.told(probe, outcome)
