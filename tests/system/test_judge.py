"""A station on wheels: the platform hears of everything that happened, once, in time.

What happened is known from the script, not from the gateway: second by second.
"""

from __future__ import annotations

import msgspec
import pytest

from tests.support.mobile_site import HOME, JAMMED, MobileSite, metres_north
from tests.support.mqtt_schema import errors
from tests.support.virtual import virtual

NEAR_S = 1.5
"""A poll a second, and the receiver's epoch within it."""


def close_to(expected):
    """Times within a poll or so, everything else exactly."""
    return [
        (
            type_,
            state,
            pytest.approx(since, abs=NEAR_S),
            until if until is None else pytest.approx(until, abs=NEAR_S),
        )
        for type_, state, since, until in expected
    ]


def door(at_s):
    """Bounces at 200, is open till 260; opens again at 305 while nobody can see."""
    if 200 <= at_s < 203:
        return int(at_s) % 2 == 0
    return 203 <= at_s < 260 or 305 <= at_s < 400


@virtual
async def test_a_day_on_the_road_is_told_once_and_in_time(tmp_path):
    async with MobileSite(tmp_path) as van:
        van.door = door
        await van.until(300)
        van.plc_dead = True
        await van.until(350.5)  # a silent unit is asked every few seconds
        van.plc_dead = False
        await van.until(450.5)
        van.chip.pulse(22)
        await van.until(700)
        van.chip.set(22, 1)
        await van.until(720)

    # How soon a silent unit is asked again is not this test's business.
    seen = min(
        van.second(scan["t"])
        for scan in van.records("scan")
        if van.second(scan["t"]) > 350 and scan["values"].get("door")
    )
    assert seen < 356
    expected = [
        ("counter_rollover", "raised", 77, None),  # 65,000 + 7 a second: 65,536
        ("fence_left", "raised", 141, None),  # 310 m at 15 m/s from 120 on
        ("fence_left", "cleared", 141, 600),  # 300 m from home
        ("contact", "raised", 203, None),  # bounced before
        ("contact", "cleared", 203, 260),
        ("fence_entered", "raised", 288, None),  # 2,510 m
        ("fence_entered", "cleared", 288, 454),  # 2,500 m on the way back
        ("contact", "raised", seen, None),  # the first poll that could see it
        ("contact", "cleared", seen, 400),
        ("contact_pulse", "raised", 451, None),
        ("jamming_suspected", "raised", JAMMED[0] + 1, None),
        ("jamming_suspected", "cleared", JAMMED[0] + 1, JAMMED[1] + 1),
        ("no_fix", "raised", JAMMED[0] + 1, None),
        ("no_fix", "cleared", JAMMED[0] + 1, JAMMED[1] + 1),
        ("contact", "raised", 701, None),
    ]
    key = lambda e: (e[0], round(e[2] / 5), e[1] != "raised")  # noqa: E731
    assert sorted(van.events(), key=key) == close_to(sorted(expected, key=key))
    events = {(e["type"], e["state"], e.get("device")): e for e in van.records("event")}
    rolled = events["counter_rollover", "raised", "cabinet"]["values"]
    assert (rolled["increment"], rolled["after"] - rolled["before"]) == (7, 7 - 65_536)
    assert rolled["total"] == 65_536 + rolled["after"]
    opened = events["contact", "raised", "cabinet"]
    assert opened["severity"] == "alarm"
    assert opened["text"]["zh"].startswith("站房门被打开；发生在此前")
    # It opened between the last poll that saw it shut, at 300, and this one.
    within_s = opened["values"]["within_ms"] / 1000
    assert within_s == pytest.approx(seen - 300, abs=NEAR_S)
    assert events["contact_pulse", "raised", "tank"]["values"]["edges"] == 2
    assert "高液位" in events["contact", "raised", "tank"]["text"]["zh"]
    assert "停车场" in events["fence_left", "raised", "gnss-1"]["text"]["zh"]
    names = [(e["id"], e["state"]) for e in van.records("event")]
    assert len(names) == len(set(names))
    assert {name for name, _ in names} == {n for n, state in names if state == "raised"}


