"""What is put into the history comes back, however it is stored by then."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from buffer import BufferClosedError, BufferLockedError
from buffer.history import History, Kept, Revision
from buffer.shelf import DAY_MS, HOUR_MS, SPANS, name_of, read_name, start_of
from tests.support.virtual import virtual

START = 1_763_740_800_000  # 2025-11-21 16:00 UTC: midnight in Beijing
MINUTE = 60_000
PLENTY = 200_000_000


def minute(n: int, rev: int = 0, subject: str = "DA001", size: int = 300) -> Kept:
    data = random.Random(f"{subject}/{n}/{rev}").randbytes(size // 2).hex().encode()
    return Kept(subject, "minute", START + n * MINUTE, rev, data)


def found(entries: list[Kept]) -> list[Revision]:
    return sorted(Revision(e.t_ms, e.rev, e.data) for e in entries)


async def fill(history: History, entries: list[Kept], step: int = 60) -> None:
    for at in range(0, len(entries), step):
        assert await history.put(entries[at : at + step]) == []


async def test_the_latest_revision_of_each_time_ascending(tmp_path) -> None:
    history = await History.open(tmp_path / "h", PLENTY)
    await history.put([minute(2), minute(0), minute(1), minute(1, 1)])

    read = await history.read("DA001", "minute", START, START + 3 * MINUTE)
    revs = await history.revs("DA001", "minute", START, START + 3 * MINUTE)

    assert read == found([minute(0), minute(1, 1), minute(2)])
    assert revs == found([minute(0), minute(1), minute(1, 1), minute(2)])
    assert await history.read("DA001", "minute", START + 1, START + MINUTE) == []
    assert await history.read("DA001", "hour", START, START + DAY_MS) == []
    assert await history.span("DA001", "minute") == (START, START + 2 * MINUTE)
    assert await history.span("DA002", "minute") is None
    await history.close()


async def test_the_same_again_is_nothing_and_another_is_refused(tmp_path) -> None:
    history = await History.open(tmp_path / "h", PLENTY)
    await history.put([minute(0)])
    other = minute(0)._replace(data=b"another")

    assert await history.put([minute(0)]) == []
    assert await history.put([other, minute(1)]) == [other]

    assert await history.read("DA001", "minute", 0, START * 2) == found(
        [minute(0), minute(1)]
    )
    await history.close()


async def test_three_days_are_packed_and_read_as_they_were_put(tmp_path) -> None:
    entries = [minute(n) for n in range(3 * 1440)]
    history = await History.open(tmp_path / "h", PLENTY)
    await fill(history, entries)
    late = [minute(n, 1) for n in (5, 700, 2000)]
    await fill(history, late)
    await history.settled()
    await history.close()

    history = await History.open(tmp_path / "h", PLENTY)
    whole = await history.revs("DA001", "minute", 0, START * 2)
    walked = [
        r async for part in history.walk("DA001", "minute", 0, START * 2) for r in part
    ]

    assert whole == found(entries + late)
    assert walked == await history.read("DA001", "minute", 0, START * 2)
    assert [r.rev for r in walked if r.rev] == [1, 1, 1]
    assert await history.put([minute(700, 1), minute(800)]) == []
    assert await history.put([minute(700)._replace(data=b"x")]) != []
    await history.close()
    with sqlite3.connect(next((tmp_path / "h").glob("minute-*"))) as db:
        assert db.execute("SELECT count(*) FROM block").fetchone()[0] >= 4


async def test_subjects_and_kinds_do_not_mix(tmp_path) -> None:
    history = await History.open(tmp_path / "h", PLENTY)
    mine = [minute(n) for n in range(3)]
    other = [minute(n, subject="DW001") for n in range(3)]
    hour = Kept("DA001", "hour", START, 0, b"an hour")
    await history.put([*mine, *other, hour])

    assert await history.read("DW001", "minute", 0, START * 2) == found(other)
    assert await history.read("DA001", "hour", 0, START * 2) == found([hour])
    assert await history.span("DW001", "day") is None
    with pytest.raises(ValueError, match="kind: expected one of minute, hour"):
        await history.put([hour._replace(kind="year")])
    with pytest.raises(ValueError, match="got 'year'"):
        await history.read("DA001", "year", 0, 1)
    await history.close()


async def test_a_fate_only_rises_and_belongs_to_its_revision(tmp_path) -> None:
    history = await History.open(tmp_path / "h", PLENTY)
    await fill(history, [minute(n) for n in range(4)] + [minute(2, 1)])
    for n in range(3):
        history.mark("city", "DA001", "minute", START + n * MINUTE, 0, "sent")
    await history.flush()
    history.mark("city", "DA001", "minute", START, 0, "proved")
    history.mark("city", "DA001", "minute", START, 0, "written")
    history.mark("city", "DA001", "minute", START + 2 * MINUTE, 1, "written")
    history.mark("county", "DA001", "minute", START, 0, "written")
    wanted = [
        (START, 0, "proved"),
        (START + MINUTE, 0, "sent"),
        (START + 2 * MINUTE, 0, "sent"),
        (START + 2 * MINUTE, 1, "written"),
    ]

    async def of(target: str) -> list[tuple[int, int, str]]:
        return await history.fates(target, "DA001", "minute", START, START + DAY_MS)

    assert await of("city") == wanted
    await history.close()
    history = await History.open(tmp_path / "h", PLENTY)
    assert await of("city") == wanted
    assert await of("county") == [(START, 0, "written")]
    assert await of("nobody") == []
    await history.close()


@virtual
async def test_marks_are_written_by_themselves(tmp_path) -> None:
    history = await History.open(tmp_path / "h", PLENTY)
    await history.put([minute(0)])
    history.mark("city", "DA001", "minute", START, 0, "proved")
    await asyncio.sleep(6)
    shutil.copytree(tmp_path / "h", tmp_path / "image")  # as a kill would leave it
    await history.close()

    history = await History.open(tmp_path / "image", PLENTY)
    assert await history.fates("city", "DA001", "minute", 0, START * 2) == [
        (START, 0, "proved")
    ]
    await history.close()


async def test_one_process_only_and_nothing_after_close(tmp_path) -> None:
    history = await History.open(tmp_path / "h", PLENTY)
    with pytest.raises(BufferLockedError):
        await History.open(tmp_path / "h", PLENTY)
    await history.close()
    await history.close()

    with pytest.raises(BufferClosedError):
        await history.put([minute(0)])
    again = await History.open(tmp_path / "h", PLENTY)
    await again.close()


async def test_a_look_changes_nothing(tmp_path) -> None:
    history = await History.open(tmp_path / "h", PLENTY)
    await fill(history, [minute(n) for n in range(100)])
    shutil.copytree(tmp_path / "h", tmp_path / "image")
    await history.close()
    image = tmp_path / "image"
    before = {p.name: p.read_bytes() for p in image.iterdir()}

    looking = await History.look(image)
    read = await looking.read("DA001", "minute", 0, START * 2)
    await looking.close()

    assert read == found([minute(n) for n in range(100)])
    assert {p.name: p.read_bytes() for p in image.iterdir()} == before
    with pytest.raises(FileNotFoundError):
        await History.look(tmp_path / "nothing")


async def test_the_oldest_minutes_go_first(tmp_path) -> None:
    bound = 4_000_000
    history = await History.open(tmp_path / "h", bound)
    hours = [
        Kept("DA001", "hour", START + n * HOUR_MS, 0, b"h" * 200) for n in range(480)
    ]
    days = [Kept("DA001", "day", START + n * DAY_MS, 0, b"d" * 200) for n in range(20)]
    await fill(history, [*hours, *days], 500)
    minutes = [minute(n, size=1000) for n in range(0, 20 * 1440, 4)]
    for at in range(0, len(minutes), 120):
        await history.put(minutes[at : at + 120])
        assert history.stats().bytes <= bound

    kept = await history.read("DA001", "minute", 0, START * 2)
    assert kept == found(minutes)[-len(kept) :]
    assert 0 < len(kept) < len(minutes)
    assert history.stats().evicted > 0
    assert await history.read("DA001", "hour", 0, START * 2) == found(hours)
    assert await history.read("DA001", "day", 0, START * 2) == found(days)
    await history.close()


CHILD = r"""
import asyncio, sys
from pathlib import Path
from tests.buffer.test_history import History, minute, PLENTY

