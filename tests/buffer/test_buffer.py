"""The contract of docs/delivery.md, sentence by sentence, on the buffer alone."""

from __future__ import annotations

import asyncio
import os
import struct

import pytest

from buffer import (
    Buffer,
    BufferClosedError,
    BufferLockedError,
    BufferTooNewError,
    Limits,
    PriorityClass,
)
from buffer.files import APPLICATION_ID, FORMAT_VERSION
from buffer.mark import _frame
from tests.support.virtual import virtual

LIVE, EVENT = PriorityClass.LIVE, PriorityClass.EVENT
THROUGH = Limits(max_bytes=50_000_000, keep_free=0, write_through=True)


async def test_a_new_store_is_empty_and_has_a_name(home, drain) -> None:
    buffer = await home.open()

    assert len(buffer.store) == 8
    assert int(buffer.store, 16) >= 0
    assert buffer.high == 0
    assert await drain(buffer) == []
    assert buffer.losses() == []
    assert buffer.backlog("platform").records == 0


async def test_records_come_back_as_given_and_in_order(home, put, drain) -> None:
    buffer = await home.open()
    t_ms = 1_763_712_000_123
    seqs = [
        buffer.append(bytes([n]) * n, cls=LIVE, subject=f"d{n % 3}", t_ms=t_ms + n)
        for n in range(1, 50)
    ]

    before = await drain(buffer, resolve=False)
    await buffer.close()
    buffer = await home.open()
    after = await drain(buffer)

    assert seqs == list(range(1, 50))
    assert before == after
    assert [(e.t_ms, e.subject, e.data) for e in after] == [
        (t_ms + n, f"d{n % 3}", bytes([n]) * n) for n in range(1, 50)
    ]
    assert buffer.losses() == []


@virtual
@pytest.mark.sentence(1)
async def test_contract_1_a_record_is_durable_within_a_second(home, put, drain) -> None:
    buffer = await home.open(limits=THROUGH)

    put(buffer, 1)
    await asyncio.sleep(0.1)
    put(buffer, 1)
    await asyncio.sleep(0.3)
    put(buffer, 2)
    await asyncio.sleep(0.39)
    early = buffer.stats().durable
    await asyncio.sleep(0.02)
    late = buffer.stats().durable
    buffer = await home.kill_and_reopen(buffer)

    assert (early, late) == (1, 4)
    assert [e.seq for e in await drain(buffer)] == [1, 2, 3, 4]


@virtual
@pytest.mark.sentence(1)
async def test_what_comes_once_a_second_is_durable_at_once(home, put) -> None:
    buffer = await home.open(limits=THROUGH)
    durable = []

    for _ in range(5):
        put(buffer, 1)
        await asyncio.sleep(0.02)
        durable.append(buffer.stats().durable)
        await asyncio.sleep(0.98)

    assert durable == [1, 2, 3, 4, 5]
    assert buffer.stats().commits <= 6
    await buffer.close()


@virtual
@pytest.mark.sentence(1)
async def test_contract_1_events_are_durable_within_50_ms(home, put, drain) -> None:
    buffer = await home.open()

    put(buffer, 2)
    put(buffer, 1, EVENT)
    await asyncio.sleep(0.015)
    put(buffer, 1, EVENT)
    await asyncio.sleep(0.045)
    buffer = await home.kill_and_reopen(buffer)

    got = await drain(buffer)
    assert [(e.seq, e.cls) for e in got] == [
        (1, LIVE),
        (2, LIVE),
        (3, EVENT),
        (4, EVENT),
    ]


@virtual
async def test_a_steady_site_pays_one_commit_a_second(home, put) -> None:
    buffer = await home.open(limits=THROUGH)

    for _ in range(600):
        (seq,) = put(buffer)
        await asyncio.sleep(0.005)
        buffer.resolve("platform", seq, seq)
        await asyncio.sleep(0.995)
        home.wall += 1000

    assert 599 <= buffer.stats().commits <= 601
    assert buffer._store.mark.slot.generation <= 3, "the ceiling was raised a few times"


@virtual
async def test_a_moved_cursor_is_stored_soon_even_without_new_records(
    home, put
) -> None:
    buffer = await home.open()
    put(buffer, 5)
    await asyncio.sleep(1)

    buffer.resolve("platform", 1, 4)
    await asyncio.sleep(6)
    buffer = await home.kill_and_reopen(buffer)

    assert buffer.floor("platform") == 4


@virtual
async def test_the_control_file_has_a_heartbeat(home) -> None:
    buffer = await home.open()
    for _ in range(10):
        await asyncio.sleep(60)
        home.wall += 60_000

    assert home.wall - buffer._store.saved_ms <= 61_000


