"""The truth table of `buffer.recover`, a test per row."""

from __future__ import annotations

import os
import shutil
import time

import pytest

from buffer import Limits, PriorityClass, files
from buffer.pace import SMALLEST_STEP
from buffer.recover import FAR_AHEAD

LIVE, EVENT = PriorityClass.LIVE, PriorityClass.EVENT
SMALL = Limits(max_bytes=50_000_000, keep_free=0, segment_bytes=60_000)


async def grow(buffer, put, *, until: int) -> None:
    """Append until the live chain has ``until`` files."""
    while sum(1 for s in buffer._store.chains[LIVE]) < until:
        put(buffer, 20, size=900)
        await buffer.flush()


def damaged(losses):
    return [loss for loss in losses if loss.cause == "damaged"]


async def test_control_behind_data(home, put, drain) -> None:
    buffer = await home.open()
    old = (home.folder / "control.sqlite").read_bytes()
    wal = (home.folder / "control.sqlite-wal").read_bytes()
    put(buffer, 10)
    await buffer.flush()
    buffer.resolve("platform", 1, 6)
    put(buffer, 1)
    await buffer.flush()
    image = home.image()
    buffer.abandon()
    (image / "control.sqlite").write_bytes(old)
    (image / "control.sqlite-wal").write_bytes(wal)

    buffer = await home.open(folder=image)

    assert buffer.floor("platform") == 6, "the stamp in the last row says so"
    assert [e.seq for e in await drain(buffer)] == [7, 8, 9, 10, 11]
    assert damaged(buffer.losses()) == []


async def test_data_behind_control(home, put, drain) -> None:
    buffer = await home.open()
    put(buffer, 10)
    await buffer.flush()
    image = home.image()
    put(buffer, 5)
    buffer._committer._save = True
    await buffer.flush()
    for name in ("control.sqlite", "control.sqlite-wal", "mark"):
        shutil.copy(home.folder / name, image / name)
    buffer.abandon()

    buffer = await home.open(folder=image)

    gone, tail = buffer.losses()
    assert (gone.first, gone.last, gone.cause) == (11, 15, "damaged")
    # Five records were stored; after a kill they may also have been delivered.
    assert (gone.certain, gone.at_most) == (False, 5)
    assert tail.first == 16
    assert [e.seq for e in await drain(buffer)] == list(range(1, 11))


async def test_segment_without_row_in_the_catalogue_is_kept(home, put, drain) -> None:
    home.limits = SMALL
    buffer = await home.open()
    control = {p.name: p.read_bytes() for p in home.folder.glob("control*")}
    await grow(buffer, put, until=3)
    high = buffer.high
    await buffer.flush()
    image = home.image()
    buffer.abandon()
    for name, raw in control.items():
        (image / name).write_bytes(raw)

    buffer = await home.open(folder=image)

    assert [e.seq for e in await drain(buffer)] == list(range(1, high + 1))
    assert damaged(buffer.losses()) == []


async def test_segment_everyone_has_is_removed_again(home, put, drain) -> None:
    home.limits = SMALL
    buffer = await home.open()
    await grow(buffer, put, until=2)
    first = min(home.folder.glob("live-*.sqlite"))
    kept = first.read_bytes()
    await drain(buffer)
    put(buffer)
    await buffer.flush()
    assert not first.exists(), "given back once everyone has it"
    image = home.image()
    buffer.abandon()
    (image / first.name).write_bytes(kept)

    buffer = await home.open(folder=image)
    put(buffer)
    await buffer.flush()

    assert not (image / first.name).exists()
    assert damaged(buffer.losses()) == []


