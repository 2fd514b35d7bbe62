"""A day of minutes of 20 factors, written to a platform that asks for nothing."""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from fractions import Fraction

from msgspec.structs import replace

from gateway.aggregate import FactorPeriod
from gateway.uplink.hj212 import records
from tests.conftest import BARS
from tests.support.hj212_home import MINUTE_MS, STATION, T0_MS, Home, factor, period

FACTORS = 20
NAMES = ("avg", "min", "max", "zs_avg", "zs_min", "zs_max")
STACK = replace(
    STATION,
    factors=tuple(
        factor(f"f{n}", f"a{21000 + n}", cou_unit="kg", total=True, converted=True)
        for n in range(FACTORS)
    ),
)


def a_minute(number):
    """Every number there is, of every factor."""
    value = Fraction(123_456_789_012 + number, 10**10)
    found = FactorPeriod(
        **dict.fromkeys(NAMES, value),
        cou=value / 1000,
        rate=value,
        n=12,
        of=12,
        marks={"valid": 12},
        mark="valid",
    )
    figures = dict.fromkeys(NAMES, "12.3") | {"cou": "0.012", "rate": "12.3"}
    names = [f"f{n}" for n in range(FACTORS)]
    return replace(
        period(T0_MS + number * MINUTE_MS),
        factors=dict.fromkeys(names, found),
        figures=dict.fromkeys(names, figures),
    )


class Sink:
    """A platform that only counts what comes, with as little work as it can."""

    def __init__(self):
        self.headers = self.size = 0

    async def serve(self, reader, writer):
        while data := await reader.read(1 << 20):
            self.headers += data.count(b"##")
            self.size += len(data)
        writer.close()


async def written(home, count):
    """Until every record was handed over."""
    while home.pump.health().in_flight < count:  # noqa: ASYNC110 - a sum of parts
        await asyncio.sleep(0.005)


async def test_a_day_of_minutes_is_written_in_two_seconds(count, figure, monkeypatch):
    days = count(120, 1440)
    monkeypatch.setattr(records, "SETTLE_S", 600.0)
    home, sink = Home(STACK, answer=False, backfill_per_s=100_000.0), Sink()
    home.platform._serve = sink.serve
    for number in range(days):
        home.put(a_minute(number))

    began, cpu = time.perf_counter(), time.process_time()
    async with home:
        await written(home, days)
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        frames = home.pump.health().messages
        # A read may end between two of them.
        while sink.headers < frames * 0.99:  # noqa: ASYNC110 - another task counts
            await asyncio.sleep(0.005)

    figure("minutes", days)
    figure("frames", frames)
    figure("bytes", sink.size)
    figure("seconds", round(took, 2))
    figure("cpu_s", round(cpu, 2))
    assert frames >= 3 * days
    assert took < (2.0 if BARS else 20.0)


async def test_memory_stays_flat_while_they_are_written(count, figure):
    minutes = count(150, 1440)
    home = Home(STACK, answer=True, backfill_per_s=100_000.0)
    for number in range(minutes):
        home.put(a_minute(number))

    held = []
    async with home:
        for share in (0.25, 0.5, 0.75, 1.0):
            part = int(minutes * share)
            await home.until(lambda part=part: home.health().records >= part)
            for kept in (home.platform.came, home.marks.marked, home.source.resolved):
                kept.clear()
            if not tracemalloc.is_tracing():
                tracemalloc.start()
            held.append(ours())
    tracemalloc.stop()

    figure("bytes_held_after_each_quarter", held)
    assert held[-1] - held[1] < 50_000


def ours():
    """Bytes that our own code has asked for and still holds."""
    gc.collect()
    places = [
        tracemalloc.Filter(inclusive=True, filename_pattern=f"*/{name}/*")
        for name in ("gateway", "drivers")
    ]
    taken = tracemalloc.take_snapshot().filter_traces(places)
    return sum(one.size for one in taken.statistics("filename"))
