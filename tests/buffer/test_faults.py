"""A disk that refuses is waited out, a bug ends the process."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from buffer import Buffer, Limits, PriorityClass
from buffer.control import ControlFile
from buffer.errors import kind_of
from buffer.intervals import Intervals
from buffer.mark import Mark
from buffer.reader import Reader
from buffer.segment import Segment
from tests.support.virtual import virtual

LIVE, AGGREGATE, EVENT = (
    PriorityClass.LIVE,
    PriorityClass.AGGREGATE,
    PriorityClass.EVENT,
)


def sqlite_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    return error


class Disk:
    """Lets every write of the store fail for as long as it is broken."""

    def __init__(self, monkeypatch) -> None:
        self.error: BaseException | None = None
        self.refused = 0
        for cls, names in (
            (Segment, ("insert", "create", "seal")),
            (ControlFile, ("save",)),
            (Mark, ("write", "write_hint")),
        ):
            for name in names:
                self._guard(monkeypatch, cls, name)

    def _guard(self, monkeypatch, cls, name) -> None:
        real = getattr(cls, name)

        def guarded(*args, **how):
            if self.error is not None:
                self.refused += 1
                sqlite = isinstance(self.error, sqlite3.Error)
                raise FULL if cls is Mark and sqlite else self.error
            return real(*args, **how)

        monkeypatch.setattr(cls, name, guarded)


@pytest.fixture
def disk(monkeypatch) -> Disk:
    return Disk(monkeypatch)


FULL = OSError(errno.ENOSPC, "No space left on device")
BROKEN = [
    FULL,
    OSError(errno.EIO, "Input/output error"),
    OSError(errno.EROFS, "Read-only file system"),
    sqlite_error(sqlite3.SQLITE_FULL),
    sqlite_error(sqlite3.SQLITE_IOERR_FSYNC),
    sqlite_error(sqlite3.SQLITE_CANTOPEN),
]


@pytest.mark.parametrize("error", BROKEN, ids=str)
async def test_a_refusing_disk_is_said_waited_out_and_costs_nothing(
    home, put, drain, disk, error
) -> None:
    buffer = await home.open()
    put(buffer, 5)
    await buffer.flush()

    disk.error = error
    put(buffer, 5)
    put(buffer, 2, EVENT)
    await buffer.flush()
    held = buffer.stats()
    shown = buffer.peek("platform", 0, 99, 10**6)
    disk.error = None
    await buffer.flush()
    after = buffer.stats()
    buffer = await home.kill_and_reopen(buffer)

    assert (held.degraded, held.pending, held.durable) == ("disk", 7, 5)
    assert str(error).split("]")[-1].strip() in held.trouble
    assert [e.seq for e in shown] == list(range(1, 13)), "delivery goes on"
    assert (after.degraded, after.trouble, after.pending) == (None, None, 0)
    assert [e.seq for e in await drain(buffer)] == list(range(1, 13))


@virtual
async def test_it_recovers_by_itself_within_seconds(home, put, disk) -> None:
    buffer = await home.open()
    disk.error = FULL
    put(buffer, 5)
    await asyncio.sleep(10)
    tries = disk.refused
    disk.error = None
    await asyncio.sleep(1.5)

    assert 5 < tries < 100, "tried again, at a calm pace"
    assert buffer.stats().degraded is None
    assert buffer.stats().durable == 5


@virtual
@pytest.mark.sentence(2)
async def test_a_minute_is_kept_events_longer_and_the_rest_is_counted(
    home, disk, drain
) -> None:
    buffer = await home.open()
    disk.error = FULL
    put = {}
    for n in range(300):
        cls = EVENT if n % 10 == 0 else AGGREGATE if n % 10 == 5 else LIVE
        put[buffer.append(b"x" * 50, cls=cls, subject=f"d{n % 3}", t_ms=n)] = (cls, n)
        await asyncio.sleep(1)
        home.wall += 1000
    held = buffer.stats()
    disk.error = None
    await asyncio.sleep(3)
    losses = buffer.losses()
    buffer = await home.kill_and_reopen(buffer)
    got = await drain(buffer)

    assert held.pending < 62 + 30
    lost = Intervals()
    for loss in losses:
        seqs = range(loss.first, loss.last + 1)
        assert not lost.touches(loss.first, loss.last)
        lost.add(loss.first, loss.last)
        assert (loss.cause, loss.certain, loss.at_most) == ("evicted", True, len(seqs))
        assert sum(loss.counts.values()) == len(seqs)
        assert loss.t_ms == put[loss.first][1]
    assert {e.seq for e in got} | {s for s in put if s in lost} == put.keys()
    assert not [e for e in got if e.seq in lost]
    assert sum(e.cls is EVENT for e in got) == 30, "no event is lost"
    assert {e.seq for e in got} >= {s for s in put if s > 300 - 59}
    assert [x for x in buffer.losses() if x.cause == "evicted"] == losses, "and kept"


@virtual
async def test_what_every_target_has_needs_no_disk(home, disk, put, drain) -> None:
    buffer = await home.open()
    disk.error = FULL
    for _ in range(200):
        put(buffer)
        await asyncio.sleep(1)
        buffer.resolve("platform", 1, buffer.high)
    held = buffer.stats().pending
    disk.error = None
    await asyncio.sleep(3)

    assert held <= 3
    assert buffer.losses() == []
    buffer = await home.kill_and_reopen(buffer)
    assert [x.cause for x in buffer.losses()] == ["unclean_stop"]
    assert await drain(buffer) == []


@virtual
async def test_memory_stays_bounded_whatever_comes(home, disk) -> None:
    home.limits = Limits(max_bytes=50_000_000, keep_free=0, ring_bytes=1_000_000)
    buffer = await home.open()
    disk.error = FULL
    for n in range(300):
        buffer.append(bytes(10_000), cls=LIVE, subject="d", t_ms=n)
        buffer.append(bytes(10_000), cls=EVENT, subject="d", t_ms=n)
    await asyncio.sleep(2)
    held = buffer.stats().pending * 10_000
    disk.error = None
    await asyncio.sleep(3)
    lost = sum(x.at_most for x in buffer.losses())

    assert held <= 1_000_000
    assert lost * 10_000 + held == 6_000_000
    assert buffer._memory.durable() == 600


async def test_a_failed_commit_closes_the_segment_and_opens_another(
    home, put, drain, monkeypatch
) -> None:
    buffer = await home.open()
    put(buffer, 5)
    await buffer.flush()
    first = buffer._store.chains[LIVE][0]
    real = Segment.insert

    def once(self, rows):
        if self is first:
            raise sqlite_error(sqlite3.SQLITE_IOERR_FSYNC)
        return real(self, rows)

    monkeypatch.setattr(Segment, "insert", once)
    put(buffer, 5)
    await buffer.flush()
    chain = buffer._store.chains[LIVE]

    assert buffer.stats().degraded is None
    assert [s.closed for s in chain] == [True, False]
    assert [e.seq for e in await drain(buffer, resolve=False)] == list(range(1, 11))
    buffer = await home.kill_and_reopen(buffer)
    assert [e.seq for e in await drain(buffer)] == list(range(1, 11))


async def test_a_full_disk_leaves_the_segment_in_use(home, put, monkeypatch) -> None:
    buffer = await home.open()
    put(buffer)
    await buffer.flush()
    real, fail = Segment.insert, [True]

    def once(self, rows):
        if fail.pop() if fail else False:
            raise sqlite_error(sqlite3.SQLITE_FULL)
        return real(self, rows)

    monkeypatch.setattr(Segment, "insert", once)
    put(buffer)
    await buffer.flush()
    await buffer.flush()

    assert len(buffer._store.chains[LIVE]) == 1
    assert buffer.stats().durable == 2


async def test_a_batch_whose_commit_was_unsure_comes_back_once(
    home, put, drain, monkeypatch
) -> None:
    """The commit reached the disk, its fsync reported an error: rows in two files."""
    buffer = await home.open()
    put(buffer, 3)
    await buffer.flush()
    first = buffer._store.chains[LIVE][0]
    real = Segment.insert

    def late(self, rows):
        real(self, rows)
        if self is first:
            raise sqlite_error(sqlite3.SQLITE_IOERR_FSYNC)

    monkeypatch.setattr(Segment, "insert", late)
    put(buffer, 3)
    await buffer.flush()
    alive = [e.seq for e in await drain(buffer, resolve=False)]
    disk_only = [e.seq for e in await read_from_disk(buffer)]
    monkeypatch.setattr(Segment, "insert", real)
    buffer = await home.kill_and_reopen(buffer)

    assert alive == disk_only == [1, 2, 3, 4, 5, 6]
    assert [e.seq for e in await drain(buffer)] == [1, 2, 3, 4, 5, 6]


async def read_from_disk(buffer: Buffer):
    got = await buffer._run(lambda: buffer._reader.read([(1, buffer.high)], 99, 10**6))
    assert got is not None, "something is missing"
    return got.entries


async def test_a_read_that_hangs_shows_in_the_figures(home, put, monkeypatch) -> None:
    """The watchdog goes by it: see `gateway.tend`."""
    home.limits = Limits(max_bytes=50_000_000, keep_free=0, tail_bytes=0)
    buffer = await home.open()
    put(buffer, 50)
    await buffer.flush()
    answer = threading.Event()
    real = Reader.read

    def hangs(self, *args):
        answer.wait(10)
        return real(self, *args)

    monkeypatch.setattr(Reader, "read", hangs)
    before = buffer.stats().working_ms
    reading = asyncio.ensure_future(buffer.read("platform", 0, 10, 10**6))
    while (during := buffer.stats().working_ms) < 30:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.005)
    answer.set()
    entries = await reading

    assert (before, buffer.stats().working_ms) == (0, 0)
    assert during >= 30
    assert len(entries) == 10


async def test_a_bug_ends_the_buffer_and_is_not_waited_out(
    home, put, monkeypatch
) -> None:
    buffer = await home.open()

    def bug(*_args):
        raise KeyError("a bug")

    monkeypatch.setattr("buffer.store.pack", bug)
    put(buffer)
    with pytest.raises(KeyError, match="a bug"):
        await buffer.flush()
    with pytest.raises(KeyError, match="a bug"):
        await buffer.failed
    with pytest.raises(KeyError):
        await buffer.close()

    again = await home.open()
    assert [x.cause for x in again.losses()] == ["unclean_stop"]


@pytest.mark.sentence(7)
async def test_a_start_on_a_full_disk_collects_in_memory(
    home, put, disk, drain
) -> None:
    disk.error = FULL
    buffer = await home.open()
    put(buffer, 5)
    await buffer.flush()
    held = buffer.stats()
    shown = [e.seq for e in await drain(buffer, resolve=False)]
    disk.error = None
    await buffer.flush()
    await buffer.close()
    buffer = await home.open()

    assert held.degraded == "disk"
    assert shown == [1, 2, 3, 4, 5]
    assert [e.seq for e in await drain(buffer)] == [1, 2, 3, 4, 5]
    assert buffer.losses() == []


async def test_a_stop_while_the_disk_refuses_is_not_called_clean(
    home, put, disk
) -> None:
    buffer = await home.open()
    put(buffer)
    await buffer.flush()
    disk.error = FULL
    put(buffer, 3)
    await buffer.close()
    disk.error = None
    buffer = await home.open()

    (loss,) = buffer.losses()
    assert loss.first == 2
    assert loss.at_most >= 3


def test_other_sqlite_errors_are_bugs() -> None:
    assert kind_of(sqlite3.ProgrammingError("x")) == "bug"
    assert kind_of(sqlite_error(sqlite3.SQLITE_ERROR)) == "bug"
    assert kind_of(sqlite_error(sqlite3.SQLITE_CORRUPT)) == "damage"
    assert kind_of(ValueError("x")) == "bug"


FILL = r"""
import asyncio, json, os, sys
from pathlib import Path
from buffer import Buffer, Limits, PriorityClass as P

