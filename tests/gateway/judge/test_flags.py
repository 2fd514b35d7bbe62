"""States, windows, rules and parameters through the whole Judge: scan in, scan out."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import msgspec
import pytest

from drivers.profiles.hj212_points import Hj212Point
from drivers.profiles.model import ModbusPoint
from drivers.values import Flaw, Quality
from gateway.clock import Instant
from gateway.config.flagging import Rules, Sign
from gateway.config.model import BufferLimits, Bus, Device, Site, TcpEndpoint
from gateway.judge.judge import Judge
from gateway.judge.windows import Windows
from gateway.record import Event, Gap, Scan

BORN_MS = 1_763_712_000_000


def point(name, **more):
    return ModbusPoint(
        name=name, table="input", address=0, type="float32", unit="mg/m3", **more
    )


SO2, NOX, STATUS, SLOPE = point("so2"), point("nox"), point("status"), point("slope")


def device(**more):
    return Device(
        name="cems", bus="b", address=1, every_s=1.0, points=(SO2, NOX, STATUS), **more
    )


def site(*devices, **more):
    return Site(
        gateway="g",
        buffer=BufferLimits(path=Path("data")),
        devices={d.name: d for d in devices},
        **more,
    )


class Run:
    """A judge with its windows, its store and its clock."""

    def __init__(self, conf, kept=None, windows=None, boot="00000001", born_ms=0):
        self.records, self.trusted = [], True
        self.ms, self.boot, self.born_ms = 0, boot, born_ms
        self.kept, self.kept_windows, self.soon = kept, windows, []
        self.windows = Windows(self.remember_windows, windows, now=self.now)
        self.windows.on_start = lambda _devices: self.sink_again()
        self.judge = Judge(self.remember, kept, now=self.now, declared=self.windows)
        self.conf = conf
        self.records.extend(self.judge.adopt(conf))
        self.sink_again()

    def sink_again(self):
        devices = list(self.conf.devices.values())
        self.sink = self.judge.before(devices, self.records.append)

    def remember(self, note, lazily):
        self.kept = note
        self.soon.append(not lazily)

    def remember_windows(self, note):
        self.kept_windows = note

    def now(self):
        wall = BORN_MS + self.born_ms + self.ms
        return Instant(wall, self.ms, self.boot, self.trusted)

    def scan(self, ms=1000, flaws=None, flags=None, sampled=None, **values):
        """One scan; returns it as it was stored."""
        self.ms += ms
        given = Scan("cems", self.now(), values, flaws or {}, flags, sampled)
        before = msgspec.msgpack.encode(values)
        count = len(self.records)
        self.sink(given)
        stored = self.records[count]
        assert stored.values is values
        assert msgspec.msgpack.encode(values) == before
        return stored

    def take(self, records):
        self.records.extend(records)

    def events(self, kind=""):
        found = [r for r in self.records if isinstance(r, Event)]
        return [e for e in found if e.type.startswith(kind)]


BAD = Flaw(Quality.BAD, "timeout")
CALIBRATING = Sign(state="calibration", point="status", equals=(2,), every_s=1.0)
FAULTY = Sign(state="fault", point="status", at_least=8, points=("so2",), every_s=1.0)


# -- states ---------------------------------------------------------------------------


def test_a_device_that_says_nothing_of_flags_costs_nothing():
    run = Run(site(device()))

    assert run.sink == run.records.append


def test_the_state_stands_in_the_scan_that_shows_it_and_is_told_once():
    run = Run(site(device(states=(CALIBRATING,))))
    first = run.scan(so2=1.0, nox=2.0, status=0)
    second = run.scan(so2=99.0, nox=2.0, status=2)
    run.scan(so2=99.0, nox=2.0, status=2)
    last = run.scan(so2=1.0, nox=2.0, status=0)

    assert first.states is None
    assert second.states == {"so2": "calibration", "nox": "calibration"}
    assert last.states is None
    raised, cleared = run.events("instrument_state")
    assert (raised.state, cleared.state) == ("raised", "cleared")
    assert raised.id == cleared.id
    assert raised.at == second.at
    assert cleared.until == last.at
    assert raised.values == {"state": "calibration", "source": "status", "value": 2}
    assert "校准" in raised.text["zh"]


def test_a_state_may_concern_some_points_and_the_first_that_fits_counts():
    later = msgspec.structs.replace(CALIBRATING, equals=(9,))
    run = Run(site(device(states=(FAULTY, later))))
    scan = run.scan(so2=1.0, nox=2.0, status=9)

    assert scan.states == {"so2": "fault", "nox": "calibration"}


def test_a_status_that_cannot_be_read_leaves_the_state_unknown():
    run = Run(site(device(states=(CALIBRATING,))))
    run.scan(so2=1.0, nox=2.0, status=0)
    scan = run.scan(so2=1.0, nox=2.0, flaws={"status": BAD})

    assert scan.states == {"so2": "unknown", "nox": "unknown"}
    assert run.events() == []


def test_an_instrument_that_speaks_unasked_and_did_not_says_nothing_new():
    slow = msgspec.structs.replace(CALIBRATING, every_s=10.0)
    run = Run(site(device(states=(slow,))))
    silent = {"status": Flaw(Quality.BAD, "no_data")}
    run.scan(so2=1.0, status=0)

    assert run.scan(so2=1.0, flaws=silent).states is None
    assert run.scan(ms=30_000, so2=1.0, flaws=silent).states == {"so2": "unknown"}


def test_before_the_status_was_read_and_after_it_is_old_the_state_is_unknown():
    slow = msgspec.structs.replace(CALIBRATING, every_s=60.0)
    run = Run(site(device(states=(slow,))))

    assert run.scan(so2=1.0).states == {"so2": "unknown"}
    run.scan(so2=1.0, status=0)
    assert run.scan(ms=149_000, so2=1.0).states is None
    assert run.scan(ms=2_000, so2=1.0).states == {"so2": "unknown"}


def test_a_state_that_began_before_a_restart_ends_after_it_under_its_id():
    conf = site(device(states=(CALIBRATING,)))
    first = Run(conf)
    first.scan(so2=1.0, status=2)
    second = Run(conf, first.kept, boot="00000002", born_ms=60_000)
    scan = second.scan(so2=1.0, status=0)

    (cleared,) = second.events()
    assert scan.states is None
    assert cleared.id == first.events()[0].id
    assert cleared.state == "cleared"


@pytest.mark.parametrize(
    ("wanted", "value", "fits"),
    [(True, True, True), (True, 1, False), (1, True, False), (1, 1.0, True),
     ("run", "run", True), ("run", 0, False)],
)  # fmt: skip
def test_true_and_one_are_two_things(wanted, value, fits):
    sign = msgspec.structs.replace(CALIBRATING, equals=(wanted,))
    run = Run(site(device(states=(sign,))))
    scan = run.scan(so2=1.0, status=value)

    assert ((scan.states or {}).get("so2") == "calibration") == fits


def test_a_measured_point_that_shows_a_state_is_in_the_others_like_its_neighbours():
    """Oxygen as in air shows a stop; in calibration it was told as valid."""
    air = Sign(state="stopped", point="o2", at_least=20.5, every_s=1.0)
    still = Sign(state="stopped", point="flow", equals=(0,), every_s=1.0)
    run = Run(site(device(states=(CALIBRATING, air, still))))

    gas = run.scan(so2=99.0, o2=5.0, flow=3.5, status=2)
    stop = run.scan(so2=0.1, o2=20.9, flow=3.5, status=0)

    named = ("so2", "o2", "flow")
    assert gas.states == dict.fromkeys(named, "calibration")
    assert stop.states == dict.fromkeys(named, "stopped")


def test_an_instruments_own_marks_are_its_states():
    bus = Bus(name="b", protocol="hj212", listen=TcpEndpoint(host="127.0.0.1"))
    points = (Hj212Point(name="so2", factor="a21026"),)
    box = Device(name="cems", bus="b", address=None, every_s=5.0, points=points)
    run = Run(site(box, buses={"b": bus}))
    assert run.scan(so2=1.0, flags={"so2": "N"}).states is None
    doubted = {"so2": Flaw(Quality.UNCERTAIN, "maintenance")}
    marked = run.scan(so2=1.0, flags={"so2": "M/E12"}, flaws=doubted)
    odd = run.scan(so2=1.0, flags={"so2": "Z"})
    run.scan(so2=1.0, flags={"so2": "N"})

    assert marked.states == {"so2": "maintenance"}
    assert marked.flaws == doubted
    assert odd.states == {"so2": "unknown"}
    raised, cleared = run.events("instrument_state")
    assert raised.values == {"state": "maintenance", "source": "flag", "points": "so2"}
    assert cleared.until == odd.at


# -- windows --------------------------------------------------------------------------


def test_a_window_marks_every_reading_until_its_time_is_up():
    run = Run(site(device()))
    assert run.scan(so2=1.0).states is None
    run.take(run.windows.start(["cems"], "maintenance", "Wang", "filter", 60.0))
    inside = run.scan(so2=1.0, flaws={"nox": BAD})
    run.scan(ms=58_999, so2=1.0)
    outside = run.scan(ms=1, so2=1.0)
    run.take(run.windows.sweep(["cems"]))

    assert inside.states == {"so2": "maintenance", "nox": "maintenance"}
    assert outside.states is None
    raised, cleared = run.events("maintenance_window")
    assert raised.values == {
        "state": "maintenance", "who": "Wang", "why": "filter", "for_ms": 60_000,
    }  # fmt: skip
    assert cleared.values["cause"] == "elapsed"
    assert cleared.id == raised.id
    assert cleared.until.mono_ms - cleared.at.mono_ms == 60_000
    assert run.kept_windows is None


def test_the_instruments_own_state_goes_before_a_window_and_unknown_after_it():
    run = Run(site(device(states=(CALIBRATING,))))
    run.take(run.windows.start(["cems"], "maintenance", "Wang", "filter", 60.0))

    assert run.scan(so2=1.0, status=2).states["so2"] == "calibration"
    assert run.scan(so2=1.0, status=0).states["so2"] == "maintenance"
    unread = run.scan(so2=1.0, flaws={"status": BAD})
    assert unread.states["so2"] == "maintenance"


def test_a_window_that_is_ended_early_still_holds_for_what_was_read_in_it():
    run = Run(site(device()))
    run.take(run.windows.start(["cems"], "maintenance", "Wang", "filter", 3600.0))
    run.ms += 1000
    late = Scan("cems", run.now(), {"so2": 1.0})
    run.ms += 1000
    run.take(run.windows.end(["cems"], "Li"))
    run.sink(late)
    after = run.scan(so2=1.0)

    stored = next(r for r in run.records if isinstance(r, Scan))
    assert stored.states == {"so2": "maintenance"}
    assert after.states is None
    _, cleared = run.events("maintenance_window")
    assert (cleared.values["cause"], cleared.values["by"]) == ("ended", "Li")
    assert cleared.values["who"] == "Wang"


def test_a_window_of_this_boot_says_nothing_of_the_boot_before():
    run = Run(site(), boot="00000002")
    before = Instant(run.now().wall_ms - 60_000, 10**9, "00000001", trusted=True)
    run.take(run.windows.start(["cems"], "maintenance", "Wang", "filter", 3600.0))

    assert run.windows.state_at("cems", before) is None
    assert run.windows.state_at("cems", run.now()) == "maintenance"


def test_the_newer_of_two_windows_counts():
    run = Run(site(device()))
    run.take(run.windows.start(["cems"], "maintenance", "Wang", "filter", 3600.0))
    run.take(run.windows.start(["cems"], "calibration", "Li", "span gas", 60.0))

    assert run.scan(so2=1.0).states == {"so2": "calibration"}
    assert run.scan(ms=60_000, so2=1.0).states == {"so2": "maintenance"}
    assert len({e.id for e in run.events()}) == 2


@pytest.mark.parametrize("away_ms", [10_000, 7_200_000])
def test_a_window_goes_on_over_a_power_cut_and_ends_in_time(away_ms):
    conf = site(device())
    first = Run(conf)
    first.take(first.windows.start(["cems"], "maintenance", "Wang", "filter", 3600.0))
    second = Run(conf, first.kept, first.kept_windows, boot="00000002", born_ms=away_ms)
    second.take(second.windows.sweep(["cems"]))
    scan = second.scan(so2=1.0)
    second.ms = 3_600_000 - away_ms
    second.take(second.windows.sweep(["cems"]))

    (cleared,) = second.events("maintenance_window")
    assert cleared.id == first.events()[0].id
    assert cleared.until.wall_ms == BORN_MS + 3_600_000
    assert (scan.states is None) == (away_ms > 3_600_000)


def test_without_a_clock_a_window_of_an_earlier_boot_lasts_as_long_again_at_most():
    conf = site(device())
    first = Run(conf)
    first.take(first.windows.start(["cems"], "maintenance", "Wang", "filter", 3600.0))
    second = Run(conf, None, first.kept_windows, boot="00000002")
    second.trusted = False

    assert second.scan(ms=3_599_999, so2=1.0).states == {"so2": "maintenance"}
    assert second.scan(ms=1, so2=1.0).states is None
    second.take(second.windows.sweep(["cems"]))
    assert [e.state for e in second.events()] == ["cleared"]


def test_a_device_that_is_taken_away_ends_its_window():
    run = Run(site(device()))
    run.take(run.windows.start(["cems"], "maintenance", "Wang", "filter", 3600.0))
    run.take(run.windows.sweep([]))

    assert run.events()[-1].values["cause"] == "unwatched"
    assert run.windows.standing() == []


@pytest.mark.parametrize("note", [b"", b"\x91", b"\x91\x92\x01\x02"])
def test_windows_that_cannot_be_read_stop_nothing(note):
    assert Run(site(device()), None, note).windows.standing() == []


# -- rules ----------------------------------------------------------------------------


def ruled(**more):
    return Run(site(device(rules=(Rules(point="so2", every_s=1.0, **more),))))


def doubt(scan):
    flaw = scan.flaws.get("so2")
    assert flaw is None or flaw.quality is Quality.UNCERTAIN
    return flaw.reason if flaw else None


def test_range_keeps_the_value_and_doubts_it():
    run = ruled(below=0.0, above=100.0)
    doubts = [doubt(run.scan(so2=v)) for v in (0.0, -0.1, 100.0, 100.5, 50.0)]

    assert doubts == [None, "below_limit", None, "above_limit", None]


def test_a_doubt_is_one_event_that_ends_when_it_stayed_away_for_a_minute():
    run = ruled(above=100.0)
    for value in (101.0, 99.0, 102.0, 99.0):
        run.scan(so2=value)
    first_good = run.now()
    for _ in range(60):
        run.scan(so2=99.0)

    raised, cleared = run.events()
    assert raised.type == "value_above_limit"
    assert raised.values == {"point": "so2", "value": 101.0}
    assert cleared.until == first_good


def test_a_constant_value_is_doubted_from_when_it_is_known_and_not_before():
    run = ruled(constant_s=10.0)
    doubts = [doubt(run.scan(so2=5.0)) for _ in range(12)]

    assert doubts == [None] * 10 + ["constant"] * 2
    (raised,) = run.events()
    assert raised.values["same_ms"] == 10_000
    assert doubt(run.scan(so2=5.1)) is None


def test_a_gap_or_another_state_begins_the_run_of_equal_values_anew():
    rules = (Rules(point="so2", constant_s=10.0, every_s=1.0),)
    run = Run(site(device(rules=rules, states=(CALIBRATING,))))
    for _ in range(9):
        run.scan(so2=5.0, status=0)
    run.scan(ms=6000, so2=5.0, status=0)
    for _ in range(8):
        assert doubt(run.scan(so2=5.0, status=0)) is None
    run.scan(so2=5.0, status=2)
    for _ in range(10):
        assert doubt(run.scan(so2=5.0, status=0)) is None
    assert doubt(run.scan(so2=5.0, status=0)) == "constant"


def test_a_restart_does_not_begin_it_anew():
    conf = site(device(rules=(Rules(point="so2", constant_s=3600.0, every_s=1.0),)))
    first = Run(conf)
    for _ in range(59):
        first.scan(ms=60_000, so2=5.0)
    list(first.judge.close())
    second = Run(conf, first.kept, boot="00000002", born_ms=59 * 60_000 + 120_000)

    assert doubt(second.scan(so2=5.0)) == "constant"


def test_a_spike_is_doubted_and_what_follows_is_not():
    run = ruled(jump=Fraction(50), jump_s=60.0)
    doubts = [doubt(run.scan(so2=v)) for v in (10.0, 60.0, 60.1, 500.0, 10.0, 59.0)]

    assert doubts == [None, None, "jump", "jump", None, None]


def test_a_new_level_is_believed_once_the_time_has_passed():
    run = ruled(jump=Fraction(50), jump_s=10.0)
    run.scan(so2=10.0)
    doubts = [doubt(run.scan(so2=100.0)) for _ in range(12)]

    assert doubts == ["jump"] * 10 + [None] * 2


def test_a_jump_is_measured_in_decimals():
    run = ruled(jump=Fraction(1, 5), jump_s=60.0)
    run.scan(so2=0.9)

    assert 1.1 - 0.9 > 0.2
    assert doubt(run.scan(so2=1.1)) is None


def test_a_stale_result_and_one_without_its_time():
    run = ruled(max_age_s=3600.0)
    now = BORN_MS
    assert doubt(run.scan(so2=1.0, sampled={"so2": now - 3_599_000})) is None
    assert doubt(run.scan(so2=1.0, sampled={"so2": now - 3_599_000})) == "stale_result"
    assert doubt(run.scan(so2=1.0)) == "stale_result"
    assert doubt(run.scan(so2=1.0, sampled={"so2": now + 9_999_000})) == "stale_result"


def test_an_untrusted_clock_is_a_doubt_where_it_is_asked_for():
    run = ruled(clock=True)
    run.trusted = False

    assert doubt(run.scan(so2=1.0)) == "clock_unknown"
    run.trusted = True
    assert doubt(run.scan(so2=1.0)) is None


def test_what_the_driver_said_stands():
    run = ruled(above=10.0)
    own = {"so2": Flaw(Quality.UNCERTAIN, "out_of_range")}

    assert run.scan(so2=11.0, flaws=own).flaws is own
    assert run.scan(flaws={"so2": BAD}).flaws == {"so2": BAD}
    assert run.events() == []


def test_no_value_for_too_long_is_told_with_since_when():
    run = ruled(missing_s=10.0)
    run.scan(so2=1.0)
    last = run.now()
    for _ in range(9):
        run.scan(flaws={"so2": BAD})
    assert run.events() == []
    run.scan(flaws={"so2": BAD})
    run.scan(flaws={"so2": BAD})
    run.scan(so2=1.0)

    raised, cleared = run.events()
    assert raised.type == "value_missing"
    assert raised.at == last
    assert cleared.until == run.now()


def test_slots_that_were_not_asked_are_missing_too():
    run = ruled(missing_s=10.0)
    run.scan(so2=1.0)
    since = run.now()
    run.ms += 20_000
    run.sink(Gap("cems", ("*",), since, run.now(), 20, "backed_off"))

    assert [e.type for e in run.events()] == ["value_missing"]


# -- parameters -----------------------------------------------------------------------


def watched():
    return site(device(parameters=("nox",)))


def test_every_change_of_a_parameter_is_told_and_the_first_sight_is_not():
    run = Run(watched())
    run.scan(nox=1.0)
    run.scan(flaws={"nox": BAD})
    run.scan(nox=1.0)
    assert run.events() == []
    odd = {"nox": Flaw(Quality.UNCERTAIN, "out_of_range")}
    run.scan(nox=99.0, flaws=odd)

    (event,) = run.events()
    assert event.type == "parameter_changed"
    assert (event.values["before"], event.values["value"]) == (1.0, 99.0)
    assert event.state == "raised"


def test_a_parameter_that_was_changed_while_the_gateway_was_off_is_told():
    first = Run(watched())
    first.scan(nox=1.0)
    assert first.soon[-1], "the first sight is kept at once"
    second = Run(watched(), first.kept, boot="00000002", born_ms=3_600_000)
    second.scan(nox=2.0)

    (event,) = second.events()
    assert (event.values["before"], event.values["value"]) == (1.0, 2.0)
