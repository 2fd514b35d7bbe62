"""Cameras that do not see, by their own word and by their silence."""

from __future__ import annotations

import asyncio

from tests.support.virtual import run_virtual
from tests.support.watched_site import Watched, a_camera


def test_a_camera_without_a_process_is_a_fault_until_it_has_one(tmp_path):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(20)
            site.vision.no_start = OSError(12, "Cannot allocate memory")
            site.vision["main"].die(-9)
            await asyncio.sleep(30)
            down = site.camera()
            site.vision.no_start = None
            await asyncio.sleep(60)
            up = site.camera()
        return site, down, up

    site, down, up = run_virtual(main())

    assert down["state"] == "fault"
    assert down["faults"] == ["process"]
    assert not down["pid"]
    assert up["state"] == "watching"
    assert site.states("camera_fault") == ["raised", "cleared"]
    raised, cleared = site.told("camera_fault")
    assert raised["id"] == cleared["id"]
    assert raised["values"] == {"camera": "yard-1", "fault": "process"}


def test_a_fault_is_told_with_its_reason_and_ends(tmp_path):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(20)
            process = site.vision["main"]
            process.condition("yard-1", "gone", why="x", text="refused")
            await asyncio.sleep(3)
            state, counts = site.camera()["state"], site.app.cameras.counts()
            process.condition("yard-1", "gone", "cleared")
            await asyncio.sleep(3)
        return site, state, counts

    site, state, counts = run_virtual(main())

    assert state == "fault"
    assert counts == (0, 1)
    assert site.states("camera_fault") == ["raised", "cleared"]


def test_a_camera_that_says_nothing_and_shows_nothing_is_silent(tmp_path):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(20)
            site.vision["main"].still.add("yard-1")
            await asyncio.sleep(40)
            faults = site.camera()["faults"]
            site.vision["main"].still.clear()
            await asyncio.sleep(5)
        return site, faults

    site, faults = run_virtual(main())

    assert faults == ["silent"]
    assert site.states("camera_fault") == ["raised", "cleared"]
