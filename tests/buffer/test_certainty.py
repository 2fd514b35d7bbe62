"""What was delivered is never stated as lost for certain."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from buffer import Buffer, Limits, PriorityClass
from tests.support.clock import EPOCH_MS, VirtualClock
from tests.support.virtual import run_virtual


async def _open(folder):
    clock = VirtualClock(EPOCH_MS)
    return await Buffer.open(
        folder, Limits(), ["platform"], wall_ms=clock.wall_ms, boot="b0070001"
    )


async def _put(buffer, records):
    for n in range(records):
        buffer.append(b"x" * 90, cls=PriorityClass.LIVE, subject="fan-2", t_ms=n)
    await buffer.flush()


def _damage(folder):
    """The rows are gone, and with them the newest cursor."""
    (path,) = folder.glob("live-*.sqlite")
    wal = path.with_name(path.name + "-wal")
    path = wal if wal.exists() and wal.stat().st_size else path
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 3] + bytes(len(raw) - len(raw) // 3))


@pytest.mark.sentence(2)
def test_after_a_kill_damaged_records_may_have_been_delivered(tmp_path):
    async def life():
        buffer = await _open(tmp_path)
        await _put(buffer, 20)
        buffer.resolve("platform", 1, 20)
        await _put(buffer, 5)  # the cursor rides with these
        buffer.abandon()
        _damage(tmp_path)
        buffer = await _open(tmp_path)
        losses = buffer.losses()
        await buffer.close()
        return losses

    losses = run_virtual(life())

    stated = [loss for loss in losses if loss.first <= 20]
    assert stated
    assert not any(loss.certain for loss in stated)


def test_after_a_clean_stop_the_cursor_is_known_and_so_is_the_loss(tmp_path):
    async def life():
        buffer = await _open(tmp_path)
        await _put(buffer, 20)
        buffer.resolve("platform", 1, 20)
        await _put(buffer, 5)
        await buffer.close()
        _damage(tmp_path)
        buffer = await _open(tmp_path)
        losses = buffer.losses()
        await buffer.close()
        return losses

    (loss,) = run_virtual(life())

    assert (loss.first, loss.last, loss.certain) == (21, 25, True)


@pytest.mark.sentence(2)
def test_what_was_on_its_way_when_it_was_evicted_may_have_arrived(tmp_path):
    async def life():
        clock = VirtualClock(EPOCH_MS)
        limits = Limits(max_bytes=1_000_000, keep_free=0)
        buffer = await Buffer.open(
            tmp_path, limits, ["platform"], wall_ms=clock.wall_ms, boot="b0070001"
        )
        random = Random(7)
        for n in range(900):
            buffer.append(
                random.randbytes(2000), cls=PriorityClass.LIVE, subject="fan-2", t_ms=n
            )
            if n == 10:
                await buffer.read("platform", 0, 5, 100_000)
            if n % 20 == 0:
                await buffer.flush()
        await buffer.flush()
        losses = buffer.losses()
        await buffer.close()
        return losses

    first, *rest = run_virtual(life())

    assert (first.first, first.certain) == (1, False)
    assert rest
    assert all(loss.certain for loss in rest)


def test_what_was_on_its_way_at_a_clean_stop_may_have_arrived(tmp_path):
    async def life():
        buffer = await _open(tmp_path)
        await _put(buffer, 20)
        await buffer.read("platform", 0, 5, 10_000)  # sent; the link ends before PUBACK
        await buffer.close()
        _damage(tmp_path)
        buffer = await _open(tmp_path)
        losses = buffer.losses()
        await buffer.close()
        return losses

    losses = run_virtual(life())

    assert {loss.certain for loss in losses if loss.first <= 5} == {False}


@pytest.mark.sentence(2)
def test_the_bound_of_a_kill_holds_with_the_last_commit_damaged(tmp_path):
    async def life():
        buffer = await _open(tmp_path)
        before, now = {}, _live(tmp_path)
        for n in range(340):  # 60 a second: commits follow one another
            buffer.append(b"x" * 90, cls=PriorityClass.LIVE, subject="fan-2", t_ms=n)
            await asyncio.sleep(1 / 60)
            if (seen := _live(tmp_path)) != now:
                before, now = now, seen
        buffer.abandon()
        for path in _live(tmp_path):
            path.unlink()
        for path, raw in before.items():
            path.write_bytes(raw)
        buffer = await _open(tmp_path)
        losses = buffer.losses()
        await buffer.close()
        return losses

    losses = run_virtual(life())

    gone = 340 - min(loss.first for loss in losses) + 1
    assert gone > 42, "a commit, and what came after it"
    assert sum(loss.at_most for loss in losses) >= gone


def _live(folder):
    return {path: path.read_bytes() for path in folder.glob("live-*")}
