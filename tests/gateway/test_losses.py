"""What the buffer lost is stated once, by a record of its own."""

from __future__ import annotations

import asyncio
import contextlib
import random

import pytest

from buffer import Buffer, Limits, Loss, PriorityClass
from gateway.clock import Instant
from gateway.losses import lost_record, state_losses
from gateway.record import Lost, Scan, decode, encode
from tests.support.virtual import VirtualClock, virtual

META = "9c41d07a"


class FakeBuffer:
    """Loses on command."""

    def __init__(self):
        self.open = []
        self.appended = []
        self.callbacks = []

    def lose(self, loss):
        self.open.append(loss)
        for callback in self.callbacks:
            callback()

    def losses(self):
        return list(self.open)

    def on_loss(self, callback):
        self.callbacks.append(callback)
        return lambda: self.callbacks.remove(callback)

    def append(self, data, *, cls, subject, t_ms, settles):
        self.appended.append((decode(data)[0], cls, settles))
        self.open = [loss for loss in self.open if loss.id != settles]


def loss(number, **changes):
    fields = {
        "id": number,
        "first": 10 * number,
        "last": 10 * number + 9,
        "counts": {"fan-2": 10},
        "t_ms": 1_000,
        "until_ms": 2_000,
        "cause": "evicted",
        "certain": True,
        "at_most": 10,
    }
    return Loss(**(fields | changes))


@virtual
@pytest.mark.sentence(2)
async def test_old_and_new_losses_are_stated_once_each():
    buffer = FakeBuffer()
    buffer.lose(loss(1))
    task = asyncio.create_task(state_losses(buffer, VirtualClock(), lambda: META))
    await asyncio.sleep(0.01)
    buffer.lose(loss(2, certain=False, cause="unclean_stop"))
    await asyncio.sleep(0.01)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

    assert [(s, c) for _, c, s in buffer.appended] == [
        (1, PriorityClass.EVENT),
        (2, PriorityClass.EVENT),
    ]
    stated = buffer.appended[1][0]
    assert (stated.first, stated.last, stated.certain) == (20, 29, False)
    assert buffer.callbacks == []


@virtual
async def test_a_loss_says_all_that_is_known():
    clock = VirtualClock()

    stated = lost_record(loss(3), clock)

    assert stated == Lost(
        first=30,
        last=39,
        t_ms=1_000,
        until_ms=2_000,
        counts={"fan-2": 10},
        cause="evicted",
        certain=True,
        at_most=10,
        at=clock.now(),
    )


@pytest.mark.sentence(2)
async def test_what_a_real_buffer_evicts_is_stated_and_covers_every_seq(tmp_path, seed):
    at = Instant(1_763_712_000_000, 1, "0a0b0c0d", trusted=True)
    buffer = await Buffer.open(
        tmp_path / "data",
        Limits(max_bytes=1_000_000, keep_free=0, commit_s=0.05),
        ["p"],
        wall_ms=lambda: at.wall_ms,
        boot=at.boot,
    )
    clock = VirtualClock()
    task = asyncio.create_task(state_losses(buffer, clock, lambda: META))
    rng = random.Random(seed)
    for n in range(1500):
        record = encode(Scan("fan-2", at, {"text": rng.randbytes(900).hex()}), META)
        buffer.append(record, cls=PriorityClass.LIVE, subject="fan-2", t_ms=n)
        if n % 100 == 0:
            await buffer.flush()
    await buffer.flush()
    await asyncio.sleep(0.2)

    seen, stated, after = set(), [], 0
    while entries := await buffer.read("p", after, 500, 1_000_000):
        after = entries[-1].seq
        for entry in entries:
            seen.add(entry.seq)
            record, _ = decode(entry.data)
            if isinstance(record, Lost):
                stated.append(record)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await buffer.close()
    covered = set()
    for lost in stated:
        span = set(range(lost.first, lost.last + 1))
        assert not covered & span
        covered |= span
        # A restatement of losses may itself be among the evicted.
        assert sum(lost.counts.values()) == len(span)
    print(f"\n{len(stated)} statements for {len(covered)} of {after} records")
    assert covered, f"seed {seed}: nothing was evicted"
    assert not covered & seen
    assert covered | seen == set(range(1, buffer.high + 1)), f"seed {seed}"
