"""Write avoidance, row by row of the tables in `buffer.buffer` (ADR 0006)."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from random import Random

import pytest

from buffer import Intervals, Limits, PriorityClass
from buffer.absent import TOO_MANY, from_steps, steps
from tests.support.virtual import virtual

EVENT, AGGREGATE, LIVE, _, _ = PriorityClass
AVOID = Limits(max_bytes=50_000_000, keep_free=0)
THROUGH = Limits(max_bytes=50_000_000, keep_free=0, write_through=True)


def stored(buffer) -> list[int]:
    return [s for a, b in buffer._store.stored().pairs() for s in range(a, b + 1)]


def keep(buffer, n, rng) -> dict[int, bytes]:
    """Records whose bytes can be found in the file."""
    put = (rng.randbytes(900) for _ in range(n))
    return {buffer.append(data, cls=LIVE, subject="d", t_ms=1): data for data in put}


def flip(path, data) -> None:
    raw = bytearray(path.read_bytes())
    at = raw.find(data[:60])
    assert at > 0
    raw[at] ^= 1
    path.write_bytes(raw)


def prove(buffer, first, last, *targets) -> None:
    for target in targets or ("platform",):
        buffer.resolve(target, first, last)


# -- what is stored of a seq -----------------------------------------------------------


@virtual
@pytest.mark.sentence(1)
async def test_what_some_target_has_not_proved_is_written(home, put) -> None:
    buffer = await home.open("a", "b")
    put(buffer, 4)
    prove(buffer, 1, 4, "a")
    prove(buffer, 1, 1, "b")
    prove(buffer, 3, 3, "b")
    await asyncio.sleep(0.72)

    assert stored(buffer) == [2, 4]
    assert buffer.stats().avoided == 2
    buffer = await home.kill_and_reopen(buffer, "a", "b")
    assert [e.seq for e in buffer.peek("b", 0, 9, 999) or await reads(buffer)] == [2, 4]
    assert buffer.floor("a") >= 4


async def reads(buffer, target="b"):
    return await buffer.read(target, 0, 9, 999)


@virtual
async def test_a_parked_target_counts(home, put) -> None:
    buffer = await home.open("a", "b")
    buffer.retarget(["a"])
    put(buffer, 3)
    prove(buffer, 1, 3, "a")
    await asyncio.sleep(0.72)

    assert stored(buffer) == [1, 2, 3]


@virtual
async def test_what_every_target_proved_costs_neither_write_nor_wake_up(
    home, put
) -> None:
    buffer = await home.open("a", "b")
    before = [(p.name, p.stat().st_mtime_ns) for p in sorted(home.folder.iterdir())]
    for _ in range(50):
        (first, last) = put(buffer, 2)
        await asyncio.sleep(0.3)
        prove(buffer, first, last, "a", "b")
        assert buffer._committer._timer is None
        assert buffer._committer._settle_timer is None
        await asyncio.sleep(0.7)
        home.wall += 1000

    assert before == [
        (p.name, p.stat().st_mtime_ns) for p in sorted(home.folder.iterdir())
    ]
    assert buffer.stats().avoided == 100
    assert buffer._memory.tail.size == 0


@pytest.mark.parametrize(
    ("cls", "late_s", "written"),
    [(LIVE, 0.69, False), (LIVE, 0.72, True), (EVENT, 0.015, False), (EVENT, 0.03, 1)],
)
@virtual
@pytest.mark.sentence(1)
async def test_a_proof_counts_until_the_record_is_due(
    home, put, cls, late_s, written
) -> None:
    buffer = await home.open()
    await asyncio.sleep(1)
    (seq,) = put(buffer, 1, cls)
    await asyncio.sleep(late_s)
    prove(buffer, seq, seq)
    await asyncio.sleep(2)

    assert bool(stored(buffer)) == bool(written)
    assert buffer.stats().pending == 0


@virtual
async def test_a_young_record_is_not_written_with_older_ones_that_are_proved(
    home, put
) -> None:
    """With 10 records a second and 150 ms to a proof there is always one under way."""
    buffer = await home.open()
    loop = asyncio.get_running_loop()
    for _ in range(200):
        (seq,) = put(buffer)
        loop.call_later(0.15, prove, buffer, seq, seq)
        await asyncio.sleep(0.1)
    await asyncio.sleep(1)

    assert stored(buffer) == []


@virtual
async def test_without_any_target_everything_is_written(home, put) -> None:
    buffer = await home.open()
    buffer.retarget([])
    buffer._memory.cursors.clear()  # as when none was ever configured
    put(buffer, 3)
    await asyncio.sleep(1)

    assert stored(buffer) == [1, 2, 3]


@virtual
async def test_a_statement_of_loss_is_written_even_when_it_is_proved(home, put) -> None:
    buffer = await home.open()
    put(buffer, 3)
    buffer = await home.kill_and_reopen(buffer)
    (loss,) = buffer.losses()
    (seq,) = put(buffer, 1, EVENT, settles=loss.id)
    prove(buffer, seq, seq)
    await asyncio.sleep(1)
    buffer = await home.kill_and_reopen(buffer)

    assert [one.cause for one in buffer.losses()] == ["unclean_stop"]
    assert loss.id not in {one.id for one in buffer.losses()}


@virtual
@pytest.mark.sentence(1)
async def test_write_through_writes_what_every_target_proved(home, put) -> None:
    buffer = await home.open(limits=THROUGH)
    put(buffer, 3)
    prove(buffer, 1, 3)
    await asyncio.sleep(0.72)

    assert stored(buffer) == [1, 2, 3]
    assert buffer.stats().avoided == 0


@virtual
async def test_cursors_in_too_many_pieces_end_avoidance_until_they_are_whole(
    home, put
) -> None:
    buffer = await home.open()
    for _ in range(TOO_MANY + 40):
        _, last = put(buffer, 2)
        prove(buffer, last, last)
        await asyncio.sleep(1)
    scattered = buffer.stats().avoided
    put(buffer, 3)
    prove(buffer, buffer.high - 2, buffer.high)
    await asyncio.sleep(1)

    assert TOO_MANY <= scattered <= TOO_MANY + 5
    assert buffer.stats().avoided == scattered
    prove(buffer, 1, buffer.high)
    await asyncio.sleep(120)
    put(buffer, 3)
    prove(buffer, 1, buffer.high)
    await asyncio.sleep(1)
    assert buffer.stats().avoided == scattered + 3


# -- what an absent seq means ----------------------------------------------------------


@virtual
@pytest.mark.sentence(2)
async def test_absent_and_listed_was_proved_however_little_of_the_cursors_is_left(
    home, put
) -> None:
    """The cursor is in more pieces than are stored; what is listed is not damaged."""
    buffer = await home.open()
    put(buffer, 4000)
    await buffer.flush()
    for seq in range(2, 4000, 2):  # events of a backlog, say
        buffer.resolve("platform", seq, seq)
    await asyncio.sleep(6)
    for _ in range(5):
        put(buffer, 3)
        prove(buffer, buffer.high - 2, buffer.high)
        await asyncio.sleep(1)
    put(buffer)
    await asyncio.sleep(1)
    assert len(stored(buffer)) == 4001
    buffer = await home.kill_and_reopen(buffer)

    assert [loss.cause for loss in buffer.losses()] == ["unclean_stop"]
    (loss,) = buffer.losses()
    assert loss.first == 4017


@virtual
@pytest.mark.sentence(2, 7)
async def test_absent_below_the_high_water_and_not_listed_is_damaged(home, put) -> None:
    buffer = await home.open()
    put(buffer, 5)
    await buffer.flush()
    await buffer.close()
    for path in home.folder.glob("live-*"):
        path.unlink()
    buffer = await home.open()

    (loss,) = buffer.losses()
    assert (loss.cause, loss.first, loss.last, loss.certain) == ("damaged", 1, 5, True)


@virtual
async def test_above_the_high_water_after_a_clean_stop_nothing_was_used(
    home, put
) -> None:
    buffer = await home.open()
    put(buffer, 3)
    prove(buffer, 1, 3)
    await buffer.close()
    buffer = await home.open()

    assert buffer.losses() == []
    assert put(buffer) == [4]


@pytest.mark.parametrize("power", [False, True], ids=["killed", "power cut"])
@virtual
@pytest.mark.sentence(2)
async def test_above_it_after_an_unclean_stop_one_range_bounded_by_what_was_at_risk(
    home, put, power
) -> None:
    """An hour at 10 records a second, all proved; then a stop before the last proof."""
    buffer = await home.open()
    for _ in range(600):
        for _ in range(10):
            (seq,) = put(buffer)
            prove(buffer, seq, seq)
        await asyncio.sleep(1)
        home.wall += 1000
    taken = put(buffer, 7)
    if power:
        home.boot = "b0071002"
    buffer = await home.kill_and_reopen(buffer)

    (loss,) = buffer.losses()
    assert (loss.cause, loss.certain) == ("unclean_stop", False)
    assert loss.first <= taken[0]
    assert taken[-1] <= loss.last
    assert len(taken) <= loss.at_most <= (100 if power else 40)
    assert buffer.high >= taken[-1]


@pytest.mark.parametrize("ran_s", [0, 5])
@virtual
async def test_stops_on_a_full_disk_add_up(home, put, monkeypatch, ran_s) -> None:
    """Nothing can be stored between two kills: the bound is that of both, no more."""
    buffer = await home.open()
    put(buffer, 5)
    buffer = await home.kill_and_reopen(buffer)
    await buffer.close()
    buffer = await home.open()
    put(buffer, 5)
    copy = home.image()
    buffer.abandon()

    def full(*_args, **_kw):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("buffer.control.ControlFile.save", full)
        home.folder.rename(home.folder.with_name("gone"))
        copy.rename(home.folder)
        buffer = await home.open()
        put(buffer, 9)
        await asyncio.sleep(ran_s)
        copy = home.image()
        buffer.abandon()
    home.folder.rename(home.folder.with_name("gone too"))
    copy.rename(home.folder)
    buffer = await home.open()

    unclean = [loss for loss in buffer.losses() if loss.cause == "unclean_stop"]
    assert 14 <= sum(loss.at_most for loss in unclean) <= 80


# -- and what follows ------------------------------------------------------------------


@virtual
async def test_a_target_added_later_is_owed_what_is_stored(home, put, drain) -> None:
    buffer = await home.open("a")
    put(buffer, 4)
    prove(buffer, 1, 3, "a")
    put(buffer, 2)
    await asyncio.sleep(0.72)
    prove(buffer, 5, 5, "a")
    put(buffer, 3)
    prove(buffer, 7, 8, "a")  # proved, but not due yet: still there

    buffer.retarget(["a", "b"])

    got = [entry.seq for entry in await drain(buffer, "b")]
    assert got == [4, 5, 6, 7, 8, 9]
    await asyncio.sleep(1)
    await buffer.close()
    buffer = await home.open("a", "b")
    assert buffer.losses() == []


@pytest.mark.parametrize("where", ["first", "middle", "last"])
@virtual
async def test_a_damaged_row_does_not_take_what_was_avoided_with_it(
    home, put, where
) -> None:
    """Clean stop: only the records of the damaged row are lost, and for certain."""
    buffer = await home.open()
    kept, rng = [], Random(8)
    for _ in range(9):
        put(buffer, 20)
        prove(buffer, buffer.high - 19, buffer.high)
        kept.append(keep(buffer, 3, rng))
        await asyncio.sleep(2)
    await buffer.close()
    victim = kept[{"first": 0, "middle": 4, "last": 8}[where]]
    (path,) = home.folder.glob("live-*.sqlite")
    flip(path, list(victim.values())[1])
    buffer = await home.open()
    got = await buffer.read("platform", 0, 999, 10**6)

    assert [e.seq for e in got] == [s for run in kept for s in run if s not in victim]
    (loss,) = buffer.losses()
    assert loss.cause == "damaged"
    assert (loss.first, loss.last) == (min(victim), max(victim))


@virtual
async def test_a_damaged_row_hides_nothing_a_later_row_tells(home, put) -> None:
    """Unclean stop: the avoided ranges of the damaged row's stamp stand in the next."""
    buffer = await home.open()
    kept, rng = [], Random(9)
    for _ in range(5):
        put(buffer, 20)
        prove(buffer, buffer.high - 19, buffer.high)
        kept.append(keep(buffer, 3, rng))
        await asyncio.sleep(2)
    copy = home.image()
    buffer.abandon()
    (path,) = copy.glob("live-*.sqlite")
    with closing(sqlite3.connect(path)) as db:  # or the journal would end at the flip
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    flip(path, list(kept[2].values())[1])
    buffer = await home.open(folder=copy)

    for loss in buffer.losses():
        assert not loss.certain
        assert loss.first in kept[2] or loss.first > max(kept[-1])
    assert min(kept[2]) in {loss.first for loss in buffer.losses()}


