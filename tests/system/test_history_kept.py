"""What a running gateway keeps of a station is what it delivered, with its causes.

Virtual hours of one device: it falls silent, its outlet is worked on, the gateway is
stopped and starts again; the platform's records are the truth.
"""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from buffer import History
from gateway.history import ShownPeriod
from gateway.history_served import Question, answers
from gateway.report.calendar import midnight
from gateway.report.validity import Sources, make
from tests.support.virtual import running_loop, virtual
from tests.support.virtual_site import VirtualSite
from tests.system.test_bar_averages import DEVICE, Alive, station_site

BEIJING = ZoneInfo("Asia/Shanghai")


class Kept(VirtualSite):
    """A site whose registers live."""

    def __init__(self, folder, site):
        super().__init__(folder, site)
        self.endpoints = {name: Alive(name) for name in site.buses}


async def asked(history, **question):
    parts = answers(history, Question(**question))
    return [one async for part in parts for one in json.loads(part)]


@virtual
async def test_minutes_and_causes_of_a_day_with_trouble(tmp_path) -> None:
    site = station_site(tmp_path)
    async with Kept(tmp_path, site) as run:
        began = running_loop().time()
        await asyncio.sleep(1800)
        run.endpoints["bus-0"].dead.add(1)
        await asyncio.sleep(1200)
        run.endpoints["bus-0"].dead.clear()
        await asyncio.sleep(1200)
        for record in run.app.maintenance.windows.start(
            [DEVICE], "maintenance", "王工", "更换滤芯", 900
        ):
            run.app.record(record)
        run.app.rejudge(["bus-0"])
        await asyncio.sleep(1800)
        await run.stop()
        await asyncio.sleep(600)
        run.start()
        await asyncio.sleep(1800)
        assert run.health()["history"]["bytes"] > 0
        passed = running_loop().time() - began
        now_ms = run.clock.wall_ms()
        await asyncio.sleep(60)
        await run.stop()
        delivered = run.records()

    told = {}
    for record in delivered:
        if record["kind"] in ("minute", "hour"):
            key = record["kind"], record["t"]
            if record["rev"] >= told.get(key, record)["rev"]:
                told[key] = record
    history = await History.look(tmp_path / "data" / "history")
    for kind in ("minute", "hour"):
        kept = await asked(history, what="periods", subject="DA001", kind=kind)
        assert [p["agg"] for p in kept] == [
            record["agg"] for key, record in sorted(told.items()) if key[0] == kind
        ]
        assert len(kept) >= passed / (60 if kind == "minute" else 3600) - 12
    minutes = await asked(history, what="periods", subject="DA001", kind="minute")
    events = await asked(history, what="events", subject=DEVICE)
    span = await asked(history, what="span", subject="DA001", kind="minute")
    await history.close()

    gaps = [e for e in events if e["kind"] == "gap"]
    assert {g["cause"] for g in gaps} == {
        r["cause"] for r in delivered if r["kind"] == "gap"
    }
    zone = ZoneInfo(site.info.timezone)
    day = datetime.fromtimestamp(now_ms / 1000, zone).date()
    report = make(
        site.stations["DA001"],
        "day",
        day,
        Sources(
            periods=[msgspec.convert(p, ShownPeriod) for p in minutes],
            fates=[],
            events=events,
            first_ms=span[0],
        ),
        timezone=site.info.timezone,
        now_ms=now_ms,
    )
    since = midnight(day, zone)
    mine = [p for p in minutes if p["t"] >= since and p["until"] <= now_ms]
    for factor in report.factors:
        marks = [p["agg"][factor.name].get("mark", "valid") for p in mine]
        assert factor.total.valid == marks.count("valid")
        assert factor.total.expected >= len(mine)
        parts = [p["agg"][factor.name].get("marks", {}) for p in mine]
        assert sum(of.get("maintenance", 0) for of in parts) >= 13 * 12
        assert sum(of.get("link", 0) for of in parts) >= 12
    assert [(w.who, w.why) for w in report.declared] == [("王工", "更换滤芯")]
    assert {"backed_off", "maintenance"} <= {g.cause for g in report.gaps}
    assert all(g.factors == ("f0", "f1", "f2") for g in report.gaps)
