"""The devices of a simulated site, each of which can be made to fail.

A part belongs to one bus. :func:`make_lines` puts all devices of a bus on a line: what
serves one opening of it, and the parts by name.
"""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from drivers.profiles.model import ModbusPoint
from simulators import analyzer_kinds as kinds
from simulators.analyzer_line import AnalyzerLine, AnalyzerServer, AsciiFault, Mischief
from simulators.analyzers import Wanted
from simulators.analyzers import make as make_instrument
from simulators.dlt645_meter import ProfileMeter
from simulators.dlt645_station import MeterServer, MeterStation
from simulators.hj212 import Caller, Pushing, Talk
from simulators.hj212_instrument import Instrument
from simulators.profiled import ProfileUnit
from simulators.receiver import Receiver, Spell, Trouble
from simulators.receivers import GpsdStream, Output, ReceiverStream
from simulators.station import AsciiServer, RtuServer, Station, TcpServer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulators.site_plan import BusPlan, DevicePlan, SitePlan

TURNAROUND_S = 0.02
_COUNT_FROM_S = 1_735_689_600
"""2025-01-01T00:00:00Z: counters count from here."""
_BROKEN_MA = 3.0
"""What a 4-20 mA input reads with its wire off: below any live zero."""
_CHINA_S = 8 * 3600
_HOUR_S = 3600
_SPELLS = 20
"""Troubles of a receiver that are remembered."""


class Part(Protocol):
    """One device as its operator sees it."""

    faults: tuple[str, ...]
    """What can be done to it, beside killing it."""

    def kill(self) -> None:
        """Say nothing any more."""
        ...

    def revive(self) -> None:
        """Be well again, whatever was done."""
        ...

    def spoil(self, fault: str) -> None:
        """Do one of ``faults`` to it. Raises KeyError for any other word."""
        ...


class World(NamedTuple):
    """What parts need to know of the world."""

    seed: int
    position: tuple[float, float]
    """Longitude, latitude."""
    utc_s: Callable[[], float]
    paced: bool
    """Whether bytes take their time: a pty has none of its own."""
    said: Callable[[str, str, float], None]
    """Told what a device said: its name, the point (or quantity), the number."""


@dataclass
class Line:
    """A bus with its devices."""

    bus: BusPlan
    serve: Callable[[], asyncio.Protocol]
    """For each opening of the line, or each connection."""
    parts: dict[str, Part] = field(default_factory=dict)
    call: Callable[[str, int], Caller] | None = None
    """Where the gateway listens: connects to it, host and port."""


def make_lines(plan: SitePlan, world: World) -> dict[str, Line]:
    """All lines of a site; nothing is opened."""
    makers = {
        "modbus": _modbus,
        "dlt645": _dlt645,
        "ascii": _ascii,
        "hj212": _hj212,
        "gnss": _gnss,
    }
    return {
        bus.name: makers[bus.family](bus, plan.on(bus.name), world)
        for bus in plan.buses.values()
    }


class ModbusPart:
    """A unit: registers by its profile, some of them held or counting."""

    def __init__(self, plan: DevicePlan, station: Station, unit: ProfileUnit) -> None:
        self._station, self.unit = station, unit
        points = [p for p in plan.profile.points if isinstance(p, ModbusPoint)]
        self._points = {point.name: point for point in points}
        self._loops = [point for point in points if point.loop is not None]
        self.faults: tuple[str, ...] = ("wire-break",) if self._loops else ()
        self._hold = dict(plan.play.get("hold", {}))
        self._count = dict(plan.play.get("count", {}))
        self.revive()

    def kill(self) -> None:
        """See :class:`Part`."""
        self._station.dead.add(self.unit.number)

    def revive(self) -> None:
        """See :class:`Part`."""
        self._station.dead.discard(self.unit.number)
        for point in self._loops:
            self.unit.play(point.name, None)
        for name, number in self._hold.items():
            self.set(name, number)
        for name, per_s in self._count.items():
            self.unit.play(name, partial(_counted, per_s))

    def spoil(self, fault: str) -> None:
        """``wire-break``: every current input reads 3 mA."""
        if fault not in self.faults:
            raise KeyError(fault)
        for point in self._loops:
            assert point.loop is not None  # noqa: S101 - chosen so
            loop = point.loop
            share = (_BROKEN_MA - float(loop.start)) / float(loop.end - loop.start)
            value = float(loop.low) + share * float(loop.high - loop.low)
            self.unit.play(point.name, partial(_held, value))

    def set(self, point: str, number: float) -> None:
        """Let a point hold this raw number. Raises KeyError where there is none."""
        found = self._points[point]
        named = found.type == "bool" or found.enum or found.bits
        value = number if named else number * float(found.scale) + float(found.offset)
        self.unit.play(point, partial(_held, value))