@virtual
async def test_every_scan_says_where_it_was_taken_or_why_not(tmp_path):
    async with MobileSite(tmp_path) as van:
        await van.until(640)

    scans = [r for r in van.records("scan") if r["device"] != "gnss-1"]
    assert len(scans) > 1200
    reasons = {}
    for scan in scans:
        pos, at_s = scan["pos"], van.second(scan["t"])
        if "none" in pos:
            reasons.setdefault(pos["none"], []).append(at_s)
            continue
        assert abs(pos["age_ms"]) <= 2000
        truth = metres_north(at_s - pos["age_ms"] / 1000)
        found = (pos["lat"] - HOME[1]) * 111_035
        # The receiver's epoch is a whole second of its own, up to one before it came.
        assert found == pytest.approx(truth, abs=16.0), scan
        assert pos["datum"] == "WGS-84"
    assert not [
        r for r in van.records("scan") if r["device"] == "gnss-1" and "pos" in r
    ]
    jammed = [s for seconds in reasons.values() for s in seconds if s > 10]
    assert min(jammed) == pytest.approx(JAMMED[0] + 1, abs=2)
    assert max(jammed) == pytest.approx(JAMMED[1], abs=2)
    assert len(jammed) == pytest.approx(2 * (JAMMED[1] - JAMMED[0]), abs=8)
    assert len(reasons) <= 2, reasons


@virtual
async def test_the_track_is_a_line_near_every_fix_and_broken_where_there_was_none(
    tmp_path,
):
    async with MobileSite(tmp_path) as van:
        await van.until(640)
        await van.stop()  # what is gathered is stored
        van.start()
        await van.until(645)

    tracks = van.records("track")
    lines = [
        (van.second(t["t"]), van.second(t["until"]), len(t["line"])) for t in tracks
    ]
    assert len(tracks) == 3, lines  # 5 min, up to the jam, from its end to the stop
    assert tracks[0]["until"] == tracks[1]["t"]
    assert lines[1][1] < JAMMED[0] + 2 < JAMMED[1] - 1 < lines[2][0]
    corners = sum(len(track["line"]) for track in tracks)
    fixes = sum(track["fixes"] for track in tracks)
    assert fixes > 500
    assert corners < 30
    for track in tracks:
        for ms, lon, lat in track["line"]:
            truth = metres_north(van.second(track["t"]) + ms / 1000)
            assert (lat - HOME[1]) * 111_035 == pytest.approx(truth, abs=20)
            assert lon == pytest.approx(HOME[0], abs=1e-4)


@virtual
async def test_alarms_survive_a_restart_and_are_ended_by_the_id_they_began_with(
    tmp_path,
):
    async with MobileSite(tmp_path) as van:
        van.door = lambda at_s: 100 <= at_s < 230 or at_s >= 245
        await van.until(220)
        await van.stop()  # the door is open, and it is away from home
        await van.until(250)
        van.start()
        await van.until(280)
        van.door = lambda _at_s: False
        await van.until(640)

    told = [e for e in van.events() if e[0] in ("contact", "fence_left")]
    assert told == close_to(
        [
            ("contact", "raised", 100, None),
            ("fence_left", "raised", 141, None),
            ("contact", "cleared", 100, 281),
            ("fence_left", "cleared", 141, 600),
        ]
    )
    ids = {e["type"]: set() for e in van.records("event")}
    for event in van.records("event"):
        ids[event["type"]].add(event["id"])
    assert len(ids["contact"]) == len(ids["fence_left"]) == 1


@virtual
async def test_a_door_that_changed_while_the_gateway_was_off_says_between_what(
    tmp_path,
):
    async with MobileSite(tmp_path) as van:
        van.door = lambda at_s: at_s >= 60
        await van.until(50)
        await van.stop()
        await van.until(90)
        van.start()
        await van.until(110)

    (event,) = [e for e in van.records("event") if e["type"] == "contact"]
    assert van.second(event["t"]) == pytest.approx(91, abs=NEAR_S)
    assert event["values"]["within_ms"] == pytest.approx(41_000, abs=2500)
    assert "; some time within the 4" in event["text"]["en"]


@virtual
async def test_what_is_no_longer_watched_is_taken_back(tmp_path):
    async with MobileSite(tmp_path) as van:
        await van.until(200)
        van.next_site = msgspec.structs.replace(van.site, fences={}, mobile=None)
        said = await van.app.reload()
        await van.until(230)

    assert len(said) == 1
    fence = [e for e in van.records("event") if e["type"] == "fence_left"]
    assert [e["state"] for e in fence] == ["raised", "cleared"]
    assert fence[1]["values"]["cause"] == "unwatched"
    assert fence[0]["id"] == fence[1]["id"]
    last = van.records("scan")[-1]
    assert "pos" not in last


@virtual
async def test_every_message_is_as_the_schema_says(tmp_path):
    async with MobileSite(tmp_path) as van:
        van.door = door
        await van.until(640)

    wrong = [e for m in van.platform.arrived for e in errors(m.topic, m.payload)]
    assert wrong == []
