"""The life of a vision process: started again, replaced, ended in time."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from tests.support.virtual import run_virtual, running_loop
from tests.support.watched_site import Watched, a_camera, a_vision, media_of
from vision.messages import Stop


def test_a_process_that_dies_is_started_again_and_nothing_else_notices(tmp_path):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(20)
            site.vision["main"].die(-11)
            await asyncio.sleep(20)
            camera = site.camera()
        return site, camera

    site, camera = run_virtual(main())

    assert len(site.vision.started) == 2
    assert camera["restarts"] == 1
    assert camera["state"] == "watching"
    assert site.states("camera_fault") == []  # back within two seconds
    site.check_slots()


def test_a_crash_loop_is_slow_and_says_little(tmp_path, caplog):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1"), every_s=60.0) as site:
            site.vision.lives_s = 0.5
            await asyncio.sleep(3600)
            started = len(site.vision.started)
        return site, started

    site, started = run_virtual(main())

    assert 100 <= started <= 140  # once every 30 s and what it takes to fail
    assert site.states("camera_fault") == ["raised"]


def test_a_process_that_ends_soon_again_and_again_does_not_flood_events(tmp_path):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1"), every_s=60.0) as site:
            site.vision.lives_s = 15.0
            await asyncio.sleep(3600)
            looped = site.states("camera_fault")
            site.vision.lives_s = None
            await asyncio.sleep(180)
        return site, looped

    site, looped = run_virtual(main())

    assert len(looped) <= 5
    assert looped[-1] == "raised"
    assert site.states("camera_fault") == [*looped, "cleared"]


def test_a_silent_process_is_killed_within_its_time(tmp_path):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(20)
            process = site.vision["main"]
            process.hangs = True
            hung = running_loop().time()
            await asyncio.sleep(30)
        return site, process, process.ended_s - hung

    site, process, after_s = run_virtual(main())

    assert process.ended_with == -9
    assert 8 <= after_s <= 12
    assert len(site.vision.started) == 2


def test_a_process_that_grew_is_replaced_when_no_alarm_is_open(tmp_path):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1"), every_s=60.0) as site:
            await asyncio.sleep(700)
            process = site.vision["main"]
            process.sight("yard-1", "a1")
            await asyncio.sleep(1)
            process.rss = 450_000_000
            await asyncio.sleep(60)
            held = process.alive
            process.sight("yard-1", "a1", "cleared")
            await asyncio.sleep(10)
            camera = site.camera()
        return site, process, held, camera

    site, process, held, camera = run_virtual(main())

    assert held
    assert process.ended_with == 0
    assert isinstance(process.heard[-1], Stop)
    assert (camera["restarts"], camera["recycled"]) == (1, 1)
    assert site.states("camera_fault") == []


def test_far_over_its_memory_it_is_replaced_whatever_it_does(tmp_path):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(100)
            process = site.vision["main"]
            process.sight("yard-1", "a1")
            process.rss = 700_000_000
            await asyncio.sleep(5)
        return process

    assert run_virtual(main()).ended_with == 0


def test_a_limit_too_low_does_not_keep_it_from_looking(tmp_path):
    async def main():
        vision = a_vision(tmp_path, memory=100_000_000)
        camera = a_camera("yard-1")
        async with Watched(tmp_path, camera, vision=vision, every_s=60.0) as site:
            await asyncio.sleep(3600)
            return len(site.vision.started)

    assert run_virtual(main()) <= 8


def test_a_reader_that_hangs_has_its_process_replaced(tmp_path):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(20)
            process = site.vision["main"]
            process.stuck = ("yard-1",)
            await asyncio.sleep(10)
        return process

    assert run_virtual(main()).ended_with == 0


def test_what_a_process_says_while_it_is_replaced_is_told(tmp_path):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(20)
            process = site.vision["main"]
            process.last_words = lambda: (
                process.sight("yard-1", "late-1"),
                process.picture("yard-1", "late-1", "at"),
            )
            process.rss = 700_000_000
            await asyncio.sleep(10)
            replaced = len(site.vision.started)
        return site, replaced

    site, replaced = run_virtual(main())

    assert replaced == 2
    assert site.states("smoke_seen")[0] == "raised"
    assert [head["event"] for _, head, _ in media_of(site)] == ["late-1"]


def test_a_process_that_talks_on_is_replaced_all_the_same(tmp_path):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(20)
            process = site.vision["main"]
            process.deaf = True
            process.rss = 700_000_000
            await asyncio.sleep(12)
        return process

    assert run_virtual(main()).ended_with == -9


def test_a_reload_touches_only_the_group_that_changed(tmp_path):
    async def main():
        cameras = a_camera("yard-1", "a"), a_camera("tower-1", "b")
        async with Watched(tmp_path, *cameras) as site:
            await asyncio.sleep(20)
            site.vision["a"].sight("yard-1", "a1")
            await asyncio.sleep(1)
            kept = site.vision["b"]
            changed = a_camera("yard-1", "a", every_s=0.5)
            new = a_camera("gate-1", "c")
            site.next_site = msgspec.structs.replace(
                site.site,
                cameras={c.name: c for c in (changed, cameras[1], new)},
            )
            said = await site.app.reload()
            await asyncio.sleep(5)
            site.next_site = msgspec.structs.replace(
                site.next_site, cameras={"tower-1": cameras[1]}
            )
            await site.app.reload()
            await asyncio.sleep(5)
            running = [p.group for p in site.vision.started if p.alive]
        return site, kept, said, running

    site, kept, said, running = run_virtual(main())

    assert said == ["cameras changed: gate-1, yard-1"]
    assert running == ["b"]
    assert kept.alive is False  # by the stop of the gateway, not before
    assert len(site.vision.of("a")) == 2
    cleared = site.told("smoke_seen")[-1]
    assert cleared["state"] == "cleared"
    assert cleared["values"]["cause"] == "camera removed"


@pytest.mark.parametrize("deaf", [False, True])
def test_a_stop_stays_within_its_time(tmp_path, deaf):
    async def main():
        cameras = [a_camera(f"yard-{n}", f"g{n}") for n in range(3)]
        async with Watched(tmp_path, *cameras) as site:
            await asyncio.sleep(20)
            for process in site.vision.started:
                process.deaf = deaf
            took = await site.stop()
        return site, took

    site, took = run_virtual(main())

    assert took < 3.0
    assert not any(process.alive for process in site.vision.started)
