from __future__ import annotations

from pathlib import Path

import msgspec

from buffer.lastrun import LastRun
from drivers.profiles.model import Point
from gateway.clock import Instant
from gateway.config.model import BufferLimits, Site
from gateway.powercut import before, gaps, left_open
from gateway.record import Gap
from gateway.schedule import Place, Slots, phase_s
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

    expected = [
        ("a", ("p1",), grid_places(1.0, turn=0)),
        ("a", ("energy",), grid_places(60.0, turn=0)),
        ("b", ("*",), grid_places(5.0, turn=1)),
    ]
    assert [(g.device, g.points, g.slots) for g in found] == [
        e for e in expected if e[2]
    ]
    assert {g.cause for g in found} == {"power_off"}
    assert found[0].since.wall_ms == NOW.wall_ms - 30_500
    assert found[0].until == NOW


def grid_places(every_s, turn):
    """As the worker lays the grid, one by one."""
    phase = phase_s(every_s, Place("site-07", 0, 1, turn, 2))
    end = NOW.wall_ms / 1000
    start = end - 30.5
    slots = Slots(every_s, phase, start - 2 * every_s, 0.0)
    return sum(start <= slots.due(n) < end for n in range(100))


def test_no_slot_of_the_time_away_is_counted_by_halves():
    for away_ms in range(100, 4000, 130):
        ended = before(LastRun(NOW.wall_ms - away_ms, clean=False), NOW)
        found = {g.device: g.slots for g in gaps(SITE, ended, NOW)}
        # A place of the grid either lies in the time away or does not: the sum over
        # both halves is the whole.
        middle = Instant(NOW.wall_ms - away_ms // 2, 0, NOW.boot, trusted=True)
        second = before(LastRun(middle.wall_ms, clean=False), NOW)
        halves = [
            *gaps(SITE, ended, middle),
            *gaps(SITE, second, NOW),
        ]
        assert found.get("a", 0) == sum(g.slots for g in halves if g.device == "a")
        assert away_ms // 1000 <= found.get("a", 0) <= away_ms // 1000 + 1


def test_a_clean_stop_is_maintenance():
    assert before(LastRun(NOW.wall_ms - 1, clean=True), NOW).cause == "maintenance"


def test_nothing_is_said_of_a_new_store():
    assert before(None, NOW) is None


def test_when_the_clock_went_back_open_gaps_end_as_told_and_no_time_away_is_invented():
    told = Instant(NOW.wall_ms + 5_000, 6_000, "b0070001", True)
    since = Instant(NOW.wall_ms, 1_000, "b0070001", True)
    note = msgspec.json.encode(
        [Gap("b", ("*",), since, told, 1, "backed_off", open=True)]
    )
    ended = before(LastRun(NOW.wall_ms + 60_000, clean=False), NOW)

    (gap,) = left_open(note, SITE, ended)

    assert ended.cause == "power_off"
    assert (gap.slots, gap.open, gap.until) == (1, False, told)
    assert list(gaps(SITE, ended, NOW)) == []


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