async def main():
    history = await History.open(Path(sys.argv[1]), PLENTY)
    n = int(sys.argv[2])
    while True:
        step = [minute(n + k) for k in range(40)]
        await history.put(step)
        n += 40
        history.mark("city", "DA001", "minute", step[0].t_ms, 0, "proved")
        print(n, flush=True)

asyncio.run(main())
"""


@pytest.mark.timeout(900)
async def test_killed_at_any_moment_nothing_put_is_lost(
    tmp_path, seed, count, figure
) -> None:
    rng = random.Random(seed)
    safe = 0
    for life in range(count(4, 60)):
        child = subprocess.Popen(  # noqa: ASYNC220 - the truth is read line by line
            [sys.executable, "-c", CHILD, str(tmp_path / "h"), str(safe)],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        child.stdout.readline()
        killer = threading.Timer(
            rng.uniform(0, 0.6), child.send_signal, (signal.SIGKILL,)
        )
        killer.start()
        lines = child.stdout.read().splitlines(keepends=True)
        child.wait()
        killer.join()
        child.stdout.close()
        whole = [line for line in lines if line.endswith(b"\n")]
        safe = int(whole[-1]) if whole else safe + 40
        history = await History.open(tmp_path / "h", PLENTY)
        read = await history.read("DA001", "minute", 0, START * 2)
        assert len(read) >= safe, f"seed {seed}, life {life}"
        assert read == found([minute(n) for n in range(len(read))]), f"seed {seed}"
        fates = await history.fates("city", "DA001", "minute", 0, START * 2)
        assert {t for t, _, _ in fates} <= {r.t_ms for r in read}
        assert history.stats().damages == []
        await history.close()
        safe = len(read)
    figure("records", safe)


def test_names_of_files() -> None:
    for kind in SPANS:
        start = start_of(kind, START)
        assert read_name(name_of(kind, start)) == (kind, start)
    for name in (
        "minute-20251122.sqlite",
        "week-20251121.sqlite",
        "lock",
        "minute-x.sqlite",
    ):
        assert read_name(name) is None
