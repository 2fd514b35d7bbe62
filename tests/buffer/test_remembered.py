"""What is remembered can be waited for."""

from __future__ import annotations

import asyncio


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
