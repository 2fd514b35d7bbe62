"""What is remembered can be waited for."""

from __future__ import annotations

import asyncio

import pytest

from buffer import PriorityClass

GAP = PriorityClass.AGGREGATE


async def test_what_is_awaited_survives_a_kill(home):
    buffer = await home.open()
    buffer.remember("a", b"1")
    await buffer.remembered()
    buffer.remember("b", b"2")

    reopened = await home.kill_and_reopen(buffer)

    assert reopened.recall("a") == b"1"


async def test_a_commit_under_way_is_not_taken_for_the_note_s_own(home):
    buffer = await home.open()
    flushing = asyncio.create_task(buffer.flush())
    buffer.remember("first", b"1")
    buffer._committer.commit()
    buffer.remember("a", b"1")
    await buffer.remembered()
    await flushing

    reopened = await home.kill_and_reopen(buffer)

    assert reopened.recall("a") == b"1"


def stored(buffer) -> list[int]:
    return [s for a, b in buffer._store.stored().pairs() for s in range(a, b + 1)]


@pytest.mark.sentence(2)
async def test_a_note_never_overtakes_the_records_before_it(home, put):
    buffer = await home.open("a")
    put(buffer, 2)
    buffer.resolve("a", 1, 2)
    buffer.append(b"away from 8 to 9", cls=GAP, subject="d", t_ms=1)
    buffer.remember("away", b"told")
    await buffer.remembered()

    reopened = await home.kill_and_reopen(buffer, "a")

    assert reopened.recall("away") == b"told"
    assert stored(reopened)[-1:] == [3]


@pytest.mark.sentence(2)
async def test_a_note_waits_where_the_control_file_is_written_for_other_reasons(
    home, put
):
    buffer = await home.open("a")
    put(buffer, 2)
    buffer.resolve("a", 1, 2)
    buffer.append(b"away from 8 to 9", cls=GAP, subject="d", t_ms=1)
    buffer.remember("away", b"told", lazily=True)
    buffer._store.saved_ms = 0  # a heartbeat is due
    committer = buffer._committer
    committer._start(committer.work({}), asyncio.get_running_loop().time())
    await committer._job

    assert buffer._store.saved_ms > 0
    assert "away" not in buffer._store.notes
    await buffer.remembered()

    reopened = await home.kill_and_reopen(buffer, "a")
    assert reopened.recall("away") == b"told"
    assert stored(reopened)[-1:] == [3]
