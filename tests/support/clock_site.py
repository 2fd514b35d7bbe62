"""A gateway whose clock goes wrong, and an oracle that knows when everything was.

    life = ClockLife(tmp_path)
    async with life.boot(wall_ms=0, trusted=False) as site:
        await asyncio.sleep(60)
        life.set_right()
    life.check()

The oracle takes every record's boot and monotonic time from the stored bytes, where no
clock can falsify them, and knows when each boot really began.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from typing import NamedTuple

from buffer import Buffer
from gateway.record import _SECOND, head
from gateway.release import RELEASED_MS
from tests.support.clock import EPOCH_MS, VirtualClock
from tests.support.memory_link import MemoryPlatform
from tests.support.virtual import running_loop
from tests.support.virtual_site import VirtualSite, make_site

RIGHT_MS = 1000


class Truth(NamedTuple):
    """When a stored record really was: its instant, and the one that ends it."""

    kind: str
    boot: str
    mono_ms: int
    at_ms: int
    until_ms: int | None
    own_t: bool


class ClockLife:
    """One store and one platform over several boots."""

    def __init__(self, folder, **shape):
        self.folder = folder
        self.shape = {"devices": 1, "points": 1} | shape
        self.platform = MemoryPlatform()
        self.truths: dict[int, Truth] = {}
        self.boots: dict[str, int] = {}
        self.site: VirtualSite | None = None
        self.clock: VirtualClock | None = None
        self._images = 0
        self._zero = running_loop().time()

    # -- the world ----------------------------------------------------------

    def true_ms(self) -> int:
        """The time it really is, UTC ms."""
        return EPOCH_MS + round((running_loop().time() - self._zero) * 1000)

    def set_right(self, *, trusted: bool = True) -> None:
        """NTP answers."""
        self.clock.set_wall(self.true_ms(), trusted=trusted)

    @contextlib.asynccontextmanager
    async def boot(self, *, wall_ms=None, trusted=True):
        """The machine is switched on and the gateway runs until the end of this."""
        wall_ms = self.true_ms() if wall_ms is None else wall_ms
        await asyncio.sleep(10.0)  # that long it has run when the gateway starts
        wall_ms += 10_000
        name = f"b007{len(self.boots):04x}"
        self.clock = VirtualClock(wall_ms, trusted=trusted, boot=name)
        self.boots[name] = self.true_ms() - self.clock.mono_ms()
        async with self.run() as site:
            yield site

    @contextlib.asynccontextmanager
    async def run(self):
        """The gateway runs on the machine as it is."""
        where = self.folder / str(self._images)
        conf = make_site(where, **self.shape)
        self.site = VirtualSite(where, conf, clock=self.clock, platform=self.platform)
        with self._overheard():
            async with self.site:
                yield self.site

    def power_cut(self) -> None:
        """What is on the disk now is all that the next boot finds."""
        before = self.folder / str(self._images)
        self._images += 1
        shutil.copytree(
            before / "data",
            self.folder / str(self._images) / "data",
            ignore=shutil.ignore_patterns("control.sock", "lock"),
        )

    @contextlib.contextmanager
    def _overheard(self):
        appended = Buffer.append

        def append(buffer, data, **how):
            seq = appended(buffer, data, **how)
            first = head(data)
            until = None
            if data[2] & 2:
                _, boot, _, mono = _SECOND.unpack_from(data, 28)
                until = self.boots[f"{boot:08x}"] + mono
            at = first.at
            self.truths[seq] = Truth(
                first.kind,
                at.boot,
                at.mono_ms,
                self.boots[at.boot] + at.mono_ms,
                until,
                bool(data[2] & 4),
            )
            return seq

        Buffer.append = append
        try:
            yield
        finally:
            Buffer.append = appended

    # -- the oracle ---------------------------------------------------------

    def records(self):
        """Each record at the platform once, in the order of seqs."""
        found = {r["seq"]: r for r in self.platform.records()}
        return [found[seq] for seq in sorted(found)]

    def marked(self, mark=None):
        return [r for r in self.records() if r.get("clock") == mark]

    def check(self, where=""):
        """No wrong time without a mark, no repeat with another content.

        Returns:
            How many records had which mark.
        """
        said = {}
        marks = {}
        for record in self.platform.records():
            seq = record["seq"]
            assert said.setdefault(seq, record) == record, (where, said[seq], record)
        for seq, record in sorted(said.items()):
            self._check_one(record, self.truths[seq], where)
            mark = record.get("clock", "trusted")
            marks[mark] = marks.get(mark, 0) + 1
        self._check_order(said, where)
        return marks

    def _check_one(self, record, truth, where):
        mark = record.get("clock")
        told = [] if truth.own_t else [("t", record["t"], truth.at_ms)]
        if truth.until_ms is not None:
            told.append(("until", record["until"], truth.until_ms))
        if truth.kind == "lost":
            told.append(("noted", record["noted"], truth.at_ms))
        for key, t, true in told:
            place = (where, key, t - true, record, truth)
            if mark is None:
                assert abs(t - true) <= RIGHT_MS, place
                assert t >= RELEASED_MS, place
            elif mark == "corrected":
                low = record.get(f"{key}_min", t) - RIGHT_MS
                high = record.get(f"{key}_max", t) + RIGHT_MS
                assert low <= true <= high, place
            elif key != "noted":
                assert t >= RELEASED_MS, place
                assert record.get(f"{key}_min", t) <= t, place
                assert t <= record.get(f"{key}_max", t), place
                assert record.get(f"{key}_min", true) - RIGHT_MS <= true, place
                assert true <= record.get(f"{key}_max", true) + RIGHT_MS, place

    def _check_order(self, said, where):
        """Within a boot, times of one mark never go back by more than they may err."""
        last = {}
        for seq in sorted(said):
            record, truth = said[seq], self.truths[seq]
            if truth.kind != "scan":
                continue
            key = (truth.boot, record.get("clock"))
            before = last.get(key)
            if before is not None and record.get("clock") != "unknown":
                assert record["t"] >= before - RIGHT_MS, (where, record, before)
            last[key] = record["t"]
