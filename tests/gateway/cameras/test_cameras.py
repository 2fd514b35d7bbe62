"""Cameras in the running gateway, in virtual time: only the processes are fakes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from drivers.values import Flaw
from gateway.cameras.newest_values import NewestValues
from gateway.clock import Instant
from gateway.config.cameras import SiteCamera, Vision
from gateway.control import ControlError, Request
from gateway.media import media_records
from gateway.ports import Ports
from gateway.record import Lost, Scan
from gateway.texts import t
from tests.support.fake_vision import FakeVision
from tests.support.mqtt_schema import errors
from tests.support.virtual import run_virtual, running_loop
from tests.support.virtual_site import VirtualSite, make_site
from vision.messages import Camera, Evidence, Model, Mount, Rule, Stop, Zone


def a_camera(name, group="main", **more):
    known = {"url": f"rtsp://10.0.0.1/{name}", "kind": "rtsp"}
    told = {k: more.pop(k) for k in list(more) if k in Camera.__struct_fields__}
    return SiteCamera(camera=Camera(name=name, **(known | told)), group=group, **more)


def a_vision(folder, **more):
    return Vision(evidence=Evidence(folder=str(folder / "data" / "media")), **more)


class Watched(VirtualSite):
    """A site with cameras whose processes are fakes."""

    def __init__(self, folder, *cameras, vision=None, clock=None, site=None, **shape):
        shape = {"devices": 1, "points": 2} | shape
        site = site or make_site(
            folder,
            **shape,
            cameras={camera.name: camera for camera in cameras},
            vision=vision or a_vision(folder),
        )
        super().__init__(folder, site, clock=clock)
        self.vision = FakeVision()
        self.ports = Ports(
            make_connector=lambda: self.platform.connector,
            notifier=self.notifier,
            make_vision=self.vision.start,
        )

    def start(self):
        self.vision.clock = self.clock
        super().start()

    def told(self, *types):
        return [e for e in self.events() if e["type"] in types]

    def states(self, *types):
        return [e["state"] for e in self.told(*types)]

    def camera(self, name="yard-1"):
        return next(c for c in self.health()["cameras"] if c["name"] == name)


def media_of(site):
    found = []
    for arrived in site.platform.arrived:
        if "/media/" in arrived.topic:
            head, _, data = arrived.payload.partition(b"\n")
            found.append((arrived.topic, msgspec.json.decode(head), data))
    return found


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


def test_only_good_values_of_the_same_minute_stand_beside_an_alarm(tmp_path):
    async def main():
        camera = a_camera("yard-1", values=("bus-0-dev-1",))
        async with Watched(tmp_path, camera, devices=2) as site:
            await asyncio.sleep(5)
            process = site.vision["main"]
            process.sight("yard-1", "a1")
            await asyncio.sleep(1)
            site.endpoints["bus-0"].dead.add(1)
            await asyncio.sleep(75)
            process.sight("yard-1", "a2")
            await asyncio.sleep(2)
        return site

    site = run_virtual(main())

    first, second = [e["values"].get("at") for e in site.told("smoke_seen")]
    assert first == {"bus-0-dev-1.r0": 0, "bus-0-dev-1.r1": 1}
    assert second is None


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
            open_ = list(second.app.cameras.standing.alarms)
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


def test_a_refusal_is_told_once_and_tried_again_when_the_model_changes(tmp_path):
    async def main():
        model = tmp_path / "own.onnx"
        model.write_bytes(b"no model")
        vision = a_vision(tmp_path, model=Model(path=str(model)))
        async with Watched(tmp_path, a_camera("yard-1"), vision=vision) as site:
            site.vision.refusal = "vision.refused.failed"
            await asyncio.sleep(330)
            tried, state = len(site.vision.started), site.camera()["state"]
            site.vision.refusal = None
            model.write_bytes(b"a better one")
            await asyncio.sleep(10)
            after = site.camera()["state"]
        return site, tried, state, after

    site, tried, state, after = run_virtual(main())

    assert tried <= 4
    assert (state, after) == ("refused", "watching")
    assert site.states("camera_refused") == ["raised", "cleared"]
    assert site.states("camera_fault") == []


def test_a_password_that_cannot_be_read_leaves_out_its_camera_only(tmp_path):
    secret = tmp_path / "password"

    async def main():
        cameras = (
            a_camera("yard-1", username="watch", password_file=secret),
            a_camera("yard-2"),
        )
        async with Watched(tmp_path, *cameras) as site:
            await asyncio.sleep(10)
            states = site.camera("yard-1")["state"], site.camera("yard-2")["state"]
            configured = [c.name for c in site.vision["main"].configure.cameras]
            secret.write_text("open sesame\n")
            secret.chmod(0o600)
            await asyncio.sleep(90)
            later = site.vision["main"].configure.cameras
        return site, states, configured, later

    site, states, configured, later = run_virtual(main())

    assert states == ("refused", "watching")
    assert configured == ["yard-2"]
    assert [(c.name, c.password) for c in later] == [
        ("yard-1", "open sesame"),
        ("yard-2", None),
    ]
    assert site.states("camera_refused") == ["raised", "cleared"]


def test_a_group_of_which_none_can_log_in_says_so_and_begins_once_one_can(
    tmp_path, caplog
):
    secret = tmp_path / "password"

    async def main():
        camera = a_camera("yard-1", username="watch", password_file=secret)
        async with Watched(tmp_path, camera) as site:
            await asyncio.sleep(200)  # refused twice: the next try is far away
            secret.write_text("open sesame\n")
            secret.chmod(0o600)
            await asyncio.sleep(75)
            return site.camera("yard-1")["state"]

    assert run_virtual(main()) in ("watching", "learning")
    assert t("log.cameras_no_login") in caplog.text


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
            process.recycle = "reader hangs: yard-1"
            await asyncio.sleep(10)
        return process

    assert run_virtual(main()).ended_with == 0


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
            for file in (tmp_path / "data" / "media").iterdir():
                file.write_bytes(b"something else")
            await asyncio.sleep(5)
        return site

    site = run_virtual(main())

    assert media_of(site) == []
    assert site.states("smoke_seen") == ["raised"]


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


# -- what must not be lost, nor stand for ever ----------------------------------


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


def test_an_alarm_that_could_not_be_seen_any_more_is_closed_and_says_so(tmp_path):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(20)
            process = site.vision["main"]
            process.sight("yard-1", "a1")
            await asyncio.sleep(5)
            process.sight("yard-1", "a1", "cleared", score=0.0, cause="unseen")
            await asyncio.sleep(5)
            open_ = list(site.app.cameras.standing.alarms)
        return site, open_

    site, open_ = run_virtual(main())

    raised, cleared = site.told("smoke_seen")
    assert (raised["state"], cleared["state"]) == ("raised", "cleared")
    assert cleared["values"]["cause"] == "camera could not see"
    assert "nobody saw it end" in cleared["text"]["en"]
    assert not open_


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
            return list(site.app.cameras.standing.alarms)

    assert run_virtual(main()) == ["a2"]


def test_pictures_that_cannot_be_kept_are_said_once(tmp_path, caplog):
    async def main():
        async with Watched(tmp_path, a_camera("yard-1")) as site:
            await asyncio.sleep(5)
            site.vision["main"].unkept = "/media: No space left on device"
            await asyncio.sleep(60)
            return site.camera()

    camera = run_virtual(main())

    assert camera["state"] == "watching"
    assert "No space left on device" in camera["reason"]
    said = [r for r in caplog.records if "No space left" in r.getMessage()]
    assert len(said) == 1


@pytest.mark.parametrize(
    "more",
    [
        {"states": {"so2": "calibration"}},
        {"flags": {"so2": "C"}},
        {"flaws": {"so2": Flaw("bad", "timeout")}},
    ],
)
def test_a_value_of_a_calibration_is_no_value_of_that_minute(more):
    newest = NewestValues()
    newest.adopt([a_camera("yard-1", values=("cems-1",))])
    at = Instant(1_763_712_000_000, 1000, 1, trusted=True)
    note = newest.before([SimpleNamespace(name="cems-1")], lambda _: None)
    note(Scan("cems-1", at, {"so2": 35.0, "nox": 80.0}, flags={"nox": "N"}))
    both = newest.of(("cems-1",), at)
    note(Scan("cems-1", at, {"so2": 210.0, "nox": 81.0}, **more))

    assert both == {"cems-1.so2": 35.0, "cems-1.nox": 80.0}
    assert newest.of(("cems-1",), at) == {"cems-1.nox": 81.0}


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
