from __future__ import annotations

import asyncio

from buffer import Buffer, Limits, PriorityClass
from buffer.mark import Hint
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


def last_run(folder, *, at_ms=EPOCH_MS + 3_600_000, append=False):
    """What an hour later a start learns; it is killed before its first commit."""

    async def look():
        clock = VirtualClock(at_ms)
        buffer = await Buffer.open(
            folder, Limits(), ["platform"], wall_ms=clock.wall_ms, boot="b0070002"
        )
        if append:
            buffer.append(b"x", cls=PriorityClass.LIVE, subject="fan-2", t_ms=at_ms)
        buffer.abandon()
        return buffer.ended

    return run_virtual(look())


def test_a_new_store_had_no_run(tmp_path):
    assert last_run(tmp_path) is None


def test_a_start_that_stored_nothing_moves_no_end(tmp_path):
    run(tmp_path, seconds=30, clean=True)
    first = last_run(tmp_path, append=True)

    again = last_run(tmp_path, at_ms=EPOCH_MS + 7_200_000)

    # What the killed start had to say of the time away was lost with it.
    assert again.wall_ms == first.wall_ms
    assert (first.clean, again.clean) == (True, False)


def test_a_hint_ahead_of_its_records_moves_no_end(tmp_path):
    run(tmp_path, seconds=30, clean=False)
    first = last_run(tmp_path)

    async def cut_short():
        clock = VirtualClock(EPOCH_MS + 7_200_000)
        buffer = await Buffer.open(
            tmp_path, Limits(), ["platform"], wall_ms=clock.wall_ms, boot="b0070002"
        )
        store = buffer._store
        store.mark.write_hint(
            Hint(store.id, store.mark.run, "b0070002", 99, 99, clock.wall_ms())
        )
        buffer.abandon()

    run_virtual(cut_short())

    assert last_run(tmp_path).wall_ms == first.wall_ms


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