async def test_a_burst_of_records_shares_one_commit(home, put) -> None:
    buffer = await home.open()

    put(buffer, 10)
    await buffer.flush()

    assert buffer.stats().commits == 1


@pytest.mark.sentence(2)
async def test_contract_2_a_kill_is_stated_as_one_bounded_loss(
    home, put, drain
) -> None:
    buffer = await home.open()
    put(buffer, 5)
    await buffer.flush()
    put(buffer, 3)  # never durable

    buffer = await home.kill_and_reopen(buffer)

    (loss,) = buffer.losses()
    assert [e.seq for e in await drain(buffer)] == [1, 2, 3, 4, 5]
    assert (loss.first, loss.last) == (6, buffer.high)
    assert loss.cause == "unclean_stop"
    assert not loss.certain
    assert 3 <= loss.at_most <= 200
    assert loss.until_ms == home.wall


@pytest.mark.sentence(2)
async def test_contract_2_a_clean_stop_loses_nothing(home, put, drain) -> None:
    buffer = await home.open()
    put(buffer, 5)

    await buffer.close()
    buffer = await home.open()

    assert buffer.losses() == []
    assert put(buffer) == [6]


@pytest.mark.sentence(4)
async def test_contract_4_a_seq_is_never_used_twice(home, put) -> None:
    buffer = await home.open()
    given: set[int] = set()
    for turn in range(6):
        seqs = put(buffer, 20)
        assert given.isdisjoint(seqs)
        given.update(seqs)
        if turn % 2:
            await buffer.flush()
        buffer = await home.kill_and_reopen(buffer)


async def test_a_seq_above_the_durable_ceiling_is_not_handed_out(
    home, put, monkeypatch
) -> None:
    monkeypatch.setattr("buffer.pace.SMALLEST_BLOCK", 1024)
    monkeypatch.setattr("buffer.recover.SMALLEST_BLOCK", 1024)
    buffer = await home.open()
    calls: list[int] = []
    buffer.on_append(lambda: calls.append(buffer.high))

    put(buffer, 3000)
    shown = buffer.peek("platform", 0, 10_000, 10**9)
    await buffer.flush()
    later = buffer.peek("platform", 0, 10_000, 10**9)

    assert shown is not None
    assert len(shown) == 1024
    assert later is not None
    assert len(later) == 3000
    assert calls[-1] == 3000, "told when the rest became readable"


@pytest.mark.sentence(9)
async def test_contract_9_a_dead_target_holds_back_no_other(home, put, drain) -> None:
    buffer = await home.open("a", "b")
    put(buffer, 10)

    got = await drain(buffer, "a")
    await buffer.close()
    buffer = await home.open("a", "b")

    assert len(got) == 10
    assert buffer.floor("a") == 10
    assert buffer.floor("b") == 0
    assert await drain(buffer, "a") == []
    assert [e.seq for e in await drain(buffer, "b")] == list(range(1, 11))


async def test_proof_in_any_order_moves_the_floor_when_it_closes(home, put) -> None:
    buffer = await home.open()
    put(buffer, 10)

    buffer.resolve("platform", 4, 6)
    high_runs = [e.seq for e in buffer.peek("platform", 0, 99, 10**6)]
    buffer.resolve("platform", 1, 3)

    assert high_runs == [1, 2, 3, 7, 8, 9, 10]
    assert buffer.floor("platform") == 6
    assert buffer.backlog("platform").records == 4


async def test_the_cursor_rides_with_the_data(home, put, drain) -> None:
    buffer = await home.open()
    put(buffer, 4)
    await buffer.flush()
    buffer.resolve("platform", 1, 2)
    buffer.resolve("platform", 4, 4)
    put(buffer, 1)
    await buffer.flush()
    saved = buffer._store.saved_ms

    home.wall += 1000
    buffer = await home.kill_and_reopen(buffer)

    assert saved == home.wall - 1000, "the control file was not written for it"
    assert [e.seq for e in await drain(buffer)] == [3, 5]


async def test_limits_of_a_read_are_kept_but_one_entry_always_comes(home, put) -> None:
    buffer = await home.open()
    put(buffer, 10, size=1000)

    assert len(buffer.peek("platform", 0, 3, 10**6)) == 3
    assert len(buffer.peek("platform", 0, 99, 2500)) == 2
    assert len(buffer.peek("platform", 0, 99, 10)) == 1
    await buffer.close()
    buffer = await home.open()
    assert buffer.peek("platform", 0, 99, 10) is None
    assert len(await buffer.read("platform", 0, 3, 10**6)) == 3
    assert len(await buffer.read("platform", 0, 99, 2500)) == 2
    assert len(await buffer.read("platform", 0, 99, 10)) == 1
    assert [e.seq for e in await buffer.read("platform", 8, 99, 10**6)] == [9, 10]


