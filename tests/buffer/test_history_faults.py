"""A disk that refuses is waited out; what is damaged is set aside and counted."""

from __future__ import annotations

import asyncio
import errno
import random
import shutil
import sqlite3

import pytest

from buffer import BufferTooNewError, DiskTroubleError
from buffer.history import History
from buffer.shelf import Shelf, name_of, start_of
from tests.buffer.test_history import PLENTY, START, fill, found, minute
from tests.support.virtual import virtual

FULL = OSError(errno.ENOSPC, "No space left on device")


@virtual
async def test_what_a_full_disk_refuses_is_tried_again(tmp_path, monkeypatch) -> None:
    history = await History.open(tmp_path / "h", PLENTY)
    await history.put([minute(0)])
    real, broken = Shelf.put, True

    def put(shelf, items):
        if broken:
            raise FULL
        return real(shelf, items)

    monkeypatch.setattr(Shelf, "put", put)
    with pytest.raises(DiskTroubleError, match="No space left"):
        await history.put([minute(1)])
    assert history.stats().waiting == 1
    assert "No space left" in history.stats().trouble
    seen = await history.read("DA001", "minute", 0, START * 2)
    assert seen == found([minute(0), minute(1)])
    other = minute(1)._replace(data=b"another")
    with pytest.raises(DiskTroubleError):
        await history.put([other])

    broken = False
    await asyncio.sleep(1.5)

    assert history.stats().waiting == 0
    assert history.stats().trouble is None
    await history.close()
    history = await History.open(tmp_path / "h", PLENTY)
    seen = await history.read("DA001", "minute", 0, START * 2)
    assert seen == found([minute(0), minute(1)])
    await history.close()


@virtual
async def test_what_waits_for_the_disk_is_bounded(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("buffer.history.WAITING_BYTES", 10_000)
    history = await History.open(tmp_path / "h", PLENTY)

    def put(_shelf, _items):
        raise FULL

    with monkeypatch.context() as broken:
        broken.setattr(Shelf, "put", put)
        for n in range(50):
            with pytest.raises(DiskTroubleError):
                await history.put([minute(n, size=1000)])
    stats = history.stats()
    assert stats.dropped == 40
    assert stats.waiting == 10
    await history.close()


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Three days, most of them packed, some still single rows, and fates."""
    folder = tmp_path_factory.mktemp("history")

    async def make():
        history = await History.open(folder / "h", PLENTY)
        entries = [minute(n) for n in range(0, 3 * 1440, 6)]
        await fill(history, entries)
        for entry in entries[:400]:
            history.mark("city", "DA001", "minute", entry.t_ms, 0, "proved")
        await history.close()
        return entries

    return folder / "h", asyncio.run(make())


async def test_whatever_happens_to_a_file_the_start_goes_on(
    template, tmp_path, seed, count, figure
) -> None:
    folder, entries = template
    put = {e.t_ms: e.data for e in entries}
    rng = random.Random(seed)
    least, whole = len(put), 0
    for n in range(count(40, 800)):
        place = f"seed {seed}, case {n}"
        home = tmp_path / str(n)
        shutil.copytree(folder, home)
        for victim in rng.sample(sorted(home.glob("minute-*")), 1):
            data = bytearray(victim.read_bytes())
            at = rng.randrange(len(data))
            match rng.randrange(4):
                case 0:
                    data[at] ^= 1 << rng.randrange(8)
                case 1:
                    data[at : at + 1024] = bytes(len(data[at : at + 1024]))
                case 2:
                    del data[at:]
                case 3:
                    data[at : at + 4096] = rng.randbytes(len(data[at : at + 4096]))
            victim.write_bytes(data)
        history = await History.open(home, PLENTY)
        told = []
        history.on_damage = told.append
        try:
            read = await history.read("DA001", "minute", 0, START * 2)
            for record in read:
                assert put[record.t_ms] == record.data, place
            fates = await history.fates("city", "DA001", "minute", 0, START * 2)
            proved = {e.t_ms for e in entries[:400]}
            assert {t for t, _, fate in fates if fate == "proved"} <= proved, place
            new = minute(3 * 1440)
            assert await history.put([new]) == [], place
            assert (await history.read("DA001", "minute", 0, START * 2))[
                -1
            ].data == new.data
            if len(read) < len(put):
                assert told, f"{place}: {len(put) - len(read)} gone and nothing said"
            assert told == history.stats().damages
        finally:
            await history.close()
        least = min(least, len(read))
        whole += len(read) == len(put)
        if told:
            assert list((home / "damaged").iterdir()), place
        shutil.rmtree(home)
    figure("fewest records left of 720", least)
    figure("nothing lost", whole)


async def test_a_flipped_bit_costs_its_block_only(template, tmp_path) -> None:
    folder, entries = template
    shutil.copytree(folder, tmp_path / "h")
    victim = sorted((tmp_path / "h").glob("minute-*"))[0]
    with sqlite3.connect(victim) as db:
        number, body = db.execute("SELECT id, body FROM block ORDER BY id").fetchone()
        hurt = bytearray(body)
        hurt[len(hurt) // 2] ^= 1
        db.execute("UPDATE block SET body=? WHERE id=?", (bytes(hurt), number))
    db.close()

    history = await History.open(tmp_path / "h", PLENTY)
    read = await history.read("DA001", "minute", 0, START * 2)
    await history.close()

    assert len(read) == len(entries) - 80  # eight hours, one record in six minutes
    assert len(history.stats().damages) == 1


@pytest.mark.parametrize("made", ["empty", "header"])
async def test_a_file_whose_tables_a_kill_prevented_is_no_damage(
    tmp_path, made
) -> None:
    home = tmp_path / "h"
    home.mkdir()
    path = home / name_of("minute", start_of("minute", START))
    path.touch()
    if made == "header":
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA page_size=1024")
            db.execute("PRAGMA journal_mode=WAL")
        db.close()

    history = await History.open(home, PLENTY)
    assert await history.read("DA001", "minute", 0, START * 2) == []
    await history.put([minute(0)])

    assert await history.read("DA001", "minute", 0, START * 2) == found([minute(0)])
    assert history.stats().damages == []
    await history.close()


def stamp(path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version=99")
    db.close()


async def test_a_newer_release_is_not_touched(template, tmp_path) -> None:
    folder, _ = template
    shutil.copytree(folder, tmp_path / "h")
    one, two = sorted((tmp_path / "h").glob("minute-*"))
    stamp(one)
    history = await History.open(tmp_path / "h", PLENTY)  # it may be a flipped bit
    await history.close()
    stamp(two)

    with pytest.raises(BufferTooNewError):
        await History.open(tmp_path / "h", PLENTY)
