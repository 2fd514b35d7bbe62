"""A stack with its instruments, and the platforms that are told of it, in memory.

    async with StackSite(tmp_path, every_s=5) as site:
        site.gas.state = CALIBRATION
        site.cities["a"].shut()
        await site.kill(away_s=90)
        ...

The composition is ``gateway.app`` itself, its site is read from a file. Three fake
Modbus instruments answer out of wave forms, and remember what they answered; an MQTT
platform and two HJ 212 platforms stand at the other end. A kill leaves what was on the
disk at that instant, and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import shutil
from collections import Counter, deque
from pathlib import Path
from string import Template

import msgspec

from gateway.app import App
from gateway.config.loader import load_site
from gateway.control import Request
from gateway.notify import Notifier
from gateway.ports import Ports
from simulators.hj212_platform_account import Account
from simulators.hj212_platform_host import Host
from tests.support.clock import VirtualClock
from tests.support.memory_link import MemoryPlatform
from tests.support.modbus_fakes import FakeDevice, registers
from tests.support.virtual import running_loop

MN = "010000A8900016F000169DC0"
NORMAL, CALIBRATION, MAINTENANCE, FAULT = range(4)
STATES = ("normal", "calibration", "maintenance", "fault")
CITIES = {"a": 2017, "b": 2025}
DAY_S = 86_400
_ROOM = 1_000_000_000
MIDNIGHT_MS = 1_780_243_200_000
"""2026-06-01 00:00 in Beijing."""

SITE = Path(__file__).with_suffix(".yaml")


def in_memory():
    """A folder where a commit costs no wait, if it has room; None: it does not matter.

    A virtual month commits as often as a real one.
    """
    folder = Path("/dev/shm")  # noqa: S108 - folders of our own are made in it
    if folder.is_dir() and shutil.disk_usage(folder).free > _ROOM:
        return folder
    return None


class Instrument:
    """A Modbus unit: registers of a time, and what may be wrong with it."""

    def __init__(self, unit, every_ms, wave):
        self.unit, self.every_ms, self._wave = unit, every_ms, wave
        self.state = NORMAL
        self.dead = False
        self.slow_s = 0.0
        self.deaf = lambda _n: False
        """Whether the n-th request gets no answer."""
        self.asked = 0
        self.phases = Counter()
        self._answered = {}
        """UTC s -> what it answered then."""

    def registers(self, t_ms):
        """What it shows now."""
        return self._wave(t_ms // self.every_ms, self.state)

    def answer(self, t_ms):
        """What it shows now, and remembers."""
        shown = self.registers(t_ms)
        self.phases[t_ms % self.every_ms] += 1
        self._answered.setdefault(t_ms // 1000, []).append(shown)
        return shown

    def at(self, t_ms):
        """All it answered to requests of this second, and of those beside it."""
        second = t_ms // 1000
        return [
            shown
            for about in (second, second + 1, second - 1)
            for shown in self._answered.get(about, ())
        ]

    def forget(self, before_ms):
        """What it answered longer ago."""
        for second in [s for s in self._answered if s < before_ms // 1000]:
            del self._answered[second]


def _noise(k, salt, width):
    return (k * 2654435761 + salt * 40503) % 1009 % (2 * width + 1) - width


def gas_wave(k, state):
    """so2, no, no2, co, hcl, o2, state; oxygen as in air for a while each night."""
    slow = math.sin(k / 700)
    oxygen = round(900 + 250 * math.sin(k / 311)) + _noise(k, 6, 20)
    if k // 240 % 36 == 5:
        oxygen = 2100 - 50 * (k % 5 == 0)
    return [
        round(350 + 180 * slow) + _noise(k, 1, 30),
        round(900 + 300 * slow) + _noise(k, 2, 50),
        round(60 + 20 * slow) + _noise(k, 3, 9),
        round(400 + 250 * math.sin(k / 97)) + _noise(k, 4, 30),
        (_noise(k, 5, 60) + 45) & 0xFFFF,
        oxygen,
        state,
    ]


def flue_wave(k, state):
    """dust, temperature, pressure, moisture, velocity, state."""
    return [
        round(52 + 20 * math.sin(k / 233)) + _noise(k, 7, 9),
        round(1250 + 80 * math.sin(k / 1200)) + _noise(k, 8, 12),
        (-180 + _noise(k, 9, 40)) & 0xFFFF,
        round(112 + 20 * math.sin(k / 900)) + _noise(k, 10, 5),
        round(1230 + 240 * math.sin(k / 400)) + _noise(k, 11, 60),
        state,
    ]


class Meter:
    """An energy meter that can be replaced by one with another reading."""

    def __init__(self):
        self._base = None

    def __call__(self, k, state):
        if self._base is None:
            self._base = k - 41_000_000
        total = (k - self._base) * 7 + k % 3
        return [total >> 16 & 0xFFFF, total & 0xFFFF]

    def replace(self, k):
        """A new one hangs there."""
        self._base = k - 12


class Endpoint:
    """A Modbus TCP server of some instruments."""

    def __init__(self, name, instruments, wall_ms):
        self.name, self._wall_ms = name, wall_ms
        self._instruments = {one.unit: one for one in instruments}

    async def up(self):
        loop = running_loop()
        self._server = await loop.create_server(self._device, self.name, 502)

    def down(self):
        self._server.drop_connections()
        self._server.close()

    def _device(self):
        device = FakeDevice(tcp=True)
        device.asked = deque(maxlen=1)

        def script(asked):
            one = self._instruments[asked.unit]
            one.asked += 1
            if one.dead or one.deaf(one.asked):
                return []
            shown = one.answer(self._wall_ms())
            held = (shown + [0] * 8)[asked.address : asked.address + asked.count]
            pdu = registers(asked.function, held)
            return [(0.004 + one.slow_s, device.frame(asked, pdu))]

        device.script = script
        return device


class Told:
    """Stands where the MQTT platform's list of messages stands: hands records on."""

    def __init__(self):
        self.seqs = {}
        """seq -> check of its content: the same seq is the same record."""
        self.lost = []
        self.repeats = 0
        self.scans = deque()
        self.gaps = {}
        """(device, points, t) -> the last telling of it."""
        self.events = []
        self.periods = {}
        """(kind, t) -> its revisions, as they came."""
        self.lanes = {}
        """(kind, t, rev) -> the lane of its first telling, and when that came."""

    def append(self, message):
        if not message.topic.endswith(("/data", "/event")):
            return
        body = json.loads(message.payload)
        for record in body["records"]:
            self._take(record, body["lane"], message.time_s)

    def _take(self, record, lane, at_s):
        seq, kind = record["seq"], record["kind"]
        content = hash(json.dumps(record, sort_keys=True))
        before = self.seqs.setdefault(seq, content)
        if before != content:
            raise AssertionError(f"seq {seq} was told with other content: {record}")
        if kind == "scan":
            self.scans.append(record)
        elif kind == "gap":
            self.gaps[record["device"], tuple(record["points"]), record["t"]] = record
        elif kind == "event":
            self.events.append(record)
        elif kind == "lost":
            self.lost.append(record)
        elif kind in {"minute", "hour", "day"}:
            key = kind, record["t"]
            revs = self.periods.setdefault(key, {})
            again = revs.setdefault(record["rev"], record)
            if again is not record:
                self.repeats += 1
                same = again["agg"] == record["agg"], again["until"] == record["until"]
                assert all(same), f"{key} rev {record['rev']} told twice, differently"
            self.lanes.setdefault((*key, record["rev"]), (lane, at_s))