async def test_row_without_segment_that_everyone_has_is_no_loss(
    home, put, drain
) -> None:
    home.limits = SMALL
    buffer = await home.open()
    await grow(buffer, put, until=2)
    first = min(home.folder.glob("live-*.sqlite"))
    end = buffer._store.chains[LIVE][0].last
    buffer._committer._save = True
    put(buffer)
    await buffer.flush()
    image = home.image()
    buffer.resolve("platform", 1, end)
    buffer.abandon()
    # The cursor became durable, the note on the removal did not.
    buffer = await home.open(folder=image)
    buffer.resolve("platform", 1, end)
    put(buffer)
    buffer._store.limits = Limits(max_bytes=50_000_000, keep_free=0)
    chain = buffer._store.chains[LIVE]
    chain[0].closed = False
    await buffer.flush()
    again = home.folder.with_name("again")
    shutil.copytree(image, again)
    buffer.abandon()
    (again / first.name).unlink()

    buffer = await home.open(folder=again)

    assert damaged(buffer.losses()) == []
    assert buffer.floor("platform") >= end


async def test_row_without_segment_is_stated_from_the_catalogue(
    home, put, drain
) -> None:
    home.limits = SMALL
    buffer = await home.open()
    await grow(buffer, put, until=3)
    end = buffer._store.chains[LIVE][0].last
    buffer._committer._save = True
    put(buffer)
    await buffer.close()
    min(home.folder.glob("live-*.sqlite")).unlink()

    buffer = await home.open()

    (loss,) = buffer.losses()
    assert (loss.first, loss.last, loss.cause) == (1, end, "damaged")
    assert loss.counts == {"meter-1": end}
    assert (loss.certain, loss.at_most) == (True, end)
    assert loss.t_ms == 1_763_712_000_000
    assert (await drain(buffer))[0].seq == end + 1


@pytest.mark.parametrize("how", ["nonsense", "gone", "empty", "wal only"])
@pytest.mark.sentence(2, 7)
async def test_control_damaged_costs_repeats_never_loss(home, put, drain, how) -> None:
    home.limits = SMALL
    buffer = await home.open()
    await grow(buffer, put, until=3)
    high = buffer.high
    buffer.resolve("platform", 1, 30)
    put(buffer)
    await buffer.close()
    control = home.folder / "control.sqlite"
    if how == "nonsense":
        control.write_bytes(b"\x00\xff" * 3000)
    elif how == "empty":
        control.write_bytes(b"")
    else:
        control.unlink()
        if how == "wal only":
            (home.folder / "control.sqlite-wal").write_bytes(b"\x37\x7f" * 500)

    buffer = await home.open()
    got = [e.seq for e in await drain(buffer)]

    assert set(range(31, high + 2)) <= set(got)
    assert buffer.losses() == []
    assert put(buffer) == [high + 2]
    await buffer.flush()
    assert buffer.store == (await home.kill_and_reopen(buffer)).store


@pytest.mark.sentence(4, 7)
async def test_mark_damaged_jumps_far_ahead(home, put, drain) -> None:
    buffer = await home.open()
    put(buffer, 10)
    await buffer.close()
    (home.folder / "mark").write_bytes(b"")

    buffer = await home.open()

    assert [e.seq for e in await drain(buffer)] == list(range(1, 11))
    (loss,) = buffer.losses()
    assert (loss.first, loss.last) == (11, 10 + FAR_AHEAD)
    assert not loss.certain
    assert put(buffer) == [11 + FAR_AHEAD]


@pytest.mark.sentence(7)
async def test_control_and_mark_damaged_together(home, put, drain) -> None:
    buffer = await home.open()
    store = buffer.store
    put(buffer, 10)
    await buffer.flush()
    image = home.image()
    buffer.abandon()
    (image / "mark").unlink()
    for path in image.glob("control*"):
        path.unlink()

    buffer = await home.open(folder=image)

    assert buffer.store == store, "the segments say whose they are"
    assert [e.seq for e in await drain(buffer)] == list(range(1, 11))
    assert put(buffer)[0] > FAR_AHEAD


async def test_clean_stop_with_rows_missing_is_exact(home, put, drain) -> None:
    buffer = await home.open()
    put(buffer, 10)
    put(buffer, 2, EVENT)
    await buffer.close()
    next(home.folder.glob("event-*.sqlite")).unlink()

    buffer = await home.open()

    (loss,) = buffer.losses()
    assert (loss.first, loss.last, loss.certain, loss.at_most) == (11, 12, True, 2)
    assert [e.seq for e in await drain(buffer)] == list(range(1, 11))