class MeterPart:
    """A DL/T 645 meter."""

    faults: tuple[str, ...] = ()

    def __init__(self, station: MeterStation, address: str) -> None:
        self._station, self._address = station, address

    def kill(self) -> None:
        """See :class:`Part`."""
        self._station.dead.add(self._address)

    def revive(self) -> None:
        """See :class:`Part`."""
        self._station.dead.discard(self._address)

    def spoil(self, fault: str) -> None:
        """See :class:`Part`."""
        raise KeyError(fault)


class AsciiPart:
    """An instrument alone on its line."""

    faults: tuple[str, ...] = ("invalid",)

    def __init__(self, line: AnalyzerLine, seed: int) -> None:
        self._line, self._seed = line, seed
        self.revive()

    def kill(self) -> None:
        """See :class:`Part`."""
        self._line.mischief = self._all(AsciiFault.SILENT)

    def revive(self) -> None:
        """See :class:`Part`."""
        self._line.mischief = Mischief(seed=self._seed)

    def spoil(self, fault: str) -> None:
        """``invalid``: its own mark stands where a value was."""
        self._line.mischief = self._all({"invalid": AsciiFault.INVALID}[fault])

    def _all(self, fault: AsciiFault) -> Mischief:
        return Mischief([fault], share=1.0, seed=self._seed)


class PushingPart:
    """An HJ 212 instrument."""

    faults: tuple[str, ...] = ("flag-D",)

    def __init__(self, instrument: Instrument, pushing: Pushing) -> None:
        self.instrument, self._pushing = instrument, pushing

    def kill(self) -> None:
        """See :class:`Part`."""
        self._pushing.silent.add(self.instrument.mn)

    def revive(self) -> None:
        """See :class:`Part`."""
        self._pushing.silent.discard(self.instrument.mn)
        self.instrument.flag = "N"

    def spoil(self, fault: str) -> None:
        """``flag-D``: it marks its values as those of a faulty instrument."""
        self.instrument.flag = {"flag-D": "D"}[fault]


class ReceiverPart:
    """A satellite receiver; its life began with the site."""

    faults: tuple[str, ...] = ("no-fix", "jam")

    def __init__(self, world: World, systems: Sequence[str]) -> None:
        now = world.utc_s()
        self.born_s = asyncio.get_running_loop().time() - now % 1
        self._spells: list[Spell] = []
        longitude, latitude = world.position
        self.receiver = Receiver(
            int(now) * 1000,
            ((latitude, longitude),),
            systems=systems,
            spells=self._spells,
            seed=world.seed,
        )

    def kill(self) -> None:
        """See :class:`Part`."""
        self._begin(Trouble.SILENT)

    def revive(self) -> None:
        """See :class:`Part`; what was stays what it was."""
        now = self._life_s()
        ended = [
            spell._replace(until_s=min(spell.until_s, now)) for spell in self._spells
        ]
        self._spells[:] = ended[-_SPELLS:]

    def spoil(self, fault: str) -> None:
        """``no-fix``: too few satellites; ``jam``: noise on the band."""
        self._begin({"no-fix": Trouble.NO_FIX, "jam": Trouble.JAM}[fault])

    def _begin(self, trouble: Trouble) -> None:
        self._spells.append(Spell(trouble, self._life_s(), math.inf))

    def _life_s(self) -> float:
        """Now; what is said at this very instant stays as it is."""
        return asyncio.get_running_loop().time() - self.born_s + 0.001


# -- lines ----------------------------------------------------------------------


def _modbus(bus: BusPlan, devices: Sequence[DevicePlan], world: World) -> Line:
    units = []
    for plan in devices:
        number = plan.address
        assert isinstance(number, int)  # noqa: S101 - as the site file has it
        unit = ProfileUnit(
            number,
            plan.profile,
            seed=world.seed,
            utc_s=world.utc_s,
            shapes=plan.shapes,
        )
        unit.said = partial(world.said, plan.name)
        units.append(unit)
    serial = bus.way == "serial"
    station = Station(units, turnaround_s=TURNAROUND_S if serial else 0.004)
    parts: dict[str, Part] = {
        plan.name: ModbusPart(plan, station, unit)
        for plan, unit in zip(devices, units, strict=True)
    }
    if bus.protocol == "modbus-tcp":
        return Line(bus, partial(TcpServer, station), parts)
    kind = AsciiServer if bus.protocol == "modbus-ascii" else RtuServer
    baud = bus.baud if serial and world.paced else 0
    return Line(bus, partial(kind, station, baud=baud), parts)


