"""Instruments that push, in a running gateway: reload, and frames of other kinds."""

from __future__ import annotations

import asyncio
import gc

import pytest

from drivers.hj212.frame import pack
from gateway.app import App
from gateway.config import load_site
from gateway.notify import Notifier
from gateway.ports import Ports
from tests.drivers.hj212.test_listener import (
    DUST,
    PM25,
    Side,
    connected,
    device,
    push,
    served,
    settle,
)
from tests.support.clock import VirtualClock
from tests.support.memory_link import MemoryPlatform
from tests.support.virtual import running_loop, virtual

SITE = """
gateway: g-1
buffer: {{path: ./data, max_bytes: 50MB, keep_free: 0B}}
buses:
  push: {{protocol: hj212, listen: "127.0.0.1:9001"}}
devices:
  dust-1:
    bus: push
    {address}
    every: 35s
    points:
      - {{name: pm10, factor: a34002, unit: ug/m3}}
      - {{name: slow, factor: a34002, unit: ug/m3, every: 70s}}
targets:
  platform: {{mqtt: "mqtt://127.0.0.1:1883"}}
"""


@pytest.fixture
def no_garbage_collection():
    """What is dropped in a cycle stays as long as it likes."""
    gc.disable()
    yield
    gc.enable()


@virtual
async def test_frames_are_the_new_device_s_at_once(tmp_path, no_garbage_collection):
    def site(address):
        (tmp_path / "site.yaml").write_text(SITE.format(address=address))
        return load_site(tmp_path / "site.yaml")

    platform = MemoryPlatform()
    sites = [site("address: A"), site("timeout: 2s")]
    ports = Ports(
        make_connector=lambda: platform.connector,
        notifier=Notifier(send=lambda _: None),
    )
    app = App(sites[0], VirtualClock(), ports, lambda: sites[1])
    task = asyncio.create_task(app.run())
    await asyncio.sleep(2)
    _, side = await running_loop().create_connection(Side, "127.0.0.1", 9001)
    for turn in range(8):
        if turn == 4:
            await app.reload()
        await side.say(push("A", turn, turn))
        await asyncio.sleep(36)
    app.stop("test")
    await task

    records = {r["seq"]: r for r in platform.records()}
    scans = [records[seq] for seq in sorted(records) if records[seq]["kind"] == "scan"]
    told = [s["values"]["pm10"] for s in scans if "pm10" in s["values"]]
    assert told == sorted(set(told)), "each once, in their order"
    assert set(told) >= {1, 2, 3, 5, 6}
    slow = [s["values"]["slow"] for s in scans if "slow" in s["values"]]
    assert len(slow) >= 2, "the other period gets them, too"
    assert slow == sorted(set(slow))


@virtual
async def test_who_sends_none_of_the_quick_frames_loses_none_of_the_slow_ones(tmp_path):
    (tmp_path / "site.yaml").write_text(
        SITE.format(address="address: A").replace(
            "every: 70s", "every: 61s, field: Avg, cn: 2051"
        )
    )
    site = load_site(tmp_path / "site.yaml")
    platform = MemoryPlatform()
    ports = Ports(
        make_connector=lambda: platform.connector,
        notifier=Notifier(send=lambda _: None),
    )
    app = App(site, VirtualClock(), ports, lambda: site)
    task = asyncio.create_task(app.run())
    await asyncio.sleep(2)
    _, side = await running_loop().create_connection(Side, "127.0.0.1", 9001)
    for turn in range(12):
        frame = push("A", turn, turn, cn=2051)
        await side.say(pack(frame[6:-6].replace(b"-Rtd", b"-Avg")))
        await asyncio.sleep(60)
    app.stop("test")
    await task

    records = {r["seq"]: r for r in platform.records()}
    values = [r["values"] for _, r in sorted(records.items()) if r["kind"] == "scan"]
    slow = [said["slow"] for said in values if "slow" in said]
    # Until two of them have come, it may be taken for dead.
    assert slow[-8:] == list(range(slow[-1] - 7, slow[-1] + 1))
    assert slow[-1] >= 10


@virtual
async def test_a_packet_that_was_confirmed_outlives_its_connection():
    port = await served()
    one = device(port, "A", points=(DUST, PM25))
    head = "QN=20240601080000000;ST=39;CN=2011;PW=123456;MN=A;Flag=7;PNUM=2;"
    packets = [
        pack(f"{head}PNO={n};CP=&&DataTime=20240601080000;{value}&&".encode())
        for n, value in ((1, "a34002-Rtd=1"), (2, "a34004-Rtd=2"))
    ]
    side = await connected()
    await side.say(packets[0])
    assert b"CN=9014" in side.heard
    side.transport.close()
    await settle()

    side = await connected()
    await side.say(packets[1])

    assert (await one.scan(["pm10", "pm25"])).values == {"pm10": 1, "pm25": 2}
    await port.close()
