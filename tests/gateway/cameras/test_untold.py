"""A picture or an alarm that a death left untold is told late, and once."""

from __future__ import annotations

import asyncio
import os

import msgspec
import pytest

from gateway.cameras.alarms import OLDEST_MS
from gateway.cameras.untold import Untold
from gateway.media import media_records
from gateway.texts import t
from tests.support.virtual import run_virtual, running_loop
from tests.support.watched_site import Watched, a_camera, media_of
from vision.messages import ALARMS_FOLDER, UNTOLD_FOLDER, Sight, note_of

HOUR_MS = OLDEST_MS


def notes(folder):
    return list((folder / "data" / "media" / UNTOLD_FOLDER).glob("*"))


def heads(site):
    return [(head["event"], head["n"], head["role"]) for _, head, _ in media_of(site)]


def test_a_note_goes_once_its_picture_is_safe(tmp_path):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(5)
            process = site.vision["main"]
            process.sight("yard-1", "a1")
            process.picture("yard-1", "a1", "at")
            noted = len(notes(tmp_path))
            await asyncio.sleep(5)
            left = notes(tmp_path)
            process.picture("yard-1", "a1", "after")
            await asyncio.sleep(0.1)
        return site, noted, left

    site, noted, left = run_virtual(main())

    assert (noted, left) == (1, [])
    assert heads(site) == [("a1", 1, "at"), ("a1", 2, "after")]
    assert notes(tmp_path) == []  # by the stop, at the latest


def test_what_a_process_kept_and_died_of_is_told_by_the_next(tmp_path):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(20)
            process = site.vision["main"]
            process.sight("yard-1", "a1")
            process.picture("yard-1", "a1", "at")
            process.keep("yard-1", "a1", "before")
            process.keep("yard-1", "heartbeat-yard-1-20251121", "heartbeat")
            process.die(-9)
            await asyncio.sleep(20)
            site.vision["main"].die(-9)  # and not told again with every start
            await asyncio.sleep(20)
            site.vision["main"].sight("yard-1", "a1", "cleared")
            await asyncio.sleep(2)
        return site

    site = run_virtual(main())

    assert sorted(heads(site)) == [
        ("a1", 1, "at"),
        ("a1", 2, "before"),
        ("heartbeat-yard-1-20251121", 1, "heartbeat"),
    ]
    (heartbeat,) = site.told("camera_heartbeat")
    assert heartbeat["id"] == "heartbeat-yard-1-20251121"
    cleared = site.told("smoke_seen")[-1]
    assert [m["role"] for m in cleared["media"]] == ["at", "before"]
    assert notes(tmp_path) == []


@pytest.mark.parametrize("away_s", [30, 1800, 3 * 3600, 3 * 86400])
def test_what_a_gateway_died_before_storing_is_told_by_its_next_run(tmp_path, away_s):
    async def main():
        camera = a_camera("yard-1")
        first = Watched(tmp_path, camera)
        async with first:
            await asyncio.sleep(20)
            process = first.vision["main"]
            process.sight("yard-1", "a1")
            await asyncio.sleep(1)
            process.keep("yard-1", "a1", "at")
            process.keep("yard-1", "heartbeat-yard-1-1", "heartbeat")
            taken_ms = first.clock.wall_ms()
        await asyncio.sleep(away_s)
        second = Watched(tmp_path, camera, clock=first.clock)
        second.platform = first.platform
        async with second:
            await asyncio.sleep(10)
            second.vision["main"].sight("yard-1", "a1", "updated")
            await asyncio.sleep(2)
        return second, taken_ms

    site, taken_ms = run_virtual(main())

    late = away_s * 1000 > HOUR_MS
    told = {head["event"]: head for _, head, _ in media_of(site)}
    # The alarm knows when it was, and its picture with it.
    assert set(told) == ({"a1"} if late else {"a1", "heartbeat-yard-1-1"})
    for head in told.values():
        assert abs(head["t"] - taken_ms) < 1500
    assert len(site.told("camera_heartbeat")) == (not late)
    assert [m["role"] for m in site.told("smoke_seen")[-1]["media"]] == ["at"]
    # A day's picture that cannot be dated goes: today's is made anew in its place.
    left = {path.name for path in (tmp_path / "data/media/yard-1").iterdir()}
    assert left == {"a1-1000-1.jpg"} | (
        set() if late else {"heartbeat-yard-1-1-1000-1.jpg"}
    )
    assert notes(tmp_path) == []


