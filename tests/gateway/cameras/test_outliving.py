"""Alarms and faults outlive the process that saw them, and the gateway."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.virtual import run_virtual, running_loop
from tests.support.watched_site import Watched, a_camera, media_of
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


@pytest.mark.parametrize("holds", [("A-1",), ()])
def test_a_second_fire_of_the_zone_is_an_alarm_of_its_own(tmp_path, holds):
    """Whatever the next process sees first: beside the first fire, or upon it."""
    first, beside = (0.05, 0.1, 0.2, 0.3), (0.7, 0.1, 0.9, 0.4)
    region = first if holds else beside  # what it holds itself is no other of its own

    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(20)
            site.vision["main"].sight("yard-1", "A-1", region=first, zone="field")
            await asyncio.sleep(5)
            site.vision["main"].die(-9)
            await asyncio.sleep(1.5)
            process = site.vision["main"]
            process.holds = holds
            await asyncio.sleep(4)
            process.sight("yard-1", "C-1", region=region, zone="field")
            process.picture("yard-1", "C-1", "at")
            await asyncio.sleep(3)
            process.sight("yard-1", "A-1", "updated", region=first, zone="field")
            await asyncio.sleep(60)
            process.sight("yard-1", "C-1", "cleared", region=region, zone="field")
            await asyncio.sleep(60)
            open_ = list(site.app.cameras.standing.alarms.open)
        return site, open_

    site, open_ = run_virtual(main())

    told = [(e["id"], e["state"]) for e in site.told("smoke_seen") if "media" not in e]
    assert told == [("A-1", "raised"), ("C-1", "raised"), ("A-1", "updated")]
    assert [head["event"] for _, head, _ in media_of(site)] == ["C-1"]
    assert open_ == ["A-1"]


@pytest.mark.parametrize(
    ("region", "same"),
    [
        ((0.4, 0.1, 0.6, 0.4), True),
        ((0.45, 0.2, 0.5, 0.3), True),  # within it
        ((0.49, 0.1, 0.69, 0.4), True),  # it drifted
        ((0.52, 0.1, 0.72, 0.4), False),
        ((0.59, 0.39, 0.9, 0.9), False),  # they touch
        ((0.5, 0.2, 0.5, 0.2), False),
    ],
)
def test_what_lies_half_over_an_alarm_is_that_alarm(tmp_path, region, same):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(20)
            site.vision["main"].sight("yard-1", "old-1")
            site.vision["main"].die(-9)
            await asyncio.sleep(20)
            site.vision["main"].sight("yard-1", "new-1", region=region)
            await asyncio.sleep(5)
        return [e["id"] for e in site.told("smoke_seen")]

    assert run_virtual(main()) == ["old-1", "old-1" if same else "new-1"]


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


def test_the_last_picture_of_an_alarm_that_outlived_its_process_has_its_name(tmp_path):
    async def main():
        first = Watched(tmp_path, a_camera("yard-1"))
        async with first:
            await asyncio.sleep(20)
            first.vision["main"].sight("yard-1", "a1")
            first.vision["main"].picture("yard-1", "a1", "at")
            await asyncio.sleep(4)
            first.vision["main"].die(-9)
            await asyncio.sleep(6)
            process = first.vision["main"]
            process.sight("yard-1", "b1")
            process.picture("yard-1", "b1", "at")
            await asyncio.sleep(4)
            process.sight("yard-1", "b1", "cleared", score=0.0)
            await asyncio.sleep(1)
            process.keep("yard-1", "b1", "after")  # and nobody hears of it
        second = Watched(tmp_path, a_camera("yard-1"), clock=first.clock)
        second.platform = first.platform
        async with second:
            await asyncio.sleep(20)
        return second

    heads = [head for _, head, _ in media_of(run_virtual(main()))]

    assert {(h["event"], h["n"], h["role"]) for h in heads} == {
        ("a1", 1, "at"),
        ("a1", 3, "at"),
        ("a1", 4, "after"),
    }


def test_two_pictures_of_one_alarm_never_have_one_number(tmp_path):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(20)
            process = site.vision["main"]
            process.sight("yard-1", "a1")
            process.picture("yard-1", "a1", "at", b"1")
            process.picture("yard-1", "a1", "at", b"2")
            await asyncio.sleep(4)
            process.die(-9)
            await asyncio.sleep(6)
            process = site.vision["main"]  # the files went by then: it counts from 1
            process.sight("yard-1", "a1", "updated")
            process.picture("yard-1", "a1", "at", b"3")
            process.picture("yard-1", "a1", "after", b"4")
            process.picture("yard-1", "a1", "after", b"5")
            await asyncio.sleep(5)
        return site

    site = run_virtual(main())

    assert [m["n"] for m in site.told("smoke_seen")[-1]["media"]] == [1, 2, 3, 4, 5]
    numbers = [head["n"] for _, head, _ in media_of(site)]
    assert sorted(numbers) == [1, 2, 3, 4, 5]