class StackSite:
    """The running gateway and everything around it.

    Args:
        folder: Files of all runs.
        every_s: Period of the analyzers.
        meter_s: Of the meter.
        minutes: Length of the station's shortest period.
        realtime_s: Of both HJ 212 targets.
        backfill: Their rate.
        answer_b: City b asks for answers as well.
        gateway: Its name decides when in a period instruments are asked.
        wall_ms: When everything begins.
    """

    def __init__(
        self,
        folder,
        *,
        every_s=5,
        meter_s=15,
        minutes=1,
        realtime_s=300,
        backfill="20/s",
        answer_b=False,
        gateway="stack-7",
        wall_ms=MIDNIGHT_MS + 60_000,
    ):
        self.folder, self._images = folder, 0
        (folder / "run-0").mkdir()
        text = Template(SITE.read_text("utf-8")).substitute(
            gateway=gateway,
            every_s=every_s,
            meter_s=meter_s,
            minutes=minutes,
            realtime_s=realtime_s,
            backfill=backfill,
            answer_b=str(answer_b).lower(),
            mn=MN,
        )
        for name, content in (("pw", "123456\n"), ("site.yaml", text)):
            path = folder / "run-0" / name
            path.write_text(content, encoding="utf-8")
            path.chmod(0o600)
        self.site = load_site(folder / "run-0" / "site.yaml")
        self.began_ms, self.minutes = wall_ms, minutes
        self.meter_wave = Meter()
        every_ms, meter_ms = 1000 * every_s, 1000 * meter_s
        self.gas = Instrument(1, every_ms, gas_wave)
        self.flue = Instrument(2, every_ms, flue_wave)
        self.meter = Instrument(3, meter_ms, self.meter_wave)
        self.instruments = {"gas": self.gas, "flue": self.flue, "meter": self.meter}
        self.platform = MemoryPlatform()
        self.told = self.platform.arrived = Told()
        self.ports = Ports(
            make_connector=lambda: self.platform.connector,
            notifier=Notifier(watchdog_s=30.0, send=lambda _said: None),
        )
        self.runs = []
        """(begin, end, how it ended), UTC ms of its clock."""
        self.steps = []
        """(before, after) of its clock."""

    # -- life -----------------------------------------------------------------

    async def __aenter__(self):
        self.clock = VirtualClock(self.began_ms)
        self._zero_s = running_loop().time()
        self.endpoints = [
            Endpoint("north", [self.gas], self.wall_ms),
            Endpoint("south", [self.flue, self.meter], self.wall_ms),
        ]
        for endpoint in self.endpoints:
            await endpoint.up()
        self.cities = {}
        for name, version in CITIES.items():
            account = Account(MN, st="31", version=version, minute_min=self.minutes)
            host = Host([account], utc_s=lambda: self.true_ms() / 1000)
            await host.open(name, 9212)
            self.cities[name] = host
        self.start()
        return self

    async def __aexit__(self, *exc):
        if not self._task.done():
            await self.stop()
        for endpoint in self.endpoints:
            with contextlib.suppress(Exception):
                endpoint.down()
        for host in self.cities.values():
            await host.close()
        for _ in range(5):
            await asyncio.sleep(0)

    def start(self):
        """The gateway begins to run."""
        self.since_ms = self.wall_ms()
        self.app = App(self.site, self.clock, self.ports)
        self._task = asyncio.create_task(self.app.run(), name="app")

    async def stop(self):
        """It is told to stop."""
        self.app.stop("test")
        await self._task
        self._ran("stopped")

    async def kill(self):
        """It dies: what is on the disk now is all that the next one finds."""
        before = self.folder / f"run-{self._images}"
        self._images += 1
        after = self.folder / f"run-{self._images}"
        ignored = shutil.ignore_patterns("control.sock", "lock")
        shutil.copytree(before, after, ignore=ignored)
        self._ran("killed")
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        shutil.rmtree(before)
        replace = msgspec.structs.replace
        data = replace(self.site.buffer, path=after / "data")
        targets = {
            name: replace(target, password_file=after / "pw")
            if name in CITIES
            else target
            for name, target in self.site.targets.items()
        }
        self.site = replace(self.site, buffer=data, targets=targets)

    def _ran(self, how):
        self.runs.append((self.since_ms, self.wall_ms(), how))

    # -- time -----------------------------------------------------------------

    def true_ms(self):
        """What time it really is, UTC ms."""
        return self.began_ms + round((running_loop().time() - self._zero_s) * 1000)

    def wall_ms(self):
        """What the gateway's machine believes."""
        return self.clock.machine.wall_ms()

    def step(self, seconds):
        """Its clock is set by so much."""
        before = self.wall_ms()
        self.clock.step(seconds)
        self.steps.append((before, self.wall_ms()))

    async def until(self, second):
        """Sleep until so many true seconds after the first midnight."""
        left_s = second - (self.true_ms() - MIDNIGHT_MS) / 1000
        if left_s > 0:
            await asyncio.sleep(left_s)

    async def declare(self, device, for_s):
        """An operator works on an instrument."""
        options = {"who": "Wang", "why": "probe", "for_s": float(for_s)}
        request = Request(cmd="maintain-start", devices=[device], options=options)
        await self.app.maintenance.start(request)