async def test_unclean_stop_after_a_power_cut_is_bounded_by_the_last_row(
    home, put
) -> None:
    buffer = await home.open()
    put(buffer, 10)
    await buffer.flush()
    (home.folder / "mark").write_bytes(
        (home.folder / "mark").read_bytes()[:8192] + bytes(4096)
    )

    buffer = await home.kill_and_reopen(buffer, boot="another")

    (loss,) = buffer.losses()
    assert loss.cause == "unclean_stop"
    assert 16 <= loss.at_most <= 1000
    assert loss.last == buffer.high


async def test_an_unsound_segment_of_another_class_is_no_loss_to_the_others(
    home, put, drain
) -> None:
    buffer = await home.open()
    for _ in range(5):
        put(buffer, 2)
        put(buffer, 1, EVENT)
    await buffer.close()
    event = next(home.folder.glob("event-*.sqlite"))
    event.write_bytes(b"x" * event.stat().st_size)

    buffer = await home.open()

    assert [e.seq for e in await drain(buffer)] == [s for s in range(1, 16) if s % 3]
    runs = [(x.first, x.last) for x in buffer.losses()]
    assert runs == [(s, s) for s in (3, 6, 9, 12, 15)]
    assert all(x.certain and x.cause == "damaged" for x in buffer.losses())


async def test_a_large_store_opens_at_once(home, figure) -> None:
    home.limits = Limits(max_bytes=800_000_000, keep_free=0)
    buffer = await home.open()
    block = os.urandom(250_000)
    for n in range(480):
        buffer.append(block + n.to_bytes(4), cls=LIVE, subject="d", t_ms=n)
        if n % 8 == 7:
            await buffer.flush()
    await buffer.flush()
    assert buffer.stats().bytes > 120_000_000
    image = home.image()
    buffer.abandon()

    began = time.perf_counter()
    buffer = await home.open(folder=image)
    ready_s = time.perf_counter() - began
    figure("ready s, 120 MB, after a kill", round(ready_s, 3))

    assert ready_s < 10
    assert len(await buffer.read("platform", 0, 3, 10**9)) == 3


def newborn(path, kind: str) -> None:
    """What a kill leaves of a segment before its tables."""
    path.write_bytes(b"")
    if kind == "header":
        files.open_writable(path, 1000).close()
        assert path.stat().st_size == files.PAGE_BYTES


@pytest.mark.parametrize("kind", ["empty", "header"])
@pytest.mark.parametrize("stored", [0, 10])
async def test_a_kill_before_a_files_tables_is_no_damage(
    home, put, drain, kind: str, stored: int
) -> None:
    buffer = await home.open()
    put(buffer, stored)
    await buffer.flush()
    image = home.image()
    buffer.abandon()
    newborn(image / f"event-{stored + 1:016d}.sqlite", kind)

    buffer = await home.open(folder=image)

    (loss,) = buffer.losses()
    assert (loss.first, loss.cause, loss.certain) == (stored + 1, "unclean_stop", False)
    assert loss.at_most <= SMALLEST_STEP
    assert len(await drain(buffer)) == stored
    assert not list(image.glob("event-*"))
    assert not (image / "damaged").exists()


@pytest.mark.parametrize("why", ["rows", "boot", "wal"])
async def test_a_file_cut_off_to_nothing_stays_damage(home, put, why: str) -> None:
    """It had rows; or nobody can tell, in another boot; or its rows are in its WAL."""
    buffer = await home.open()
    put(buffer, 10)
    await buffer.flush()
    image = home.image()
    buffer.abandon()
    (segment,) = image.glob("live-*.sqlite")
    if why == "boot":
        segment = image / f"event-{11:016d}.sqlite"
    segment.write_bytes(b"")
    if why == "rows":
        segment.with_name(segment.name + "-wal").unlink()

    buffer = await home.open(
        folder=image, boot="b0071002" if why == "boot" else home.boot
    )

    assert (image / "damaged").exists()
    if why == "rows":
        assert damaged(buffer.losses())