def test_what_was_stored_is_not_told_again_by_a_run_that_finds_its_note(
    tmp_path, monkeypatch
):
    day = "heartbeat-yard-1-20251121"

    async def main():
        camera = a_camera("yard-1")
        first = Watched(tmp_path, camera)
        with monkeypatch.context() as dies:
            # It dies before a note is gone; or the card comes back with what was on it.
            dies.setattr("gateway.cameras.untold._remove", lambda _folder, files: [])
            async with first:
                await asyncio.sleep(20)
                process = first.vision["main"]
                process.sight("yard-1", "a1")
                process.picture("yard-1", "a1", "at")
                process.picture("yard-1", day, "heartbeat")
                await asyncio.sleep(3)
                process.sight("yard-1", "b1", "cleared")
                process.picture("yard-1", "b1", "after")
                await asyncio.sleep(3)
                process.keep("yard-1", "a1", "after")  # not stored: it is told
        left = len(notes(tmp_path))
        second = Watched(tmp_path, camera, clock=first.clock)
        second.platform = first.platform
        async with second:
            await asyncio.sleep(20)
        return second, left

    site, left = run_virtual(main())

    assert left == 4
    told = [("a1", 1, "at"), (day, 1, "heartbeat"), ("b1", 1, "after")]
    assert heads(site) == [*told, ("a1", 2, "after")]
    assert len(site.told("camera_heartbeat")) == 1
    assert notes(tmp_path) == []


@pytest.mark.parametrize("kept", [b"{", b'{"a": 1}', b"[1]", b"\xff", b'["\xff"]'])
def test_a_damaged_list_of_what_was_stored_is_none(tmp_path, kept):
    untold = Untold(tmp_path, lambda: 0, lambda: 0, lambda *_kept: None, kept)

    assert untold.settle() is None


@pytest.mark.parametrize("left", [b'{"camera"', b'{"camera": "\xff\xff"}', b"\0" * 9])
async def test_what_a_power_failure_left_of_a_note_or_a_list_ends_nothing(
    tmp_path, left
):
    name = f"{UNTOLD_FOLDER}/yard-1~x-1.jpg.json"
    for path in (tmp_path / name, tmp_path / ALARMS_FOLDER / "yard-1.jsonl"):
        path.parent.mkdir()
        path.write_bytes(left)
    untold = Untold(tmp_path, lambda: 0, lambda: 0, lambda *_kept: None, None)

    assert await untold.notes() == [(name, "yard-1", None)]
    assert await untold.sights("yard-1", {"a1"}) == []


def test_what_cannot_be_told_any_more_is_said_once(tmp_path, caplog):
    folder = tmp_path / "data" / "media"

    async def main():
        async with Watched(tmp_path, a_camera("yard-1"), a_camera("yard-2")) as site:
            await asyncio.sleep(20)
            process = site.vision["main"]
            gone = process.keep("yard-1", "gone", "at")
            (folder / gone.file).unlink()
            process.keep("yard-9", "elsewhere", "at")
            (folder / UNTOLD_FOLDER / "yard-2~x-1.jpg.json").write_bytes(b'{"camera"')
            other = msgspec.json.encode(process.keep("yard-2", "b", "at"))
            (folder / UNTOLD_FOLDER / "yard-1~y-1.jpg.json").write_bytes(other)
            outside = process.keep("yard-1", "c", "heartbeat")
            (folder / note_of(outside)).unlink()
            outside = msgspec.structs.replace(outside, file="yard-1/../../kept", t_ms=0)
            (folder / note_of(outside)).write_bytes(msgspec.json.encode(outside))
            process.die(-9)
            await asyncio.sleep(20)
            site.vision["main"].die(-9)
            await asyncio.sleep(20)
        return site

    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "kept").write_text("no picture of ours")
    site = run_virtual(main())

    assert (tmp_path / "data" / "kept").exists()
    assert heads(site) == [("b", 1, "at")]
    said = [r.getMessage() for r in caplog.records if "not told" in r.getMessage()]
    assert len(said) == 5
    assert any("No such file" in line for line in said)
    assert sum(t("media.torn") in line for line in said) == 3
    assert sum(t("media.no_camera") in line for line in said) == 1
    assert notes(tmp_path) == []


