"""Pictures on their way from the disk to the platform."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.control import ControlError, Request
from gateway.media import media_records
from tests.support.virtual import run_virtual, running_loop
from tests.support.watched_site import Watched, a_camera, media_of


def test_a_snapshot_is_asked_of_the_process(tmp_path):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(5)
            cameras = site.app.cameras
            found = await cameras.snapshot(Request(cmd="snapshot", device="yard-1"))
            with pytest.raises(ControlError) as unknown:
                await cameras.snapshot(Request(cmd="snapshot", device="yard-9"))
            site.vision["main"].hangs = True
            with pytest.raises(ControlError) as silent:
                await cameras.snapshot(Request(cmd="snapshot", device="yard-1"))
            await asyncio.sleep(5)
        return site, found, unknown.value.code, silent.value.code

    site, found, unknown, silent = run_virtual(main())

    assert Path(found["file"]).is_file()
    assert (unknown, silent) == ("no_camera", "no_picture")
    assert [head["role"] for _, head, _ in media_of(site)] == ["snapshot"]


def test_a_snapshot_of_a_camera_that_is_gone_says_so_soon(tmp_path):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(5)
            process = site.vision["main"]
            process.condition("yard-1", "gone")
            process.hangs = True
            await asyncio.sleep(1)
            began = running_loop().time()
            request = Request(cmd="snapshot", device="yard-1")
            with pytest.raises(ControlError) as gone:
                await site.app.cameras.snapshot(request)
            took = running_loop().time() - began
            (why,) = [c.reason for c in site.app.cameras.health()]
        return took, str(gone.value), why

    took, said, why = run_virtual(main())

    assert took == pytest.approx(3.0, abs=0.1)
    assert why["en"] in said or why["zh"] in said


def test_a_daily_picture_is_an_event_that_carries_it(tmp_path):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(5)
            site.vision["main"].picture("yard-1", "heartbeat-yard-1-1", "heartbeat")
            await asyncio.sleep(5)
        return site

    site = run_virtual(main())

    (event,) = site.told("camera_heartbeat")
    assert event["severity"] == "info"
    assert [m["role"] for m in event["media"]] == ["heartbeat"]


def test_a_file_that_is_not_what_was_said_is_no_evidence(tmp_path):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(5)
            process = site.vision["main"]
            process.sight("yard-1", "a1")
            process.picture("yard-1", "a1", "at")
            for file in (tmp_path / "data" / "media").rglob("*.jpg"):
                file.write_bytes(b"something else")
            await asyncio.sleep(5)
        return site

    site = run_virtual(main())

    assert media_of(site) == []
    assert site.states("smoke_seen") == ["raised"]


def test_a_folder_that_hangs_keeps_nobody_from_hearing_the_cameras(tmp_path):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(20)
            process = site.vision["main"]
            loop = running_loop()
            run = loop.run_in_executor
            loop.run_in_executor = lambda pool, call, *told: (
                loop.create_future()
                if call is media_records
                else run(pool, call, *told)
            )
            process.picture("yard-1", "a1", "at")
            process.sight("yard-1", "a2")
            await asyncio.sleep(15)
            loop.run_in_executor = run
            return list(site.app.cameras.standing.alarms.open)

    assert run_virtual(main()) == ["a2"]


def test_pictures_that_cannot_be_kept_are_said_once(tmp_path, caplog):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(5)
            site.vision["main"].unkept = {
                "unkept": "vision.unkept.file",
                "unkept_args": {"path": "/media", "error": "No space left on device"},
            }
            await asyncio.sleep(60)
            return site.camera()

    camera = run_virtual(main())

    assert camera["state"] == "watching"
    assert "No space left on device" in camera["reason"]["en"]
    said = [r for r in caplog.records if "No space left" in r.getMessage()]
    assert len(said) == 1
