"""Contract 5 and 9: a lane asks for its classes and its stretch of seqs only."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from buffer import Intervals, Limits, PriorityClass
from tests.support.store_home import put
from tests.support.virtual import virtual

EVENT, AGGREGATE, LIVE, EVIDENCE, MEDIA = PriorityClass
EVENTS = frozenset({EVENT})
VALUES = frozenset({AGGREGATE, LIVE})


async def take(buffer, after=0, n=10_000, **lane):
    got = buffer.peek("platform", after, n, 10**9, **lane)
    where = "memory"
    if got is None:
        where = "disk"
        got = await buffer.read("platform", after, n, 10**9, **lane)
        assert got, "peek said it is on disk"
    return where, [entry.seq for entry in got]


async def fill(buffer, n, seed=1):
    """Records of all classes in all batch sizes; returns seqs by class."""
    rng, seqs = Random(seed), {cls: [] for cls in PriorityClass}
    for _ in range(n):
        (cls,) = rng.choices(list(PriorityClass), [1, 2, 9, 2, 1])
        seqs[cls] += put(buffer, rng.randint(1, 4), cls)
        if rng.random() < 0.1:
            await buffer.flush()
    await buffer.flush()
    return seqs


@pytest.mark.parametrize("tail_bytes", [0, 20_000, 2_000_000])
@pytest.mark.sentence(2, 5)
async def test_each_lane_gets_its_own_and_together_they_get_all(home, tail_bytes):
    home.limits = Limits(max_bytes=50_000_000, keep_free=0, tail_bytes=tail_bytes)
    buffer = await home.open()
    seqs = await fill(buffer, 300)
    edge = buffer.high // 2
    values = sorted(seqs[AGGREGATE] + seqs[LIVE])

    lanes = [
        ({"classes": EVENTS}, 0, seqs[EVENT]),
        ({"classes": VALUES}, edge, [s for s in values if s > edge]),
        ({"classes": VALUES, "upto": edge}, 0, [s for s in values if s <= edge]),
    ]
    for lane, start, expected in lanes:
        got, after = [], start
        while True:
            _, more = await take(buffer, after, 7, **lane)
            if not more:
                break
            assert len(more) <= 7
            got += more
            after = more[-1]
        assert got == expected
        assert buffer.backlog(
            "platform",
            above=start,
            upto=lane.get("upto"),
            classes=lane["classes"],
        ).records == len(expected)


async def test_a_lane_whose_records_are_in_memory_is_not_sent_to_the_disk(home):
    home.limits = Limits(max_bytes=50_000_000, keep_free=0, tail_bytes=20_000)
    buffer = await home.open()
    put(buffer, 500)
    await buffer.flush()
    put(buffer, 3, EVENT)
    await buffer.flush()

    assert buffer.peek("platform", 0, 9, 9999) is None
    assert await take(buffer, classes=EVENTS) == ("memory", [501, 502, 503])
    assert await take(buffer, classes=frozenset({AGGREGATE})) == ("memory", [])


async def test_what_is_to_be_skipped_is_passed_over_in_memory_and_on_disk(home):
    for tail_bytes in (0, 2_000_000):
        home.limits = Limits(max_bytes=50_000_000, keep_free=0, tail_bytes=tail_bytes)
        buffer = await home.open(folder=home.folder.with_name(f"tail-{tail_bytes}"))
        put(buffer, 10)
        put(buffer, 10, EVENT)
        await buffer.flush()
        skip = Intervals.of([(1, 4), (6, 6), (12, 19)])

        assert (await take(buffer, skip=skip))[1] == [5, 7, 8, 9, 10, 11, 20]
        assert (await take(buffer, skip=skip, classes=VALUES))[1] == [5, 7, 8, 9, 10]
        assert (await take(buffer, skip=skip, classes=EVENTS))[1] == [11, 20]


@pytest.mark.sentence(2)
async def test_exact_runs_are_resolved_and_nothing_between_them(home):
    buffer = await home.open()
    put(buffer, 20)

    buffer.resolve_runs("platform", [(2, 3), (7, 7), (10, 12)])

    assert (await take(buffer))[1] == [1, 4, 5, 6, 8, 9, *range(13, 21)]
    assert buffer.backlog("platform").records == 14
    assert buffer.backlog("platform", above=6, upto=11).records == 2


async def test_a_lane_resolved_by_another_run_is_empty_after_a_restart(home):
    buffer = await home.open()
    seqs = await fill(buffer, 100)
    for seq in seqs[EVENT]:
        buffer.resolve("platform", seq, seq)
    await buffer.close()
    buffer = await home.open()

    assert await take(buffer, classes=EVENTS) == ("memory", [])
    assert (await take(buffer, classes=VALUES))[1] == sorted(
        seqs[AGGREGATE] + seqs[LIVE]
    )


async def test_a_lane_reads_on_past_what_was_resolved_meanwhile(home):
    home.limits = Limits(max_bytes=50_000_000, keep_free=0, tail_bytes=0)
    buffer = await home.open()
    for _ in range(3):
        put(buffer, 5)
        put(buffer, 2, EVENT)
        await buffer.flush()

    async with asyncio.TaskGroup() as group:
        reading = group.create_task(buffer.read("platform", 0, 2, 9999, classes=EVENTS))
        await asyncio.sleep(0)
        buffer.resolve_runs("platform", [(6, 7), (13, 13)])

    assert [entry.seq for entry in reading.result()] == [14, 20]


async def test_a_read_of_what_is_being_evicted_states_nothing_twice(home):
    limits = Limits(max_bytes=1_000_000, keep_free=0, tail_bytes=0)
    buffer = await home.open(limits=limits)
    rng = Random(3)
    for n in range(700):
        buffer.append(rng.randbytes(2000), cls=LIVE, subject="d", t_ms=n)
        if n % 20 == 0:
            buffer._committer.commit()
            await buffer.read("platform", 0, 3, 9999)
    await buffer.flush()

    stated = Intervals()
    for loss in buffer.losses():
        assert loss.cause == "evicted"
        assert not stated.touches(loss.first, loss.last)
        stated.add(loss.first, loss.last)


@virtual
async def test_a_lazy_note_hastens_nothing_and_is_kept_with_the_heartbeat(home):
    buffer = await home.open()
    await asyncio.sleep(1)
    before = buffer.stats().commits, buffer._store.generation
    buffer.remember("ledger", b"hour 7", lazily=True)
    put(buffer)
    await buffer.flush()
    await asyncio.sleep(30)
    before = before[0] + 1, before[1] + 1
    assert (buffer.stats().commits, buffer._store.generation) == before
    assert buffer.recall("ledger") == b"hour 7"
    await asyncio.sleep(31)
    buffer = await home.kill_and_reopen(buffer)

    assert buffer.recall("ledger") == b"hour 7"
