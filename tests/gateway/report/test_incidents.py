"""Every gap once with its cause, every window once with its person."""

from __future__ import annotations

import msgspec

from gateway.record import decode, encode, to_wire
from gateway.report import incidents
from tests.support.kept_stack import END, META, MINUTE_MS, SECOND_DAY, events

FED = {("cems", "so2"): ["so2"], ("cems", "no"): ["nox", "no2"]}


def told() -> list[dict]:
    stored = (encode(record, META) for record in events())
    assert all(decode(data) for data in stored)
    return [msgspec.json.decode(to_wire(0, encode(r, META))) for r in events()]


def test_a_gap_told_twice_is_one_and_as_long_as_told_last() -> None:
    found = incidents.gaps(told(), FED, SECOND_DAY, END)

    assert [(g.cause, g.slots, g.open, g.certain) for g in found] == [
        ("bus_gone", 660, False, True),
        ("power_off", 720, False, False),
    ]
    assert found[0].until_ms - found[0].since_ms == 55 * MINUTE_MS
    assert found[0].factors == ("so2",)
    assert found[1].factors == ("so2", "nox", "no2")  # of all points


def test_a_gap_of_points_that_feed_no_factor_is_not_the_stations() -> None:
    assert incidents.gaps(told(), {("cems", "x"): ["x"]}, SECOND_DAY, END) == [
        *incidents.gaps(told()[2:3], {("cems", "x"): ["x"]}, SECOND_DAY, END)
    ]
    assert incidents.gaps(told(), FED, END, END + 1) == []


def test_a_window_has_its_person_and_its_end() -> None:
    (window,) = incidents.declared(told(), SECOND_DAY, END)
    (begun,) = incidents.declared(told()[3:4], SECOND_DAY, END)

    assert (window.who, window.why, window.by) == ("王工", "更换气路滤芯", "王工")
    assert window.until_ms == SECOND_DAY + 630 * MINUTE_MS
    assert begun.until_ms is None
    assert incidents.declared(told(), END, END + 1) == []
    (door,) = incidents.others(told(), SECOND_DAY, END)
    assert door.type == "contact"
