"""A whole gateway on the virtual loop: simulated devices, a platform in memory.

    async with VirtualSite(tmp_path, buses=2, devices=5) as site:
        await asyncio.sleep(3600)
    site.check_slots()

The composition is ``gateway.app`` itself; only the outside is replaced.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter

import msgspec

from drivers.profiles.model import ModbusPoint
from gateway.app import App
from gateway.config.model import (
    BufferLimits,
    Bus,
    Device,
    MqttTarget,
    Site,
    TcpEndpoint,
)
from gateway.notify import Notifier
from gateway.ports import Ports
from tests.support.clock import VirtualClock
from tests.support.memory_link import MemoryPlatform
from tests.support.modbus_fakes import FakeDevice
from tests.support.virtual import running_loop


def make_site(folder, buses=1, devices=10, points=10, every_s=1.0, **more):
    """``devices`` on each of ``buses`` TCP endpoints."""
    names = [f"bus-{b}" for b in range(buses)]
    made = {}
    for bus in names:
        for n in range(1, devices + 1):
            name = f"{bus}-dev-{n}"
            made[name] = Device(
                name=name,
                bus=bus,
                address=n,
                every_s=every_s,
                points=tuple(
                    ModbusPoint(name=f"r{i}", table="holding", address=i, type="uint16")
                    for i in range(points)
                ),
            )
    return Site(
        gateway="site-07",
        buffer=BufferLimits(path=folder / "data", max_bytes=50_000_000, keep_free=0),
        buses={
            name: Bus(
                name=name,
                protocol="modbus-tcp",
                tcp=TcpEndpoint(host=name, port=502),
            )
            for name in names
        },
        devices=made,
        targets={"platform": MqttTarget(name="platform", host="localhost")},
        **more,
    )


class Endpoint:
    """A Modbus TCP server with units that can die, and that can vanish itself."""

    def __init__(self, name):
        self.name = name
        self.dead = set()
        self.hang_up = False
        self.asked = Counter()
        self._server = None

    async def up(self):
        loop = running_loop()
        self._server = await loop.create_server(self._device, self.name, 502)

    def down(self):
        self._server.drop_connections()
        self._server.close()

    def _device(self):
        device = FakeDevice(tcp=True, delay=0.004)
        right = device.right

        def script(asked):
            self.asked[asked.unit] += 1
            if self.hang_up:
                device.transport.close()
                return []
            return [] if asked.unit in self.dead else right(asked)

        device.script = script
        return device


class VirtualSite:
    """The running gateway and everything around it."""

    def __init__(self, folder, site=None, *, clock=None, platform=None, **shape):
        self.site = site or make_site(folder, **shape)
        self.endpoints = {name: Endpoint(name) for name in self.site.buses}
        self.platform = platform or MemoryPlatform()
        self.sent = []
        self.notifier = Notifier(watchdog_s=30.0, send=self.sent.append)
        self.ports = Ports(
            make_connector=lambda: self.platform.connector, notifier=self.notifier
        )
        self._clock = clock
        self.next_site = None

    async def __aenter__(self):
        self.clock = self._clock or VirtualClock()
        for endpoint in self.endpoints.values():
            await endpoint.up()
        self.start()
        await asyncio.sleep(0.5)
        return self

    def start(self):
        self.app = App(self.site, self.clock, self.ports, lambda: self.next_site)
        self._task = asyncio.create_task(self.app.run(), name="app")

    async def app_run(self):
        """Run until it ends by itself."""
        await App(self.site, VirtualClock(), self.ports).run()

    async def stop(self):
        loop = asyncio.get_running_loop()
        start = loop.time()
        self.app.stop("test")
        await self._task
        return loop.time() - start

    async def __aexit__(self, *exc):
        if not self._task.done():
            await self.stop()
        for endpoint in self.endpoints.values():
            with contextlib.suppress(Exception):
                endpoint.down()

    # -- what arrived -------------------------------------------------------

    def records(self):
        """Every record at the platform once, by seq."""
        found = {record["seq"]: record for record in self.platform.records()}
        return [found[seq] for seq in sorted(found)]

    def scans(self, device):
        return [
            r for r in self.records() if r["kind"] == "scan" and r["device"] == device
        ]

    def gaps(self, device):
        """The last telling of each gap."""
        told = {}
        for r in self.records():
            if r["kind"] == "gap" and r["device"] == device:
                told[tuple(r["points"]), r["t"]] = r
        return list(told.values())

    def events(self):
        return [r for r in self.records() if r["kind"] == "event"]

    def check_slots(self):
        """From the platform's records alone: every slot ended exactly once."""
        units = [u for w in self.app.workers.values() for u in w.units.values()]
        for unit in units or self._last_units:
            name = unit.conf.name
            settled = sum(job.line.next for job in unit.jobs)
            gaps = self.gaps(name)
            assert not any(gap.get("open") for gap in gaps), name
            told = len(self.scans(name)) + sum(gap["slots"] for gap in gaps)
            assert told == settled, (name, told, settled)

    @property
    def _last_units(self):
        return []

    def health(self):
        return msgspec.to_builtins(self.app.health())
