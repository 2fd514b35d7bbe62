"""Alarms and faults outlive the process that saw them, and the gateway."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.virtual import run_virtual, running_loop
from tests.support.watched_site import Watched, a_camera
from vision.messages import Rule


def test_an_alarm_outlives_its_process_when_it_is_seen_again(tmp_path):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(20)
            process = site.vision["main"]
            process.sight("yard-1", "old-1")
            process.picture("yard-1", "old-1", "at")
            await asyncio.sleep(5)
            process.die(-9)
            await asyncio.sleep(20)
            process = site.vision["main"]
            process.sight("yard-1", "new-1", region=(0.42, 0.12, 0.5, 0.3))
            process.picture("yard-1", "new-1", "at")
            await asyncio.sleep(5)
            process.sight("yard-1", "new-1", "cleared")
            await asyncio.sleep(400)
        return site

    site = run_virtual(main())

    told = site.told("smoke_seen")
    assert {e["id"] for e in told} == {"old-1"}
    assert [e["state"] for e in told] == [
        "raised",
        "updated",
        "updated",
        "updated",
        "cleared",
    ]
    assert [m["n"] for m in told[-1]["media"]] == [1, 3]
    assert "cause" not in told[-1]["values"]


def test_an_alarm_whose_process_died_is_not_left_open(tmp_path):
    async def main():
        rules = {"dark_smoke": Rule(cooldown_s=120.0)}
        async with Watched(tmp_path, a_camera("yard-1", rules=rules)) as site:
            await asyncio.sleep(20)
            site.vision["main"].sight("yard-1", "old-1")
            await asyncio.sleep(5)
            site.vision["main"].die(-9)
            died = running_loop().time()
            await asyncio.sleep(115)
            before = site.states("smoke_seen")
            await asyncio.sleep(10)
        return site, before, died

    site, before, _ = run_virtual(main())

    assert before == ["raised"]
    cleared = site.told("smoke_seen")[-1]
    assert cleared["state"] == "cleared"
    assert cleared["values"]["cause"] == "camera process ended"


def test_an_alarm_that_outlived_two_processes_ends_with_the_third(tmp_path):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(20)
            site.vision["main"].sight("yard-1", "first-1")
            site.vision["main"].die(-9)
            await asyncio.sleep(20)
            site.vision["main"].sight("yard-1", "second-1")
            site.vision["main"].die(-9)
            await asyncio.sleep(20)
            # It took the alarm up by the name the second had for it, and saw it end.
            site.vision["main"].sight("yard-1", "second-1", "cleared", score=0.1)
            await asyncio.sleep(400)
        return site

    told = run_virtual(main()).told("smoke_seen")

    assert [e["state"] for e in told] == ["raised", "updated", "cleared"]
    assert {e["id"] for e in told} == {"first-1"}
    assert "cause" not in told[-1]["values"]


@pytest.mark.parametrize("seen_again", [True, False])
def test_alarms_and_faults_outlive_the_gateway(tmp_path, seen_again):
    async def main():
        cameras = a_camera("yard-1"), a_camera("yard-2")
        first = Watched(tmp_path, *cameras)
        async with first:
            await asyncio.sleep(20)
            first.vision["main"].sight("yard-1", "old-1")
            first.vision["main"].condition("yard-2", "frozen", seconds="7")
            await asyncio.sleep(3)
        clock = first.clock
        second = Watched(tmp_path, *cameras, clock=clock)
        second.platform = first.platform
        async with second:
            await asyncio.sleep(20)
            if seen_again:
                second.vision["main"].sight("yard-1", "new-1")
            await asyncio.sleep(320)
            open_ = list(second.app.cameras.standing.alarms.open)
        return second, open_

    site, open_ = run_virtual(main())

    told = site.told("smoke_seen")
    assert {e["id"] for e in told} == {"old-1"}
    if seen_again:
        assert [e["state"] for e in told] == ["raised", "updated"]
        assert open_ == ["old-1"]
    else:
        assert [e["state"] for e in told] == ["raised", "cleared"]
        assert open_ == []
    faults = site.told("camera_fault")
    assert [e["state"] for e in faults] == ["raised", "cleared"]
    assert faults[0]["id"] == faults[1]["id"]
