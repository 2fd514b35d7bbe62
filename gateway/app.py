"""The whole gateway, put together: read this first.

    site file --> Site --> one worker per bus --> Judge --> Recorder --> Buffer
                           (bus_worker.py)        (judge/)  (records)      |
                                                         one pump a target <--+
    beside them: Tender (clock, disk), statements of loss,  (uplink/pump.py)
    watchdog, control socket

Everything runs in one ``asyncio.TaskGroup``; each task is supervised and named. The
outside comes in as ``Ports`` and ``Clock``, so that the same composition runs on a
virtual-time loop with pipes for ports. A reload compares the new site with the running
one by name and touches only what differs (``reload.py``).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from buffer import Buffer, DiskTroubleError, Limits, may_pass
from gateway import events
from gateway.answers import Answers, health_of
from gateway.average.averager import Averager
from gateway.average.board import Board
from gateway.average.note import NOTE as AVERAGED
from gateway.between_runs import BetweenRuns
from gateway.bookkeeper import Bookkeeper
from gateway.bus_worker import BusWorker
from gateway.cameras.cameras import Cameras
from gateway.clock import SystemClock
from gateway.config.model import MqttTarget
from gateway.config.problems import SiteError
from gateway.control import ControlError
from gateway.crew import Crew
from gateway.history_keeper import HistoryKeeper
from gateway.judge.judge import NOTE as JUDGED
from gateway.judge.judge import Judge
from gateway.logs import CHANGE
from gateway.losses import state_losses
from gateway.maintenance import Maintenance
from gateway.meta import MetaStore, describe
from gateway.ports import Ports
from gateway.progress import Beats
from gateway.recorder import Recorder
from gateway.reload import compare
from gateway.supervisor import Fatal, FatalError
from gateway.target_events import TargetEvents
from gateway.tend import Tender
from gateway.texts import t
from gateway.timekeeper import StoreClock, Timekeeper
from gateway.trial import Trial
from gateway.uplink.pump import Pump

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from buffer import Damage
    from gateway.clock import Instant, JudgedClock
    from gateway.config.model import Bus, Device, Site, Target
    from gateway.health import Health
    from gateway.periods import Key
    from gateway.record import Record
    from gateway.uplink.hj212.pump import Hj212Pump

log = logging.getLogger(__name__)

POLITE_S = 0.4
"""An open question may still be answered when the stop comes."""
WORKERS_STOP_S = 0.5
PUMPS_STOP_S = 1.6
FLUSH_S = 0.3
"""Together with closing the store, a clean stop takes less than 3 s."""
STORE_WAIT_S = 2.0
"""Between two attempts to open a store whose disk refuses."""
CLOSE_S = 8.0
"""A slow card may need more than that; beyond this it answers no more."""


async def run(
    site: Site,
    *,
    clock: JudgedClock | None = None,
    ports: Ports | None = None,
    load: Callable[[], Site] | None = None,
) -> None:
    """Run a gateway until it is told to stop.

    Args:
        site: What to run.
        clock: Dates everything; the machine's own by default.
        ports: How the outside is reached.
        load: Reads the site file again, for a reload; raises what is to be said.

    Raises:
        BufferLockedError: Another process uses the data folder.
        BaseExceptionGroup: With a FatalError inside: the store failed by a bug.
    """
    await App(
        site, clock or SystemClock(site.clock_trust), ports or Ports(), load
    ).run()


class App:
    """One running gateway."""

    def __init__(
        self,
        site: Site,
        clock: JudgedClock,
        ports: Ports,
        load: Callable[[], Site] | None = None,
    ) -> None:
        self.site = site
        self.clock = clock
        self.ports = ports
        self.beats = Beats()
        self.workers: dict[str, BusWorker] = {}
        self.pumps: dict[str, Pump | Hj212Pump] = {}
        self.board = Board()
        self.history = HistoryKeeper(lambda: self.site, self._history_damaged)
        self.version = our_version()
        self._load = load
        self._stop = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._applying = asyncio.Lock()
        self._why = ""
        self._started = self._reload_due = False
        self.trial = Trial(self)
        self._connector = ports.make_connector()

    # -- life ---------------------------------------------------------------

    async def run(self) -> None:
        """Open the store, start everything, wait for the stop, end cleanly."""
        site, loop = self.site, asyncio.get_running_loop()
        self._handle_signals()
        limits = Limits(
            max_bytes=site.buffer.max_bytes,
            keep_free=site.buffer.keep_free,
            write_through=site.buffer.write_through,
        )
        self.store_clock = StoreClock(self.clock)
        opened = await self._open_store(limits)
        if opened is None:
            self._forget_signals()
            return
        self.buffer = buffer = opened
        try:
            self.timekeeper = Timekeeper(
                buffer, self.clock, self.store_clock, wait_s=site.clock_wait_s
            )
            self.timekeeper.on_dated = self._dated
            self.timekeeper.on_step = self._realign
            self.metas = MetaStore(
                site.buffer.path / "meta",
                wall_ms=self.store_clock,
                oldest=lambda: buffer.oldest,
            )
            self.metas.adopt(describe(site, self.version), buffer.high)
            self.books = Bookkeeper(buffer, self.clock, tz=site.info.timezone)
            self.books.adopt(self.metas.current, site)
            self.record = Recorder(buffer, self.metas, self.books.ledger)
            self.record.on_event = self._status_changed
            self.record.known_ms = self.timekeeper.known_ms
            self.record.on_stored = self.history.chronicle
            self.told = TargetEvents(
                self.record, now=self.clock.now, high=lambda: buffer.high
            )
            self.tender = self._tender()
            self.tender.on_change = self._status_changed
            self.tender.linked = self._linked
            self.runs = BetweenRuns(
                buffer,
                self.timekeeper,
                self.record,
                self.books.ledger,
                self.clock.now(),
            )
            self.runs.start(site, self.version)
            self._begin_judging()
            await self._begin_averaging()
            self.cameras = Cameras(self)
            self.tender.cameras = self.cameras.counts
            async with asyncio.TaskGroup() as group:
                self.crew = Crew(group, self.beats, self.clock.wall_ms)
                self._start_all()
                self._started = True
                self.ports.notifier.ready(self._summary())
                if self._reload_due:
                    self._hangup()
                log.info("%s", self._summary())
                await self._stop.wait()
                stopping = loop.time()
                self.ports.notifier.stopping(self._why)
                log.info("%s", t("log.stopping", signal=self._why))
                await self._stop_all()
        finally:
            self._forget_signals()
            await self.history.close()
            await self._close_buffer()
        log.info("%s", t("log.stopped", seconds=f"{loop.time() - stopping:.1f}"))

    async def _open_store(self, limits: Limits) -> Buffer | None:
        """The store; a disk that refuses to let it be opened is waited for.

        Returns:
            None when told to stop before it could be opened.

        Raises:
            OSError: A person must act: the folder may not be used, or is none.
        """
        path, told = self.site.buffer.path, ""
        while True:
            try:
                return await Buffer.open(
                    path,
                    limits,
                    self.site.targets,
                    wall_ms=self.store_clock,
                    boot=self.clock.boot,
                )
            except (OSError, DiskTroubleError) as exc:
                if not may_pass(exc):
                    raise
                error = str(exc)
            said = t("log.disk_waits", folder=path, error=error)
            log.error("%s", said, extra=CHANGE if error != told else None)
            told = error
            self.ports.notifier.waiting(said, STORE_WAIT_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STORE_WAIT_S):
                    await self._stop.wait()
                    return None

    def stop(self, why: str) -> None:
        """End cleanly; returns at once."""
        self._why = why
        self._stop.set()

    def _start_all(self) -> None:
        for bus in self.site.buses.values():
            self.start_bus(bus)
        self.crew.start("buffer", self._watch_buffer)
        self.crew.start("losses", self._state_losses)
        for target in self.site.targets.values():
            self.start_target(target)
        self.crew.start("tend", self.tender.run)
        self.crew.start("clock", partial(self.timekeeper.run, self.record))
        self.crew.start("books", partial(self.books.run, self.record))
        self.crew.start("watchdog", partial(self.ports.notifier.watch, self.beats))
        self.crew.start("control", Answers(self).server().run)
        self.crew.start("trial", self.trial.run)
        self.crew.start("averages", self.averager.run)
        self.crew.start("history", self.history.run)
        self.crew.start("chronicle", self.history.chronicle.run)
        self.crew.start("maintenance", self.maintenance.run)
        self.cameras.start()

    async def _stop_all(self) -> None:
        """Workers first, so that their last records are stored; then the rest."""
        self.cameras.stop()
        for worker in self.workers.values():
            worker.end()
        await self.crew.end("bus:", WORKERS_STOP_S, polite_s=POLITE_S)
        await self.cameras.end()
        for record in self.judge.close():
            self.record(record)
        await self.crew.end("averages", WORKERS_STOP_S, exact=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_S):
                await self.averager.close()
        self.record.flush()
        now, due = self.clock.now(), self._next_due()
        self.runs.stop(self.site, due, now, self.store_clock)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_S):
                await self.buffer.flush()
        await self.crew.end("", PUMPS_STOP_S)
        self.books.close()

    async def _close_buffer(self) -> None:
        """Close the store; a disk that answers no more must not hold the stop back.

        Raises:
            FatalError: It did not close: what is not on disk is stated as lost by the
                next start.
        """
        # A task of its own: cancelling it would not end its wait for the disk.
        closing = asyncio.create_task(self.buffer.close(), name="close buffer")
        done, _ = await asyncio.wait({closing}, timeout=CLOSE_S)
        if not done:
            raise FatalError(f"the store did not close within {CLOSE_S:g} s")
        await closing

    # -- parts, also for reload ---------------------------------------------

    def start_bus(self, conf: Bus) -> None:
        """Start the worker of a bus with the devices the site gives it."""
        worker = self.workers[conf.name] = BusWorker(
            conf,
            self.ports.make_bus(conf),
            self.devices_of(conf.name),
            gateway=self.site.gateway,
            among=(list(self.site.buses).index(conf.name), len(self.site.buses)),
            make_device=lambda device, port: self.ports.make_device(device, conf, port),
            on_time=partial(self.clock.offer, "gnss"),
            clock=self.clock,
            sink=self._sink(conf.name),
            beats=self.beats,
        )
        self.crew.start(f"bus:{conf.name}", worker.run)

    async def stop_bus(self, name: str) -> None:
        """End a bus' worker and close its port."""
        self.workers[name].end()
        await self.crew.end(
            f"bus:{name}", WORKERS_STOP_S, polite_s=POLITE_S, exact=True
        )
        del self.workers[name]

    def _sink(self, bus: str) -> Callable[[Record], None]:
        """Where a bus' records go: judged on their way, if anything asks for that."""
        keep = self.record.under(self.metas.current)
        devices = self.devices_of(bus)
        keep = self.averager.before(devices, self.cameras.newest.before(devices, keep))
        return self.judge.before(devices, keep)

    def rejudge(self, buses: Iterable[str]) -> None:
        """What is judged of these buses has changed, and nothing else."""
        for name in buses:
            if worker := self.workers.get(name):
                worker.hand_over(self.devices_of(name), self._sink(name))

    def devices_of(self, bus: str) -> list[Device]:
        """The devices of a bus, in the order of the site file."""
        return [d for d in self.site.devices.values() if d.bus == bus]

    def start_target(self, conf: Target) -> None:
        """Start delivering to a target; its cursor is found by its name."""
        name = f"target:{conf.name}"
        beat = self.beats.add(name, asyncio.get_running_loop().time() + 30)
        if isinstance(conf, MqttTarget):
            pump: Pump | Hj212Pump = self._mqtt_pump(conf, beat.promise)
        else:
            from gateway.uplink.hj212.start import make_pump  # noqa: PLC0415 - lazily

            pump = make_pump(self, conf, beat.promise)
        self.pumps[conf.name] = pump
        self.crew.start(name, pump.run)

    def _mqtt_pump(self, conf: MqttTarget, promise: Callable[[float], None]) -> Pump:
        return Pump(
            conf,
            self.buffer,
            self._connector,
            self.metas,
            gateway=self.site.gateway,
            version=self.version,
            wall_ms=self.clock.wall_ms,
            when=self.timekeeper.when,
            floor_ms=lambda: self.clock.floor_ms,
            vitals=self.tender.vitals,
            promise=promise,
            on_change=self.told.changed,
            on_set_aside=partial(self.told.set_aside, conf.name),
            ledger=self.books.ledger,
        )

    async def stop_target(self, name: str) -> None:
        """End the delivery to a target; its cursor stays."""
        await self.crew.end(f"target:{name}", PUMPS_STOP_S, exact=True)
        self.beats.forget(f"target:{name}")
        del self.pumps[name]

    async def reload(self) -> list[str]:
        """Read the site file again and change what differs.

        Returns:
            What was changed, for people.

        Raises:
            ControlError: The file has errors, or what changed needs a restart;
                nothing was changed.
        """
        if self._load is None:
            raise ControlError("no_file", t("reload.no_file"))
        async with self._reloading:
            try:
                site = await asyncio.to_thread(self._load)
            except (OSError, SiteError) as exc:
                raise ControlError("bad_site", str(exc)) from exc
            changes = await self.apply(site)
            self.cameras.try_again()
            self.trial.reloaded()
            return changes

    async def apply(self, site: Site) -> list[str]:
        """Go over to another site; see ``reload``. One after the other."""
        async with self._applying:
            return await self._go_over(site)

    async def _go_over(self, site: Site) -> list[str]:
        change = compare(self.site, site)
        if change.refused:
            raise ControlError("needs_restart", change.refusal())
        if change.nothing:
            return []
        self.site = site
        self.metas.adopt(describe(site, self.version), self.buffer.high)
        self.books.adopt(self.metas.current, site)
        for record in self.judge.adopt(site):
            self.record(record)
        await self.history.open()
        self.averager.adopt(site)
        self.cameras.newest.adopt(site.cameras.values())
        for name in (*change.buses_removed, *change.buses_restarted):
            worker = self.workers[name]
            await self.stop_bus(name)
            worker.end_lines(self.devices_of(name))
        for name in (*change.buses_added, *change.buses_restarted):
            self.start_bus(site.buses[name])
        self.runs.polls(site)
        for name, worker in self.workers.items():
            worker.hand_over(self.devices_of(name), self._sink(name))
        for name in (*change.targets_removed, *change.targets_changed):
            await self.stop_target(name)
        for name in change.targets_removed:
            self.metas.forget_target(name)
        if change.targets_removed or change.targets_added:
            self.buffer.retarget(site.targets)
        for name in (*change.targets_added, *change.targets_changed):
            self.start_target(site.targets[name])
        if change.cameras or change.vision:
            await self.cameras.go_over(site)
        self._status_changed()
        self.record(events.site_changed(change, self.metas.current, self.clock.now()))
        return change.said()

    def health(self) -> Health:
        """Everything about everything, now."""
        return health_of(self)

    # -- the rest -----------------------------------------------------------

    def _status_changed(self) -> None:
        for pump in self.pumps.values():
            pump.status_changed()

    async def _watch_buffer(self) -> None:
        with Fatal("buffer"):
            await asyncio.shield(self.buffer.failed)

    async def _state_losses(self) -> None:
        await state_losses(
            self.buffer,
            self.clock,
            lambda: self.metas.current,
            self.books.ledger.loss,
        )

    def _tender(self) -> Tender:
        return Tender(
            self.buffer,
            self.metas,
            self.clock,
            self.timekeeper,
            workers=self.workers.values,
            sink=self.record,
            beats=self.beats,
            data=self.site.buffer.path,
            endurance=self.site.buffer.endurance,
        )

    def _begin_judging(self) -> None:
        """Take up what earlier runs knew of doors, counters and fences."""
        remember = self.buffer.remember
        self.maintenance = Maintenance(self)
        self.judge = Judge(
            lambda note, lazily: remember(JUDGED, note, lazily=lazily),
            self.buffer.recall(JUDGED),
            now=self.clock.now,
            used=self.timekeeper.used,
            declared=self.maintenance.windows,
        )
        for record in self.judge.adopt(self.site):
            self.record(record)

    async def _begin_averaging(self) -> None:
        """Take up what earlier runs left of open minutes, hours and days."""
        buffer = self.buffer
        await self.history.open()
        self.averager = Averager(
            self.history.periods,
            lambda period, meta: self.record.under(meta)(period),
            meta=lambda: self.metas.current,
            now=self.clock.now,
            when=self.timekeeper.when,
            remember=partial(buffer.remember, AVERAGED),
            remembered=buffer.remembered,
            recalled=buffer.recall(AVERAGED),
            declared=self.maintenance.windows.state_at,
            board=self.board,
        )
        self.averager.adopt(self.site)

    def _history_damaged(self, damage: Damage) -> None:
        self.record(events.history_damaged(damage, self.clock.now()))

    def _next_due(self) -> dict[Key, Instant]:
        """Where every line of slots goes on."""
        due: dict[Key, Instant] = {}
        for worker in self.workers.values():
            due |= worker.next_due()
        return due

    def _dated(self) -> None:
        """More instants can be dated: what waited for that goes on."""
        self.averager.dated()
        self.runs.dated(self.site)
        for pump in self.pumps.values():
            pump.wake()
        self._status_changed()

    def _realign(self) -> None:
        for worker in self.workers.values():
            worker.realign()

    def _linked(self) -> bool:
        return any(pump.health().state == "online" for pump in self.pumps.values())

    def _summary(self) -> str:
        return t(
            "log.started",
            gateway=self.site.gateway,
            buses=len(self.site.buses),
            devices=len(self.site.devices),
            targets=len(self.site.targets),
        )

    def _handle_signals(self) -> None:
        if not self.ports.signals:
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop, number.name)
        loop.add_signal_handler(signal.SIGHUP, self._hangup)

    def _forget_signals(self) -> None:
        if not self.ports.signals:
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(number)

    def _hangup(self) -> None:
        if not self._started:
            self._reload_due = True  # the file may have changed since it was read
        elif not self.crew.runs("reload"):
            self.crew.start("reload", self._reload_by_signal)

    async def _reload_by_signal(self) -> None:
        notifier = self.ports.notifier
        loop = asyncio.get_running_loop()
        notifier.reloading(int(loop.time() * 1e6))
        try:
            changes = await self.reload()
        except ControlError as exc:
            # No traceback: the file is to blame.
            log.error("%s", t("log.reload_refused", error=exc))  # noqa: TRY400
        else:
            if changes:
                log.info("%s", t("log.reloaded", changes="; ".join(changes)))
            else:
                log.info("%s", t("log.reload_same"))
        notifier.ready(self._summary())


def our_version() -> str:
    """The installed release."""
    with contextlib.suppress(PackageNotFoundError):
        return version("ecogate")
    return "0"
