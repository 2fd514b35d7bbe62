from __future__ import annotations

from pathlib import Path

import msgspec

from buffer.lastrun import LastRun
from drivers.profiles.model import Point
from gateway.clock import Instant
from gateway.config.model import BufferLimits, Site
from gateway.powercut import before, gaps, left_open
from gateway.record import Gap
from tests.support.fake_bus import bus_conf, device_conf

NOW = Instant(1_763_712_000_000, 5_000, "b0070002", True)
SLOW = Point(name="energy", table="input", address=9, type="uint32", every_s=60.0)
SITE = Site(
    gateway="site-07",
    buffer=BufferLimits(path=Path("/data")),
    buses={"plc": bus_conf()},
    devices={
        "a": device_conf("a", points=("p1", SLOW)),
        "b": device_conf("b", address=2, every_s=5.0),
    },
)


def test_the_time_away_is_one_gap_for_each_device_and_period():
    ended = before(LastRun(NOW.wall_ms - 30_500, clean=False), NOW)

    found = list(gaps(SITE, ended, NOW))

    assert [(g.device, g.points, g.slots) for g in found] == [
        ("a", ("p1",), 30),
        ("b", ("*",), 6),
    ]
    assert {g.cause for g in found} == {"power_off"}
    assert found[0].since.wall_ms == NOW.wall_ms - 30_500
    assert found[0].until == NOW


def test_a_clean_stop_is_maintenance():
    assert before(LastRun(NOW.wall_ms - 1, clean=True), NOW).cause == "maintenance"


def test_nothing_is_said_of_a_new_store_or_when_the_clock_went_back():
    assert before(None, NOW) is None
    assert before(LastRun(NOW.wall_ms + 1, clean=True), NOW) is None


def test_a_gap_that_a_kill_left_open_ends_with_that_run():
    since = Instant(NOW.wall_ms - 600_000, 1_000, "b0070001", True)
    told = Instant(since.wall_ms + 5_000, 6_000, "b0070001", True)
    note = msgspec.json.encode(
        [Gap("b", ("*",), since, told, 1, "backed_off", open=True)]
    )
    ended = before(LastRun(NOW.wall_ms - 60_000, clean=False), NOW)

    (gap,) = left_open(note, SITE, ended)

    assert (gap.slots, gap.open, gap.cause) == (108, False, "backed_off")
    assert gap.since == since
    assert gap.until == Instant(NOW.wall_ms - 60_000, 541_000, "b0070001", True)
    assert list(left_open(None, SITE, ended)) == []
