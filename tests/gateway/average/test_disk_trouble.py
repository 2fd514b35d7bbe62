"""A history that cannot be read or written now, and kills in the middle of that."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from buffer import DiskTroubleError
from tests.gateway.average.test_averager import (
    GRACE,
    HOUR,
    MINUTE,
    SECOND,
    STACK,
    START,
    feed,
    kinds,
)
from tests.support.station_run import MemoryHistory, StationRun, site_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gateway.aggregate import PeriodKind
    from gateway.average.past import Stored
    from gateway.config.model import Site


class MoodyHistory(MemoryHistory):
    """Refuses when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.unreadable = False
        self.waits: asyncio.Event | None = None

    async def put(self, records: Sequence[Stored]) -> Sequence[Stored]:
        if self.waits is not None:
            await self.waits.wait()
        return await super().put(records)

    async def last(self, station: str, kind: PeriodKind) -> int | None:
        self._check()
        return await super().last(station, kind)

    async def read(
        self, station: str, kind: PeriodKind, since_ms: int, until_ms: int
    ) -> Sequence[Stored]:
        self._check()
        return await super().read(station, kind, since_ms, until_ms)

    def _check(self) -> None:
        if self.unreadable:
            raise DiskTroubleError("minute-20260601.sqlite: disk I/O error")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return site_of(tmp_path, STACK)


@pytest.fixture
def history() -> MoodyHistory:
    return MoodyHistory()


async def minutes(run: StationRun, start: int, count: int) -> None:
    """Let some minutes pass, the last one's grace included."""
    for number in range(count):
        begin = start + number * MINUTE
        feed(run, begin, begin + MINUTE)
        await run.tick(begin + MINUTE + GRACE)


async def test_a_history_that_cannot_be_read_holds_nothing_back(
    site: Site, history: MoodyHistory
) -> None:
    history.unreadable = True
    run = StationRun(site, START, history=history)

    await minutes(run, START, 61)

    assert [k for k in kinds(run.told) if k[0] == "minute"] == [
        ("minute", START + n * MINUTE, 0) for n in range(61)
    ]
    assert ("hour", START, 0) in kinds(run.told)


async def test_an_hour_of_two_runs_waits_until_the_first_one_s_minutes_can_be_read(
    site: Site, history: MoodyHistory
) -> None:
    run = StationRun(site, START, history=history)
    await minutes(run, START, 30)
    run.averager.keep(clean=True)
    later = run.killed(START + 30 * MINUTE + GRACE)
    history.unreadable = True

    await minutes(later, START + 30 * MINUTE, 35)
    told = kinds(later.told)
    assert len(told) == 35
    assert all(kind == "minute" for kind, _, _ in told)

    history.unreadable = False
    (hour,) = (p for p in await later.tick(START + 66 * MINUTE) if p.kind == "hour")
    so2 = hour.factors["so2"]
    assert (hour.t_ms, hour.rev, so2.n, so2.of) == (START, 0, 60, 60)


async def test_what_is_to_be_told_again_waits_until_it_can_be_read(
    site: Site, history: MoodyHistory
) -> None:
    run = StationRun(site, START, history=history)
    feed(run, START, START + MINUTE)
    run.at(START + 50 * SECOND)
    run.averager.keep()
    note = run.note
    await run.tick(START + MINUTE + GRACE)
    run.note = note  # killed before the record, or a newer note, was stored
    later = run.killed(START + MINUTE + GRACE + 5 * SECOND)
    history.unreadable = True
    task = asyncio.create_task(later.averager.run())
    try:
        await asyncio.sleep(0.01)
        history.unreadable = False
        async with asyncio.timeout(20):
            while not later.told:  # noqa: ASYNC110 - the averager looks again by itself
                await asyncio.sleep(0.05)
    finally:
        task.cancel()

    assert kinds(later.told) == [("minute", START, 0)]
    assert later.told == run.told


async def test_a_kill_between_the_note_and_the_history_loses_no_old_period(
    site: Site, history: MoodyHistory
) -> None:
    run = StationRun(site, START, history=history)
    feed(run, START, START + 30 * SECOND)
    run.at(START + 30 * SECOND)
    run.averager.keep()
    second = run.killed(START + 3 * HOUR)
    second.at(START + 3 * HOUR + MINUTE)
    history.waits = asyncio.Event()
    task = asyncio.create_task(second.averager.tick())
    for _ in range(20):
        await asyncio.sleep(0)
    task.cancel()
    history.waits = None

    third = second.killed(START + 3 * HOUR + 2 * MINUTE)
    told = kinds(await third.tick(START + 3 * HOUR + 5 * MINUTE))

    assert ("minute", START, 0) in told
    assert ("hour", START, 0) in told
