"""One task per bus: opens it, asks its devices on schedule, hands on what came.

    closed --open--> polling --BusError--> closed (again at once, then 0.5, 1, 1 s)

A device's failure costs its neighbours nothing (:mod:`gateway.roster`); a lost port
costs nobody else's bus anything. Every scheduled slot ends in a Scan or inside a Gap
(:mod:`gateway.slots`). State changes are told once, as an event and one log line.
"""

from __future__ import annotations

import asyncio
import logging
import math
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec

from drivers.errors import BusError
from drivers.values import Answer, Flaw, Quality
from gateway import events
from gateway.backoff import OFFLINE_AFTER, reopen_pause_s
from gateway.clock import Instant
from gateway.commands import Commands, SharedBus
from gateway.logs import CHANGE
from gateway.periods import periods
from gateway.record import Gap, Scan
from gateway.roster import Job, Roster, Unit, settle_state
from gateway.schedule import Place, Slots, phase_s
from gateway.slots import SlotLine
from gateway.texts import language, t
from gateway.texts.field import worded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from drivers.port import Port
    from drivers.values import Device as Driver
    from drivers.values import OwnTime, Value
    from gateway.clock import Clock
    from gateway.config.model import Bus as BusConf
    from gateway.config.model import Device as DeviceConf
    from gateway.progress import Beats
    from gateway.record import Event, Record

log = logging.getLogger(__name__)

T = TypeVar("T")

OPEN_LIMIT_S = 4.0
"""A port that does not open in this time is tried again: back within 5 s."""
GRACE_S = 10.0
"""On top of what a loop step may take by itself until the watchdog hears of it."""
STEP_MS = 20
"""The wall clock left the monotonic one by more than this: lay the grids anew."""

Link = Literal["closed", "open", "gone"]