async def test_the_memory_tail_is_bounded_and_the_rest_comes_from_disk(
    home, put, drain
) -> None:
    home.limits = Limits(max_bytes=50_000_000, keep_free=0, tail_bytes=50_000)
    buffer = await home.open()
    for _ in range(20):
        put(buffer, 50, size=100)
        await buffer.flush()

    assert buffer._memory.tail.size <= 50_000
    assert buffer.peek("platform", 0, 10, 10**6) is None
    assert buffer.backlog("platform").oldest_t_ms == 1_763_712_000_000
    assert [e.seq for e in await drain(buffer)] == list(range(1, 1001))


async def test_classes_keep_chains_of_their_own_and_one_order(home, put, drain) -> None:
    buffer = await home.open()
    kinds = [LIVE, EVENT, LIVE, PriorityClass.AGGREGATE, LIVE, EVENT] * 20
    for cls in kinds:
        put(buffer, 1, cls)
    await buffer.close()
    names = sorted(p.name for p in home.folder.glob("*-*.sqlite"))

    buffer = await home.open()
    got = await drain(buffer)

    assert [n.split("-")[0] for n in names] == ["aggregate", "event", "live"]
    assert [e.seq for e in got] == list(range(1, 121))
    assert [e.cls for e in got] == kinds


@pytest.mark.sentence(2)
async def test_a_loss_stays_until_a_record_states_it(home, put) -> None:
    buffer = await home.open()
    put(buffer)
    await buffer.flush()
    buffer = await home.kill_and_reopen(buffer)
    (loss,) = buffer.losses()

    await buffer.close()
    buffer = await home.open()
    again = buffer.losses()
    (seq,) = put(buffer, 1, EVENT, settles=loss.id)
    pending = buffer.losses()
    await buffer.flush()
    buffer = await home.kill_and_reopen(buffer)

    assert again == [loss]
    assert pending == []
    assert [x.first for x in buffer.losses()] == [seq + 1], "only the new stop's"


async def test_a_loss_is_open_again_when_the_record_that_states_it_was_not_durable(
    home, put
) -> None:
    buffer = await home.open()
    put(buffer)
    await buffer.flush()
    buffer = await home.kill_and_reopen(buffer)
    (loss,) = buffer.losses()

    put(buffer, 1, EVENT, settles=loss.id)
    buffer = await home.kill_and_reopen(buffer)

    assert loss in buffer.losses()


async def test_a_new_loss_is_announced(home, put) -> None:
    home.limits = Limits(max_bytes=1_000_000, keep_free=0)
    buffer = await home.open()
    told: list[int] = []
    stop = buffer.on_loss(lambda: told.append(len(buffer.losses())))
    for _ in range(40):
        for _ in range(40):
            buffer.append(os.urandom(1000), cls=LIVE, subject="d", t_ms=1)
        await buffer.flush()

    assert told
    stop()
    stop = buffer.on_append(lambda: told.append(-1))
    stop()
    put(buffer)
    assert -1 not in told


async def test_notes_are_kept_beside_the_records(home, put) -> None:
    buffer = await home.open()
    buffer.remember("boot:b0071001", b"1763712000000")
    buffer.remember("gone", b"x")
    await buffer.flush()
    buffer.remember("gone", None)
    put(buffer)
    await buffer.flush()
    buffer = await home.kill_and_reopen(buffer)

    assert buffer.recall("boot:b0071001") == b"1763712000000"
    assert buffer.recall("gone") is None


async def test_a_new_target_is_owed_what_is_stored(home, put, drain) -> None:
    buffer = await home.open("a")
    put(buffer, 5)
    await buffer.close()

    buffer = await home.open("a", "b")
    put(buffer, 2)
    buffer.retarget(["a", "b", "c"])

    assert [e.seq for e in await drain(buffer, "b")] == list(range(1, 8))
    assert [e.seq for e in await drain(buffer, "c")] == list(range(1, 8))
    assert buffer.losses() == []


async def test_a_new_target_gets_by_lane_what_all_others_had(home, put, drain) -> None:
    buffer = await home.open("a", limits=THROUGH)
    put(buffer, 5)
    await buffer.flush()
    await drain(buffer, "a")
    put(buffer, 2)
    await buffer.flush()  # nobody is owed 1 to 5 any more, yet their file is there

    buffer.retarget(["a", "b"])

    lane = frozenset({PriorityClass.LIVE})
    found = await buffer.read("b", 0, 5, 1_000_000, classes=lane)
    assert [entry.seq for entry in found] == [1, 2, 3, 4, 5]
    assert buffer.backlog("b", classes=lane).records == buffer.backlog("b").records


