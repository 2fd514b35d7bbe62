"""A whole gateway over days of virtual time, watched without growing oneself.

Everything around the gateway is bounded here, so that what grows is the gateway's:
platforms count and check what arrives instead of keeping it, devices forget what they
were asked.

    async with LongSite(tmp_path, targets=("a", "b", "c")) as site:
        site.platforms["c"].down()
        await site.live(24 * 3600, every_s=600)
    site.seen                                  # vitals over time
    site.sinks["a"].digests                    # what arrived, as check sums
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
import zlib
from collections import Counter, deque
from pathlib import Path
from typing import Any

import msgspec

from gateway.config.model import BufferLimits, MqttTarget
from gateway.notify import Notifier
from gateway.ports import Ports
from simulators.intervals import Intervals
from tests.support.memory_link import MemoryPlatform
from tests.support.virtual_site import Endpoint, VirtualSite, make_site

_PAGE = os.sysconf("SC_PAGE_SIZE")


class _Record(msgspec.Struct):
    seq: int
    kind: str
    t: int
    device: str = ""
    values: dict[str, Any] = {}
    q: dict[str, tuple[str, str]] = {}
    slots: int = 0
    seq_from: int = 0
    seq_to: int = 0
    certain: bool = True


class _Message(msgspec.Struct):
    lane: str
    records: list[_Record]
    again: bool = False


_decode = msgspec.json.Decoder(_Message).decode


class Sink:
    """Stands where a platform's list of messages stands; keeps counts only."""

    def __init__(self) -> None:
        self.arrived = Intervals()
        self.lost = Intervals()
        self.repeats = self.messages = self.bytes = 0
        self.kinds: Counter[str] = Counter()
        self.lanes: Counter[str] = Counter()
        self.scans: Counter[str] = Counter()
        self.digests: dict[str, int] = {}
        """Device -> check sum over its scans in the order they came."""
        self.troubles: list[str] = []
        self._last: dict[tuple[str, str, str], int] = {}

    def append(self, message) -> None:
        self.messages += 1
        self.bytes += len(message.payload)
        if not message.topic.endswith(("/data", "/event")):
            return
        body = _decode(message.payload)
        for record in body.records:
            self._take(record, body)

    def __len__(self) -> int:
        return self.messages

    def _take(self, record: _Record, body: _Message) -> None:
        if self.arrived.add(record.seq, record.seq):
            self.repeats += 1
            return
        self.kinds[record.kind] += 1
        self.lanes[body.lane] += 1
        key = (body.lane, record.kind, record.device)
        if not body.again and record.seq < self._last.get(key, 0):
            self._say(f"seq {record.seq} of {key} after {self._last[key]}")
        self._last[key] = record.seq
        if record.kind == "lost":
            if self.lost.add(record.seq_from, record.seq_to):
                self._say(f"seqs {record.seq_from}-{record.seq_to} lost twice")
        elif record.kind == "scan":
            self.scans[record.device] += 1
            told = repr((record.t, record.values, record.q)).encode()
            before = self.digests.get(record.device, 0)
            self.digests[record.device] = zlib.crc32(told, before)

    def _say(self, text: str) -> None:
        if len(self.troubles) < 20:
            self.troubles.append(text)

    def uncovered(self) -> list[tuple[int, int]]:
        """Seqs from 1 on that neither arrived nor are in a statement of loss."""
        covered = Intervals()
        for part in (self.arrived, self.lost):
            for first, last in part:
                covered.add(first, last)
        return covered.missing(1)

    def both(self) -> int:
        """How many seqs arrived and are also stated as lost."""
        return sum(self.arrived.overlap(first, last) for first, last in self.lost)


def count(folder: Path) -> int:
    """How many entries it has."""
    return sum(1 for _ in folder.iterdir())


class Vitals(msgspec.Struct, frozen=True):
    """What must not grow."""

    at_s: float
    """Virtual seconds since the first look."""
    rss_kib: int
    blocks: int
    """Objects that Python has allocated."""
    handles: int
    tasks: int
    timers: int
    """On the loop, cancelled ones included."""
    files: int
    file_bytes: int
    cpu_s: float
    """Processor time of this process: gateway, devices and platforms together."""


class _Endpoint(Endpoint):
    def _device(self):
        device = super()._device()
        device.asked = deque(maxlen=1)
        return device


class LongSite(VirtualSite):
    """Ten devices of ten points each second, and as many targets as wanted."""

    def __init__(
        self,
        folder: Path,
        *,
        targets: tuple[str, ...] = ("platform",),
        max_bytes: int = 512_000_000,
        write_through: bool = False,
        target: dict | None = None,
        **shape,
    ) -> None:
        site = msgspec.structs.replace(
            make_site(folder, **shape),
            buffer=BufferLimits(
                path=folder / "data",
                max_bytes=max_bytes,
                keep_free=0,
                write_through=write_through,
            ),
            targets={
                name: MqttTarget(name=name, host=name, **(target or {}))
                for name in targets
            },
        )
        super().__init__(folder, site=site)
        self.endpoints = {name: _Endpoint(name) for name in site.buses}
        self.platforms = {name: MemoryPlatform() for name in targets}
        self.sinks = {}
        for name, platform in self.platforms.items():
            self.sinks[name] = platform.arrived = Sink()
        self.sent = deque(maxlen=10)
        self.notifier = Notifier(watchdog_s=30.0, send=self.sent.append)
        self.ports = Ports(
            make_connector=lambda: self._connector, notifier=self.notifier
        )
        self.seen: list[Vitals] = []

    def _connector(self, target, terms):
        return self.platforms[target.name].connector(target, terms)

    async def live(self, seconds: float, every_s: float) -> None:
        """Let virtual time pass, and look every so often."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end:
            await asyncio.sleep(min(every_s, end - loop.time()))
            self.seen.append(self.look())

    def look(self) -> Vitals:
        """The gateway's vitals now."""
        gc.collect()
        loop = asyncio.get_running_loop()
        files = [f for f in (self.site.buffer.path).rglob("*") if f.is_file()]
        resident = int(Path("/proc/self/statm").read_text().split()[1])
        return Vitals(
            at_s=loop.time(),
            rss_kib=resident * _PAGE // 1024,
            blocks=sys.getallocatedblocks(),
            handles=count(Path("/proc/self/fd")),
            tasks=len(asyncio.all_tasks()),
            timers=len(loop._scheduled),
            files=len(files),
            file_bytes=sum(f.stat().st_size for f in files),
            cpu_s=time.process_time(),
        )
