"""One place says how points fall into lines of slots, and where a line's places lie."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from drivers.profiles.model import ModbusPoint
from gateway.config.model import BufferLimits, Site
from gateway.periods import lines, periods
from gateway.schedule import Slots
from tests.support.fake_bus import bus_conf, device_conf

T = 1_763_712_000_000
SLOW = ModbusPoint(name="energy", table="input", address=9, type="uint32", every_s=60.0)


def test_a_gap_names_the_points_only_where_others_have_another_period():
    one, two = periods(device_conf("a", points=("p1", SLOW)))
    (all_of_it,) = periods(device_conf("b"))

    assert [one.covers, two.covers] == [("p1",), ("energy",)]
    assert [one.every_s, two.every_s] == [1.0, 60.0]
    assert all_of_it.covers == ("*",)


@given(
    every_ms=st.sampled_from([200, 1000, 60_000]),
    start=st.integers(0, 100_000),
    parts=st.lists(st.integers(0, 300_000), min_size=1, max_size=5),
)
def test_places_are_those_of_the_worker_and_none_is_counted_by_halves(
    every_ms, start, parts
):
    site = Site(
        gateway="site-07",
        buffer=BufferLimits(path=Path("/data")),
        buses={"plc": bus_conf()},
        devices={"a": device_conf("a", every_s=every_ms / 1000)},
    )
    (line,) = lines(site)
    slots = Slots(line.every_s, line.phase_s, (T + start) / 1000 - line.every_s, 0.0)
    due = slots.due(2)
    now = round(1000 * due)

    for part in parts:
        first, count = line.places(now, now + part)
        expected = sum(
            slots.due(n) * 1000 < now + part for n in range(2, 2 + part // every_ms + 2)
        )
        assert count == expected
        if count:
            assert abs(first - 1000 * due) <= 1
