"""A whole simulated site and its gateway on the virtual loop, judged as it runs.

    async with RunningSite("water", tmp_path) as site:
        await asyncio.sleep(3600)
        site.parts["cod"].kill()
    site.sink.verdict()

Lines, devices and site file are those of ``ecogate simulate site``; the gateway is
``gateway.app`` itself with its own drivers. In memory are the wires, the network and
the platform. What arrives is judged at once and kept as counts.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections import Counter, deque
from typing import TYPE_CHECKING

from gateway.app import App
from gateway.config import load_site
from gateway.config.model import Hj212Target
from gateway.notify import Notifier
from gateway.ports import Ports
from simulators.beside import codes_of, compare
from simulators.consumer import Consumer
from simulators.site_plan import REGULATOR, load_plan
from simulators.site_process import SimulatedSite
from tests.support.clock import EPOCH_MS, VirtualClock
from tests.support.memory_link import MemoryPlatform
from tests.support.site_oracle import Oracle
from tests.support.virtual import running_loop
from tests.support.virtual_serial import serial_in_memory

if TYPE_CHECKING:
    from pathlib import Path

FIRST_PORT = 9200


class Sink:
    """Stands where a platform's list of messages stands."""

    def __init__(self, oracle, utc_s):
        self.oracle = oracle
        self._utc_s = utc_s
        self.consumer = Consumer(retime_ms=0)
        self.scans = Counter()
        self.flaws = Counter()
        """(device, quality, reason) -> points."""
        self.gaps = Counter()
        """(device, cause) -> records."""
        self.events = []
        self.goods = {}
        """Device -> the times of its newest scans without a flaw, UTC ms."""
        self._seen = 0

    def append(self, message):
        self.consumer.feed(message.topic, message.payload, self._utc_s() * 1000)
        if not message.topic.endswith(("/data", "/event")):
            return
        for record in json.loads(message.payload)["records"]:
            if record["seq"] <= self._seen:
                continue
            self._seen = max(self._seen, record["seq"])
            self._take(record)

    def _take(self, record):
        kind = record["kind"]
        if kind == "event":
            self.events.append(record)
        elif kind == "gap":
            self.gaps[record["device"], record["cause"]] += 1
        elif kind == "scan":
            self.scans[record["device"]] += 1
            for quality, reason in record.get("q", {}).values():
                self.flaws[record["device"], quality, reason] += 1
            if not record.get("q"):
                goods = self.goods.setdefault(record["device"], deque(maxlen=100))
                goods.append(record["t"])
            self.oracle.take(record)

    def first_good_after(self, device, at_ms):
        """The time of a device's first scan without a flaw since then; infinite: none.

        Times are UTC ms.
        """
        goods = self.goods.get(device, ())
        return min((t for t in goods if t >= at_ms), default=math.inf)


class RunningSite:
    """See the module."""

    def __init__(self, kind: str, folder: Path, seed: int | None = None) -> None:
        self.plan = load_plan(kind, seed)
        self.folder = folder
        self._ports = 0

    async def __aenter__(self):
        loop = running_loop()
        born = loop.time()

        def utc_s():
            return EPOCH_MS / 1000 + loop.time() - born

        self.clock = VirtualClock()
        self.oracle = Oracle(self.plan, utc_s)
        self.simulated = SimulatedSite(
            self.plan,
            self.folder,
            utc_s=utc_s,
            said=self.oracle.said,
            paced=False,
            open_line=self._open_line,
            choose_port=self._choose_port,
        )
        self.parts = self.oracle.parts = self.simulated.parts
        await self.simulated.open()
        self.platform = MemoryPlatform()
        self.sink = self.platform.arrived = Sink(self.oracle, utc_s)
        self.site = load_site(self.simulated.site_file)
        self.oracle.every_s = {n: d.every_s for n, d in self.site.devices.items()}
        ports = Ports(
            make_connector=lambda: self.platform.connector,
            notifier=Notifier(watchdog_s=30.0, send=lambda _text: None),
        )
        self._patched = serial_in_memory()
        self._patched.__enter__()
        self.app = App(self.site, self.clock, ports)
        self._task = asyncio.create_task(self.app.run(), name="app")
        return self

    async def __aexit__(self, *exc):
        self.app.stop("test")
        await self._task
        self._patched.__exit__(None, None, None)
        await self.simulated.close()

    def compared(self):
        """What the HJ 212 platform holds, beside what MQTT brought."""
        target = self.site.targets[REGULATOR]
        assert isinstance(target, Hj212Target)
        consumer = self.sink.consumer
        return compare(
            consumer.periods,
            codes_of(consumer.metas, target.station),
            self.simulated.regulator.held,
            target.mn,
            skip=target.factors,
        )

    def every_s(self, device):
        """How often all its points are due."""
        conf = self.site.devices[device]
        return max(point.every_s or conf.every_s for point in conf.points)

    def timeout_s(self, device):
        """How long one question to it may wait."""
        conf = self.site.devices[device]
        return conf.timeout_s or self.site.buses[conf.bus].timeout_s

    def _open_line(self, link, serve):
        running_loop().line(str(link)).attach(serve)
        return lambda: None

    def _choose_port(self):
        self._ports += 1
        return FIRST_PORT + self._ports