def test_groups_leave_each_others_pictures_alone(tmp_path):
    async def main():
        cameras = a_camera("yard-1", "a"), a_camera("tower-1", "b")
        async with Watched(tmp_path, *cameras) as site:
            await asyncio.sleep(20)
            site.vision["b"].keep("tower-1", "b1", "at")
            site.vision["a"].die(-9)
            await asyncio.sleep(20)
            first = heads(site)
            site.vision["b"].die(-9)
            await asyncio.sleep(20)
        return first, heads(site)

    assert run_virtual(main()) == ([], [("b1", 1, "at")])


def test_a_slow_folder_leaves_the_note_for_the_next_start(tmp_path, monkeypatch):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(20)
            with monkeypatch.context() as patch:
                patch.setattr("gateway.cameras.pictures.READ_S", 0.0)
                site.vision["main"].picture("yard-1", "b1", "at")
                await asyncio.sleep(5)
            first = heads(site)
            site.vision["main"].die(-9)
            await asyncio.sleep(10)
        return first, heads(site)

    assert run_virtual(main()) == ([], [("b1", 1, "at")])


def test_pictures_that_come_before_their_alarm_are_named_by_it(tmp_path):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(20)
            process = site.vision["main"]
            # The gateway was killed before it read of the alarm, and what the process
            # learned says that nobody may know of it yet.
            process.keep("yard-1", "a1", "at")
            process.die(-9)
            await asyncio.sleep(20)
            process = site.vision["main"]
            process.sight("yard-1", "a1", "updated")
            process.picture("yard-1", "a1", "after")
            await asyncio.sleep(5)
        return site

    told = run_virtual(main()).told("smoke_seen")

    assert [e["state"] for e in told] == ["raised", "updated"]
    assert [m["role"] for m in told[0]["media"]] == ["at"]
    assert [m["role"] for m in told[1]["media"]] == ["at", "after"]


def test_an_alarm_that_began_and_ended_unheard_is_told_late_once(tmp_path):
    async def main():
        camera = a_camera("yard-1", values=("bus-0-dev-1",))
        first = Watched(tmp_path, camera)
        async with first:
            await asyncio.sleep(20)
            first.vision["main"].sight("yard-1", "a1", "cleared", score=0.1)
            await asyncio.sleep(1)
            first.vision["main"].die(-9)
            await asyncio.sleep(20)
            first.vision["main"].sight("yard-1", "a1", "cleared", score=0.1)
            await asyncio.sleep(1)
        second = Watched(tmp_path, camera, clock=first.clock)
        second.platform = first.platform
        async with second:
            await asyncio.sleep(20)
            second.vision["main"].sight("yard-1", "a1", "cleared", score=0.1)
            await asyncio.sleep(2)
        return second

    raised, cleared = run_virtual(main()).told("smoke_seen")

    assert (raised["state"], cleared["state"]) == ("raised", "cleared")
    assert raised["id"] == cleared["id"] == "a1"
    assert raised["values"]["score"] == 0.9  # its highest: what it was raised by
    # Of that minute nobody knows; of this one, it would be wrong.
    assert "at" not in raised["values"]
    assert cleared["until"] > cleared["t"] == raised["t"]


