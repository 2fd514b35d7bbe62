"""`status` says what is wrong, and its exit status says whether anything is."""

from typing import get_args

import msgspec
import pytest

from gateway.cameras.health import CameraHealth
from gateway.cli.output import display_width
from gateway.cli.status import report, span, state, well
from gateway.health import BusHealth, DeviceHealth, Health
from gateway.texts import set_language, t
from gateway.uplink.condition import State

NOW = 1_795_300_000_000


@pytest.fixture(autouse=True)
def _english():
    set_language("en")
    yield
    set_language(None)


def a_device(**more):
    usual = {
        "name": "fan-2",
        "bus": "plc",
        "address": 1,
        "state": "online",
        "every_s": 1.0,
        "points": 2,
        "asked": 10,
        "answered": 10,
        "last_good_ms": NOW - 400,
        "exchanges": {"reply_p50_ms": 3.14, "reply_p99_ms": 9.0},
    }
    return DeviceHealth(**(usual | more))


def a_health(
    *devices, target="online", degraded=None, bus="open", stuck=(), clock="unknown"
):
    return Health(
        gateway="site-07",
        version="0.1.0",
        pid=42,
        now_ms=NOW,
        uptime_s=7300,
        clock=clock,
        stuck=list(stuck),
        buses=[
            BusHealth(
                name="plc",
                protocol="modbus-tcp",
                endpoint="127.0.0.1:502",
                state=bus,
                error="connection refused",
            )
        ],
        devices=list(devices),
        buffer={
            "bytes": 35_000,
            "segments": 2,
            "high": 9,
            "pending": 1,
            "losses": 0,
            "degraded": degraded,
            "trouble": "ENOSPC",
        },
        targets=[
            {
                "target": "platform",
                "state": target,
                "backlog": 7,
                "records": 1,
                "messages": 1,
                "set_aside": 0,
                "reason": "connection refused",
            }
        ],
    )


def test_a_healthy_gateway_is_well():
    assert well(a_health(a_device()))


@pytest.mark.parametrize(
    "health",
    [
        a_health(a_device(state="offline")),
        a_health(a_device(last_good_ms=None)),
        a_health(a_device(last_good_ms=NOW - 60_000)),
        a_health(a_device(), target="offline"),
        a_health(a_device(), degraded="disk"),
        a_health(a_device(), bus="gone"),
        a_health(a_device(), stuck=["bus:plc"]),
        a_health(a_device(), clock="waiting"),
    ],
    ids=["offline", "never good", "stale", "target", "disk", "bus", "stuck", "clock"],
)
def test_each_trouble_makes_it_not_well(health):
    assert not well(health)


def test_the_report_names_what_is_wrong_and_where():
    health = a_health(
        a_device(state="offline", bad={"timeout": 12}), target="offline", bus="gone"
    )

    text = report(health)

    for part in ("fan-2", "offline", "connection refused", "12", "3.1", "2 h", "35 kB"):
        assert part in text


def test_reasons_stand_beneath_in_the_reader_s_language():
    health = a_health(a_device(bad={"timeout": 12, "exception_66": 1}), bus="gone")
    health.buses[0].error = "127.0.0.1:502: the connection is gone"
    refused = "h:1883: Connection refused: check address, port and network"
    health.targets[0]["reason"] = refused
    set_language("zh")

    text = report(health)

    assert "  plc: 127.0.0.1:502：连接已断开" in text
    assert "  platform: h:1883：对方拒绝连接" in text
    assert "  fan-2: 启动以来的无效读数：超时无应答 12, 异常 42：" in text


@pytest.mark.parametrize("code", ["zh", "en"])
def test_the_report_fits_80_columns(code):
    set_language(code)
    health = a_health(
        a_device(state="offline", bad={"timeout": 12}), target="offline", bus="gone"
    )

    assert max(display_width(line) for line in report(health).splitlines()) <= 80


def test_disk_trouble_is_said_in_its_own_line():
    assert "ENOSPC" in report(a_health(a_device(), degraded="disk"))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.41, "0.4 s"), (75, "75 s"), (600, "10 min"), (7300, "2 h"), (400_000, "5 d")],
)
def test_durations_are_said_as_people_say_them(seconds, said):
    assert span(seconds) == said


def test_records_that_wait_for_the_clock_are_told_with_what_to_do():
    health = a_health(a_device())
    assert "ecogate clock" not in report(health)

    health.clock = "waiting"

    assert "ecogate clock tells what to do" in report(health)


def test_a_platform_that_sends_no_receipts_is_told_of():
    health = a_health(a_device())
    health.targets[0] |= {"awaiting_receipt": 99, "oldest_t_ms": NOW - 60_000}
    assert "receipt" not in report(health)

    health.targets[0]["oldest_t_ms"] = NOW - 300_000

    assert "99 records were sent and no receipt came, for the oldest in 5 min" in (
        report(health)
    )


def test_what_is_in_no_average_and_a_history_that_lost_records_are_said():
    health = msgspec.structs.replace(
        a_health(a_device()),
        averages={"dropped": 3, "refused": 0, "waiting": 7},
        history={
            "bytes": 12_000_000,
            "max_bytes": 10**9,
            "trouble": None,
            "waiting": 0,
            "damages": [],
            "dropped": 5,
        },
    )

    shown = report(health)

    assert "3 readings came too late" in shown
    assert "7 polls wait" in shown
    assert "told to nobody" not in shown
    assert "5 records lost" in shown
    assert well(health)


def test_a_history_that_cannot_be_opened_is_not_well():
    health = msgspec.structs.replace(
        a_health(a_device()), history={"trouble": "the disk refuses"}
    )

    assert not well(health)
    assert "the disk refuses" in report(health)


@pytest.mark.parametrize("code", ["zh", "en"])
def test_every_state_of_a_target_has_its_word(code):
    set_language(code)
    for word in get_args(State):
        assert t(f"status.state.{word}") in state(word)


def a_camera(state_, **more):
    usual = {"name": "yard-1", "group": "main", "kind": "rtsp", "state": state_}
    return CameraHealth(**(usual | more))


def test_cameras_stand_in_a_table_of_their_own_with_what_is_wrong_beneath():
    health = a_health(a_device())
    health.cameras = [
        a_camera("watching", last_frame_ms=NOW - 700, judged=12, rss_bytes=150_000_000),
        a_camera("fault", name="yard-2", reason={"zh": "黑屏", "en": "all black"}),
    ]

    text = report(health)

    assert "yard-1" in text
    assert "0.7 s" in text
    assert "150" in text
    assert "yard-2: all black" in text


def test_a_camera_that_does_not_see_is_not_well():
    states = ("watching", "learning", "alarm", "fault", "refused", "starting", "down")
    found = {}
    for one in states:
        health = a_health(a_device())
        health.cameras = [a_camera(one)]
        found[one] = well(health)

    assert [one for one in states if found[one]] == ["watching", "learning", "alarm"]