@pytest.mark.sentence(9, 10)
async def test_a_removed_target_is_parked_and_comes_back_where_it_was(
    home, put, drain
) -> None:
    buffer = await home.open("a", "b")
    put(buffer, 5)
    await drain(buffer, "b")
    buffer.retarget(["a"])
    assert "b" not in buffer.stats().floors
    await buffer.close()
    buffer = await home.open("a")
    put(buffer, 2)
    await buffer.close()

    home.wall += 6 * 24 * 3600 * 1000
    buffer = await home.open("a", "b")

    assert [e.seq for e in await drain(buffer, "b")] == [6, 7]


@virtual
async def test_a_parked_target_is_forgotten_after_a_week(home, put, drain) -> None:
    """Counted while the store is open: a clock that jumps forgets nobody."""
    buffer = await home.open("a", "b")
    put(buffer, 5)
    await buffer.close()
    home.wall += 20 * 365 * 24 * 3600 * 1000
    buffer = await home.open("a")
    for _ in range(4 * 24):
        await asyncio.sleep(3600)
    await buffer.close()
    home.wall -= 40 * 365 * 24 * 3600 * 1000
    buffer = await home.open("a")
    assert "b" in buffer._memory.cursors

    for _ in range(3 * 24):
        await asyncio.sleep(3600)
    assert "b" in buffer._memory.cursors
    await asyncio.sleep(200)
    assert "b" not in buffer._memory.cursors
    await drain(buffer, "a")
    assert buffer._memory.durable() == 5
    await buffer.close()


async def test_without_targets_records_wait_for_one(home, put, drain) -> None:
    buffer = await Buffer.open(
        home.folder, home.limits, [], wall_ms=lambda: home.wall, boot="b"
    )
    put(buffer, 5)
    await buffer.close()

    buffer = await home.open("a")

    assert len(await drain(buffer, "a")) == 5


async def test_a_second_process_is_refused_with_the_first_ones_pid(home) -> None:
    await home.open()

    with pytest.raises(BufferLockedError, match=str(os.getpid())):
        await home.open()


@pytest.mark.sentence(10)
async def test_a_store_of_a_newer_release_is_refused_and_not_touched(home, put) -> None:
    buffer = await home.open()
    put(buffer)
    await buffer.close()
    (segment,) = home.folder.glob("live-*.sqlite")
    raw = bytearray(segment.read_bytes())
    raw[60:64] = struct.pack(">I", FORMAT_VERSION + 1)
    segment.write_bytes(raw)
    (home.folder / "mark").unlink()
    before = {p.name: p.read_bytes() for p in home.folder.iterdir() if p.name != "lock"}

    with pytest.raises(BufferTooNewError, match="version"):
        await home.open()

    after = {p.name: p.read_bytes() for p in home.folder.iterdir() if p.name != "lock"}
    assert before == after
    assert raw[68:72] == APPLICATION_ID.to_bytes(4, "big")


async def test_a_newer_mark_is_refused_too(home) -> None:
    buffer = await home.open()
    await buffer.close()
    slot = buffer._store.mark.slot
    with (home.folder / "mark").open("r+b") as file:
        file.write(_frame(slot, FORMAT_VERSION + 1))

    with pytest.raises(BufferTooNewError):
        await home.open()


@pytest.mark.parametrize(
    ("name", "at"), [("live-*.sqlite", 63), ("control.sqlite", 60), ("mark", 4096 + 12)]
)
async def test_one_flipped_bit_is_no_newer_release(home, put, drain, name, at) -> None:
    buffer = await home.open()
    put(buffer, 3)
    await buffer.close()
    (path,) = home.folder.glob(name)
    raw = bytearray(path.read_bytes())
    raw[at] ^= 2
    path.write_bytes(raw)

    buffer = await home.open()

    assert [e.seq for e in await drain(buffer)] == [1, 2, 3]


async def test_close_may_be_called_twice_and_append_is_refused_after_it(
    home, put
) -> None:
    buffer = await home.open()
    await buffer.close()
    await buffer.close()

    with pytest.raises(BufferClosedError):
        put(buffer)
    assert buffer.failed.done()


async def test_figures_describe_the_store(home, put) -> None:
    buffer = await home.open()
    put(buffer, 10, size=100)
    await buffer.flush()
    stats = buffer.stats()

    on_disk = sum(p.stat().st_size for p in home.folder.iterdir())
    assert stats.high == stats.durable == 10
    assert stats.pending == 0
    assert stats.degraded is None
    assert abs(stats.bytes - on_disk) < 100
    assert stats.bytes_appended == 1000
    assert 0 < stats.bytes_stored < 1000
    assert stats.backlog == {"platform": 10}


def test_a_bound_too_small_for_a_store_is_refused() -> None:
    with pytest.raises(ValueError, match="max_bytes"):
        Limits(max_bytes=1000)
