"""The composition of ``gateway.app`` in virtual time: hours in seconds."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from tests.support.virtual import run_virtual, running_loop
from tests.support.virtual_site import VirtualSite


def test_an_hour_with_a_dead_device_a_bus_outage_and_a_platform_outage(tmp_path):
    async def hour():
        async with VirtualSite(tmp_path, buses=2, devices=5) as site:
            plc, other = site.endpoints["bus-0"], site.endpoints["bus-1"]
            await asyncio.sleep(600)
            plc.dead.add(3)
            await asyncio.sleep(600)
            other.down()
            await asyncio.sleep(300)
            await other.up()
            site.platform.down()
            await asyncio.sleep(300)
            site.platform.up()
            plc.dead.clear()
            await asyncio.sleep(1800)
            units = {
                u.conf.name: u
                for w in site.app.workers.values()
                for u in w.units.values()
            }
            health = site.health()
            await asyncio.sleep(0.5)
            end = running_loop().time()
        return site, units, health, end

    site, units, health, _ = run_virtual(hour())

    for name, unit in units.items():
        gaps, scans = site.gaps(name), site.scans(name)
        settled = sum(job.line.next for job in unit.jobs)
        assert not any(gap.get("open") for gap in gaps), name
        assert len(scans) + sum(gap["slots"] for gap in gaps) == settled, name
        assert 3600 <= settled <= 3602
    assert [g["cause"] for g in site.gaps("bus-0-dev-3")] == ["backed_off"]
    for n in range(1, 6):
        (gap,) = site.gaps(f"bus-1-dev-{n}")
        assert gap["cause"] == "bus_gone"
        assert 295 <= gap["slots"] <= 303
    for n in (1, 2, 4, 5):
        scans = site.scans(f"bus-0-dev-{n}")
        assert len(scans) >= 3600 * 0.98
        periods = sorted(b["t"] - a["t"] for a, b in pairwise(scans[1:]))
        assert periods[int(len(periods) * 0.99)] <= 1100
    assert all(device["state"] == "online" for device in health["devices"])
    assert b"READY=1" in site.sent[0]
    assert site.sent.count(b"WATCHDOG=1") >= 355


def test_a_silent_endpoint_is_one_event_and_costs_the_other_nine_nothing(tmp_path):
    async def main():
        async with VirtualSite(tmp_path, buses=10, devices=1) as site:
            await asyncio.sleep(60)
            site.endpoints["bus-3"].dead.add(1)
            await asyncio.sleep(600)
            site.endpoints["bus-3"].dead.clear()
            back = site.clock.wall_ms()
            await asyncio.sleep(30)
        return site, back

    site, back = run_virtual(main())

    told = [
        (e["type"], e["state"]) for e in site.events() if e["type"] != "gateway_started"
    ]
    assert told == [("device_offline", "raised"), ("device_offline", "cleared")]
    good = [s["t"] for s in site.scans("bus-3-dev-1") if s["values"] and s["t"] >= back]
    assert good[0] - back <= 5000
    (gap,) = [g for g in site.gaps("bus-3-dev-1") if g["slots"] > 5]
    assert gap["slots"] >= 590
    for n in range(10):
        if n != 3:
            scans = site.scans(f"bus-{n}-dev-1")
            assert len(scans) >= 690
            assert max(b["t"] - a["t"] for a, b in pairwise(scans[1:])) <= 1002


def test_an_endpoint_that_hangs_up_on_every_request_is_one_event(tmp_path):
    async def main():
        async with VirtualSite(tmp_path, buses=2, devices=1) as site:
            endpoint = site.endpoints["bus-0"]
            await asyncio.sleep(30)
            endpoint.hang_up = True
            await asyncio.sleep(300)
            endpoint.hang_up = False
            back = site.clock.wall_ms()
            await asyncio.sleep(30)
        return site, back

    site, back = run_virtual(main())

    told = [
        (e["type"], e["state"]) for e in site.events() if e["type"] != "gateway_started"
    ]
    assert len(told) <= 4, told
    assert ("bus_gone", "cleared") in told
    good = [s["t"] for s in site.scans("bus-0-dev-1") if s["values"] and s["t"] >= back]
    assert good[0] - back <= 5000
    site.check_slots()
