"""One run of the ASCII fault bar: a line, faulty analyzers, and the verdict.

Each value says whose it is (device and question) and when it was born, so wrong, stale,
good and lost polls follow without asking the driver anything.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

import msgspec

from drivers.ascii import AsciiDevice, Timing
from drivers.ascii.line import AsciiLine
from drivers.byte_line import ByteLine
from drivers.errors import BusError
from drivers.profiles.library import profile_from_text
from simulators import analyzer_kinds as kinds
from simulators.analyzer_line import AnalyzerLine, AnalyzerServer, AsciiFault, Mischief
from tests.support.virtual import running_loop

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulators.analyzer_kinds import Instrument

TIMEOUT_S = 0.5
STALE_TIMES = 1.5
CODES = 100
UNASKED_S = 0.1

_HEAD = """
profile: bench
maker: bench
models: [bench]
protocol: ascii
evidence: generic
source: "bench"
"""
ECHO = (
    _HEAD
    + """
dialogue:
  frame: {end: [<CR>, <LF>]}
  errors: {bad cmd: unsupported, data not valid: not_available}
  asks:
    no: {send: "{id}no<CR>", pattern: "no {value} {unit}"}
    no2: {send: "{id}no2<CR>", pattern: "no2 {value} {unit}"}
    nox: {send: "{id}nox<CR>", pattern: "nox {value} {unit}"}
points:
  - {name: no, ask: no, field: value, unit: P, unit_field: unit, units: &u {ppb: P}}
  - {name: no2, ask: no2, field: value, unit: P, unit_field: unit, units: *u}
  - {name: nox, ask: nox, field: value, unit: P, unit_field: unit, units: *u}
"""
)
CHECKED = (
    _HEAD
    + """
dialogue:
  address: Q
  frame: {start: <STX>, end: <ETX>, after: 2}
  check: xor
  asks:
    speed:
      send: "?{address}"
      starts: "{address},"
      columns: {count: 4-5}
      status: [{field: 4, good: ["00"]}]
points:
  - {name: speed, field: 2, unit: m/s, unit_field: 3, units: {M: m/s}}
"""
)
BARE = (
    _HEAD
    + """
dialogue:
  invalid: ["-"]
  asks:
    pm: {send: "RMMEAS<CR>", columns: {count: 3}}
points:
  - {name: pm, field: 2, unit: mg/m3}
