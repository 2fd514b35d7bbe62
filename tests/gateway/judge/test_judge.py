"""The shell: what it costs, what it keeps, and what a reload does to it."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest

from drivers.profiles.model import ModbusPoint
from drivers.profiles.watches import Contact, Counter
from drivers.values import Flaw, Quality
from gateway.clock import Instant
from gateway.config import load_problems
from gateway.config.model import BufferLimits, Device, Site
from gateway.config.places import Fence, Mobile
from gateway.judge.judge import Judge
from gateway.record import Event, Scan

ROOT = Path(__file__).parents[3]
DOOR = ModbusPoint(
    name="door", table="coil", address=0, type="bool", contact=Contact(polls=1)
)
PULSES = ModbusPoint(
    name="pulses", table="holding", address=1, type="uint16", counter=Counter()
)
PLAIN = ModbusPoint(name="flow", table="holding", address=2, type="uint16")


def site(*devices, **more):
    return Site(
        gateway="g",
        buffer=BufferLimits(path=Path("data")),
        devices={device.name: device for device in devices},
        **more,
    )


def device(name, *points):
    return Device(name=name, bus="b", address=1, every_s=1.0, points=points)


class Run:
    """A judge, its store and its clock."""

    def __init__(self, conf, kept=None, boot="00000001", born_ms=0):
        self.kept = kept
        self.lazily = []
        self.records = []
        self.ms, self.boot, self.born_ms = 0, boot, born_ms
        self.judge = Judge(self.remember, kept, now=self.now)
        self.adopt(conf)

    def remember(self, note, lazily):
        self.kept = note
        self.lazily.append(lazily)

    def now(self):
        return Instant(
            1_763_712_000_000 + self.born_ms + self.ms, self.ms, self.boot, True
        )

    def adopt(self, conf):
        self.records.extend(self.judge.adopt(conf))
        self.sink = self.judge.before(conf.devices.values(), self.records.append)

    def scan(self, name="box", ms=1000, flaws=None, **values):
        self.ms += ms
        bad = {key: Flaw(Quality.BAD, word) for key, word in (flaws or {}).items()}
        self.sink(Scan(name, self.now(), values, bad))

    def events(self):
        return [r for r in self.records if isinstance(r, Event)]


def test_a_bus_with_nothing_to_judge_hands_its_records_on_directly():
    run = Run(site(device("box", PLAIN)))

    assert run.sink == run.records.append
    assert run.lazily == []


def test_events_come_after_the_scan_they_follow_from():
    run = Run(site(device("box", DOOR)))
    run.scan(door=False)
    run.scan(door=True)

    assert [type(r).__name__ for r in run.records] == ["Scan", "Scan", "Event"]
    assert run.events()[0].at == run.records[1].at


def test_a_bad_reading_makes_no_edge_and_hides_none():
    run = Run(site(device("box", DOOR)))
    run.scan(door=False)
    run.scan(flaws={"door": "timeout"})
    run.scan(
        flaws={"door": "timeout"}, door=True
    )  # not even if a value stood beside it
    assert run.events() == []
    run.scan(door=True)

    (event,) = run.events()
    assert event.values == {
        "point": "door",
        "value": True,
        "before": False,
        "within_ms": 3000,
    }


def test_a_told_alarm_is_kept_at_once_and_readings_now_and_then():
    run = Run(site(device("box", DOOR, PULSES)))
    for _ in range(700):
        run.scan(door=False, pulses=run.ms)
    assert run.lazily == [False, True, True]  # the beginning, then every 5 min
    run.scan(door=True, pulses=run.ms)

    assert run.lazily[3:] == [False]


def test_after_a_power_cut_an_alarm_goes_on_under_its_id():
    conf = site(device("box", DOOR))
    first = Run(conf)
    first.scan(door=False)
    first.scan(door=True)

    second = Run(conf, first.kept, boot="00000002", born_ms=60_000)
    second.scan(door=True)
    assert second.events() == []
    second.scan(door=False)

    (raised,), (cleared,) = first.events(), second.events()
    assert (cleared.id, cleared.state) == (raised.id, "cleared")
    assert cleared.at == raised.at
    assert cleared.until == second.now()


def test_a_counter_is_compared_over_a_power_cut():
    conf = site(device("box", PULSES))
    first = Run(conf)
    first.scan(pulses=50_000)
    first.ms += 300_000
    first.scan(pulses=50_100)

    second = Run(conf, first.kept, boot="00000002", born_ms=600_000)
    second.scan(pulses=4)
    second.scan(pulses=5)

    (event,) = second.events()
    assert event.values["cause"] == "reset"
    assert event.values["before"] == 50_100


def test_another_normal_state_is_told_at_the_first_reading():
    first = Run(site(device("box", DOOR)))
    first.scan(door=False)
    shut = msgspec.structs.replace(DOOR, contact=Contact(polls=1, normal=True))

    first.adopt(site(device("box", shut)))
    first.scan(door=False)

    (event,) = first.events()
    assert (event.state, event.values["value"]) == ("raised", False)


def edged(address=1, **more):
    """A door with its counter of edges."""
    return (
        msgspec.structs.replace(DOOR, contact=Contact(polls=1, edges="edges")),
        ModbusPoint(
            name="edges", table="holding", address=address, type="uint32", **more
        ),
    )


def test_another_edge_counter_tells_of_no_pulse():
    run = Run(site(device("box", *edged(1))))
    run.scan(door=False, edges=5)
    run.adopt(site(device("box", *edged(9))))
    for _ in range(3):
        run.scan(door=False, edges=40_000)

    assert run.events() == []


@pytest.mark.parametrize("restart", [True, False])
@pytest.mark.parametrize(
    "change",
    [{"address": 9}, {"scale": Fraction(1, 10)}, {"type": "int32"}, {"unit": "kWh"}],
    ids=str,
)
def test_another_register_is_no_rollover_of_the_one_before(change, restart):
    counted = msgspec.structs.replace(
        PULSES, type="uint32", counter=Counter(modulus=Fraction(10**8))
    )
    run = Run(site(device("box", counted)))
    run.scan(pulses=99_999_990)
    other = site(device("box", msgspec.structs.replace(counted, **change)))
    if restart:
        list(run.judge.close())
        run = Run(other, run.kept, boot="00000002", born_ms=60_000)
    else:
        run.adopt(other)
    for reading in (12, 13, 14):
        run.scan(pulses=reading)

    assert run.events() == []


def test_another_unit_on_the_line_is_another_counter():
    run = Run(site(device("box", PULSES)))
    run.scan(pulses=50_000)
    run.adopt(site(msgspec.structs.replace(device("box", PULSES), address=2)))
    run.scan(pulses=7)
    run.scan(pulses=8)

    assert run.events() == []


def test_a_contact_that_is_wired_elsewhere_keeps_its_alarm_and_no_edge():
    run = Run(site(device("box", DOOR)))
    run.scan(door=False)
    elsewhere = msgspec.structs.replace(DOOR, address=7)
    run.adopt(site(device("box", elsewhere)))
    run.scan(door=True)
    run.adopt(site(device("box", DOOR)))
    run.scan(door=False)

    raised, cleared = run.events()
    assert "before" not in raised.values, "nobody saw it open"
    assert (cleared.id, cleared.state) == (raised.id, "cleared")


def test_what_no_64_bits_hold_stops_nothing():
    run = Run(site(device("box", *edged(), PULSES)))
    run.scan(door=2**70, edges=1, pulses=1)
    for _ in range(4):
        run.scan(ms=200_000, door=2**70, edges=2**70, pulses=10 * 2**64)

    assert run.kept is not None
    assert [event.type for event in run.events()] == ["contact"]


def test_a_fence_of_another_vehicle_or_the_other_way_round_is_another_one():
    spots = tuple(
        ModbusPoint(name=name, table="holding", address=0, type="float32")
        for name in ("latitude", "longitude", "hdop")
    )
    yard = Fence(
        name="yard", device="a", rule="stay_in", circle=(118.0, 39.0), radius_m=100.0,
        dwell_s=1,
    )  # fmt: skip

    def conf(fence):
        return site(device("a", *spots), device("b", *spots), fences={"yard": fence})

    def stand(name, latitude):
        for _ in range(4):
            run.scan(name, latitude=latitude, longitude=118.0, hdop=1.0)

    run = Run(conf(yard))
    stand("a", 39.5)
    run.adopt(conf(msgspec.structs.replace(yard, device="b")))
    stand("b", 39.0)
    left, ended = run.events()
    assert (ended.id, ended.state) == (left.id, "cleared")
    assert (ended.device, ended.values["cause"]) == ("a", "unwatched")

    run = Run(conf(yard))
    stand("a", 39.5)
    run.adopt(conf(msgspec.structs.replace(yard, rule="keep_out")))
    stand("a", 39.5)
    assert [e.state for e in run.events()] == ["raised", "cleared"]


def test_a_device_that_is_taken_away_ends_its_alarm_and_late_scans_raise_none():
    run = Run(site(device("box", DOOR), device("other", PLAIN)))
    run.scan(door=False)
    run.scan(door=True)
    late = run.sink
    run.adopt(site(device("other", PLAIN)))
    late(Scan("box", run.now(), {"door": False}))
    late(Scan("box", run.now(), {"door": True}))

    raised, cleared = run.events()
    assert (cleared.id, cleared.state) == (raised.id, "cleared")
    assert cleared.values["cause"] == "unwatched"


def test_what_was_taken_away_while_the_gateway_was_off_is_ended_at_the_start():
    first = Run(site(device("box", DOOR)))
    first.scan(door=False)
    first.scan(door=True)

    second = Run(site(device("other", PLAIN)), first.kept, boot="00000002")

    (cleared,) = second.events()
    assert (cleared.id, cleared.state) == (first.events()[0].id, "cleared")
    assert second.kept is None


@pytest.mark.parametrize("note", [b"", b"\x91", b"\x81\xa3abc\x93\xa1d\xc0\x80"])
def test_a_note_that_cannot_be_read_is_begun_anew(note):
    conf = site(device("box", DOOR))
    run = Run(conf, note)
    run.scan(door=False)
    run.scan(door=True)

    assert [event.state for event in run.events()] == ["raised"]


def test_a_note_of_another_release_is_begun_anew():
    conf = site(device("box", DOOR))
    other = {"contact:box.door": ["box", {"unknown": 1}, {}]}

    run = Run(conf, msgspec.msgpack.encode(other))
    run.scan(door=False)
    run.scan(door=True)

    assert [event.state for event in run.events()] == ["raised"]


def test_a_moving_station_adds_a_place_to_every_other_device():
    spots = tuple(
        ModbusPoint(name=name, table="holding", address=n, type="float64", unit="deg")
        for n, name in enumerate(("latitude", "longitude", "hdop"))
    )
    fence = Fence(
        name="f", device="gps", rule="stay_in", circle=(118.0, 39.0), radius_m=9
    )
    conf = site(
        device("gps", *spots),
        device("box", PLAIN),
        mobile=Mobile(position="gps"),
        fences={"f": fence},
    )
    run = Run(conf)
    run.scan(flow=1)
    run.scan("gps", latitude=39.0, longitude=118.0, hdop=1.0)
    run.scan(ms=400, flow=2)
    run.scan("gps", latitude=39.0, longitude=118.0, hdop=1.0)

    first, gps, second, _ = run.records
    assert first.pos == {"none": "no_position"}
    assert gps.pos is None
    assert second.pos == {
        "lon": 118.0, "lat": 39.0, "datum": "WGS-84", "age_ms": 400, "hdop": 1.0,
    }  # fmt: skip
    assert second.values == {"flow": 2}


def test_data_that_waited_for_its_slot_has_the_place_where_it_came_in():
    spots = tuple(
        ModbusPoint(name=name, table="holding", address=n, type="float64", unit="deg")
        for n, name in enumerate(("latitude", "longitude"))
    )
    conf = site(
        device("gps", *spots), device("box", PLAIN), mobile=Mobile(position="gps")
    )
    run = Run(conf)
    for second in range(100):
        run.scan("gps", latitude=39.0 + second / 10_000, longitude=118.0)

    def place(age_ms):
        run.sink(Scan("box", run.now(), {"flow": 1}, age_ms={"flow": age_ms}))
        return run.records[-1].pos

    assert place(0)["lat"] == pytest.approx(39.0099)
    long_ago = place(30_400)
    assert long_ago["lat"] == pytest.approx(39.0069)
    assert long_ago["age_ms"] == 30_000
    assert place(200_000) == {"none": "too_old"}


def test_every_event_is_worded_in_both_languages():
    run = Run(site(device("box", DOOR, PULSES)))
    run.scan(door=False, pulses=100)
    run.scan(door=True, pulses=5)
    run.scan(door=False, pulses=6)

    for event in run.events():
        assert set(event.text) == {"zh", "en"}
        assert not re.search(r"[{}]|event\.", "".join(event.text.values())), event.text
        assert event.device == "box"


def test_the_site_of_the_manual_is_one(tmp_path):
    text = (ROOT / "docs" / "judge.md").read_text("utf-8")
    path = tmp_path / "site.yaml"
    path.write_text(re.search(r"```yaml site\n(.*?)```", text, re.S)[1], "utf-8")

    found, problems = load_problems(path)

    assert [str(p) for p in problems if not p.warning] == []
    assert set(found.fences) == {"yard", "spring"}
    assert found.mobile == Mobile(position="gnss-1")