async def main(folder):
    limits = Limits(max_bytes=50_000_000, keep_free=0, segment_bytes=200_000)
    how = {"wall_ms": lambda: 1, "boot": "b"}
    buffer = await Buffer.open(folder / "store", limits, ["p"], **how)
    degraded = 0
    for n in range(400):
        buffer.append(os.urandom(5_000), cls=P.LIVE, subject="d", t_ms=n)
        await buffer.flush()
        if buffer.stats().degraded:
            degraded += 1
    for path in folder.glob("ballast*"):
        path.unlink()
    await buffer.flush()
    await buffer.flush()
    recovered = buffer.stats().degraded is None
    after, seqs = 0, []
    while entries := await buffer.read("p", after, 100, 10**9):
        after = entries[-1].seq
        seqs += [e.seq for e in entries]
    lost = [(x.first, x.last, x.cause) for x in buffer.losses()]
    await buffer.close()
    json.dump({"degraded": degraded, "recovered": recovered, "seqs": seqs, "lost": lost,
               "high": buffer.high}, sys.stdout)

folder = Path(sys.argv[1])
with open(folder / "ballast", "wb") as file:
    file.write(bytes(3_000_000))
asyncio.run(main(folder))
"""


@pytest.mark.needs("unshare")
@pytest.mark.sentence(2, 6)
def test_a_really_full_disk(tmp_path) -> None:
    """On a file system of 4 MB; needs the right to mount one."""
    script = tmp_path / "fill.py"
    script.write_text(FILL)
    mount = tmp_path / "disk"
    mount.mkdir()
    command = (
        f"mount -t tmpfs -o size=4m none {mount} || exit 77; exec {sys.executable}"
    )
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", f"{command} {script} {mount}"],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONPATH": "."},
        capture_output=True,
        timeout=100,
        check=False,
    )
    if done.returncode in {1, 77}:
        pytest.skip(f"may not mount here: {done.stderr.decode()[-200:]}")
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)

    assert found["degraded"] > 100
    assert found["recovered"]
    assert found["lost"] == []
    assert found["seqs"] == list(range(1, 401))


EVERY_FLUSH = r"""
import asyncio, json, sys
from pathlib import Path
from buffer import Buffer, Limits, PriorityClass as P

