"""The time away is one gap for each line, told when both its ends are known."""

from __future__ import annotations

from pathlib import Path

import msgspec

from drivers.profiles.model import ModbusPoint
from gateway.clock import Instant
from gateway.config.model import BufferLimits, Site
from gateway.powercut import Away, Before, known, left_open, noted, untold
from gateway.record import DatedTime, Gap
from gateway.schedule import Place, Slots, phase_s
from tests.support.fake_bus import bus_conf, device_conf

NOW = Instant(1_763_712_000_000, 5_000, "b0070002", True)
SLOW = ModbusPoint(name="energy", table="input", address=9, type="uint32", every_s=60.0)
SITE = Site(
    gateway="site-07",
    buffer=BufferLimits(path=Path("/data")),
    buses={"plc": bus_conf()},
    devices={
        "a": device_conf("a", points=("p1", SLOW)),
        "b": device_conf("b", address=2, every_s=5.0),
    },
)


def last(ago_ms):
    return Instant(NOW.wall_ms - ago_ms, 900_000, "b0070001", True)


def gaps(away, when=lambda _at: None):
    found, left = known([away], SITE, when)
    assert not left
    return found


def test_the_time_away_is_one_gap_for_each_device_and_period():
    found = gaps(Away("power_off", last(30_500), NOW))

    expected = [
        ("a", ("p1",), grid_places(1.0, turn=0)),
        ("a", ("energy",), grid_places(60.0, turn=0)),
        ("b", ("*",), grid_places(5.0, turn=1)),
    ]
    assert [(g.device, g.points, g.slots) for g in found] == [
        e for e in expected if e[2]
    ]
    assert {g.cause for g in found} == {"power_off"}
    # It names its first slot, on the boot in which the run before ended.
    first = found[0].since
    assert 0 <= first.wall_ms - (NOW.wall_ms - 30_500) < 1000
    assert first.mono_ms - 900_000 == first.wall_ms - (NOW.wall_ms - 30_500)
    assert (first.boot, found[0].until) == ("b0070001", NOW)


def grid_places(every_s, turn):
    """As the worker lays the grid, one by one."""
    phase = phase_s(every_s, Place("site-07", 0, 1, turn, 2))
    end = NOW.wall_ms / 1000
    start = end - 30.5
    slots = Slots(every_s, phase, start - 2 * every_s, 0.0)
    return sum(start <= slots.due(n) < end for n in range(100))


def test_no_slot_of_the_time_away_is_counted_by_halves():
    for away_ms in range(100, 4000, 130):
        found = {g.device: g.slots for g in gaps(Away("power_off", last(away_ms), NOW))}
        # A place of the grid either lies in the time away or does not: the sum over
        # both halves is the whole.
        middle = Instant(NOW.wall_ms - away_ms // 2, 0, NOW.boot, trusted=True)
        halves = [
            *gaps(Away("power_off", last(away_ms), middle)),
            *gaps(Away("power_off", middle, NOW)),
        ]
        assert found.get("a", 0) == sum(g.slots for g in halves if g.device == "a")
        assert away_ms // 1000 <= found.get("a", 0) <= away_ms // 1000 + 1


def test_it_waits_until_both_ends_can_be_dated():
    start = msgspec.structs.replace(NOW, wall_ms=7_000, trusted=False)
    away = Away("power_off", last(30_500), start)

    waiting = known([away], SITE, lambda _at: None)
    found, left = known([away], SITE, lambda _: DatedTime(NOW.wall_ms, "corrected"))

    assert waiting == ([], [away])
    assert left == []
    assert [(g.device, g.slots) for g in found] == [
        (g.device, g.slots) for g in gaps(Away("power_off", last(30_500), NOW))
    ]
    assert untold(noted([away])) == [away]
    assert untold(b"\xff\x00") == untold(None) == []


def test_a_clock_that_was_set_back_leaves_no_slots_in_between():
    assert gaps(Away("power_off", last(-60_000), NOW)) == []


def test_a_gap_that_a_kill_left_open_ends_with_that_run():
    since = Instant(NOW.wall_ms - 600_000, 1_000, "b0070001", True)
    told = Instant(since.wall_ms + 5_000, 6_000, "b0070001", True)
    note = msgspec.json.encode(
        [Gap("b", ("*",), since, told, 1, "backed_off", open=True, every_ms=5000)]
    )
    ended = Before(
        "power_off", Instant(NOW.wall_ms - 60_000, 541_000, "b0070001", True)
    )

    (gap,) = left_open(note, ended)

    assert (gap.slots, gap.open, gap.cause) == (108, False, "backed_off")
    assert gap.since == since
    assert gap.until == ended.last
    assert list(left_open(None, ended)) == []


def test_a_step_of_the_clock_does_not_make_an_open_gap_longer():
    # Opened in 1970, and the clock was right 535 s later.
    since = Instant(1_000, 1_000, "b0070001", False)
    told = Instant(6_000, 6_000, "b0070001", False)
    note = msgspec.json.encode(
        [Gap("b", ("*",), since, told, 1, "backed_off", open=True, every_ms=5000)]
    )
    ended = Before("power_off", Instant(NOW.wall_ms, 541_000, "b0070001", True))

    (gap,) = left_open(note, ended)

    assert (gap.slots, gap.until.mono_ms) == (108, 541_000)


def test_where_the_end_is_not_known_open_gaps_end_as_told():
    told = Instant(NOW.wall_ms + 5_000, 6_000, "b0070001", True)
    since = Instant(NOW.wall_ms, 1_000, "b0070001", True)
    note = msgspec.json.encode(
        [Gap("b", ("*",), since, told, 1, "backed_off", open=True, every_ms=5000)]
    )

    (gap,) = left_open(note, Before("power_off", None))

    assert (gap.slots, gap.open, gap.until) == (1, False, told)
