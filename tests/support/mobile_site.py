"""A station on wheels on the virtual loop: receiver, door, pulses, float, platform.

Its morning, in seconds since ``born``:

      0  at home, in its yard            480  the receiver is jammed
    120  drives north at 15 m/s          560  and hears again
    320  stands in a place it must not   620  home again
    420  drives back
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from drivers.gpio import GpioChip
from gateway.app import App
from gateway.config import load_site
from gateway.judge import earth
from gateway.notify import Notifier
from gateway.ports import Ports, make_bus
from simulators.receiver import Receiver, Spell, Trouble
from simulators.receivers import Output, ReceiverStream
from tests.support.clock import VirtualClock
from tests.support.gpio_chip import FakeChip
from tests.support.memory_link import MemoryPlatform
from tests.support.modbus_fakes import FakeDevice, registers
from tests.support.virtual import running_loop

HOME = (118.18012, 39.63041)
SPEED = 15.0
NORTH_M = earth.scale(HOME[1]).north_m
YARD_M, ZONE_M = 300.0, 2500.0
JAMMED = (480.0, 560.0)


def north(metres, east=0.0):
    at = earth.scale(HOME[1])
    return [
        round(HOME[0] + east / at.east_m, 7),
        round(HOME[1] + metres / at.north_m, 7),
    ]


SITE = f"""
gateway: van-1
buffer: {{path: ./data, max_bytes: 50MB, keep_free: 0B}}
buses:
  sky: {{protocol: gnss, tcp: "receiver:4001"}}
  plc: {{protocol: modbus-tcp, tcp: "plc:502", timeout: 200ms}}
  pins: {{protocol: gpio, chip: /dev/gpiochip0}}
devices:
  gnss-1:
    bus: sky
    profile: generic-gnss
    every: 1s
    reception: {{no_fix: 60s}}
    track: {{every: 5m, within_m: 5}}
  cabinet:
    bus: plc
    address: 1
    every: 1s
    points:
      - name: door
        table: coil
        address: "pdu:0"
        contact:
          kind: door
          polls: 2
          debounce: 1s
          severity: alarm
          text: {{zh: 站房门被打开, en: the station's door is open}}
          text_normal: {{zh: 站房门已关好, en: the station's door is shut}}
      - {{name: pulses, table: holding, address: "pdu:10", type: uint16, unit: "1",
         counter: {{bits: 16, max_rate: 20/s}}}}
  tank:
    bus: pins
    every: 1s
    points:
      - {{name: float_high, line: 22, label: {{zh: 高液位, en: high level}},
         contact: {{kind: float, polls: 1, edges: float_edges}}}}
      - {{name: float_edges, line: 22, count: both, unit: "1"}}
fences:
  yard: {{device: gnss-1, rule: stay_in, circle: {list(HOME)}, radius_m: {YARD_M},
         dwell: 10s, label: {{zh: 停车场, en: yard}}}}
  spring:
    device: gnss-1
    rule: keep_out
    dwell: 10s
    polygon: [{north(ZONE_M, -500)}, {north(ZONE_M, 500)}, {north(3500, 500)},
              {north(3500, -500)}]
mobile: {{position: gnss-1, max_age: 2s}}
targets:
  platform: {{mqtt: "mqtt://127.0.0.1:1883"}}
"""


def metres_north(at_s):
    """Where it is at this second of its life."""
    if at_s < 120:
        return 0.0
    if at_s < 320:
        return SPEED * (at_s - 120)
    if at_s < 420:
        return SPEED * 200
    return max(0.0, SPEED * (620 - at_s))


@dataclass(frozen=True)
class Van(Receiver):
    """Its receiver."""

    def truth(self, at_s):
        return HOME[1] + metres_north(at_s) / NORTH_M, HOME[0], 0.0


class MobileSite:
    """The running gateway and everything around it."""

    def __init__(self, folder):
        path = folder / "site.yaml"
        path.write_text(SITE, encoding="utf-8")
        self.site = load_site(path)
        self.platform = MemoryPlatform()
        self.chip = FakeChip()
        self.plc_dead = False
        self.door = lambda _at_s: False
        self.pulses = lambda at_s: 65_000 + 7 * int(at_s)

    async def __aenter__(self):
        loop = running_loop()
        self.clock = VirtualClock()
        self.born = loop.time()
        self.born_ms = self.clock.wall_ms()
        van = Van(self.born_ms, spells=[Spell(Trouble.JAM, *JAMMED)], sigma=1.8)
        await loop.create_server(
            lambda: ReceiverStream(van, Output(), lambda: self.born), "receiver", 4001
        )
        await loop.create_server(self._plc, "plc", 502)
        self.start()
        return self

    def start(self):
        ports = Ports(
            make_bus=self._bus,
            make_connector=lambda: self.platform.connector,
            notifier=Notifier(send=lambda _: None),
        )
        self.app = App(self.site, self.clock, ports, lambda: self.next_site)
        self._task = asyncio.create_task(self.app.run(), name="app")

    async def stop(self):
        self.app.stop("test")
        await self._task

    async def __aexit__(self, *exc):
        if not self._task.done():
            await self.stop()

    async def until(self, at_s):
        await asyncio.sleep(self.born + at_s - asyncio.get_running_loop().time())

    def records(self, kind):
        found = {r["seq"]: r for r in self.platform.records()}
        return [found[seq] for seq in sorted(found) if found[seq]["kind"] == kind]

    def events(self):
        """(type, state, second of life it began, and ended) of what is judged."""
        return [
            (
                e["type"],
                e["state"],
                self.second(e["t"]),
                self.second(e["until"]) if "until" in e else None,
            )
            for e in self.records("event")
            if e["type"] not in ("gateway_started", "device_offline")
        ]

    def second(self, t_ms):
        return (t_ms - self.born_ms) / 1000

    def _bus(self, conf):
        if conf.family == "gpio":
            return GpioChip(conf.chip, load=lambda: self.chip)
        return make_bus(conf)

    def _plc(self):
        device = FakeDevice(tcp=True, delay=0.004)

        def script(asked):
            if self.plc_dead:
                return []
            at_s = asyncio.get_running_loop().time() - self.born
            if asked.function == 1:
                bits = bytes([1, 1, int(self.door(at_s))])
                return [(0.004, device.frame(asked, bits))]
            words = [
                self.pulses(at_s) & 0xFFFF if address == 10 else 0
                for address in range(asked.address, asked.address + asked.count)
            ]
            return [(0.004, device.frame(asked, registers(asked.function, words)))]

        device.script = script
        return device
