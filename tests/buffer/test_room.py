"""Contract 6: never over the bound, never into the reserve, lowest class first."""

from __future__ import annotations

import os
from collections import Counter

import msgspec
import pytest

from buffer import Buffer, Limits, PriorityClass, room
from buffer.evict import Candidate, choose
from buffer.intervals import Intervals

LIVE, AGGREGATE, EVENT = (
    PriorityClass.LIVE,
    PriorityClass.AGGREGATE,
    PriorityClass.EVENT,
)
BOUND = 2_000_000


def folder_bytes(home) -> int:
    return sum(p.stat().st_size for p in home.folder.rglob("*") if p.is_file())


def keep_free(buffer: Buffer, size: int) -> None:
    store = buffer._store
    store.limits = msgspec.structs.replace(store.limits, keep_free=size)


def test_the_lowest_class_goes_first_and_its_oldest_first() -> None:
    store = [
        Candidate("e1", EVENT, 1, 100, closed=True),
        Candidate("a1", AGGREGATE, 2, 100, closed=True),
        Candidate("l1", LIVE, 3, 100, closed=True),
        Candidate("l2", LIVE, 9, 100, closed=True),
        Candidate("l3", LIVE, 20, 100, closed=False),
    ]

    assert choose(store, 0, closed_only=False) == []
    assert choose(store, 1, closed_only=False) == ["l1"]
    assert choose(store, 250, closed_only=False) == ["l1", "l2", "a1"]
    assert choose(store, 10_000, closed_only=True) == ["l1", "l2", "a1", "e1"]
    assert choose(store, 10_000, closed_only=False)[-1] == "l3"


@pytest.mark.parametrize("targets", [("p",), ("p", "q")])
async def test_the_bound_holds_and_every_missing_record_is_counted(
    home, drain, targets
) -> None:
    home.limits = Limits(max_bytes=BOUND, keep_free=0)
    buffer = await home.open(*targets)
    subject_of = {}
    highest = 0
    for n in range(160):
        for cls, size in ((LIVE, 12_000), (LIVE, 3_000), (EVENT, 200)):
            subject = f"device-{n % 7}"
            seq = buffer.append(
                os.urandom(size), cls=cls, subject=subject, t_ms=home.wall + n
            )
            subject_of[seq] = (cls, subject, home.wall + n)
        if n % 20 == 0:
            subject_of[
                buffer.append(
                    b"a" * 90, cls=AGGREGATE, subject="agg", t_ms=home.wall + n
                )
            ] = (AGGREGATE, "agg", home.wall + n)
        await buffer.flush()
        highest = max(highest, folder_bytes(home))
        assert folder_bytes(home) <= BOUND, f"after {n} rounds"
        assert buffer.stats().degraded is None
    got = {e.seq: e for e in await drain(buffer, targets[-1])}
    losses = buffer.losses()

    lost = Intervals()
    for loss in losses:
        assert loss.cause == "evicted"
        assert loss.certain
        inside = range(loss.first, loss.last + 1)
        assert not lost.touches(loss.first, loss.last)
        lost.add(loss.first, loss.last)
        assert loss.counts == Counter(subject_of[s][1] for s in inside)
        times = [subject_of[s][2] for s in inside]
        assert (loss.t_ms, loss.until_ms) == (min(times), max(times))
    assert {s for s in subject_of if s in lost} == subject_of.keys() - got.keys()
    assert all(subject_of[s][0] is LIVE for s in subject_of if s in lost)
    assert highest > BOUND * 0.7, "the room there is is used"


async def test_events_go_last_and_go_too(home, drain) -> None:
    home.limits = Limits(max_bytes=1_000_000, keep_free=0)
    buffer = await home.open()
    for n in range(200):
        buffer.append(os.urandom(20_000), cls=EVENT, subject="e", t_ms=n)
        await buffer.flush()
        assert folder_bytes(home) <= 1_000_000

    got = [e.seq for e in await drain(buffer)]
    lost = sum(loss.at_most for loss in buffer.losses())

    assert got == list(range(201 - len(got), 201)), "the newest are there"
    assert lost + len(got) == 200


