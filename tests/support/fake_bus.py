"""A port and devices made of numbers, for tests of what polls them."""

from __future__ import annotations

import asyncio

from drivers.errors import BusError
from drivers.profiles.model import ModbusPoint
from drivers.values import Answer, Flaw, Quality
from gateway.config.model import Bus, Device, TcpEndpoint


def bus_conf(name="plc", timeout_s=0.5):
    return Bus(
        name=name,
        protocol="modbus-tcp",
        tcp=TcpEndpoint(host="127.0.0.1"),
        timeout_s=timeout_s,
    )


def device_conf(name, bus="plc", address=1, every_s=1.0, points=("p1", "p2"), **more):
    made = tuple(
        point
        if isinstance(point, ModbusPoint)
        else ModbusPoint(name=point, table="holding", address=n, type="uint16")
        for n, point in enumerate(points)
    )
    return Device(
        name=name, bus=bus, address=address, every_s=every_s, points=made, **more
    )


class FakePort:
    """Opens while ``there``; ``pull`` makes the next exchange fail."""

    def __init__(self, there=True):
        self.there = there
        self.is_open = False
        self.opened = 0
        self.busy_until = 0.0
        self.held = []
        """(start, seconds, unit) of each exchange."""

    async def open(self):
        await asyncio.sleep(0)
        if not self.there:
            raise BusError("no such port; plug it in")
        self.is_open = True
        self.opened += 1

    async def close(self):
        self.is_open = False

    def read(self, unit, span, timing, wait_s=None):
        return self.hold(unit, 0.01)

    async def write(self, unit, table, address, words, timing):
        await self.hold(unit, 0.01)

    async def hold(self, unit, seconds):
        loop = asyncio.get_running_loop()
        assert loop.time() >= self.busy_until, "two exchanges at once"
        self.busy_until = loop.time() + seconds
        self.held.append((loop.time(), seconds, unit))
        await asyncio.sleep(seconds)
        if not self.there or not self.is_open:
            raise BusError("port vanished")


class FakeDevice:
    """Answers in ``takes_s`` while ``alive``, else costs the time-out."""

    def __init__(self, conf, port, takes_s=0.03, timeout_s=0.5, wire_s=0.02):
        self.conf = conf
        self.port = port
        self.takes_s = takes_s
        self.timeout_s = timeout_s
        self.wire_s = wire_s
        self.alive = True
        self.asked = asyncio.Event()
        self.scans = []
        """(loop time, points, wait_s) of each question."""
        self.fail_with = None
        self.blocks = 1
        self.written = []

    async def scan(self, points, *, wait_s=None, want_raw=False):
        loop = asyncio.get_running_loop()
        self.scans.append((loop.time(), tuple(points), wait_s))
        self.asked.set()
        if self.fail_with is not None:
            raise self.fail_with
        wait = self.timeout_s if wait_s is None else min(wait_s, self.timeout_s)
        if not self.alive or self.takes_s / self.blocks > wait + self.wire_s:
            await self._read(wait + self.wire_s)
            flaw = Flaw(Quality.BAD, "timeout")
            return Answer({}, dict.fromkeys(points, flaw), answered=False)
        for _ in range(self.blocks):
            await self._read(self.takes_s / self.blocks)
        raw = dict.fromkeys(points, b"\0\1") if want_raw else None
        return Answer(dict.fromkeys(points, 1.5), {}, answered=True, raw=raw)

    async def _read(self, seconds):
        # Through the shared port, so that commands find their place in between.
        await self.port.read(self.conf.address, None, None)
        await self.port.inner.hold(self.conf.address, max(seconds - 0.01, 0.0))

    async def write(self, point, value):
        await self.port.write(self.conf.address, "holding", 0, (1,), None)
        self.written.append((point, value))

    def worst_case_s(self, points):
        return self.timeout_s + self.wire_s
