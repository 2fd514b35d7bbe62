"""A camera that comes and goes: a few events an hour, and never silence."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.virtual import run_virtual
from tests.support.watched_site import Watched, a_camera


async def flap(site, times, *, away_s, back_s):
    for _ in range(times):
        site.vision["main"].condition("yard-1", "gone")
        await asyncio.sleep(away_s)
        site.vision["main"].condition("yard-1", "gone", "cleared")
        await asyncio.sleep(back_s)


@pytest.mark.parametrize(("away_s", "back_s"), [(5, 25), (20, 300)])
def test_a_bad_plug_makes_a_few_events_an_hour(tmp_path, away_s, back_s):
    hours = 2
    times = hours * 3600 // (away_s + back_s)

    async def main():
        async with Watched(tmp_path, a_camera("yard-1"), every_s=60.0) as site:
            await asyncio.sleep(30)
            await flap(site, times, away_s=away_s, back_s=back_s)
            states = site.camera()["state"], site.camera()["faults"]
            await asyncio.sleep(700)
            after = site.camera()["state"]
        return site, states, after

    site, states, after = run_virtual(main())
    told = site.told("camera_fault")

    assert states == ("fault", ["gone"])
    assert after == "watching"
    assert [e["state"] for e in told[:6]] == [
        *("raised", "cleared", "raised", "cleared"),
        *("raised", "updated"),
    ]
    assert told[5]["values"]["times"] == 3
    assert "3" in told[5]["text"]["en"]
    assert told[-1]["state"] == "cleared"
    assert told[-1]["values"]["times"] == times
    assert 2 * hours <= len(told) <= 7 + 2 * hours
    # Each event of a fault is of one that was raised, and none stays open.
    assert told[-1]["id"] == told[4]["id"]


def test_a_fault_now_and_then_is_raised_and_cleared_each_time(tmp_path):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1"), every_s=60.0) as site:
            await asyncio.sleep(30)
            await flap(site, 6, away_s=60, back_s=1800)
        return site

    site = run_virtual(main())

    assert site.states("camera_fault") == ["raised", "cleared"] * 6


def test_what_has_been_steady_is_told_at_once_again(tmp_path):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1"), every_s=60.0) as site:
            await asyncio.sleep(30)
            await flap(site, 5, away_s=5, back_s=20)
            await asyncio.sleep(4000)
            before = len(site.told("camera_fault"))
            await flap(site, 1, away_s=5, back_s=20)
        return site.states("camera_fault")[before:]

    assert run_virtual(main()) == ["raised", "cleared"]
