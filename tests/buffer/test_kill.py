"""Contract 1, 2 and 4 with a real process and a real kill -9.

The truth is kept here, by the parent: what it sent, when the child had taken it, and
when the child was killed. The child's own files are only opened afterwards.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest

from buffer import Buffer, Limits
from buffer.intervals import Intervals
from tests.support.store_home import drain

CHILD = r"""
import asyncio, sys, time
from pathlib import Path
from buffer import Buffer, Limits, PriorityClass as P

async def main():
    limits = Limits(max_bytes=50_000_000, keep_free=0, segment_bytes=100_000)
    wall = lambda: time.time_ns() // 1_000_000
    buffer = await Buffer.open(Path(sys.argv[1]), limits, ["p"], wall_ms=wall, boot="b")
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    def pump():
        # A good link: what can be shown is proved, every second one at once.
        for entry in buffer.peek("p", 0, 10_000, 10**9) or ():
            if entry.seq % 2:
                buffer.resolve("p", entry.seq, entry.seq)
                print("proved", entry.seq, flush=True)
    print("ready", flush=True)
    while line := await reader.readline():
        n = int(line)
        cls = P.EVENT if n % 10 == 0 else P.LIVE
        data = b"%d " % n + b"x" * (n % 700)
        seq = buffer.append(data, cls=cls, subject="d", t_ms=wall())
        print("took", seq, flush=True)
        if n % 5 == 0:
            pump()

asyncio.run(main())
"""
WALL = time.time_ns() // 1_000_000


async def one_life(folder: Path, rng: random.Random, sent: int):
    """Run the child for a random while, kill it; what it took and when."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        CHILD,
        str(folder),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    took: list[tuple[int, int, float]] = []
    proved: set[int] = set()

    async def listen() -> None:
        number = sent
        async for line in child.stdout:
            word, _, seq = line.decode().partition(" ")
            if word == "took":
                number += 1
                took.append((number, int(seq), time.monotonic()))
            elif word == "proved":
                proved.add(int(seq))

    assert (await child.stdout.readline()) == b"ready\n"
    async with asyncio.TaskGroup() as group:
        listening = group.create_task(listen())
        end = time.monotonic() + rng.uniform(0.3, 2.6)
        number = sent
        while time.monotonic() < end:
            number += 1
            child.stdin.write(b"%d\n" % number)
            await asyncio.sleep(rng.choice([0.001, 0.02, 0.05]))
        killed = time.monotonic()
        child.send_signal(signal.SIGKILL)
        await child.wait()
        await listening
    child.stdin.close()
    return number, took, proved, killed


@pytest.mark.timeout(900)
@pytest.mark.sentence(1, 2, 4)
async def test_killed_at_random_moments(tmp_path, seed, count, figure) -> None:
    rng = random.Random(seed)
    folder = tmp_path / "store"
    data_of: dict[int, bytes] = {}
    safe: set[int] = set()
    proved: set[int] = set()
    sent = 0
    for life in range(count(3, 100)):
        sent, took, shown, killed = await one_life(folder, rng, sent)
        for number, seq, at in took:
            assert seq not in data_of, f"seed {seed}, life {life}: seq {seq} used twice"
            data_of[seq] = b"%d " % number + b"x" * (number % 700)
            if killed - at >= 1.0:
                safe.add(seq)
        proved |= shown

    buffer = await Buffer.open(
        folder,
        Limits(max_bytes=50_000_000, keep_free=0),
        ["p"],
        wall_ms=lambda: WALL,
        boot="b",
    )
    try:
        got = {e.seq: e.data for e in await drain(buffer, "p")}
        stated = Intervals()
        for loss in buffer.losses():
            assert loss.cause == "unclean_stop", f"seed {seed}: {loss}"
            inside = [s for s in data_of if loss.first <= s <= loss.last]
            assert len(inside) <= loss.at_most, f"seed {seed}: {loss}"
            assert not stated.touches(loss.first, loss.last)
            stated.add(loss.first, loss.last)
    finally:
        buffer.abandon()

    for seq, data in got.items():
        if seq in data_of:  # the last words of a killed child may not have been heard
            assert data == data_of[seq], f"seed {seed}: seq {seq} changed"
    lost_safe = [s for s in safe if s not in got and s not in proved]
    assert not lost_safe, f"seed {seed}: safe, then gone: {json.dumps(lost_safe[:20])}"
    silent = [
        s for s in data_of if s not in got and s not in proved and s not in stated
    ]
    assert not silent, f"seed {seed}: neither delivered nor stated: {silent[:20]}"
    figure("records", len(data_of))
    figure("safe at a kill", len(safe))
    figure("lost, all stated", sum(s in stated for s in data_of))