def test_an_alarm_closed_without_its_process_is_not_opened_by_its_end(tmp_path):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(20)
            site.vision["main"].sight("yard-1", "a1")
            site.vision["main"].die(-9)
            await asyncio.sleep(400)
            site.vision["main"].sight("yard-1", "a1", "cleared")
            await asyncio.sleep(5)
        return site

    assert run_virtual(main()).states("smoke_seen") == ["raised", "cleared"]


def test_files_that_hang_hold_no_process_back(tmp_path):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(20)
            process, loop = site.vision["main"], running_loop()
            kept = [process.keep("yard-1", f"a{n}", "at") for n in range(20)]
            run = loop.run_in_executor

            def slow(pool, call, *told):
                # All but the last hang.
                if call is media_records and told[0].event != "a9":
                    return loop.create_future()
                return run(pool, call, *told)

            loop.run_in_executor = slow
            process.die(-9)
            await asyncio.sleep(8)  # of which the pause between two takes one or two
            started = site.vision["main"] is not process
            await asyncio.sleep(120)
            loop.run_in_executor = run
        return site, kept, started

    site, kept, started = run_virtual(main())

    assert started
    assert heads(site) == [("a9", 1, "at")]
    assert len(notes(tmp_path)) == len(kept) - 1  # for the next start


def test_what_is_no_file_is_no_picture(tmp_path, caplog):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(20)
            process = site.vision["main"]
            file = tmp_path / "data/media" / process.keep("yard-1", "a1", "at").file
            file.unlink()
            os.mkfifo(file)
            process.keep("yard-1", "b1", "at")
            process.die(-9)
            await asyncio.sleep(5)
        return site

    assert heads(run_virtual(main())) == [("b1", 1, "at")]
    said = [r.getMessage() for r in caplog.records if "not told" in r.getMessage()]
    assert len(said) == 1
    assert "got something else" in said[0]
    assert notes(tmp_path) == []


@pytest.mark.parametrize("ended", [True, False])
def test_an_alarm_of_which_only_its_pictures_are_left_is_told(tmp_path, ended):
    """Gateway and process died at once, and what the process learned with them."""

    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(20)
            process = site.vision["main"]
            process.keep("yard-1", "a1", "at")
            now_ms = site.clock.wall_ms()
            lines = [a_sight(now_ms, state="raised"), b'{"kind":"said","id":"a1"']
            if ended:
                lines.append(a_sight(now_ms + 500, state="cleared"))
            (tmp_path / "data/media" / ALARMS_FOLDER).mkdir()
            path = tmp_path / "data/media" / ALARMS_FOLDER / "yard-1.jsonl"
            path.write_bytes(b"\n".join(lines))
            process.die(-9)
            await asyncio.sleep(20)
            site.vision["main"].die(-9)
            await asyncio.sleep(400)
        return site, now_ms

    site, now_ms = run_virtual(main())

    told = site.told("smoke_seen")
    states = [e["state"] for e in told if "media" not in e]
    assert states == (["raised", "cleared"] if ended else ["raised"])
    assert told[-1]["state"] == "cleared"
    assert [m["role"] for m in told[-1]["media"]] == ["at"]
    assert told[-1]["values"].get("cause") == (
        None if ended else "camera process ended"
    )
    assert {e["id"] for e in told} == {"a1"}
    assert abs(told[0]["t"] - (now_ms - 4000)) < 1000
    assert heads(site) == [("a1", 1, "at")]


def a_sight(t_ms, **more):
    usual = {"label": "dark_smoke", "t_ms": t_ms, "began_ms": t_ms - 4000}
    box = {"score": 0.8, "peak": 0.9, "threshold": 0.6, "region": (0.4, 0.1, 0.6, 0.4)}
    told = Sight(id="a1", camera="yard-1", cells=7, **(usual | box | more))
    return msgspec.json.encode(told)
