"""Commissioning a bus that the gateway polls: polls go on and stay right."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import msgspec
import pytest

from drivers.modbus.rtu import RtuBus
from gateway.commission.door import Setting
from gateway.commission.search import Plan
from gateway.commission.served import streams
from gateway.commission.tasks import DecodeOptions, FindOptions, LookOptions
from gateway.config.model import BufferLimits, Bus, MqttTarget, SerialLine, Site
from gateway.control import ControlError, Request
from simulators.station import RtuServer, Station
from simulators.units import MapUnit
from tests.support.mistakes import device, registers
from tests.support.uart_line import make_line, meter, modbus, on_line
from tests.support.virtual import run_virtual, running_loop
from tests.support.virtual_site import VirtualSite

BUS = Bus(
    name="line",
    protocol="modbus-rtu",
    serial=SerialLine(device="/dev/line", baud=9600),
    timeout_s=0.5,
)
VALUES = {n: 1000 * n for n in (3, 4)}


class Slow(RtuServer):
    """Answers late now and then, up to 1.6 times the time-out."""

    def __init__(self, station, rng):
        super().__init__(station)
        self.rng = rng

    def data_received(self, data):
        late = self.rng.random() < 0.15
        delay = self.rng.uniform(0.5, 0.8) if late else 0.02
        self.station._turnaround_s = delay
        super().data_received(data)


def polled(number):
    """A unit whose every register says where it stands."""
    first = VALUES[number]
    words = {("holding", a): first + a for a in range(12)}
    return MapUnit(number, words)


class Served(VirtualSite):
    """A gateway that polls units 3 and 4; unit 12 and a meter are on the line, too."""

    def __init__(self, folder, serve):
        devices = {
            f"unit-{n}": msgspec.structs.replace(
                device(f"unit-{n}", n, points=registers(8, start=2, unit="1")),
                every_s=1.0,
            )
            for n in VALUES
        }
        site = Site(
            gateway="site-07",
            buffer=BufferLimits(
                path=folder / "data", max_bytes=50_000_000, keep_free=0
            ),
            buses={"line": BUS},
            devices=devices,
            targets={"platform": MqttTarget(name="platform", host="platform")},
        )
        super().__init__(folder, site=site)
        self.endpoints = {}
        self._serve = serve

    async def __aenter__(self):
        stations = [(self._serve(polled(n)), "9600 8N1") for n in VALUES]
        stations.append((modbus(12, "chint-dtsu666"), "9600 8N1"))
        stations.append((meter("000006605518"), "2400 8E1"))
        self.line = line = make_line(stations)
        self.ports = replace(
            self.ports,
            make_bus=lambda _conf: RtuBus(
                "line", 9600, open_port=lambda f: line.open(9600, "8N1", f)
            ),
            open_raw=lambda _conf: on_line(line),
        )
        return await super().__aenter__()

    async def asked(self, task, options, bus="line"):
        """The items of one task."""
        request = Request(cmd=task, bus=bus, options=msgspec.to_builtins(options))
        return [
            msgspec.json.decode(item) async for item in streams(self.app)[task](request)
        ]

    def check(self):
        """(scans of the worst device, wrong values)."""
        wrong, counts = [], []
        for number, first in VALUES.items():
            scans = self.scans(f"unit-{number}")
            counts.append(len(scans))
            for scan in scans:
                for name, value in scan["values"].items():
                    at = 2 + int(name.removeprefix("value_"))
                    if value != first + at:
                        wrong.append((scan["device"], name, value))
        return min(counts), wrong


class Prompt(RtuServer):
    """Knows a silence of 3.5 characters for one, as the line here is exact."""

    def data_received(self, data):
        if self._loop.time() - self._heard_s > (3.5 + len(data)) * 10 / 9600:
            self._splitter.forget()
        super().data_received(data)


def healthy(unit):
    return Prompt(Station([unit], turnaround_s=0.02))


PLAN = Plan(
    settings=(Setting(9600, "8N1"), Setting(2400, "8E1")), addresses=tuple(range(1, 20))
)


def test_find_leaves_the_polls_their_time_and_their_answers(tmp_path, figure):
    async def main():
        async with Served(tmp_path, healthy) as site:
            loop = running_loop()
            start, drove = loop.time(), site.line.busy_s
            items = await site.asked("find", FindOptions(PLAN, recognise=False))
            seconds = loop.time() - start
            await asyncio.sleep(2)
        return site, items, seconds, site.line.busy_s - drove

    site, items, seconds, _ = run_virtual(main())

    scans, wrong = site.check()
    found = {(f["address"], f["setting"]) for f in items[-1]["found"]}
    figure("virtual_s", round(seconds))
    figure("scans_of_the_worst", scans)
    assert found == {(12, "9600 8N1"), ("000006605518", "2400 8E1")}
    assert wrong == []
    assert scans >= 0.95 * seconds, (scans, seconds)
    other = [how for _, how, _ in site.line.sent if how.baud == 2400]
    assert other  # it did change the speed, and changed it back


@pytest.mark.parametrize("task", ["find", "doctor", "measure"])
def test_late_answers_to_us_never_become_values(tmp_path, seed, task):
    rng = random.Random(seed)

    def slow(unit):
        return Slow(Station([unit]), rng)

    options = {
        "find": FindOptions(PLAN, recognise=False, share=0.5),
        "doctor": LookOptions(),
        "measure": LookOptions(share=1.0),
    }[task]

    async def main():
        async with Served(tmp_path, slow) as site:
            for _ in range(3):
                await site.asked(task, options)
            await asyncio.sleep(3)
        return site

    site = run_virtual(main())

    scans, wrong = site.check()
    assert wrong == [], seed
    assert scans > 10


def test_decode_and_doctor_answer_through_the_gateway(tmp_path):
    async def main():
        async with Served(tmp_path, healthy) as site:
            decoded = await site.asked("decode", DecodeOptions(3, 2, "holding", 2))
            refused = await site.asked("decode", DecodeOptions(3, 90, "holding", 2))
            looked = await site.asked("doctor", LookOptions())
            with pytest.raises(ControlError, match="no-such"):
                await site.asked("find", FindOptions(PLAN), bus="no-such")
            await asyncio.sleep(1)
        return decoded, refused, looked

    decoded, refused, looked = run_virtual(main())

    assert decoded == [{"kind": "decoded", "refused": False, "data": "0bba0bbb"}]
    assert refused[0]["refused"] is True
    assert looked[-1]["kind"] == "causes"
    assert looked[-1]["causes"] == []


def test_a_caller_that_hangs_up_gives_the_port_back_at_once(tmp_path):
    async def main():
        async with Served(tmp_path, healthy) as site:
            request = Request(
                cmd="find",
                bus="line",
                options=msgspec.to_builtins(FindOptions(PLAN, recognise=False)),
            )
            items = streams(site.app)["find"](request)
            for _ in range(4):
                await anext(items)
            await items.aclose()
            before = len(site.scans("unit-3"))
            await asyncio.sleep(5)
        return before, len(site.scans("unit-3"))

    before, after = run_virtual(main())

    assert after - before >= 4
