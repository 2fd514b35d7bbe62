"""Delivery bar 7: a day of backlog on a file system of 20 MB.

The disk is really that small and other programs come and go on it. It is never full by
our doing, memory stays flat, what is lost is stated to the last record, and when the
platform is back the rest drains to nothing.
"""

from __future__ import annotations

import asyncio
import random
import zlib
from collections import Counter
from pathlib import Path

import pytest

from buffer import Buffer, Limits, PriorityClass
from buffer.intervals import Intervals
from tests.support.small_disk import SmallDisk
from tests.support.virtual import run_virtual

LIVE, AGGREGATE, EVENT = (
    PriorityClass.LIVE,
    PriorityClass.AGGREGATE,
    PriorityClass.EVENT,
)
MB = 1_000_000
LIMITS = Limits(max_bytes=14 * MB, keep_free=3 * MB)
DEVICES = 4


def resident() -> int:
    """Bytes of memory this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


class Day:
    """Some devices a second, nobody to take their records."""

    def __init__(self, disk: SmallDisk, rng: random.Random) -> None:
        self.disk = disk
        self.rng = rng
        self.put: dict[int, tuple[str, int]] = {}
        self.classes: dict[int, PriorityClass] = {}
        self.most_used = 0
        self.least_free = disk.free
        self.memory: list[int] = []
        self.losses: dict[int, object] = {}
        self.wall = 1_763_712_000_000

    async def open(self) -> None:
        self.buffer = await Buffer.open(
            self.disk.folder / "store",
            LIMITS,
            ["p"],
            wall_ms=lambda: self.wall,
            boot="b0071001",
        )

    async def live(self, seconds: int, size: int) -> None:
        rng, buffer = self.rng, self.buffer
        for second in range(seconds):
            for device in range(DEVICES):
                cls = LIVE
                if second % 300 == 0:
                    cls = EVENT if device == 0 else AGGREGATE
                subject = f"device-{device}"
                data = rng.randbytes(size)
                seq = buffer.append(data, cls=cls, subject=subject, t_ms=self.wall)
                self.put[seq] = (subject, zlib.crc32(data))
                self.classes[seq] = cls
            await asyncio.sleep(1)
            self.wall += 1000
            if second % 20 == 0:
                self.look()
            if second % (seconds // 8) == seconds // 16:
                # Another program takes what we leave, and gives it back.
                if self.disk.free > 1 * MB:
                    self.disk.fill(leave=2 * MB)
                await asyncio.sleep(5)
                self.look()
                self.disk.clear()

    def look(self) -> None:
        self.most_used = max(self.most_used, self.disk.used_by("store"))
        self.least_free = min(self.least_free, self.disk.free)
        self.memory.append(resident())
        for loss in self.buffer.losses():
            # As the gateway does: each stated by a record of its own.
            self.losses[loss.id] = loss
            seq = self.buffer.append(
                b"lost", cls=EVENT, subject="", t_ms=self.wall, settles=loss.id
            )
            self.put[seq] = ("", zlib.crc32(b"lost"))
            self.classes[seq] = EVENT

    async def drain(self) -> dict[int, int]:
        got: dict[int, int] = {}
        while True:
            after, found = 0, False
            while True:
                entries = self.buffer.peek("p", after, 200, MB)
                if entries is None:
                    entries = await self.buffer.read("p", after, 200, MB)
                if not entries:
                    break
                found = True
                for entry in entries:
                    after = entry.seq
                    got[after] = zlib.crc32(entry.data)
                    self.buffer.resolve("p", after, after)
            self.look()
            await self.buffer.flush()
            if not found:
                return got


@pytest.mark.timeout(60)
@pytest.mark.sentence(2, 6)
def test_a_day_of_backlog_on_20_mb(tmp_path, seed, count, figure) -> None:
    rng = random.Random(seed)
    with SmallDisk(tmp_path / "disk", 20 * MB) as disk:
        day = Day(disk, rng)

        async def main() -> dict[int, int]:
            await day.open()
            await day.live(*count((2_000, 3_000), (86_400, 250)))
            got = await day.drain()
            await asyncio.sleep(70)
            day.most_used = max(day.most_used, disk.used_by("store"))
            day.left = day.buffer.stats()
            await day.buffer.close()
            return got

        got = run_virtual(main())

    lost = Intervals()
    for loss in day.losses.values():
        assert not lost.touches(loss.first, loss.last), f"seed {seed}: stated twice"
        lost.add(loss.first, loss.last)
        inside = [s for s in range(loss.first, loss.last + 1) if s in day.put]
        assert loss.certain, loss
        assert loss.cause == "evicted", loss
        assert loss.at_most == len(inside) == loss.last - loss.first + 1, loss
        assert loss.counts == Counter(day.put[s][0] for s in inside), loss
    missing = day.put.keys() - got.keys()
    assert missing == {s for s in day.put if s in lost}, f"seed {seed}"
    assert all(got[s] == day.put[s][1] for s in got)
    assert missing, "it was more than the disk holds"
    assert {day.classes[s] for s in missing} == {LIVE}, "the lowest class went"
    assert day.most_used <= LIMITS.max_bytes, "the bound holds exactly"
    assert day.least_free > 0
    assert day.left.backlog["p"] == 0
    assert day.left.bytes < 2 * MB, "drained, it is given back"
    half = day.memory[len(day.memory) // 2 :]
    growth = half[-1] - half[0] - 400 * (len(day.put) // 2)  # our own notes of it
    assert growth < 8 * MB, f"memory grew by {growth}"
    figure("records", len(day.put))
    figure("evicted, all stated", len(missing))
    figure("most bytes of 14 MB", day.most_used)
    figure("least bytes free", day.least_free)