class BusWorker:
    """Owns one port and the devices behind it."""

    def __init__(
        self,
        conf: BusConf,
        port: Port,
        devices: Iterable[DeviceConf],
        *,
        gateway: str,
        among: tuple[int, int] = (0, 1),
        make_device: Callable[[DeviceConf, Port], Driver],
        clock: Clock,
        sink: Callable[[Record], None],
        beats: Beats,
        on_time: Callable[[int, int], object] = lambda _utc_ms, _mono_ms: None,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            conf: The bus as configured.
            port: What speaks to it; opened and closed by this worker only.
            devices: Its devices, in the order of the site file.
            gateway: Seeds the phase of the schedule.
            among: The bus' place among the site's buses, and how many there are.
            make_device: Puts a driver before the port.
            clock: Dates what is read.
            sink: Takes every record, at once and without waiting.
            beats: Where the worker promises progress.
            on_time: Takes the time a receiver told: UTC ms, and our monotonic clock,
                ms, at that moment.
        """
        self.conf = conf
        self.name = conf.name
        self.units: dict[str, Unit] = {}
        self.link: Link = "closed"
        self.link_error = ""
        self.link_since: Instant | None = None
        self.reopened = 0
        self.commands = Commands(conf.name)
        self._gateway = gateway
        self._among = among
        self._make_device = make_device
        self._port = SharedBus(port, self.commands)
        use_clock = getattr(port, "use_clock", None)
        if use_clock is not None:  # a port that may set its devices' clocks
            use_clock(self._trusted_ms)
        self._clock = clock
        self._on_time = on_time
        self._sink = self._next_sink = sink
        self._beats = beats
        self._wanted = {device.name: device for device in devices}
        self._changed = True
        self._failures = 0
        """Times in a row that the port was lost before any exchange went through."""
        self._orders = 0
        self._worst_s = 0.0
        """The longest that one exchange of any unit may take, with room to spare."""
        self._waiter: asyncio.Future[None] | None = None
        self._offset = 0.0
        self._skew_ms = 0
        self._look_at_clock = False
        self._ending = False

    # -- for others ---------------------------------------------------------

    async def read_now(
        self, device: str, points: Sequence[str] | None = None
    ) -> Answer:
        """Ask a device between two exchanges; raw bytes included.

        Raises:
            KeyError: No such device here.
            DriverError: Bus gone or too many commands waiting.
        """
        unit = self.units[device]
        names = points or [point.name for point in unit.conf.points]
        return await self._command(lambda: unit.driver.scan(names, want_raw=True))

    async def write(self, device: str, point: str, value: Value) -> None:
        """Write one point between two exchanges; see ``drivers.values.Device``."""
        unit = self.units[device]
        await self._command(lambda: unit.driver.write(point, value))

    async def lend(self, work: Callable[[], Awaitable[T]]) -> T:
        """Have the port to itself for this work, between two exchanges.

        Ours is closed meanwhile and opened again after; the work opens its own. Polls
        wait, so it must be short: a fraction of a second, a few seconds at most.

        Raises:
            BusError: The port is gone, or does not come back.
            DriverError: Too many commands wait; or what the work raised.
        """

        async def lent() -> T:
            await self._port.close()
            try:
                return await work()
            finally:
                await self._port.open()

        return await self._command(lent)

    def hand_over(
        self,
        devices: Iterable[DeviceConf],
        sink: Callable[[Record], None] | None = None,
    ) -> None:
        """Take this list of devices from the next pause between polls on.

        Devices that did not change keep their schedule, state and counters; the port
        stays open.

        Args:
            devices: All of them, in the order of the site file.
            sink: Takes every record from then on; what was asked of the devices as
                they were still goes to the one before. None: it stays.
        """
        wanted = {device.name: device for device in devices}
        self._next_sink = sink or self._next_sink
        if wanted == self._wanted and not self._changed:
            self._sink = self._next_sink
            return
        self._wanted = wanted
        self._changed = True
        self._wake()

    def next_due(self) -> dict[tuple[str, tuple[str, ...]], Instant]:
        """Where every line of slots goes on: it is settled up to there.

        By device and what its gaps name.
        """
        return {
            (name, job.line.points): self._when(job.line.due())
            for name, unit in self.units.items()
            for job in unit.jobs
        }

    def end_lines(self, devices: Iterable[DeviceConf]) -> None:
        """Say that the lines of slots end, now that this worker has ended.

        Args:
            devices: What the bus has from now on, in another worker; none: it is
                taken away.
        """
        after = {device.name: device for device in devices}
        for name, unit in self.units.items():
            self._end_lines(unit, after.get(name))

    def realign(self) -> None:
        """The wall clock stepped: look at it before the next poll."""
        self._look_at_clock = True
        self._wake()

    def exchanges(self, unit: int | str | None) -> dict[str, Any]:
        """The engine's counts and reply times of one unit; empty where it has none."""
        stats = getattr(self._port.inner, "stats", None)
        return {} if stats is None else msgspec.structs.asdict(stats(unit))

    def end(self) -> None:
        """Return from ``run`` as soon as no question is open."""
        self._ending = True
        self._wake()

    # -- the task -----------------------------------------------------------

    async def run(self) -> None:
        """Until ended or cancelled; bugs are the supervisor's to handle."""
        loop = asyncio.get_running_loop()
        self._beat = self._beats.add(f"bus:{self.name}", loop.time() + GRACE_S)
        self._failures = 0
        self.commands.wake = self._wake
        self.commands.progress = self._progress
        at = self._clock.now()
        self._skew_ms = at.wall_ms - at.mono_ms
        self._offset = at.wall_ms / 1000 - loop.time()
        roster = Roster(loop.time())
        self._close_gaps(self.units.values(), loop.time(), "fault")
        try:
            self._adopt(loop.time())
            while not self._ending:
                try:
                    await self._open(loop.time())
                    await self._poll(roster)
                except BusError as exc:
                    self._lost(exc)
                finally:
                    await self._port.close()
                if not self._ending:
                    await self._pause(reopen_pause_s(self._failures - 1))
        finally:
            self.commands.close(t("error.bus_stopped", bus=self.name))
            ends = self.units.values()
            self._close_gaps(ends, loop.time(), "maintenance", final=self._ending)
            self._beats.remove(self._beat)
            self.link = "closed"

    async def _open(self, now: float) -> None:
        self._beat.promise(now + OPEN_LIMIT_S + GRACE_S)
        try:
            async with asyncio.timeout(OPEN_LIMIT_S):
                await self._port.open()
        except TimeoutError:
            raise BusError(
                t("error.bus_open_slow", bus=self.name, limit=f"{OPEN_LIMIT_S:g}")
            ) from None
        self.commands.reopen()

    async def _pause(self, seconds: float) -> None:
        """Wait before the port is opened again; gaps are told meanwhile."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._miss(now)
        self._adopt(now)
        if self._failures > 1:
            await self._sleep_until(now + seconds)
        self._realign(self._clock.now())

    async def _poll(self, roster: Roster) -> None:
        loop = asyncio.get_running_loop()
        roster.fill(self.units.values(), loop.time())
        while not self._ending:
            if self.commands.waiting:
                await self.commands.serve()
            now = loop.time()
            if self._changed and self._adopt(now):
                roster.fill(self.units.values(), now)
            if self._look_at_clock:
                self._look_at_clock = False
                self._realign(self._clock.now())
                roster.fill(self.units.values(), now)
            turn = roster.next(now)
            if turn.job is not None:
                await self._ask(roster, turn.job, now)
            elif turn.probe is not None:
                await self._probe(roster, turn.probe, turn.wait_s, now)
            elif not self.commands.waiting:
                until = turn.until
                if roster.pending():
                    until = min(until, self._tell_gaps(roster, now))
                await self._sleep_until(until)

    async def _ask(self, roster: Roster, job: Job, now: float) -> None:
        """Poll one job; its slot is settled whatever happens."""
        loop = asyncio.get_running_loop()
        unit = job.unit
        at = self._clock.now()
        if abs(at.wall_ms - at.mono_ms - self._skew_ms) > STEP_MS:
            self._look_at_clock = True
        for gap in job.line.ask(now):
            self._sink(gap)
        unit.asked += 1
        self._beat.promise(now + unit.worst_s + GRACE_S)
        answer: Answer | None = None
        why = "interrupted"  # stopped, or a bug: the slot was asked all the same
        try:
            answer = await unit.driver.scan(job.points)
            if not answer.answered and unit.state == "online" and not unit.failures:
                # One lost frame is no lost slot: ask once more if nobody is due.
                again = loop.time()
                unit.failures = 1
                if roster.room(again) > again - now:
                    now, at = again, self._clock.now()
                    self._beat.promise(now + unit.worst_s + GRACE_S)
                    answer = await unit.driver.scan(job.points)
                else:
                    unit.failures = 0
        except BusError as exc:
            why = exc.reason
            raise
        finally:
            self._keep(unit, at, answer or _all_bad(job.points, why))
        after = loop.time()
        self._through()
        self._judge(unit, at, answer)
        roster.polled(job, after, after - now, answered=answer.answered)

    async def _probe(
        self, roster: Roster, unit: Unit, wait_s: float | None, now: float
    ) -> None:
        """Ask a silent unit; only an answer, or a failure that counts, is recorded."""
        loop = asyncio.get_running_loop()
        job = unit.jobs[0]
        at = self._clock.now()
        self._beat.promise(now + unit.worst_s + GRACE_S)
        unit.asked += 1
        lost: BusError | None = None
        try:
            answer = await unit.driver.scan(job.points, wait_s=wait_s)
        except BusError as exc:
            # A connection that is closed for being silent: the unit is, all the same.
            answer = _all_bad(job.points, exc.reason, str(exc))
            lost = exc
        else:
            self._through()
        after = loop.time()
        known_dead = unit.failures >= OFFLINE_AFTER
        if (answer.answered or not known_dead) and job.line.open_slot(now):
            for gap in job.line.ask(now):
                self._sink(gap)
            self._keep(unit, at, answer)
        self._judge(unit, at, answer)
        if answer.answered:
            roster.up(unit)
        else:
            roster.probed(unit, after, after - now, wait_s)
        if lost is not None:
            raise lost

    # -- what came ----------------------------------------------------------

    def _keep(self, unit: Unit, at: Instant, answer: Answer) -> None:
        if answer.flaws:
            for flaw in answer.flaws.values():
                unit.reasons[flaw.reason] = unit.reasons.get(flaw.reason, 0) + 1
        if answer.waited_s >= 0.001:  # noqa: PLR2004 - what an instant resolves
            at = _later(at, answer.waited_s)
        self._sink(
            Scan(
                unit.conf.name,
                at,
                answer.values,
                answer.flaws,
                answer.flags,
                answer.sampled,
                answer.age_ms,
            )
        )
        if answer.own_time is not None:
            self._offer(answer.own_time)

    def _offer(self, told: OwnTime) -> None:
        """Hand a receiver's time to the clock, which decides what it is worth."""
        now, ago_s = self._clock.now(), asyncio.get_running_loop().time() - told.loop_s
        self._on_time(told.utc_ms, now.mono_ms - round(1000 * ago_s))

    def _judge(self, unit: Unit, at: Instant, answer: Answer) -> None:
        """Count, and tell a change between online and offline."""
        if answer.answered:
            unit.answered += 1
            unit.failures = 0
            if answer.values:
                unit.last_good = at
            if unit.state == "online":
                return
        else:
            unit.failures += 1
        was, unit.state = unit.state, settle_state(unit)
        if unit.state == "offline" and was != "offline":
            unit.since = at
            event = events.device_offline(unit.conf, unit.failures, at)
            detail = worded(answer.detail, language())
            said = f"{event.text[language()]} {detail}".rstrip()
            log.warning("%s", said, extra=CHANGE)
            self._sink(event)
        elif unit.state == "online" and was == "offline":
            self._tell(events.device_online(unit.conf, unit.since or at, at))
            unit.since = at
        elif unit.since is None and unit.state == "online":
            unit.since = at
            log.info(t("log.device_first", device=unit.conf.name, bus=self.name))

    def _trusted_ms(self) -> int | None:
        """UTC milliseconds, where the clock may be relied on."""
        at = self._clock.now()
        return at.wall_ms if at.trusted else None

    # -- the port -----------------------------------------------------------

    def _lost(self, exc: BusError) -> None:
        """The port is gone; told once, when trying again at once did not help."""
        self._failures += 1
        self.link_error = str(exc)
        self.commands.close(str(exc))
        if self._failures > 1 and self.link != "gone":
            self._cut_gaps("backed_off")
            self.link = "gone"
            self.link_since = at = self._clock.now()
            event = events.bus_gone(self.name, str(exc), at)
            log.warning("%s", event.text[language()], extra=CHANGE)
            self._sink(event)

    def _through(self) -> None:
        """An exchange went through, with or without an answer: the port works."""
        if self._failures == 0 and self.link == "open":
            return
        self._failures = 0
        was, began = self.link, self.link_since
        self.link = "open"
        self.link_since = at = self._clock.now()
        if was == "gone":
            self._cut_gaps("bus_gone")
            self.reopened += 1
            self._tell(events.bus_back(self.name, began or at, at))

    def _tell(self, event: Event) -> None:
        """Record and log good news."""
        log.info("%s", event.text[language()], extra=CHANGE)
        self._sink(event)

    # -- slots and devices --------------------------------------------------

    def _miss(self, now: float) -> None:
        """Windows that closed without a port; a quick reconnect changes no cause."""
        for unit in self.units.values():
            silent = unit.failures and self.link != "gone"
            for job in unit.jobs:
                for gap in job.line.skip(now, "backed_off" if silent else "bus_gone"):
                    self._sink(gap)

    def _cut_gaps(self, cause: str) -> None:
        """Silent units are not asked for another cause from here on."""
        silent = [unit for unit in self.units.values() if unit.failures]
        self._close_gaps(silent, asyncio.get_running_loop().time(), cause)

    def _tell_gaps(self, roster: Roster, now: float) -> float:
        """Open and restate the gaps of silent units; when to look again."""
        wake = math.inf
        for unit in roster.pending():
            for job in unit.jobs:
                if now >= job.line.wake():
                    for gap in job.line.skip(now, "backed_off"):
                        self._sink(gap)
                wake = min(wake, job.line.wake())
        return wake

    def _adopt(self, now: float) -> bool:
        """Bring the units in line with the wanted devices; whether any changed."""
        if not self._changed:
            return False
        self._changed = False
        kept: dict[str, Unit] = {}
        turns = len(self._wanted)
        for turn, (name, conf) in enumerate(self._wanted.items()):
            unit = self.units.get(name)
            if unit is None or unit.conf != conf:
                if unit is not None:
                    self._dismiss(unit, now)
                    self._end_lines(unit, conf)
                unit = self._unit(conf, turn, turns, now)
            kept[name] = unit
        for name, unit in self.units.items():
            if name not in kept:
                self._dismiss(unit, now)
                self._end_lines(unit, None)
        self.units = kept
        self._worst_s = max((unit.worst_s for unit in kept.values()), default=0.0)
        self._sink = self._next_sink
        return True

    def _unit(self, conf: DeviceConf, turn: int, turns: int, now: float) -> Unit:
        unit = Unit(conf, self._make_device(conf, self._port))
        place = Place(self._gateway, *self._among, turn, turns)
        for every_s, points, covers in periods(conf):
            phase = phase_s(every_s, place)
            slots = Slots(every_s, phase, now, self._offset)
            line = SlotLine(conf.name, covers, slots, self._when)
            names = tuple(point.name for point in points)
            self._orders += 1
            unit.jobs.append(Job(unit, names, line, self._orders))
            unit.worst_s = max(unit.worst_s, 2 * unit.driver.worst_case_s(names))
        return unit

    def _close_gaps(
        self, units: Iterable[Unit], now: float, cause: str, *, final: bool = False
    ) -> None:
        """Settle what has passed under this cause; what follows has another."""
        for unit in units:
            for job in unit.jobs:
                for gap in job.line.close(now, cause, final=final):
                    self._sink(gap)

    def _dismiss(self, unit: Unit, now: float) -> None:
        for job in unit.jobs:
            job.ticket += 1
        close = getattr(unit.driver, "close", None)
        if close is not None:  # one that listens: what comes is another's from now on
            close()
        self._close_gaps((unit,), now, "maintenance")

    def _end_lines(self, unit: Unit, after: DeviceConf | None) -> None:
        """Say that a device's lines of slots end: each by a gap of no slots.

        Args:
            unit: As it was, its gaps closed.
            after: What the device is from now on: other lines begin.
        """
        at = self._clock.now()
        cause = "changed" if after else "removed"
        for job in unit.jobs:
            line = job.line
            points, every_ms = line.points, line.every_ms
            self._sink(Gap(unit.conf.name, points, at, at, 0, cause, every_ms=every_ms))

    # -- time ---------------------------------------------------------------

    def _when(self, moment: float) -> Instant:
        """A moment of the loop's time, by every clock as they stand now."""
        now = self._clock.now()
        ago = round((asyncio.get_running_loop().time() - moment) * 1000)
        return Instant(now.wall_ms - ago, now.mono_ms - ago, now.boot, now.trusted)

    def _realign(self, at: Instant) -> None:
        """Lay the grids anew if the wall clock stepped; slot numbers stay."""
        skew_ms = at.wall_ms - at.mono_ms
        if abs(skew_ms - self._skew_ms) <= STEP_MS:
            return
        self._offset += (skew_ms - self._skew_ms) / 1000
        self._skew_ms = skew_ms
        for unit in self.units.values():
            for job in unit.jobs:
                job.line.slots.realign(job.line.next, self._offset)

    async def _sleep_until(self, moment: float) -> None:
        """Until that loop time, or until woken; one timer, no task."""
        loop = asyncio.get_running_loop()
        self._beat.promise(moment + GRACE_S)
        waiter = self._waiter = loop.create_future()
        timer = loop.call_at(moment, _wake, waiter) if moment < math.inf else None
        try:
            await waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def _wake(self) -> None:
        if self._waiter is not None:
            _wake(self._waiter)

    def _progress(self) -> None:
        """An exchange begins: a scan of many, or a command between two, goes on."""
        now = asyncio.get_running_loop().time()
        self._beat.promise(now + 2 * self._worst_s + GRACE_S)

    async def _command(self, work: Callable[[], Awaitable[T]]) -> T:
        return await self.commands.submit(work)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _all_bad(points: Sequence[str], reason: str, detail: str = "") -> Answer:
    flaw = Flaw(Quality.BAD, reason)
    return Answer({}, dict.fromkeys(points, flaw), answered=False, detail=detail)


def _later(at: Instant, seconds: float) -> Instant:
    ms = round(seconds * 1000)
    return Instant(at.wall_ms + ms, at.mono_ms + ms, at.boot, at.trusted)
