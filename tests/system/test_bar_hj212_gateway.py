"""The whole gateway examined by the platform: everything it can be asked, strictly.

An instrument behind Modbus TCP, two platforms, 2017 and 2025 (encrypted): the
composition is ``gateway.app``, the site a file. The reports stand in
``docs/hj212-conformance.md``; ECOGATE_WRITE_GOLDEN=1 writes them anew.
"""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

from gateway.app import App
from gateway.config.loader import load_site
from gateway.notify import Notifier
from gateway.ports import Ports
from simulators.hj212_platform_account import Account, stamp
from simulators.hj212_platform_host import Host
from simulators.hj212_platform_script import Script
from tests.support.clock import EPOCH_MS, VirtualClock
from tests.support.memory_link import MemoryPlatform
from tests.support.modbus_fakes import FakeDevice
from tests.support.virtual import running_loop, virtual

MN = "010000A8900016F000169DC0"
KEY = "6b1f0e5c92d84a37a0c4e3f2918d7b56"
CITIES = {"old": 2017, "new": 2025}
REPORT = Path(__file__).parents[2] / "docs" / "hj212-conformance.md"
CODES = frozenset(("a21026", "a34013", "a19001"))
SITE = f"""
gateway: stack-7
buffer: {{path: data, max_bytes: 64MB, keep_free: 1MB}}
buses:
  north: {{protocol: modbus-tcp, tcp: "north:502"}}
devices:
  gas:
    bus: north
    address: 1
    every: 5s
    points:
      - {{name: so2, table: holding, address: "pdu:0", type: uint16, unit: mg/m3}}
      - {{name: dust, table: holding, address: "pdu:1", type: uint16, unit: mg/m3}}
      - {{name: o2, table: holding, address: "pdu:2", type: uint16, unit: "%"}}
      - {{name: zero, table: holding, address: "pdu:9", type: uint16, unit: "1",
         writable: true, write_min: 0, write_max: 1}}
stations:
  DA001:
    kind: flue_gas
    factors:
      so2: {{from: gas.so2, code: a21026, unit: mg/m3, decimals: 2}}
      dust: {{from: gas.dust, code: a34013, unit: mg/m3, decimals: 0}}
      o2: {{from: gas.o2, code: a19001, unit: "%", decimals: 1}}
targets:
  old: {{hj212: "old:9212", station: DA001, mn: {MN}, password_file: pw,
        plaintext: accepted, overtime: 5s, shown: &shown [
          {{code: SN, factor: a21026, text: COD2031}},
          {{code: i13001, factor: a21026, text: "500.0"}}],
        allow: [3011], orders: &orders [{{command: 3011, write: gas.zero, value: 1}}]}}
  new: {{hj212: "new:9212", version: 2025, station: DA001, mn: {MN}, password_file: pw,
        key_file: key, overtime: 5s, heartbeat: 60s, shown: *shown,
        allow: [3011], orders: *orders}}
"""


class Stack:
    """The running gateway, its instrument and its platforms."""

    def __init__(self, folder):
        for name, text in (("pw", "123456"), ("key", KEY), ("site.yaml", SITE)):
            (folder / name).write_text(text + "\n")
            (folder / name).chmod(0o600)
        self.site = load_site(folder / "site.yaml")
        self.requests = []

    async def __aenter__(self):
        loop = running_loop()
        began_s = loop.time()
        self.clock = VirtualClock(EPOCH_MS)
        self._bus = await loop.create_server(self._device, "north", 502)
        self.cities = {}
        for name, version in CITIES.items():
            account = Account(
                MN,
                version=version,
                key=bytes.fromhex(KEY) if version == 2025 else None,
                factors=CODES,
                overtime_s=5.0,
            )
            self.cities[name] = Host(
                [account],
                strict=True,
                utc_s=lambda: EPOCH_MS / 1000 + loop.time() - began_s,
            )
            await self.cities[name].open(name, 9212)
        ports = Ports(
            make_connector=lambda: MemoryPlatform().connector,
            notifier=Notifier(watchdog_s=30.0, send=lambda _said: None),
        )
        self.app = App(self.site, self.clock, ports)
        self._task = asyncio.create_task(self.app.run(), name="app")
        return self

    async def __aexit__(self, *exc):
        self.app.stop("test")
        await self._task
        for city in self.cities.values():
            await city.close()
        self._bus.drop_connections()
        self._bus.close()
        for _ in range(5):
            await asyncio.sleep(0)

    def _device(self):
        device = FakeDevice(tcp=True)
        answer = device.script

        def script(asked):
            self.requests.append((asked.function, asked.address))
            del self.requests[:-1000]
            return answer(asked)

        device.script = script
        return device


def written(name, ledger):
    """One report as the docs have it: without frames, and without how often."""
    found = [f"## {name}\n"]
    for lang in ("zh", "en"):
        text = re.sub(r"\n    (frame|帧): .*", "", ledger.text(lang))
        text = re.sub(r"\] (×\d+|\d+/\d+) ", "] ", text)
        found.append(f"```text\n{text.strip()}\n```\n")
    return "\n".join(found)


@virtual
async def test_the_gateway_against_the_platform_clause_by_clause(tmp_path):
    async with Stack(tmp_path) as stack:
        await asyncio.sleep(4000)
        reports = []
        for name, city in stack.cities.items():
            script = Script(city, MN, polid="a21026", act=True)
            await script.commands()
            await script.pull()
            version = CITIES[name]
            ledger = city.finish()

            assert ledger.clean, ledger.text("en")
            standing = ledger.standing()
            assert "noted" not in standing.values(), ledger.text("en")
            assert standing["cmd.3011"] == "passed"
            assert standing["pull.same"] == standing["series.2051"] == "passed"
            refused = {name for name, found in standing.items() if found == "refused"}
            acting = {*range(3012, 3017), 3021}
            acting |= {3022, 3024} if version == 2025 else set()
            assert refused == {f"cmd.{cn}" for cn in acting | {2021, 3017, 3018}}
            if version == 2025:
                assert standing["seal.used"] == standing["cmd.9015"] == "passed"
            reports.append(written(f"HJ 212-{version}", ledger))
            held = city.held
            first = stamp(EPOCH_MS / 1000 + 60)
            last = stamp(EPOCH_MS / 1000 + 3600)
            assert held.faulty(MN, 2051, first, last, 60, CODES) == []
        assert any(function in {6, 16} for function, _ in stack.requests)

    head = REPORT.read_text(encoding="utf-8").partition("\n## ")[0]
    text = "\n".join([f"{head.strip()}\n", *reports])
    if os.environ.get("ECOGATE_WRITE_GOLDEN"):
        REPORT.write_text(text, encoding="utf-8")
    assert REPORT.read_text(encoding="utf-8") == text
