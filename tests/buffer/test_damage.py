"""Bar 6: whatever happens to a file, start and go on, and count.

The oracle is SQLite itself: a batch that plain SQLite still reads from the damaged file
and that decompresses to what was put in must be delivered, whatever else is broken.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sqlite3
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from buffer import Buffer, Limits, Loss, PriorityClass
from buffer.batch import is_intact, row_from, unpack
from buffer.errors import DamagedError
from buffer.intervals import Intervals
from tests.support.store_home import drain

if TYPE_CHECKING:
    from collections.abc import Iterator

LIVE, EVENT = PriorityClass.LIVE, PriorityClass.EVENT
LIMITS = Limits(max_bytes=50_000_000, keep_free=0, segment_bytes=1_000_000)
WALL = 1_763_712_000_000
READY_S = 10.0


@dataclass
class Template:
    """A store as a killed process left it, and all that was durable in it."""

    folder: Path
    put: dict[int, bytes]
    boot: str = "b0071001"


async def fill(folder: Path, batches: int, *, classes: bool) -> Template:
    rng = random.Random(7)
    buffer = await Buffer.open(
        folder / "store", LIMITS, ["p"], wall_ms=lambda: WALL, boot="b0071001"
    )
    put = {}
    for n in range(batches):
        for k in range(rng.choice([1, 1, 3, 12])):
            cls = EVENT if classes and rng.random() < 0.1 else LIVE
            data = rng.randbytes(rng.choice([60, 400, 1500]))
            seq = buffer.append(data, cls=cls, subject=f"device-{k}", t_ms=WALL + n)
            put[seq] = data
        await buffer.flush()
    shutil.copytree(folder / "store", folder / "image")
    buffer.abandon()
    return Template(folder / "image", put)


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Iterator[Template]:
    # In memory where there is such a place: thousands of copies are made of it.
    shm = Path("/dev/shm")  # noqa: S108 - a fresh folder below it
    base = shm if os.access(shm, os.W_OK) else tmp_path_factory.mktemp("template")
    with tempfile.TemporaryDirectory(prefix="ecogate-damage-", dir=base) as folder:
        yield asyncio.run(fill(Path(folder), 450, classes=False))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory) -> Template:
    folder = tmp_path_factory.mktemp("mixed")
    return asyncio.run(fill(folder, 60, classes=True))


@dataclass
class Outcome:
    """What a start on damaged files came to."""

    ready_s: float
    delivered: dict[int, bytes]
    losses: list[Loss]
    next_seq: int
    damaged_files: int

    def check(self, put: dict[int, bytes], place: str) -> None:
        lost = Intervals()
        for loss in self.losses:
            assert not lost.touches(loss.first, loss.last), f"{place}: stated twice"
            lost.add(loss.first, loss.last)
            missing = [s for s in put if loss.first <= s <= loss.last]
            assert len(missing) <= loss.at_most, f"{place}: {loss}"
            if loss.certain:
                assert len(missing) == loss.at_most, f"{place}: {loss}"
                assert sum(loss.counts.values()) <= loss.at_most, f"{place}: {loss}"
        for seq, data in self.delivered.items():
            assert put[seq] == data, f"{place}: seq {seq} came back changed"
            assert seq not in lost, f"{place}: seq {seq} delivered and stated lost"
        gone = put.keys() - self.delivered.keys()
        assert all(seq in lost for seq in gone), f"{place}: missing and not stated"
        assert self.next_seq > max(put), f"{place}: a seq is used twice"
        assert self.ready_s <= READY_S, f"{place}: ready after {self.ready_s:.1f} s"


async def start(
    folder: Path, boot: str = "b0071001", *, resolve: bool = True
) -> Outcome:
    began = time.perf_counter()
    buffer = await Buffer.open(folder, LIMITS, ["p"], wall_ms=lambda: WALL, boot=boot)
    ready_s = time.perf_counter() - began
    try:
        entries = await drain(buffer, "p", resolve=resolve)
        assert [e.seq for e in entries] == sorted(e.seq for e in entries)
        losses = buffer.losses()
        next_seq = buffer.append(b"new", cls=LIVE, subject="d", t_ms=WALL)
        await buffer.flush()
        assert buffer.stats().degraded is None
        assert (await buffer.read("p", next_seq - 1, 5, 10**6))[0].data == b"new"
        found = {e.seq: e.data for e in entries if e.data != b"new"}
        return Outcome(ready_s, found, losses, next_seq, buffer.stats().damaged_files)
    finally:
        buffer.abandon()


def readable_by_sqlite(path: Path, cls: PriorityClass) -> dict[int, bytes]:
    """What plain SQLite still gives, batch by batch."""
    scratch = path.parent.parent / "oracle"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    for file in path.parent.glob(path.name + "*"):
        shutil.copy(file, scratch)
    found = {}
    try:
        db = sqlite3.connect(scratch / path.name)
        db.text_factory = bytes
        top = db.execute("SELECT max(first) FROM batch").fetchone()[0] or 0
    except sqlite3.DatabaseError:
        return {}
    for first in range(1, top + 1):
        try:
            values = db.execute(
                "SELECT * FROM batch WHERE first=?", (first,)
            ).fetchone()
            if values is not None and is_intact(row := row_from(values)):
                found |= {e.seq: e.data for e in unpack(row, cls)}
        except (sqlite3.DatabaseError, DamagedError):
            continue
    db.close()
    return found


def damage(path: Path, kind: str, at: int, rng: random.Random) -> None:
    raw = bytearray(path.read_bytes())
    if kind == "truncated":
        del raw[at:]
    elif kind == "flipped":
        raw[at] ^= 1 << rng.randrange(8)
    else:
        length = rng.choice([512, 1024, 4096])
        at -= at % length
        raw[at : at + length] = bytes(len(raw[at : at + length]))
    path.write_bytes(raw)


def first_live(folder: Path) -> Path:
    return min(folder.glob("live-*.sqlite"))


async def closed_copy(template: Template, folder: Path) -> Path:
    """A copy stopped in order, so that all is in the files; its first live segment."""
    shutil.copytree(template.folder, folder)
    buffer = await Buffer.open(
        folder, LIMITS, ["p"], wall_ms=lambda: WALL, boot="b0071001"
    )
    await buffer.close()
    return first_live(folder)


@dataclass
class Tally:
    """What many starts on damaged files came to."""

    places: int = 0
    slowest_s: float = 0.0
    set_aside: int = 0
    lost: int = 0


async def hit(
    template: Template, name: str, place: tuple[str, int], rng: random.Random, to: Tally
) -> None:
    """Damage one place of a copy, start, and hold the outcome against the oracle."""
    kind, at = place
    said = f"{name} {kind} at {at}"
    folder = template.folder.with_name("hit") / "store"
    shutil.copytree(template.folder, folder)
    try:
        damage(folder / name, kind, at, rng)
        segment = name.removesuffix("-wal")
        intact = readable_by_sqlite(folder / segment, LIVE)
        # Within one boot, and after a power cut.
        outcome = await start(folder, rng.choice(["b0071001", "b0071002"]))
    finally:
        shutil.rmtree(folder.parent)
    outcome.check(template.put, said)
    not_delivered = intact.keys() - outcome.delivered.keys()
    assert not not_delivered, f"{said}: intact but not delivered"
    to.places += 1
    to.slowest_s = max(to.slowest_s, outcome.ready_s)
    to.set_aside += outcome.damaged_files
    to.lost += len(template.put) - len(outcome.delivered)


@pytest.mark.timeout(900)
@pytest.mark.sentence(2, 7)
async def test_a_segment_of_256_kb_damaged_everywhere(
    template, seed, count, figure
) -> None:
    """Delivery bar 2: every header byte, and 2,000 places in three ways."""
    rng = random.Random(seed)
    last = max(p.name for p in template.folder.glob("live-*.sqlite"))
    victims = [last, last + "-wal"]
    sizes = [(template.folder / name).stat().st_size for name in victims]
    assert sum(sizes) > 256 * 1024
    kinds = ["truncated", "flipped", "zeroed"]
    headers = [
        (name, kind, at)
        for name, length in zip(victims, (100, 32), strict=True)
        for at in range(length)
        for kind in kinds[:2]
    ]
    chosen = rng.choices(victims, sizes, k=count(5, 2000))
    places = rng.sample(headers, count(8, len(headers)))
    places += [(name, "zeroed", 0) for name in victims]
    for name in chosen:
        at = rng.randrange(sizes[victims.index(name)])
        places += [(name, kind, at) for kind in kinds]
    tally = Tally()

    for name, kind, at in places:
        await hit(template, name, (kind, at), rng, tally)

    assert tally.places == len(places)
    figure("places", tally.places)
    figure("slowest start s", round(tally.slowest_s, 2))
    figure("files set aside", tally.set_aside)
    figure("records lost, all stated", tally.lost)


@pytest.mark.timeout(900)
@pytest.mark.sentence(7)
async def test_any_file_damaged_or_deleted(mixed, tmp_path, seed, count) -> None:
    rng = random.Random(seed)
    names = sorted(p.name for p in mixed.folder.iterdir())
    for n in range(count(40, 500)):
        name = names[n % len(names)]
        kind = rng.choice(["truncated", "flipped", "zeroed", "deleted", "emptied"])
        folder = tmp_path / f"store-{n}"
        shutil.copytree(mixed.folder, folder)
        victim = folder / name
        size = victim.stat().st_size
        at = rng.randrange(size) if size else 0
        place = f"seed {seed}, place {n}: {name} {kind} at {at} of {size}"
        if kind == "deleted":
            victim.unlink()
        elif kind == "emptied" or not size:
            victim.write_bytes(b"")
        else:
            damage(victim, kind, at, rng)

        outcome = await start(folder, rng.choice(["b0071001", "b0071002"]))

        outcome.check(mixed.put, place)
        if not name.startswith(("live", "event")):
            assert outcome.delivered == mixed.put, f"{place}: records lost with it"
        shutil.rmtree(folder)


@pytest.mark.sentence(2, 7)
async def test_one_flipped_byte_costs_one_batch_at_most(template, tmp_path) -> None:
    last = max(p.name for p in template.folder.glob("live-*.sqlite"))
    worst = 0
    for n in range(20):
        folder = tmp_path / f"store-{n}"
        shutil.copytree(template.folder, folder)
        path = folder / last
        raw = bytearray(path.read_bytes())
        # Spread over the file, page headers and inner pages among them.
        at = n * (len(raw) // 20) // 1024 * 1024 + n
        raw[at] ^= 0x55
        path.write_bytes(raw)
        outcome = await start(folder)
        outcome.check(template.put, f"{last} flipped at {at}")
        worst = max(worst, len(template.put) - len(outcome.delivered))

    assert worst <= 12, "no batch of the template holds more"


async def test_a_closed_segment_found_damaged_while_reading_is_salvaged(
    template, tmp_path
) -> None:
    folder = tmp_path / "store"
    shutil.copytree(template.folder, folder)
    buffer = await Buffer.open(
        folder, LIMITS, ["p"], wall_ms=lambda: WALL, boot="b0071001"
    )
    await buffer.close()
    first = folder / min(p.name for p in folder.glob("live-*.sqlite"))
    raw = bytearray(first.read_bytes())
    raw[300 * 1024 : 304 * 1024] = bytes(4096)
    first.write_bytes(raw)

    began = time.perf_counter()
    buffer = await Buffer.open(
        folder, LIMITS, ["p"], wall_ms=lambda: WALL, boot="b0071001"
    )
    assert time.perf_counter() - began < READY_S
    before = buffer.losses()
    told: list[int] = []
    buffer.on_loss(lambda: told.append(1))
    entries = await drain(buffer, "p")
    losses = [loss for loss in buffer.losses() if loss.cause == "damaged"]
    counted = sum(loss.at_most for loss in losses)
    await buffer.close()

    assert not [loss for loss in before if loss.cause == "damaged"]
    assert told
    assert counted == len(template.put) - len(entries)
    assert 0 < counted < 60
    # The run before was killed: what it gave to the target nobody knows.
    assert not any(loss.certain for loss in losses)
    assert (folder / "damaged" / first.name).exists()
    assert sum(sum(loss.counts.values()) for loss in losses) <= counted


@pytest.mark.parametrize("at", [0, 700, 2048], ids=["header", "schema", "root"])
async def test_damage_met_by_house_keeping_ends_nothing(template, tmp_path, at) -> None:
    """The age of the backlog is asked of a file long before it is read."""
    folder = tmp_path / "store"
    first = await closed_copy(template, folder)
    with first.open("r+b") as file:
        file.seek(at)
        file.write(b"\xff" * 100)
    buffer = await Buffer.open(
        folder, LIMITS, ["p"], wall_ms=lambda: WALL, boot="b0071001"
    )
    buffer.append(b"meanwhile", cls=LIVE, subject="d", t_ms=WALL)
    await buffer.flush()
    await buffer.flush()
    state = buffer.stats()
    buffer.abandon()

    outcome = await start(folder, resolve=False)

    assert (state.degraded, state.pending) == (None, 0)
    outcome.check(template.put | {state.high: b"meanwhile"}, "house-keeping")
    assert outcome.damaged_files == 1


async def test_a_control_file_that_breaks_in_use_is_made_anew(home, put, drain) -> None:
    buffer = await home.open()
    put(buffer, 5)
    await buffer.flush()
    buffer = await home.kill_and_reopen(buffer)
    (loss,) = buffer.losses()
    buffer.remember("note", b"kept")
    put(buffer)
    await buffer.flush()
    control = buffer._store.control.path
    buffer._store.control.close()
    control.write_bytes(b"not a database, not at all" * 500)

    buffer.resolve("platform", 1, 3)
    buffer.remember("other", b"kept, too")
    put(buffer)
    await buffer.flush()
    healthy = buffer.stats()
    buffer = await home.kill_and_reopen(buffer)

    assert (healthy.degraded, healthy.damaged_files) == (None, 1)
    assert buffer.recall("note") == b"kept"
    assert buffer.recall("other") == b"kept, too"
    assert loss in buffer.losses()
    got = [e.seq for e in await drain(buffer)]
    assert got == [4, 5, loss.last + 1, loss.last + 2]


async def test_a_closed_segment_deleted_is_counted_from_the_catalogue(
    template, tmp_path
) -> None:
    folder = tmp_path / "store"
    shutil.copytree(template.folder, folder)
    names = sorted(p.name for p in folder.glob("live-*.sqlite"))
    end = int(names[1].split("-")[1].split(".")[0]) - 1
    (folder / names[0]).unlink()

    outcome = await start(folder)

    outcome.check(template.put, "deleted")
    (loss,) = [x for x in outcome.losses if x.cause == "damaged"]
    assert (loss.first, loss.last, loss.at_most) == (1, end, end)
    assert sum(loss.counts.values()) == end


async def test_a_damaged_file_that_cannot_be_rewritten_is_served_from_memory(
    mixed, tmp_path, monkeypatch
) -> None:
    folder = tmp_path / "store"
    live = await closed_copy(mixed, folder)
    damage(live, "zeroed", 0, random.Random(1))

    def full(*_args, **_how):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("buffer.salvage._rewrite", full)
        outcome = await start(folder, resolve=False)
    again = await start(folder)

    assert outcome.delivered.keys() == mixed.put.keys()
    assert outcome.damaged_files == 0
    assert again.damaged_files == 1
    assert set(again.delivered) >= set(mixed.put), "the next start salvaged it"
    outcome.check(mixed.put, "full disk")


async def test_an_interrupted_salvage_is_finished(mixed, tmp_path, monkeypatch) -> None:
    for fail_at in ("set_aside", "rename"):
        folder = tmp_path / fail_at
        live = await closed_copy(mixed, folder)
        damage(live, "zeroed", 0, random.Random(1))

        class PowerCutError(Exception):
            pass

        def cut(*_args):
            raise PowerCutError

        where = "buffer.salvage.set_aside"
        if fail_at == "rename":
            where = "buffer.segment.Segment.rename"
        with monkeypatch.context() as patch:
            patch.setattr(where, cut)
            with pytest.raises(PowerCutError):
                await start(folder)
        outcome = await start(folder)

        assert outcome.delivered.keys() == mixed.put.keys(), fail_at
        outcome.check(mixed.put, fail_at)
        assert not list(folder.glob("*.salvage*"))


async def test_what_is_set_aside_is_bounded(mixed, tmp_path) -> None:
    folder = tmp_path / "store"
    shutil.copytree(mixed.folder, folder)
    aside = folder / "damaged"
    aside.mkdir()
    for n in range(10):
        (aside / f"live-{n:016d}.sqlite").write_bytes(bytes(1_000_000))

    await start(folder)

    total = sum(p.stat().st_size for p in aside.iterdir())
    assert total <= LIMITS.max_bytes // 16
