from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from gateway.progress import Beats
from gateway.supervisor import Fatal, FatalError, Restarts, keep_running
from tests.support.virtual import running_loop, virtual


@virtual
async def test_a_loop_that_fails_is_started_again_after_a_growing_pause():
    starts, restarts, beats = [], Restarts(), Beats()

    async def work():
        starts.append(running_loop().time())
        if len(starts) <= 4:
            raise RuntimeError(f"bug {len(starts)}")

    await keep_running("bus:x", work, restarts=restarts, wall_ms=lambda: 7, beats=beats)

    pauses = [b - a for a, b in pairwise(starts)]
    assert pauses == [1.0, 2.0, 4.0, 8.0]
    assert restarts == Restarts(4, "RuntimeError: bug 4", 7)
    assert not beats.late(1e12)


@virtual
async def test_after_a_healthy_minute_the_pauses_start_again():
    starts, restarts = [], Restarts()

    async def work():
        starts.append(running_loop().time())
        if len(starts) > 5:
            return
        await asyncio.sleep(120)
        raise RuntimeError("once in a while")

    await keep_running("bus:x", work, restarts=restarts, wall_ms=lambda: 0)

    pauses = [b - a for a, b in pairwise(starts)]
    assert pauses == [121.0] * 5


@virtual
async def test_a_pausing_loop_keeps_its_promise():
    beats = Beats()

    async def work():
        raise RuntimeError("always")

    task = asyncio.create_task(
        keep_running("x", work, restarts=Restarts(), wall_ms=lambda: 0, beats=beats)
    )
    for _ in range(200):
        await asyncio.sleep(1)
        assert not beats.late(running_loop().time())
    task.cancel()
    await asyncio.wait([task])


async def test_what_is_fatal_passes_the_supervisor_and_keeps_its_cause():
    async def work():
        with Fatal("buffer"):
            raise KeyError("a bug")

    with pytest.raises(FatalError, match="buffer failed") as caught:
        await keep_running("bus:x", work, restarts=Restarts(), wall_ms=lambda: 0)

    assert isinstance(caught.value.__cause__, KeyError)
