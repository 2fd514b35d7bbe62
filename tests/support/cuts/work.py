"""The recorded child: seeded lives of a store, and the truth about them.

    python -m tests.support.cuts.work [--without SYNC] FOLDER SEED...

Every run has a folder of its own below FOLDER. What is true is written to the file
``truth`` there, one JSON list a line, before or after the moment it became true such
that a cut between two lines can only make the judge more lenient, never stricter:

    ["begin", {shape}]                         the store's calls count from here
    ["put", seq, crc, length, subject, t_ms]   before any file can hold it
    ["settles", seq, loss id]                  this record states that loss
    ["durable", seq]                           after the store said so
    ["proved", target, first, last]            after the target's proof came
    ["loss", id, first, last, cause]           after the buffer told of it
    ["targets", [names]]                       before they change
    ["opened"]                                 a new life of the store begins
    ["hurt", first, last]                      a file holding these was damaged
    ["end"]
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import random
import sys
import zlib
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from buffer import Buffer, Limits, PriorityClass, files, mark, model
from tests.support.virtual import run_virtual

if TYPE_CHECKING:
    import sqlite3

WALL = 1_763_712_000_000
BOOT = "b0071001"
SMALLEST = 100_000
"""The smallest bound allowed here, so that few bytes fill a store."""

_CLASSES = [PriorityClass.EVENT, PriorityClass.AGGREGATE, *[PriorityClass.LIVE] * 4]
_NAMES = ["city", "province", "desk"]


def limits_of(shape: dict[str, Any]) -> Limits:
    """The bounds a run has."""
    model.SMALLEST_STORE_BYTES = SMALLEST
    known = inspect.signature(Limits).parameters
    return Limits(**{k: v for k, v in shape["limits"].items() if k in known})


def shape_of(seed: int) -> dict[str, Any]:
    """What kind of run this seed is."""
    rng = random.Random(f"shape/{seed}")
    small = rng.random() < 0.3
    limits = {
        "max_bytes": 240_000 if small else 50_000_000,
        "keep_free": 0,
        "segment_bytes": 14_000 if small else rng.choice([16_000, 40_000, 10**6]),
        "segment_age_s": rng.choice([40.0, 86_400.0]),
        "tail_bytes": rng.choice([3_000, 2_000_000]),
        "write_through": rng.random() < 0.5,
    }
    return {
        "seed": seed,
        "limits": limits,
        "targets": _NAMES[: rng.choice([1, 1, 2, 3])],
        "steps": rng.randrange(10, 22),
        "sizes": [40, 300, 6_000] if small else [40, 40, 300, 1_500],
        "proves": rng.choice([0.0, 0.3, 0.9]),
        "real_time": rng.random() < 0.2,
    }


class Life:
    """One run: opens, fills, proves, closes, kills."""

    def __init__(
        self, folder: Path, shape: dict[str, Any], truth: int | None = None
    ) -> None:
        self.folder = folder
        self.shape = shape
        self.rng = random.Random(f"work/{shape['seed']}")
        self.wall = WALL
        if truth is None:
            truth = os.open(folder / "truth", os.O_CREAT | os.O_WRONLY, 0o600)
        self.truth = truth
        self.targets = list(shape["targets"])
        self.told: set[int] = set()
        self.durable = 0
        self.after: dict[str, int] = {}

    def tell(self, *said: object) -> None:
        os.write(self.truth, json.dumps(said).encode() + b"\n")

    async def open(self) -> None:
        self.buffer = await Buffer.open(
            self.folder / "store",
            limits_of(self.shape),
            self.targets,
            wall_ms=lambda: self.wall,
            boot=BOOT,
        )
        self.durable = 0
        self.after = {}
        self.told = set()  # ids that were not durable come again
        self.tell("opened")
        self.tell_losses()

    async def run(self) -> None:
        rng = self.rng
        self.tell("begin", self.shape)
        await self.open()
        for _ in range(self.shape["steps"]):
            for _ in range(rng.choice([0, 1, 1, 2, 5, 12])):
                self.put()
            await self.proofs()
            self.state()
            await self.wait()
            self.tell_losses()
            await self.rarely()
        if rng.random() < 0.7:
            await self.close()
        else:
            self.abandon()
        self.tell("end")

    def put(self, settles: int | None = None) -> None:
        rng, buffer = self.rng, self.buffer
        cls = PriorityClass.EVENT if settles is not None else rng.choice(_CLASSES)
        data = rng.randbytes(rng.choice(self.shape["sizes"]))
        subject = f"device-{rng.randrange(3)}"
        seq = buffer.high + 1
        self.tell("put", seq, zlib.crc32(data), len(data), subject, self.wall)
        if settles is not None:
            self.tell("settles", seq, settles)
        got = buffer.append(
            data, cls=cls, subject=subject, t_ms=self.wall, settles=settles
        )
        assert got == seq, (got, seq)
        self.tell_durable(buffer.stats().durable)

    async def proofs(self) -> None:
        """What targets take and prove: in order, or some of it, or nothing."""
        for name in self.targets:
            if self.rng.random() >= self.shape["proves"]:
                continue
            after = self.after.get(name, self.buffer.floor(name))
            most = self.rng.choice([1, 5, 40])
            entries = self.buffer.peek(name, after, most, 10**6)
            if entries is None:
                entries = await self.buffer.read(name, after, most, 10**6)
            for entry in entries:
                self.after[name] = entry.seq
                if self.rng.random() < 0.9:
                    self.buffer.resolve(name, entry.seq, entry.seq)
                    self.tell("proved", name, entry.seq, entry.seq)
            if self.rng.random() < 0.2:
                self.after.pop(name, None)

    def state(self) -> None:
        self.tell_losses()
        for loss in self.buffer.losses():
            if self.rng.random() < 0.7:
                self.put(settles=loss.id)

    async def wait(self) -> None:
        rng = self.rng
        kind = rng.random()
        if kind < 0.45:
            await self.buffer.flush()
        elif self.shape["real_time"]:
            await asyncio.sleep(rng.choice([0, 0.001, 0.01, 0.03]))
        else:
            span = rng.choice([0, 0.01, 0.5, 1.0, 6.0, 61.0])
            await asyncio.sleep(span)
            self.wall += int(span * 1000)
        self.wall += rng.randrange(200)
        self.tell_durable(self.buffer.stats().durable)

    def abandon(self) -> None:
        """End as a kill does."""
        self.buffer.abandon()
        self.tell_ledger()

    async def close(self) -> None:
        await self.buffer.close()
        self.tell_ledger()
        self.tell_durable(self.buffer.stats().durable)

    def tell_ledger(self) -> None:
        """What was evicted by the end of a life, heard of or not."""
        for record in self.buffer._store.ledger.records.values():
            if record.loss.id not in self.told:
                loss = record.loss
                self.tell("loss", loss.id, loss.first, loss.last, loss.cause)

    def tell_durable(self, seq: int) -> None:
        if seq > self.durable:
            self.durable = seq
            self.tell("durable", seq)

    def tell_losses(self) -> None:
        for loss in self.buffer.losses():
            if loss.id not in self.told:
                self.told.add(loss.id)
                self.tell("loss", loss.id, loss.first, loss.last, loss.cause)

    async def rarely(self) -> None:
        rng = self.rng
        kind = rng.random()
        if kind < 0.06:
            self.buffer.remember(f"note-{rng.randrange(3)}", rng.randbytes(30))
        elif kind < 0.10:
            await self.close()
            await self.open()
        elif kind < 0.16:
            self.abandon()
            await self.open()
        elif kind < 0.20:
            names = rng.sample(_NAMES, rng.choice([1, 2, 3]))
            self.tell("targets", names)
            self.targets = names
            self.buffer.retarget(names)
        elif kind < 0.24:
            self.abandon()
            self.hurt()
            await self.open()

    def hurt(self) -> None:
        """A bit of a closed segment flips, and is on the disk like that."""
        folder = self.folder / "store"
        names = sorted(p.name for p in folder.glob("live-*.sqlite"))
        if len(names) < 2:
            return
        at = self.rng.randrange(len(names) - 1)
        first, last = (int(n[5:21]) for n in names[at : at + 2])
        self.tell("hurt", first, last - 1)
        fd = os.open(folder / names[at], os.O_RDWR)
        size = os.fstat(fd).st_size
        place = self.rng.randrange(size)
        os.pwrite(fd, bytes([os.pread(fd, 1, place)[0] ^ 0x55]), place)
        os.fsync(fd)
        os.close(fd)


def leave_out(sync: str) -> None:
    """Make the store worse on purpose: the model has to notice."""
    real = files.open_writable

    def sloppy(path: Path, wal_pages: int) -> sqlite3.Connection:
        db = real(path, wal_pages)
        db.execute("PRAGMA synchronous=NORMAL")
        return db

    if sync == "commit":
        files.open_writable = sloppy
    elif sync == "names":
        for module in (files, mark):
            module.sync_folder = lambda _folder: None
    elif sync == "mark":
        mark.os = SimpleNamespace(**vars(os) | {"fsync": lambda _fd: None})
    elif sync:
        raise SystemExit(f"expected commit, names or mark, got {sync!r}")


def main(folder: Path, seeds: list[int]) -> None:
    """Live through every seed."""
    for seed in seeds:
        shape = shape_of(seed)
        home = folder / str(seed)
        home.mkdir()
        life = Life(home, shape)
        with suppress(asyncio.CancelledError):
            if shape["real_time"]:
                asyncio.run(life.run())
            else:
                run_virtual(life.run())
        os.close(life.truth)


if __name__ == "__main__":
    words = sys.argv[1:]
    if words[0] == "--without":
        leave_out(words[1])
        del words[:2]
    main(Path(words[0]), [int(word) for word in words[1:]])
