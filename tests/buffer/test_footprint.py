"""Pragmas, a bounded journal, and what a record costs the card."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sqlite3
import time
from pathlib import Path

import pytest

from buffer import Limits, PriorityClass
from buffer.errors import DamagedError
from buffer.files import open_writable, wal_of
from tests.support.virtual import virtual

LIVE, EVENT = PriorityClass.LIVE, PriorityClass.EVENT


async def test_every_connection_has_the_pragmas_durability_rests_on(home, put) -> None:
    buffer = await home.open()
    put(buffer)
    put(buffer, 1, EVENT)
    buffer._committer._save = True
    await buffer.flush()
    store = buffer._store
    connections = [chain[-1]._db for chain in store.chains.values() if chain]
    connections.append(store.control._db)

    assert len(connections) == 3
    for db in connections:
        for pragma, value in {
            "page_size": 1024,
            "journal_mode": b"wal",
            "synchronous": 2,
            "locking_mode": b"exclusive",
            "mmap_size": 0,
        }.items():
            (found,) = db.execute(f"PRAGMA {pragma}").fetchone()
            assert found == value, pragma
        (pages,) = db.execute("PRAGMA wal_autocheckpoint").fetchone()
        assert 0 < pages <= 1000
    assert not list(home.folder.glob("*-shm"))


def test_a_file_with_other_pragmas_is_refused(tmp_path) -> None:
    db = sqlite3.connect(tmp_path / "other.sqlite")
    db.execute("PRAGMA page_size=4096")
    db.execute("CREATE TABLE batch(first INTEGER PRIMARY KEY)")
    db.close()

    with pytest.raises(DamagedError, match="page_size"):
        open_writable(tmp_path / "other.sqlite", 100)


async def test_the_journal_is_bounded_and_nobody_can_pin_it(home, put) -> None:
    home.limits = Limits(max_bytes=50_000_000, keep_free=0, segment_bytes=10_000_000)
    buffer = await home.open()
    largest = 0
    for _ in range(400):
        buffer.append(os.urandom(6000), cls=LIVE, subject="d", t_ms=1)
        await buffer.flush()
        wals = home.folder.glob("live-*-wal")
        largest = max(largest, *(p.stat().st_size for p in wals))
    segment = buffer._store.chains[LIVE][0]
    stranger = sqlite3.connect(segment.path, timeout=0)

    with pytest.raises(sqlite3.OperationalError, match="locked"):
        stranger.execute("SELECT * FROM batch").fetchone()
    stranger.close()
    assert largest <= (home.limits.wal_pages + 20) * 1048
    assert wal_of(segment.path).exists()


def written_bytes() -> int:
    for line in Path("/proc/self/io").read_text().splitlines():
        if line.startswith("write_bytes:"):
            return int(line.split()[1])
    raise AssertionError("no write_bytes")


def scan(rng: random.Random, values: list[float]) -> bytes:
    for k in range(len(values)):
        values[k] += rng.gauss(0, 0.5)
    body = {f"point_{k:02d}": round(v, 2) for k, v in enumerate(values)}
    return b"\x01\x01" + rng.randbytes(8) + json.dumps(body).encode()


@pytest.mark.parametrize("latency_s", [0.004, 0.15])
@pytest.mark.parametrize(
    ("devices", "points", "through", "bar"),
    [(1, 10, True, 800), (10, 50, True, 30), (1, 10, False, 20), (10, 50, False, 2)],
    ids=["1x10-through", "10x50-through", "1x10", "10x50"],
)
@virtual
async def test_bytes_written_per_value(
    home, figure, devices, points, through, bar, latency_s
) -> None:
    """Bar 8: by ``write_bytes`` of /proc/self/io, 10 min of virtual time."""
    rng = random.Random(1)
    seconds = 600
    home.limits = Limits(keep_free=0, write_through=through)
    buffer = await home.open()
    state = [[rng.uniform(0, 300) for _ in range(points)] for _ in range(devices)]
    loop = asyncio.get_running_loop()
    await asyncio.sleep(1)
    before, late = written_bytes(), 0.0
    for _ in range(seconds):
        for d in range(devices):
            seq = buffer.append(
                scan(rng, state[d]), cls=LIVE, subject=f"dev-{d}", t_ms=home.wall
            )
            loop.call_later(latency_s, buffer.resolve, "platform", seq, seq)
            # As answers come: on the device's phase, give or take some milliseconds.
            late, before_it = rng.uniform(0, 0.02), late
            await asyncio.sleep(1 / devices + late - before_it)
            home.wall += 1000 // devices
    await asyncio.sleep(1)
    per_value = (written_bytes() - before) / (seconds * devices * points)
    figure("bytes per value", round(per_value, 2))
    figure("commits per s", round(buffer.stats().commits / seconds, 2))
    await buffer.close()

    # A tmpfs counts nothing; elsewhere at least what was stored must show.
    if per_value:
        assert per_value <= bar


async def test_a_backlog_drains_faster_than_any_platform_takes_it(
    home, drain, figure
) -> None:
    rng = random.Random(2)
    buffer = await home.open()
    values = [rng.uniform(0, 300) for _ in range(50)]
    for n in range(3000):
        buffer.append(scan(rng, values), cls=LIVE, subject=f"d{n % 10}", t_ms=n)
        if n % 7 == 6:
            await buffer.flush()
    await buffer.close()
    buffer = await home.open()

    began = time.perf_counter()
    got = await drain(buffer)
    rate = 50 * len(got) / (time.perf_counter() - began)
    figure("values/s drained", round(rate))

    assert len(got) == 3000
    assert rate > 20_000


async def test_append_and_peek_cost_microseconds(home, figure) -> None:
    buffer = await home.open()
    began = time.process_time()
    for n in range(1000):
        buffer.append(b"x" * 250, cls=LIVE, subject="d", t_ms=n)
    append_us = (time.process_time() - began) * 1000
    await buffer.flush()
    began = time.process_time()
    for n in range(50):
        buffer.peek("platform", 20 * n, 20, 10**6)
        buffer.resolve("platform", 20 * n + 1, 20 * n + 20)
    peek_us = (time.process_time() - began) * 1000
    figure("append us", round(append_us, 1))
    figure("peek and resolve us per record", round(peek_us, 1))

    assert append_us < 100
    assert peek_us < 100


@pytest.mark.bars
@pytest.mark.timeout(600)
async def test_a_store_of_500_mb_opens_within_a_second(home, figure) -> None:
    home.limits = Limits(max_bytes=900_000_000, keep_free=0)
    buffer = await home.open()
    for n in range(84_000):
        buffer.append(os.urandom(6_000), cls=LIVE, subject=f"d{n % 9}", t_ms=n)
        if n % 12 == 11:
            await buffer.flush()
    await buffer.flush()
    size = buffer.stats().bytes
    image = home.image()
    await buffer.close()

    for name, folder in (("clean", home.folder), ("killed", image)):
        began = time.perf_counter()
        buffer = await home.open(folder=folder)
        ready_s = time.perf_counter() - began
        figure(f"ready s, {name}", round(ready_s, 3))
        assert ready_s < 10
        buffer.abandon()
    for path in image.glob("control*"):
        path.unlink()
    began = time.perf_counter()
    buffer = await home.open(folder=image)
    figure("ready s, control file lost", round(time.perf_counter() - began, 3))
    figure("MB", size // 1_000_000)
    assert time.perf_counter() - began < 10