def _dlt645(bus: BusPlan, devices: Sequence[DevicePlan], world: World) -> Line:
    meters = []
    for plan in devices:
        meter = ProfileMeter(
            str(plan.address), plan.profile, seed=world.seed, utc_s=world.utc_s
        )
        meter.said = partial(world.said, plan.name)
        meters.append(meter)
    station = MeterStation(meters, turnaround_s=TURNAROUND_S, seed=world.seed)
    parts: dict[str, Part] = {
        plan.name: MeterPart(station, meter.address)
        for plan, meter in zip(devices, meters, strict=True)
    }
    baud = bus.baud if bus.way == "serial" and world.paced else 0
    return Line(bus, partial(MeterServer, station, baud=baud), parts)


def _ascii(bus: BusPlan, devices: Sequence[DevicePlan], world: World) -> Line:
    (plan,) = devices
    play = plan.play
    kind = play["kind"]
    levels = {name: shape[:2] for name, shape in plan.shapes.items()}
    waves = kinds.Waves(world.seed, world.utc_s, levels)
    values = Telling(waves, plan.name, world)
    if kind == "bam":
        # Its one record of an hour stays what it is until the next.
        hourly = kinds.Waves(world.seed, lambda: world.utc_s() // _HOUR_S * _HOUR_S)
        telling = Telling(hourly, plan.name, world)
        instrument: kinds.Instrument = kinds.Bam(telling, partial(_hour, world))
    else:
        gases = tuple(play.get("gases", ()))
        wanted = Wanted(kind, str(plan.address or ""), gases)
        instrument = make_instrument(wanted, values, float(play.get("every_s", 1)))
    line = AnalyzerLine([instrument])
    parts: dict[str, Part] = {plan.name: AsciiPart(line, world.seed)}
    return Line(bus, partial(AnalyzerServer, line), parts)


def _hj212(bus: BusPlan, devices: Sequence[DevicePlan], world: World) -> Line:
    pushing = Pushing(
        every_s=max(plan.play["push_s"] for plan in devices),
        seed=world.seed,
        utc_s=world.utc_s,
    )
    parts: dict[str, Part] = {}
    instruments = []
    for plan in devices:
        instrument = Instrument(
            str(plan.address),
            plan.profile,
            dialect=plan.play.get("dialect", "2017"),
            seed=world.seed,
            shapes=plan.shapes,
        )
        instruments.append(instrument)
        parts[plan.name] = PushingPart(instrument, pushing)

    def call(host: str, port: int) -> Caller:
        return Caller(host, port, instruments, pushing)

    return Line(bus, partial(Talk, instruments, pushing), parts, call)


def _gnss(bus: BusPlan, devices: Sequence[DevicePlan], world: World) -> Line:
    (plan,) = devices
    part = ReceiverPart(world, plan.play.get("systems", ("GP", "GB")))
    paced = bus.way == "serial" and world.paced
    output = Output(baud=bus.baud if paced else 0)
    kind = GpsdStream if bus.way == "gpsd" else ReceiverStream
    serve = partial(kind, part.receiver, output, lambda: part.born_s)
    return Line(bus, serve, {plan.name: part})


class Telling:
    """Values that are told when they are said."""

    def __init__(self, values: kinds.Values, device: str, world: World) -> None:
        self._values, self._device, self._said = values, device, world.said

    def __call__(self, quantity: str) -> float:
        """See ``analyzer_kinds.Values``."""
        value = self._values(quantity)
        self._said(self._device, quantity, value)
        return value


def _hour(world: World) -> str:
    """The hour that has begun, as the site's clocks show it."""
    local = time.gmtime(world.utc_s() + _CHINA_S)
    return time.strftime("%m/%d/%y %H:00", local)


def _held(value: float, _utc_s: float) -> float:
    return value


def _counted(per_s: float, utc_s: float) -> float:
    return (utc_s - _COUNT_FROM_S) * per_s
