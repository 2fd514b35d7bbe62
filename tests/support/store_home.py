"""A store folder, a clock that stands still, and images of a killed process."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from buffer import Buffer, Entry, Limits, PriorityClass

if TYPE_CHECKING:
    from pathlib import Path

LIVE, EVENT = PriorityClass.LIVE, PriorityClass.EVENT


class Home:
    """Opens, fills, images and closes buffers below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "store"
        self.wall = 1_763_712_000_000
        self.boot = "b0071001"
        self.limits = Limits(max_bytes=50_000_000, keep_free=0)
        self.opened: list[Buffer] = []
        self._images = 0

    async def open(self, *targets: str, **how) -> Buffer:
        buffer = await Buffer.open(
            how.get("folder", self.folder),
            how.get("limits", self.limits),
            targets or ("platform",),
            wall_ms=lambda: self.wall,
            boot=how.get("boot", self.boot),
        )
        self.opened.append(buffer)
        return buffer

    def image(self, buffer: Buffer | None = None) -> Path:
        """What a killed process leaves behind: a copy of the files as they are now."""
        self._images += 1
        copy = self.folder.with_name(f"image-{self._images}")
        shutil.copytree(self.folder, copy)
        return copy

    async def kill_and_reopen(self, buffer: Buffer, *targets: str, **how) -> Buffer:
        copy = self.image()
        buffer.abandon()
        shutil.rmtree(self.folder)
        copy.rename(self.folder)
        return await self.open(*targets, **how)

    def close_all(self) -> None:
        for buffer in self.opened:
            if not buffer._closed:
                buffer.abandon()


def put(buffer: Buffer, n: int = 1, cls: PriorityClass = LIVE, **how) -> list[int]:
    """Append ``n`` records whose data says which they are; returns their seqs."""
    subject = how.pop("subject", "meter-1")
    t_ms = how.pop("t_ms", 1_763_712_000_000)
    size = how.pop("size", 40)
    seqs = []
    for _ in range(n):
        data = f"record {buffer.high + 1} ".encode().ljust(size, b".")
        seqs.append(buffer.append(data, cls=cls, subject=subject, t_ms=t_ms, **how))
    return seqs


async def drain(buffer: Buffer, target: str = "platform", *, resolve: bool = True):
    """Everything ``target`` is owed, oldest first, as a pump would take it."""
    got: list[Entry] = []
    after = 0
    while True:
        entries = buffer.peek(target, after, 100, 100_000)
        if entries is None:
            entries = await buffer.read(target, after, 100, 100_000)
        if not entries:
            return got
        got += entries
        after = entries[-1].seq
        if resolve:
            for entry in entries:
                buffer.resolve(target, entry.seq, entry.seq)
