"""Contract 6: never over the bound, never into the reserve, lowest class first."""

from __future__ import annotations

import errno
import os
from collections import Counter

import msgspec
import pytest

from buffer import Buffer, Limits, PriorityClass, room
from buffer.control import ControlFile
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


@pytest.mark.sentence(6)
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
@pytest.mark.sentence(2, 6)
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


@pytest.mark.sentence(6)
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


@pytest.mark.sentence(2)
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


@pytest.mark.sentence(6)
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


@pytest.mark.sentence(6)
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


async def test_what_is_lost_of_a_partly_delivered_mixed_segment_is_counted_exactly(
    home,
) -> None:
    home.limits = Limits(max_bytes=1_000_000, keep_free=0)
    buffer = await home.open()
    subject_of = {}
    # Batches with holes that events fill, so that heads alone do not tell.
    for n in range(12):
        for k in range(5):
            cls = EVENT if k == 2 else LIVE
            seq = buffer.append(os.urandom(900), cls=cls, subject=f"d{k}", t_ms=n)
            subject_of[seq] = f"d{k}"
        await buffer.flush()
    buffer.resolve("platform", 1, 7)
    buffer.resolve("platform", 22, 23)

    while not buffer.losses():
        buffer.append(os.urandom(30_000), cls=LIVE, subject="big", t_ms=99)
        await buffer.flush()
    small = [x for x in buffer.losses() if x.first in subject_of]

    assert (19, 21) in {(x.first, x.last) for x in small}
    for loss in small:
        inside = [s for s in range(loss.first, loss.last + 1) if s in subject_of]
        counted = {k: v for k, v in loss.counts.items() if k != "big"}
        assert counted == Counter(subject_of[s] for s in inside), loss
        assert all(s > 7 and s not in {22, 23} for s in inside)
        assert all(subject_of[s] != "d2" for s in inside), "events stay"


async def test_a_disk_too_full_to_note_an_eviction_is_relieved_first(
    home, drain, monkeypatch
) -> None:
    home.limits = Limits(max_bytes=1_000_000, keep_free=0)
    buffer = await home.open()
    real, refused = ControlFile.save, []

    def full_once(self, changes):
        if not refused and buffer._store.doomed:
            refused.append(len(buffer._store.doomed))
            raise OSError(errno.ENOSPC, "No space left on device")
        real(self, changes)

    monkeypatch.setattr(ControlFile, "save", full_once)
    for n in range(80):
        buffer.append(os.urandom(20_000), cls=LIVE, subject="d", t_ms=n)
        await buffer.flush()
    losses = buffer.losses()
    buffer = await home.kill_and_reopen(buffer)
    got = [e.seq for e in await drain(buffer)]

    assert refused
    assert sum(x.at_most for x in losses) + len(got) == 80
    assert [x for x in buffer.losses() if x.cause != "unclean_stop"] == losses


async def test_a_kill_after_such_a_relief_is_stated_from_the_catalogue(
    home, drain, monkeypatch
) -> None:
    home.limits = Limits(max_bytes=1_000_000, keep_free=0)
    buffer = await home.open()
    real, images = ControlFile.save, []

    def full(self, changes):
        if buffer._store.doomed:
            raise OSError(errno.ENOSPC, "No space left on device")
        if images == ["next"]:
            images[:] = [home.image()]
        real(self, changes)

    def unlinked(store) -> None:
        had = bool(store.doomed)
        real_unlink(store)
        if had and not images:
            images.append("next")

    real_unlink = room._unlink_doomed
    monkeypatch.setattr(ControlFile, "save", full)
    monkeypatch.setattr(room, "_unlink_doomed", unlinked)
    for n in range(80):
        buffer.append(os.urandom(20_000), cls=LIVE, subject="d", t_ms=n)
        await buffer.flush()
        if images and images != ["next"]:
            break
    buffer.abandon()
    monkeypatch.undo()

    buffer = await home.open(folder=images[0])
    got = [e.seq for e in await drain(buffer)]
    losses = [x for x in buffer.losses() if x.cause != "unclean_stop"]

    assert [x.cause for x in losses] == ["damaged"]
    assert losses[0].first == 1
    assert losses[0].last == got[0] - 1
    assert losses[0].counts == {"d": losses[0].at_most}
