"""Bar 6: a year of minutes of twenty factors on disk, and how soon a day of it is here.

Small: three days. Full: a year; its days are a few made ones with their dates put
right, each block compressed by itself.
"""

from __future__ import annotations

import time
import tracemalloc

import pytest

from buffer import History
from buffer.shelf import HOUR_MS, SPANS, name_of, start_of
from gateway.config.model import HistoryLimits
from gateway.history import cut, shown
from tests.support.history_year import DAY_MS, FACTORS, day, kept, year_of

SHELF = start_of("minute", 1_732_118_400_000)
START = SHELF + 64 * HOUR_MS
"""Midnight in Beijing, so that the first file ends after a day and a third."""
QUERY_MS = 50.0
ROOM = 10.0
"""Small counts run beside others, on machines of any kind."""
MB = 1_000_000


@pytest.mark.timeout(600)
async def test_a_year_of_minutes_of_twenty_factors(tmp_path, count, figure) -> None:
    days = count(3, 365)
    made = [[kept(p) for p in day(START, k)] for k in range(count(1, 3))]
    folder, quota = tmp_path / "history", HistoryLimits().max_bytes
    history = await History.open(folder, quota, cut=cut)
    for entries in year_of(made, START, days):
        for at in range(0, len(entries), 240):
            assert await history.put(entries[at : at + 240]) == []
        await history.settled()
        # Every minute was proved, as the pump of a platform notes it.
        for one in entries:
            history.mark("city", one.subject, one.kind, one.t_ms, 0, "proved")
    await history.close()

    used = sum(path.stat().st_size for path in folder.rglob("*"))
    raw = sum(len(one.data) for of in made for one in of) / len(made)
    first = folder / name_of("minute", SHELF)
    held_days = (SHELF + SPANS["minute"].shelf_ms - START) / DAY_MS
    day_bytes = first.stat().st_size / held_days if days < 365 else used / days
    year_mb = day_bytes * 365 / MB
    figure("factors", len(FACTORS))
    figure("days", days)
    figure("bytes of a day, as records", round(raw))
    figure("bytes of a day, on disk", round(day_bytes))
    figure("MB of a year", round(year_mb))
    assert year_mb * MB < quota / 2, "not even two years fit the default quota"

    history = await History.open(folder, quota, cut=cut)
    best = cpu = 1e9
    for k in range(count(5, 40)):
        since = START + (k * 7 % days) * DAY_MS
        began, worked = time.perf_counter(), time.process_time()
        found = await history.read("DA001", "minute", since, since + DAY_MS)
        figures = [shown(one.data) for one in found]
        best = min(best, 1000 * (time.perf_counter() - began))
        cpu = min(cpu, 1000 * (time.process_time() - worked))
        assert len(figures) == 1440
        assert all(len(one.agg) == len(FACTORS) for one in figures)
    fates = await history.fates("city", "DA001", "minute", START, START + DAY_MS)
    assert [fate for _, _, fate in fates] == ["proved"] * 1440
    assert history.stats().evicted == 0
    figure("ms of a day's query, decoding included", round(best, 1))
    figure("ms of processor time of it", round(cpu, 1))
    # A day in which nothing else ran is wanted: the least of many is that one.
    assert cpu <= QUERY_MS * count(ROOM, 1.0)
    await history.close()


async def test_walking_a_year_takes_the_memory_of_a_block(tmp_path, count) -> None:
    days = count(2, 30)
    made = [[kept(p) for p in day(START, 0)]]
    history = await History.open(tmp_path / "history", 10**9, cut=cut)
    for entries in year_of(made, START, days):
        await history.put(entries)
    await history.settled()

    async def peak(until: int) -> tuple[int, int]:
        tracemalloc.start()
        found = 0
        async for part in history.walk(
            "DA001", "minute", START, START + until * DAY_MS
        ):
            found += len(part)
            del part
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return found, most

    one, least = await peak(1)
    all_of_them, most = await peak(days)

    assert (one, all_of_them) == (1440, 1440 * days)
    assert most < 1.5 * least
    await history.close()