async def main(folder):
    limits = Limits(max_bytes=50_000_000, keep_free=0)
    buffer = await Buffer.open(folder, limits, ["p"], wall_ms=lambda: 1, boot="b")
    degraded = 0
    for n in range(60):
        buffer.append(b"%d" % n, cls=P.LIVE, subject="d", t_ms=n)
        await buffer.flush()
        degraded += buffer.stats().degraded is not None
    await buffer.flush()
    stats = buffer.stats()
    json.dump([degraded, stats.degraded, stats.pending, stats.segments], sys.stdout)
    await buffer.close()

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.mark.needs("strace")
@pytest.mark.parametrize("when", ["20", "20..22", "30+15"])
@pytest.mark.sentence(1)
async def test_an_fsync_that_fails_is_never_believed(home, drain, when) -> None:
    """The kernel forgets a failed fsync: the next succeeds, the data may be gone."""
    calls = "fsync,fdatasync"
    inject = f"inject={calls}:error=EIO:when={when}"
    child = await asyncio.create_subprocess_exec(
        *("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}"),
        *("-e", inject, sys.executable, "-c", EVERY_FLUSH, str(home.folder)),
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await child.communicate()
    assert child.returncode == 0
    _, degraded, pending, segments = json.loads(out)
    buffer = await home.open("p")
    got = [int(e.data) for e in await drain(buffer, "p")]

    assert (degraded, pending) == (None, 0)
    assert segments >= 2, "the file whose fsync failed got no more"
    assert got == list(range(60))
