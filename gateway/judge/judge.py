"""Between the workers and the recorder: judges scans, and says where they were taken.

    worker --> Judge.before(devices, keep) --> keep (store)
                        |  a scan gets its states and doubts (``flagger``), and its
                        |  ``pos`` where the station moves
                        `- after it is stored: events and tracks that follow from it

A bus whose devices have nothing to judge gets ``keep`` itself back: it costs nothing.
No value is ever changed here. What must not be forgotten is kept in the store: at once
when something was told, else now and then.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

import msgspec

from gateway.config.place_keys import has_position
from gateway.config.places import Reception
from gateway.judge.contact_watch import ContactWatch
from gateway.judge.counter_watch import CounterWatch
from gateway.judge.fix import fix_of
from gateway.judge.flag_watches import FlagWatch, RuleWatch, SignWatch
from gateway.judge.flagger import Flagger
from gateway.judge.parameter_watch import ParameterWatch
from gateway.judge.place_watches import FenceWatch, ReceptionWatch
from gateway.judge.position import Whereabouts
from gateway.judge.states import OF_FLAG
from gateway.judge.times import earlier
from gateway.judge.told import unwatched
from gateway.judge.track import TrackWatch
from gateway.judge.watch import Noted
from gateway.record import Event, Gap, Scan

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from gateway.clock import Instant
    from gateway.config.model import Device, Site
    from gateway.judge.states import State
    from gateway.judge.watch import Watch
    from gateway.record import Record

log = logging.getLogger(__name__)

NOTE = "judge"
"""What is kept in the store."""
KEEP_MS = 300_000
"""So often is kept what changes with every scan: last readings, last seen so."""


class Unit:
    """All that is watched at one device."""

    def __init__(
        self, watches: list[Watch], *, place: bool, flagger: Flagger | None
    ) -> None:
        self.watches = watches
        self.place = place
        """Whether it says where it is."""
        self.flagger = flagger
        self._rules = [w for w in watches if isinstance(w, RuleWatch)]
        self._parameters = [w for w in watches if isinstance(w, ParameterWatch)]

    def take(self, scan: Scan, whereabouts: Whereabouts | None) -> Iterator[Record]:
        """What follows from one scan."""
        moment = fix_of(scan) if self.place else None
        if whereabouts is not None and moment is not None:
            whereabouts.add(moment)
        for watch in self.watches:
            yield from watch.take(scan, moment)

    def silent(self, gap: Gap) -> Iterator[Record]:
        """What follows from slots in which it was not asked."""
        for watch in self._rules:
            if watch.point in gap.points or "*" in gap.points:
                yield from watch.silent(gap.until)

    def pressing(self) -> bool:
        """Whether anything is to be kept at once that no event tells of."""
        found = [watch for watch in self._parameters if watch.pressing]
        for watch in found:
            watch.pressing = False
        return bool(found)


class Declared(Protocol):
    """What an operator declared of a device; see ``windows.Windows``."""

    def concerns(self, device: str) -> bool:
        """Whether anything is declared of it now."""
        ...

    def state_at(self, device: str, at: Instant) -> State | None:
        """What was declared for an instant."""
        ...


class _Nothing:
    def concerns(self, _device: str) -> bool:
        return False

    def state_at(self, _device: str, _at: Instant) -> State | None:
        return None


class Judge:
    """The watches of the site in force."""

    def __init__(
        self,
        remember: Callable[[bytes | None, bool], None],
        recalled: bytes | None,
        *,
        now: Callable[[], Instant],
        used: Callable[[Instant], None] = lambda _at: None,
        declared: Declared | None = None,
    ) -> None:
        """Begin with what earlier runs kept.

        Args:
            remember: Keeps bytes in the store; True: not at once.
            recalled: What was kept last.
            now: The clock.
            used: Told which instant of an earlier boot a record refers to.
            declared: An operator's maintenance windows.
        """
        self._remember = remember
        self._now = now
        self._used = used
        self.declared: Declared = declared or _Nothing()
        self._kept = recalled
        self._noted = _read(recalled)
        """Of earlier runs, until the first site takes it over."""
        self._units: dict[str, Unit] = {}
        self._position: str | None = None
        self._whereabouts: Whereabouts | None = None
        self._kept_ms = now().mono_ms

    def adopt(self, site: Site) -> Iterator[Record]:
        """Go over to another site: what it watches as before goes on as it was.

        Yields:
            The ends of what nobody watches any more.
        """
        before = {w.key: w for unit in self._units.values() for w in unit.watches}
        self._units = {}
        for device in site.devices.values():
            watches: list[Watch] = []
            for new in _watches(device, site):
                old = before.pop(new.key, None)
                if old is not None and old.conf == new.conf:
                    watches.append(old)
                    continue
                if old is not None:
                    yield from old.retire()
                known = self._noted.pop(new.key, None) if old is None else old.note()
                watches.append(_restored(new, known))
            mobile = site.mobile is not None and site.mobile.position == device.name
            if watches or mobile:
                self._units[device.name] = self._unit(device, watches)
        at = self._now()
        for watch in before.values():
            yield from watch.drop(at)
        for noted in self._noted.values():
            for told in noted.told.values():
                yield unwatched(noted.device, told, at)
        self._noted = {}
        self._go_mobile(site)
        self._keep(lazily=False)

    def before(
        self, devices: Collection[Device], keep: Callable[[Record], None]
    ) -> Callable[[Record], None]:
        """What a worker with these devices hands its records to, instead of ``keep``.

        Bound to the site in force: what was asked before a reload is judged as it was
        asked.
        """
        units = {d.name: self._units[d.name] for d in devices if d.name in self._units}
        for device in devices:
            if self.declared.concerns(device.name):
                known = units.get(device.name)
                watches = known.watches if known else []
                units[device.name] = self._unit(device, watches)
        whereabouts, position = self._whereabouts, self._position
        if not units and whereabouts is None:
            return keep

        def judged(record: Record) -> None:
            if type(record) is not Scan:
                keep(record)
                if type(record) is Gap and (unit := units.get(record.device)):
                    tell(unit.silent(record), record.until)
                return
            unit = units.get(record.device)
            if unit is not None and unit.flagger is not None:
                record = unit.flagger.judge(record)
            if whereabouts is not None and record.device != position:
                record = _placed(record, whereabouts)
            keep(record)
            if unit is None:
                return
            here = whereabouts if record.device == position else None
            tell(unit.take(record, here), record.at, pressing=unit.pressing)

        def tell(
            records: Iterator[Record],
            at: Instant,
            pressing: Callable[[], bool] = lambda: False,
        ) -> None:
            told = False
            for found in records:
                keep(found)
                if type(found) is Event:
                    told = True
                    self._used(found.at)  # of an earlier boot, perhaps
            if pressing() or told:
                self._keep(lazily=False)
            elif at.mono_ms - self._kept_ms >= KEEP_MS:
                self._keep(lazily=True)

        return judged

    def close(self) -> Iterator[Record]:
        """The gateway stops: what is gathered is told, what must last is kept."""
        at = self._now()
        for unit in self._units.values():
            for watch in unit.watches:
                if isinstance(watch, TrackWatch):
                    yield from watch.drop(at)
        self._keep(lazily=False)

    def _unit(self, device: Device, watches: list[Watch]) -> Unit:
        shown = [w for w in watches if isinstance(w, SignWatch)]
        rules = [w for w in watches if isinstance(w, RuleWatch)]
        flags = any(isinstance(w, FlagWatch) for w in watches)
        flagger = None
        if shown or rules or flags or self.declared.concerns(device.name):
            state_at = self.declared.state_at
            flagger = Flagger(device.name, shown, rules, state_at)
        return Unit(watches, place=has_position(device.points), flagger=flagger)

    def _go_mobile(self, site: Site) -> None:
        mobile = site.mobile
        if mobile is None:
            self._position = self._whereabouts = None
        elif self._whereabouts is None or self._position != mobile.position:
            self._whereabouts = Whereabouts(mobile.max_age_s)
            self._position = mobile.position
        else:
            self._whereabouts.max_age_s = mobile.max_age_s

    def _keep(self, *, lazily: bool) -> None:
        self._kept_ms = self._now().mono_ms
        notes = {
            watch.key: noted
            for unit in self._units.values()
            for watch in unit.watches
            if (noted := watch.note()) is not None
        }
        kept = msgspec.msgpack.encode(notes) if notes else None
        if kept != self._kept:
            self._kept = kept
            self._remember(kept, lazily)


def _watches(device: Device, site: Site) -> Iterator[Watch]:
    """Everything the site watches at a device."""
    yield from _flag_watches(device, site)
    for point in device.points:
        if point.contact is not None:
            yield ContactWatch(device, point, point.contact)
        if point.counter is not None:
            yield CounterWatch(device, point, point.counter)
    if not has_position(device.points):
        return
    for fence in site.fences.values():
        if fence.device == device.name:
            yield FenceWatch(device, fence)
    reception = device.reception or Reception()
    if reception.no_fix_s is not None or reception.jamming:
        yield ReceptionWatch(device, reception)
    if device.track is not None:
        yield TrackWatch(device, device.track)


def _flag_watches(device: Device, site: Site) -> Iterator[Watch]:
    """Its states, the rules of its points, its parameters."""
    bus = site.buses.get(device.bus)
    if bus is not None and bus.family == "hj212":
        for state in OF_FLAG.values():
            yield FlagWatch(device, state)
    for number, sign in enumerate(device.states):
        yield SignWatch(device, sign, number)
    for rules in device.rules:
        yield RuleWatch(device, rules)
    for point in device.points:
        if point.name in device.parameters:
            yield ParameterWatch(device, point)


def _restored(watch: Watch, known: Noted | None) -> Watch:
    if known is not None:
        try:
            watch.restore(known)
        except msgspec.MsgspecError as exc:
            log.warning("%s: kept by another release, begun anew: %s", watch.key, exc)
    return watch


def _placed(scan: Scan, whereabouts: Whereabouts) -> Scan:
    """With the place where its data came in: what was pushed waited for its slot."""
    age_ms = min(scan.age_ms.values()) if scan.age_ms else 0
    pos = whereabouts.at(earlier(scan.at, age_ms))
    if age_ms and isinstance(pos.get("age_ms"), int):
        pos["age_ms"] = int(pos["age_ms"]) + age_ms
    return Scan(
        scan.device,
        scan.at,
        scan.values,
        scan.flaws,
        scan.flags,
        scan.sampled,
        scan.age_ms,
        pos,
        scan.states,
    )


def _read(note: bytes | None) -> dict[str, Noted]:
    if note is None:
        return {}
    try:
        return msgspec.msgpack.decode(note, type=dict[str, Noted])
    except msgspec.MsgspecError as exc:
        log.error("what was known of alarms cannot be read: %s", exc)  # noqa: TRY400
        return {}
