"""The store of a gateway after hours without its platform.

    python -m tests.support.backlog FOLDER --seconds 3600 --births births.jsonl

The whole gateway lives through the hours on the virtual loop, so the store is what it
would have been; devices are benchmark units (``simulators.bench``) whose births are
written down, for a judge to compare what arrives later. Unit ids begin at 101: real
benchmark devices may take part beside them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from drivers.profiles.model import ModbusPoint
from gateway.clock import SystemMachine
from simulators.bench import BenchUnit, point_names
from simulators.births import Birth, BirthLog, read_births
from tests.support.clock import VirtualClock
from tests.support.long_site import LongSite
from tests.support.modbus_fakes import registers
from tests.support.spawn import ROOT
from tests.support.virtual import run_virtual, running_loop
from tests.support.virtual_site import Endpoint

FIRST_UNIT = 101


class _Endpoint(Endpoint):
    """Benchmark units behind one TCP address."""

    def __init__(self, name: str, devices: int, points: int, births: BirthLog) -> None:
        super().__init__(name)
        loop = running_loop()
        start_s = loop.time()
        now_ms = lambda: round((loop.time() - start_s) * 1000)  # noqa: E731
        units = range(FIRST_UNIT, FIRST_UNIT + devices)
        self._units = {n: BenchUnit(n, points, now_ms) for n in units}
        self._births, self._now_ms = births, now_ms

    def _device(self):
        device = super()._device()

        def script(asked):
            device.asked.clear()
            unit = self._units[asked.unit]
            data = unit.read("holding", asked.address, asked.count, aside=False)
            where = (asked.unit, asked.function, asked.address, asked.count)
            self._births.add(Birth(self._now_ms(), *where, unit.mark()))
            words = [
                int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)
            ]
            return [(device.delay, device.frame(asked, registers(3, words)))]

        device.script = script
        return device


def _bench_points(count: int) -> tuple[ModbusPoint, ...]:
    kind = {"table": "holding", "type": "uint32", "unit": "1"}
    return tuple(
        ModbusPoint(name=name, address=int(name[1:]), **kind)
        for name in point_names(count)
    )


def gather(
    folder: Path,
    *,
    seconds: float,
    devices: int = 10,
    points: int = 10,
    every_s: float = 1.0,
    gateway: str = "site-07",
    births: Path | None = None,
    max_bytes: int = 2_000_000_000,
) -> dict[str, int]:
    """Live through ``seconds`` with the platform away; the store is in ``data``.

    Returns:
        ``start_utc_ms``: what ages count from; ``records``: how many are stored.
    """
    machine = SystemMachine()
    ago_ms = round(seconds * 1000) + 10_000
    start = time.time_ns() // 1_000_000 - ago_ms
    booted_ago_ms = machine.mono_ms() - ago_ms
    boot = machine.boot
    if booted_ago_ms < 0:
        # So long ago this machine was off: it was another boot, before this one.
        start, booted_ago_ms, boot = start - machine.mono_ms(), 10_000, "b0070001"

    async def main() -> dict[str, int]:
        site = LongSite(
            folder,
            devices=devices,
            points=points,
            every_s=every_s,
            max_bytes=max_bytes,
        )
        made = {
            f"bench-{n}": msgspec.structs.replace(
                device, name=f"bench-{n}", address=n, points=_bench_points(points)
            )
            for n, device in enumerate(site.site.devices.values(), FIRST_UNIT)
        }
        site.site = msgspec.structs.replace(site.site, gateway=gateway, devices=made)
        log = BirthLog(births)
        site.endpoints = {
            name: _Endpoint(name, devices, points, log) for name in site.site.buses
        }
        site.platforms["platform"].is_up = False
        # The real gateway goes on where this one ends, on the same machine's clocks.
        site._clock = clock = VirtualClock(start, boot=boot)
        clock.machine._booted = clock.machine._born - booted_ago_ms / 1000
        async with site:
            await asyncio.sleep(seconds)
            await site.stop()
        log.close()
        return {"start_utc_ms": start, "records": site.app.buffer.high}

    return run_virtual(main())


class Backlog:
    """The store of a gateway, and what its devices answered meanwhile."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self.births_file = folder / "backlog.jsonl"
        command = [sys.executable, "-m", "tests.support.backlog", str(folder)]
        shape = ["--seconds", str(seconds), "--births", str(self.births_file)]
        done = subprocess.run(
            [*command, *shape], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        self.records, self.start_utc_ms = said["records"], said["start_utc_ms"]
        self.births = read_births(self.births_file)
        # The same instant on the clock that all simulators share.
        ago_ms = time.time_ns() // 1_000_000 - self.start_utc_ms
        self.start_ns = time.monotonic_ns() - ago_ms * 1_000_000


def main() -> None:
    """Print what was made as one line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.backlog")
    add = parser.add_argument
    add("folder", type=Path)
    add("--seconds", type=float, default=3600.0)
    add("--devices", type=int, default=10)
    add("--points", type=int, default=10)
    add("--every", type=float, default=1.0, metavar="S")
    add("--gateway", default="site-07")
    add("--births", type=Path)
    options = parser.parse_args()
    found = gather(
        options.folder,
        seconds=options.seconds,
        devices=options.devices,
        points=options.points,
        every_s=options.every,
        gateway=options.gateway,
        births=options.births,
    )
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