@virtual
async def test_eviction_counts_what_was_stored_and_nothing_that_was_avoided(
    home, put
) -> None:
    limits = Limits(max_bytes=1_000_000, keep_free=0)
    buffer = await home.open(limits=limits)
    rng = Random(5)
    kept = set()
    for _ in range(120):
        put(buffer, 10)
        prove(buffer, buffer.high - 9, buffer.high)
        for _ in range(6):
            kept.add(buffer.append(rng.randbytes(2000), cls=LIVE, subject="d", t_ms=1))
        await buffer.flush()
    lost = Intervals()
    for loss in buffer.losses():
        assert loss.cause == "evicted"
        assert loss.certain
        assert loss.at_most == loss.last - loss.first + 1
        lost.add(loss.first, loss.last)

    assert lost
    assert {s for a, b in lost.pairs() for s in range(a, b + 1)} <= kept


@virtual
async def test_the_heartbeat_alone_moves_the_high_water(home, put) -> None:
    """So a stop costs the statement of a minute's seqs, not of the whole run."""
    buffer = await home.open()
    for _ in range(3000):
        (seq,) = put(buffer)
        prove(buffer, seq, seq)
        await asyncio.sleep(1)
        home.wall += 1000
    end = buffer.high
    buffer = await home.kill_and_reopen(buffer)

    (loss,) = buffer.losses()
    assert end - 61 <= loss.first <= end + 1
    assert buffer.ended.wall_ms >= home.wall - 61_000


def test_steps_are_small_numbers_and_come_back() -> None:
    runs = Intervals.of([(1_000_001, 1_000_020), (1_000_030, 1_000_030)])

    assert steps(runs.edges) == [1_000_001, 20, 9, 1]
    assert from_steps(steps(runs.edges)) == runs
    assert from_steps([]) == Intervals()
