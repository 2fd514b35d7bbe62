"""An alarm in the running gateway: its values, its pictures, its end."""

from __future__ import annotations

import asyncio

import pytest

from gateway.record import Lost
from tests.support.mqtt_schema import errors
from tests.support.virtual import run_virtual
from tests.support.watched_site import Watched, a_camera, media_of
from vision.messages import Mount, Rule, Zone


def test_an_alarm_arrives_with_its_values_and_pictures(tmp_path):
    async def main():
        camera = a_camera(
            "yard-1", asset=None, grid="2-3-017", values=("bus-0-dev-1.r1",)
        )
        async with Watched(tmp_path, camera) as site:
            await asyncio.sleep(5)
            process = site.vision["main"]
            process.sight("yard-1", "yard-1-a1")
            process.picture("yard-1", "yard-1-a1", "at")
            process.picture("yard-1", "yard-1-a1", "before")
            await asyncio.sleep(8)
            state = site.camera()["state"]
            process.sight("yard-1", "yard-1-a1", "updated", score=0.7)
            await asyncio.sleep(1)
            process.sight("yard-1", "yard-1-a1", "cleared", score=0.1)
            await asyncio.sleep(3)
        return site, state

    site, state = run_virtual(main())

    raised, pictured, updated, cleared = site.told("smoke_seen")
    assert {e["id"] for e in site.told("smoke_seen")} == {"yard-1-a1"}
    assert [raised["state"], cleared["state"]] == ["raised", "cleared"]
    assert raised["severity"] == "alarm"
    assert raised["values"]["region"] == [0.4, 0.1, 0.6, 0.4]
    assert raised["values"]["grid"] == "2-3-017"
    assert raised["values"]["at"] == {"bus-0-dev-1.r1": 1}
    assert (
        raised["text"]["en"]
        == "yard-1: dark smoke, score 0.82, zone stack, bearing 132°"
    )
    assert raised["text"]["zh"] == "yard-1：发现黑烟，得分 0.82，区域 stack，方位 132°"
    # It began with its first frame, four seconds before the one that confirmed it.
    assert cleared["t"] == raised["t"] == updated["t"]
    assert pictured["until"] - raised["t"] >= 4000
    assert [m["role"] for m in pictured["media"]] == ["at", "before"]
    assert cleared["media"] == pictured["media"]
    assert state == "alarm"
    parts = media_of(site)
    assert [topic.rsplit("/", 2)[1:] for topic, _, _ in parts] == [
        ["yard-1-a1", "1"],
        ["yard-1-a1", "2"],
    ]
    assert parts[0][1]["sha256"] == pictured["media"][0]["sha256"]


def test_dust_is_an_event_of_its_own(tmp_path):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(5)
            site.vision["main"].sight("yard-1", "d", label="dust", zone=None)
            await asyncio.sleep(2)
        return site

    site = run_virtual(main())

    assert site.states("dust_seen") == ["raised"]
    assert "zone" not in site.told("dust_seen")[0]["values"]


def test_another_place_is_another_alarm(tmp_path):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(20)
            site.vision["main"].sight("yard-1", "old-1")
            site.vision["main"].die(-9)
            await asyncio.sleep(20)
            elsewhere = {"region": (0.7, 0.6, 0.8, 0.9), "zone": "field"}
            site.vision["main"].sight("yard-1", "new-1", **elsewhere)
            await asyncio.sleep(5)
        return site

    ids = [e["id"] for e in run_virtual(main()).told("smoke_seen")]

    assert ids == ["old-1", "new-1"]


def test_the_last_pictures_of_an_alarm_may_come_after_its_end(tmp_path):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(5)
            process = site.vision["main"]
            process.sight("yard-1", "a1")
            await asyncio.sleep(2)
            process.sight("yard-1", "a1", "cleared")
            process.picture("yard-1", "a1", "after")
            await asyncio.sleep(5)
        return site

    site = run_virtual(main())

    assert site.states("smoke_seen") == ["raised", "cleared", "cleared"]
    assert [m["role"] for m in site.told("smoke_seen")[-1]["media"]] == ["after"]


@pytest.mark.parametrize("lost", ["unseen", "process_ended"])
def test_a_picture_after_its_end_opens_no_alarm_anew(tmp_path, lost):
    async def main():
        rules = {"dark_smoke": Rule(cooldown_s=30.0)}
        async with Watched(tmp_path, a_camera("yard-1", rules=rules)) as site:
            await asyncio.sleep(20)
            process = site.vision["main"]
            process.sight("yard-1", "a1")
            if lost == "unseen":
                process.sight("yard-1", "a1", "cleared", cause="unseen")
            else:
                process.die(-9)
                await asyncio.sleep(60)
            site.vision["main"].picture("yard-1", "a1", "after")
            await asyncio.sleep(5)
        return site

    told = run_virtual(main()).told("smoke_seen")

    assert [e["state"] for e in told] == ["raised", "cleared", "cleared"]
    assert [m["role"] for m in told[-1]["media"]] == ["after"]
    assert "cause" in told[-1]["values"]


@pytest.mark.parametrize(
    ("cause", "told", "words"),
    [
        ("unseen", "camera could not see", "nobody saw it end"),
        ("usual", "still there, taken as usual", "still there after half an hour"),
    ],
)
def test_an_alarm_whose_end_nobody_saw_is_closed_and_says_so(
    tmp_path, cause, told, words
):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(20)
            process = site.vision["main"]
            process.sight("yard-1", "a1")
            await asyncio.sleep(5)
            process.sight("yard-1", "a1", "cleared", score=0.0, cause=cause)
            await asyncio.sleep(5)
            open_ = list(site.app.cameras.standing.alarms.open)
        return site, open_

    site, open_ = run_virtual(main())

    raised, cleared = site.told("smoke_seen")
    assert (raised["state"], cleared["state"]) == ("raised", "cleared")
    assert cleared["values"]["cause"] == told
    assert words in cleared["text"]["en"]
    assert not open_


def test_every_seq_is_accounted_for_with_cameras(tmp_path):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(60)
            site.vision["main"].sight("yard-1", "a1")
            site.vision["main"].picture("yard-1", "a1", "at")
            await asyncio.sleep(60)
        return site

    site = run_virtual(main())

    site.check_slots()
    assert not [r for r in site.records() if r["kind"] == Lost.__name__.lower()]


def test_all_that_is_published_is_as_documented(tmp_path):
    async def main():
        camera = a_camera(
            "yard-1",
            grid="2-3-017",
            values=("bus-0-dev-1",),
            mount=Mount(position=(118.18, 39.63), bearing=132.0, view=60.0),
            zones=(Zone(name="stack", area=((0, 0), (1, 0), (1, 1))),),
        )
        async with Watched(tmp_path, camera, a_camera("yard-2")) as site:
            await asyncio.sleep(5)
            process = site.vision["main"]
            process.sight("yard-1", "a1", faults=("moved",), second_look=0.7)
            process.picture("yard-1", "a1", "at")
            process.picture("yard-1", "h1", "heartbeat")
            process.condition("yard-2", "gone", why="vision.source.unreachable")
            await asyncio.sleep(70)
        return site

    site = run_virtual(main())

    for arrived in site.platform.arrived:
        assert errors(arrived.topic, arrived.payload) == []
    statuses = [
        arrived.body
        for arrived in site.platform.arrived
        if arrived.topic.endswith("/status")
    ]
    assert {"good": 1, "bad": 1} in [status.get("cameras") for status in statuses]
