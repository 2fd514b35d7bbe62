"""Every other second: does the wall clock run on, does the disk, does the store.

Everything that must be looked at rather than waited for stands here, so that one timer
serves it all.
"""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from gateway import events, wear
from gateway.logs import CHANGE
from gateway.texts import t
from gateway.uplink.status import Vitals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from buffer import Buffer
    from gateway.bus_worker import BusWorker
    from gateway.clock import Instant, JudgedClock
    from gateway.meta import MetaStore
    from gateway.progress import Beats
    from gateway.record import Event, Record
    from gateway.timekeeper import Timekeeper

log = logging.getLogger(__name__)

LOOK_S = 2.0
COMMIT_LIMIT_S = 30.0
"""Records that wait for the disk longer mean that the commit loop is stuck."""
_RETRY_S = 60.0


class Tender:
    """The loop that looks at things."""

    def __init__(
        self,
        buffer: Buffer,
        metas: MetaStore,
        clock: JudgedClock,
        timekeeper: Timekeeper,
        *,
        workers: Callable[[], Iterable[BusWorker]],
        sink: Callable[[Record], None],
        beats: Beats,
        data: Path,
        endurance: int | None = None,
    ) -> None:
        self._buffer = buffer
        self._metas = metas
        self._clock = clock
        self._timekeeper = timekeeper
        self._workers = workers
        self._sink = sink
        self._beats = beats
        self._data = data
        self._endurance = endurance
        self._wear = wear.Wear()
        self._degraded: Event | None = None
        self._started = 0.0
        self.linked: Callable[[], bool] = lambda: False
        """Whether a platform could take records now."""
        self.cameras: Callable[[], tuple[int, int]] = lambda: (0, 0)
        """How many cameras see, and how many do not."""
        self.on_change: Callable[[], None] = lambda: None
        """Called when another number of devices answers."""

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        self._started = loop.time()
        worn = float("-inf")
        beat = self._beats.add("tend", loop.time() + 5)
        store = self._beats.add("buffer", loop.time() + COMMIT_LIMIT_S)
        looked = retried = loop.time()
        durable, devices = -1, self._devices()
        try:
            while True:
                now, at = loop.time(), self._clock.now()
                beat.promise(now + LOOK_S + 5)
                self._timekeeper.look(
                    now - looked, now - self._started, linked=self.linked
                )
                looked = now
                stats = self._buffer.stats()
                self._watch_disk(at, stats.degraded, stats.trouble)
                moves = not stats.pending or stats.degraded or stats.durable != durable
                if moves and stats.working_ms < LOOK_S * 1000:
                    durable = stats.durable
                    store.promise(now + COMMIT_LIMIT_S)
                if (found := self._devices()) != devices:
                    devices = found
                    self.on_change()
                if now - worn >= _RETRY_S:
                    worn = now
                    self._wear.look(now, self._written())
                if now - retried >= _RETRY_S:
                    retried = now
                    self._metas.retry()
                await asyncio.sleep(LOOK_S)
        finally:
            self._beats.remove(beat)
            self._beats.remove(store)

    def vitals(self) -> Vitals:
        """What ``status`` tells the platform."""
        good, bad = self._devices()
        see, blind = self.cameras()
        disk = self.disk()
        return Vitals(
            clock=self._timekeeper.state,
            clock_source=self._clock.source,
            clock_offset_ms=self._clock.offset_ms,
            disk_free=disk.free,
            disk_state=disk.state,
            bytes_per_day=disk.bytes_per_day,
            life_years=disk.life_years,
            temperature_c=_temperature(),
            uptime_s=self.uptime_s(),
            devices_good=good,
            devices_bad=bad,
            cameras_good=see,
            cameras_bad=blind,
        )

    def disk(self) -> wear.Disk:
        """The disk now, and how long it lasts."""
        size, free = _size_and_free(self._data)
        endurance = self._endurance
        if endurance is None and size is not None:
            endurance = wear.assumed_endurance(size)
        per_day = self._wear.bytes_per_day
        return wear.Disk(
            state="degraded:disk" if self._buffer.stats().degraded else "ok",
            free=free,
            bytes_per_day=per_day,
            life_years=wear.life_years(endurance, per_day),
            endurance=endurance,
            assumed=self._endurance is None,
        )

    def _written(self) -> int:
        """Bytes so far; where the kernel tells nothing, the records' own at least."""
        told = wear.written()
        return self._buffer.stats().bytes_stored if told is None else told

    def _devices(self) -> tuple[int, int]:
        """How many answer and how many do not."""
        total = sum(len(worker.units) for worker in self._workers())
        good = sum(
            unit.state == "online"
            for worker in self._workers()
            if worker.link != "gone"
            for unit in worker.units.values()
        )
        return good, total - good

    def uptime_s(self) -> int:
        """Seconds since the start."""
        return int(asyncio.get_running_loop().time() - self._started)

    def _watch_disk(
        self, at: Instant, degraded: str | None, trouble: str | None
    ) -> None:
        """Tell once that nothing can be written, and once that it can again."""
        if (degraded is not None) == (self._degraded is not None):
            return
        if self._degraded is None:
            error = trouble or degraded or ""
            event = events.disk_degraded(error, at)
            self._degraded = event
            said = t("event.disk_degraded", error=error)
            log.error("%s", said, extra=CHANGE)
        else:
            log.info("%s", t("event.disk_back"), extra=CHANGE)
            event = events.disk_back(self._degraded, at)
            self._degraded = None
        self._sink(event)


def _size_and_free(path: Path) -> tuple[int | None, int | None]:
    """Bytes of the file system, and how many of them are free."""
    try:
        found = os.statvfs(path)
    except OSError:
        return None, None
    return found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize


def _temperature() -> float | None:
    """The processor's, where the kernel tells one (thermal zones, sysfs)."""
    try:
        text = Path("/sys/class/thermal/thermal_zone0/temp").read_text("ascii")
        return int(text) / 1000
    except (OSError, ValueError):
        return None