async def test_what_a_target_has_is_no_loss(home, put) -> None:
    home.limits = Limits(max_bytes=1_000_000, keep_free=0)
    buffer = await home.open()
    for _ in range(100):
        buffer.append(os.urandom(20_000), cls=LIVE, subject="d", t_ms=1)
        buffer.resolve("platform", 1, buffer.high)
        await buffer.flush()

    assert buffer.losses() == []
    assert buffer.stats().segments <= 3, "space is given back as it is delivered"


async def test_a_statement_evicted_before_it_arrived_opens_its_loss_again(
    home, put
) -> None:
    home.limits = Limits(max_bytes=1_000_000, keep_free=0)
    buffer = await home.open()
    put(buffer)
    await buffer.flush()
    buffer = await home.kill_and_reopen(buffer)
    (loss,) = buffer.losses()
    (seq,) = put(buffer, 1, EVENT, settles=loss.id)
    await buffer.flush()
    assert buffer.losses() == []

    for _ in range(100):
        buffer.append(os.urandom(20_000), cls=EVENT, subject="e", t_ms=1)
        await buffer.flush()

    assert loss in buffer.losses()
    assert any(x.first <= seq <= x.last for x in buffer.losses())


async def test_a_kill_between_stating_and_unlinking_states_it_once(
    home, put, drain, monkeypatch
) -> None:
    home.limits = Limits(max_bytes=1_000_000, keep_free=0)
    buffer = await home.open()
    images = []

    def before_unlink(store) -> None:
        if store.doomed and not images:
            images.append(home.image())
        real(store)

    real = room._unlink_doomed
    monkeypatch.setattr(room, "_unlink_doomed", before_unlink)
    while not images:
        buffer.append(os.urandom(20_000), cls=LIVE, subject="d", t_ms=1)
        await buffer.flush()
    buffer.abandon()

    buffer = await home.open(folder=images[0])
    got = [e.seq for e in await drain(buffer, resolve=False)]
    evicted = [x for x in buffer.losses() if x.cause == "evicted"]

    assert evicted
    assert [x for x in buffer.losses() if x.cause == "damaged"] == []
    assert got[0] == evicted[-1].last + 1
    put(buffer)
    await buffer.flush()
    names = sorted(p.name for p in images[0].glob("live-*.sqlite"))
    assert int(names[0].split("-")[1].split(".")[0]) == got[0], "the file is gone now"


async def test_the_reserve_is_left_to_others_except_for_events(
    home, put, drain
) -> None:
    buffer = await home.open()
    put(buffer, 5)
    await buffer.flush()
    free = os.statvfs(home.folder)
    free = free.f_bavail * free.f_frsize
    keep_free(buffer, free * 2)

    put(buffer, 5)
    put(buffer, 1, EVENT)
    await buffer.flush()
    held = buffer.stats()
    keep_free(buffer, 0)
    await buffer.flush()
    after = buffer.stats()

    assert held.degraded == "disk"
    assert held.pending == 5, "the event was written"
    assert (after.degraded, after.pending) == (None, 0)
    assert len(await drain(buffer)) == 11
    assert buffer.losses() == []


async def test_the_reserve_is_won_back_by_evicting(home, put, drain) -> None:
    home.limits = Limits(max_bytes=50_000_000, keep_free=0, segment_bytes=100_000)
    buffer: Buffer = await home.open()
    for _ in range(40):
        put(buffer, 20, size=900)
        buffer.append(os.urandom(30_000), cls=LIVE, subject="d", t_ms=1)
        await buffer.flush()
    segments = buffer.stats().segments
    state = os.statvfs(home.folder)
    free = state.f_bavail * state.f_frsize
    keep_free(buffer, free + 10**9)

    put(buffer)
    await buffer.flush()

    assert segments > 4
    assert buffer.stats().segments <= 1, "all closed ones went"
    assert all(x.cause == "evicted" for x in buffer.losses())