"""
)


class Row(msgspec.Struct, kw_only=True):
    """What became of the polls of one run."""

    fault: str
    factor: float | None
    line: str
    pace: str
    polls: int = 0
    good: int = 0
    wrong: int = 0
    stale: int = 0
    unfaulted: int = 0
    unfaulted_good: int = 0
    faulted: int = 0
    unasked: int = 0
    """Not asked, because an earlier answer was still out."""
    reasons: dict[str, int] = {}
    seconds: float = 0.0
    seed: int = 0

    @property
    def share(self) -> float:
        """Good ones among the questions that left and whose reply met no fault."""
        return self.unfaulted_good / self.unfaulted if self.unfaulted else 1.0


class Stamps:
    """Values that say whose they are, and when they were born."""

    def __init__(self, base: int, now_ms: Callable[[], int]) -> None:
        self._base, self._now_ms = base, now_ms
        self.codes: dict[str, int] = {}

    def __call__(self, quantity: str) -> float:
        """``milliseconds * 100 + code``."""
        code = self.codes.setdefault(quantity, self._base + len(self.codes))
        return self._now_ms() * CODES + code


class AsciiBench:
    """Analyzers of one kind on one virtual line."""

    def __init__(
        self, line: str, fault: AsciiFault, *, factor: float | None, seed: int
    ) -> None:
        loop = running_loop()
        self._loop, self._started = loop, loop.time()
        self._who: str | None = None
        self._stamps = [Stamps(10 * (n + 1), self.now_ms) for n in range(2)]
        instruments, text, addresses = self._kind(line)
        self.mischief = Mischief(
            [fault],
            share=0.3,
            seed=seed,
            # Asked while the question is open: what is in force for it.
            timeout_s=lambda: self.port.timeout_s(self._who) or TIMEOUT_S,
            late_factor=factor or 1.1,
        )
        station = AnalyzerLine(instruments, self.mischief)
        wire = loop.line("line")
        wire.attach(lambda: AnalyzerServer(station))
        self.port = AsciiLine(ByteLine("line", wire.open_port))
        profile = profile_from_text(text, "bench")
        assert profile.dialogue is not None
        self.devices = [
            AsciiDevice(
                f"bench-{address}",
                address,
                self.port,
                profile.points,
                profile.dialogue,
                Timing(TIMEOUT_S),
            )
            for address in addresses
        ]
        self.points = [point.name for point in profile.points]

    def _kind(self, line: str) -> tuple[list[Instrument], str, list[str | None]]:
        one, two = self._stamps
        gases = ("no", "no2", "nox")
        if line == "echo":
            both = [kinds.Thermo(one, 1, gases), kinds.Thermo(two, 2, gases)]
            return [*both], ECHO, ["1", "2"]
        if line == "checked":
            sonics = [kinds.WindSonic(one, "Q", 0), kinds.WindSonic(two, "R", 0)]
            return [*sonics], CHECKED, ["Q", "R"]
        return [kinds.DustTrak(one)], BARE, [None]

    def now_ms(self) -> int:
        """Milliseconds since the start."""
        return int((self._loop.time() - self._started) * 1000)

    async def run(self, row: Row, polls: int, *, every_s: float) -> Row:
        """Poll device after device, point after point, and judge each answer."""
        await self.port.open()
        loop, started = self._loop, self._loop.time()
        order = [(d, p) for d in self.devices for p in self.points]
        turns, next_at = itertools.cycle(order), started
        for number in range(polls):
            if every_s and number % len(order) == 0:
                await asyncio.sleep(max(0.0, next_at - loop.time()))
                next_at += every_s
            await self._poll(*next(turns), row)
        row.seconds = round(loop.time() - started, 1)
        await self.port.close()
        return row

    async def _poll(self, device: AsciiDevice, point: str, row: Row) -> None:
        before = self.mischief.met.copy()
        asked_ms = self.now_ms()
        self._who = device._who
        row.polls += 1
        good = False
        try:
            answer = await device.scan([point])
        except BusError as exc:
            _count(row.reasons, exc.reason)
            await self._reopen()
        else:
            flaw = answer.flaws.get(point)
            if flaw is not None:
                _count(row.reasons, flaw.reason)
            if point in answer.values:
                good = True
                row.good += 1
                force = self.port.timeout_s(device._who)
                self._judge(device, point, answer.values[point], asked_ms, force, row)
        met = self.mischief.met - before
        if not met:
            row.unasked += 1
            # Nothing was sent: a worker would turn to something else meanwhile.
            await asyncio.sleep(UNASKED_S)
        elif set(met) - {""}:
            row.faulted += 1
        else:
            row.unfaulted += 1
            row.unfaulted_good += good

    async def _reopen(self) -> None:
        while True:
            await asyncio.sleep(0.05)
            try:
                await self.port.open()
            except BusError:
                continue
            return

    def _judge(
        self,
        device: AsciiDevice,
        point: str,
        value: object,
        asked_ms: int,
        force: float,
        row: Row,
    ) -> None:
        born_ms, code = divmod(int(float(str(value))), CODES)
        stamps = self._stamps[self.devices.index(device)]
        row.wrong += code != stamps.codes.get(point, -1)
        oldest = asked_ms - STALE_TIMES * 1000 * force
        row.stale += not oldest - 1 <= born_ms <= self.now_ms()


def _count(reasons: dict[str, int], word: str) -> None:
    reasons[word] = reasons.get(word, 0) + 1
