"""What a whole site publishes, on good and bad days, is what its schema says."""

from __future__ import annotations

import asyncio
import json

import msgspec

from tests.support.mqtt_schema import KINDS, errors, kind_of
from tests.support.virtual import run_virtual
from tests.support.virtual_site import VirtualSite


def test_every_message_of_a_bad_day_matches_the_schema(tmp_path):
    async def day():
        async with VirtualSite(tmp_path, buses=2, devices=3) as site:
            await asyncio.sleep(60)
            site.endpoints["bus-0"].dead.add(2)
            await asyncio.sleep(700)  # the gap is restated after ten minutes
            site.endpoints["bus-1"].down()
            site.clock.step(3600)
            await asyncio.sleep(60)
            site.platform.down()
            await asyncio.sleep(60)
            await site.endpoints["bus-1"].up()
            site.endpoints["bus-0"].dead.clear()
            site.platform.up()
            site.next_site = msgspec.structs.replace(
                site.site, info=msgspec.structs.replace(site.site.info, grid="2-3-017")
            )
            await site.app.reload()
            await asyncio.sleep(60)
        return site

    site = run_virtual(day())

    arrived = site.platform.arrived
    # A site without cameras has no pictures.
    assert {kind_of(m.topic) for m in arrived} == set(KINDS) - {"media"}
    assert {r["kind"] for r in site.records()} == {"scan", "gap", "event"}
    assert len({m.topic for m in arrived if kind_of(m.topic) == "meta"}) == 2
    told = {e["type"] for e in site.events()}
    assert {"device_offline", "bus_gone", "clock_step"} <= told
    states = {
        json.loads(m.payload)["state"] for m in arrived if kind_of(m.topic) == "status"
    }
    assert {"online", "stopped"} <= states
    assert [e for m in arrived for e in errors(m.topic, m.payload)] == []
