from __future__ import annotations

import asyncio

from buffer import Buffer, Limits, PriorityClass
from buffer.lastrun import last_run
from tests.support.clock import EPOCH_MS, VirtualClock
from tests.support.virtual import run_virtual


def run(folder, *, seconds, clean):
    async def life():
        clock = VirtualClock(EPOCH_MS)
        buffer = await Buffer.open(
            folder, Limits(), ["platform"], wall_ms=clock.wall_ms, boot="b0070001"
        )
        for _ in range(seconds):
            buffer.append(
                b"x", cls=PriorityClass.LIVE, subject="fan-2", t_ms=clock.wall_ms()
            )
            await asyncio.sleep(1.0)
        if clean:
            await buffer.close()
        else:
            buffer.abandon()

    run_virtual(life())


def test_a_new_store_had_no_run(tmp_path):
    assert last_run(tmp_path) is None


def test_a_clean_stop_is_known_to_the_moment(tmp_path):
    run(tmp_path, seconds=30, clean=True)

    ended = last_run(tmp_path)

    assert ended.clean
    assert abs(ended.wall_ms - EPOCH_MS - 30_000) < 1000


def test_a_killed_run_is_known_to_its_last_commit(tmp_path):
    run(tmp_path, seconds=30, clean=False)

    ended = last_run(tmp_path)

    assert not ended.clean
    assert abs(ended.wall_ms - EPOCH_MS - 30_000) < 2000
