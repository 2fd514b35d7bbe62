"""Minutes, hours and days of a station: told once, exact, whatever happens between."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from gateway.clock import Instant
from gateway.record import DatedTime, Gap
from tests.support.station_run import BOOT, StationRun, site_of

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.aggregate import Period

START = 1_780_275_600_000
"""2026-06-01 09:00:00 in Beijing."""
SECOND, MINUTE, HOUR = 1000, 60_000, 3_600_000
GRACE = 10 * SECOND

STACK = """
gateway: g1
buffer: {path: data}
buses: {b: {protocol: modbus-tcp, tcp: "127.0.0.1:1502"}}
devices:
  cems:
    bus: b
    address: 1
    every: 5s
    points:
      - {name: so2, table: holding, address: "pdu:0", type: float32, unit: mg/m3}
      - {name: o2, table: holding, address: "pdu:4", type: float32, unit: "%"}
      - {name: flow, table: holding, address: "pdu:6", type: float32, unit: m3/h}
stations:
  DA001:
    kind: flue_gas
    factors:
      so2: {from: cems.so2, code: a21026}
      o2: {from: cems.o2, code: a19001}
      flow: {from: cems.flow, code: a00000, unit: m3/h, cou_unit: m3}
    flue_gas: {reference_oxygen: 6}
"""


@pytest.fixture
def stack(tmp_path: Path) -> StationRun:
    return StationRun(site_of(tmp_path, STACK), START)


def slots(run: StationRun, start: int, end: int) -> list[int]:
    """When the slots of the stack are due."""
    inlet = run.averager._books["DA001"].inlets[0]
    return [inlet.due(slot) for slot in inlet.slots(start, end)]


def feed(run: StationRun, start: int, end: int, so2: float = 10.0) -> None:
    for t in slots(run, start, end):
        run.scan("cems", t, {"so2": so2, "o2": 11, "flow": 36000})


def kinds(told: list[Period]) -> list[tuple[str, int, int]]:
    return [(period.kind, period.t_ms, period.rev) for period in told]


async def test_a_minute_is_the_mean_of_its_slots(stack: StationRun) -> None:
    for i, t in enumerate(slots(stack, START, START + MINUTE)):
        stack.scan("cems", t, {"so2": 10.1 + i, "o2": 11, "flow": 36000})

    (told,) = await stack.tick(START + MINUTE + GRACE)

    so2 = told.factors["so2"]
    assert kinds([told]) == [("minute", START, 0)]
    assert told.until_ms == START + MINUTE
    assert (so2.n, so2.of, so2.mark) == (12, 12, "valid")
    assert so2.avg == Fraction(156, 10)
    assert (so2.min, so2.max) == (Fraction(101, 10), Fraction(211, 10))
    assert so2.zs_avg == Fraction(234, 10)  # (21 - 6) / (21 - 11)
    assert so2.rate == Fraction(156, 10) * 36000 / 10**6
    assert so2.cou == so2.rate / 60
    assert told.factors["flow"].cou == 600
    assert told.figures["so2"]["avg"] == "15.60"
    assert told.flags == {"so2": "N", "o2": "N", "flow": "N"}


async def test_nothing_is_told_before_the_grace_is_over(stack: StationRun) -> None:
    feed(stack, START, START + MINUTE)

    assert await stack.tick(START + MINUTE + GRACE - 1) == []
    assert len(await stack.tick(START + MINUTE + GRACE)) == 1
    assert await stack.tick(START + MINUTE + GRACE + 1) == []


async def test_a_slot_that_comes_twice_counts_once(stack: StationRun) -> None:
    feed(stack, START, START + MINUTE)
    feed(stack, START, START + MINUTE)

    (told,) = await stack.tick(START + MINUTE + GRACE)

    assert (told.factors["so2"].n, told.factors["so2"].of) == (12, 12)
    assert told.factors["flow"].cou == 600


async def test_of_two_readings_of_a_slot_the_earlier_stays(stack: StationRun) -> None:
    first = slots(stack, START, START + MINUTE)[0]
    for t, so2 in ((first + 900, 99.0), (first + 100, 10.0), (first + 2000, 50.0)):
        stack.scan("cems", t, {"so2": so2})

    (told,) = await stack.tick(START + MINUTE + GRACE)

    assert told.factors["so2"].avg == 10


async def test_what_is_not_valid_makes_no_mean_and_no_mass(stack: StationRun) -> None:
    for i, t in enumerate(slots(stack, START, START + MINUTE)):
        if i < 9:
            stack.scan("cems", t, {"so2": 10.0, "o2": 11, "flow": 36000})
        elif i == 9:
            stack.scan("cems", t, {"o2": 11, "flow": 36000}, bad={"so2": "timeout"})
        else:
            values = {"so2": 500.0, "o2": 11, "flow": 36000}
            stack.scan("cems", t, values, states={"so2": "calibration"})

    (told,) = await stack.tick(START + MINUTE + GRACE)

    so2 = told.factors["so2"]
    assert so2.marks == {"valid": 9, "link": 1, "calibration": 2}
    assert (so2.n, so2.of, so2.mark, so2.avg, so2.max) == (9, 12, "valid", 10, 10)
    assert so2.cou == Fraction(36, 100) * 45 / 3600  # kg/h over 9 slots of 5 s
    assert told.factors["flow"].n == 12


async def test_where_none_is_valid_the_mean_is_of_all_and_is_not_valid(
    stack: StationRun,
) -> None:
    for t in slots(stack, START, START + MINUTE):
        stack.scan("cems", t, {"so2": 500.0}, states={"so2": "calibration"})

    (told,) = await stack.tick(START + MINUTE + GRACE)

    so2 = told.factors["so2"]
    assert (so2.n, so2.avg, so2.cou) == (0, 500, None)
    assert so2.mark != "valid"
    assert told.flags["so2"] != "N"


async def test_oxygen_that_is_missing_takes_only_what_needs_it(
    stack: StationRun,
) -> None:
    for t in slots(stack, START, START + MINUTE):
        stack.scan("cems", t, {"so2": 10.0, "flow": 36000}, bad={"o2": "timeout"})

    (told,) = await stack.tick(START + MINUTE + GRACE)

    so2 = told.factors["so2"]
    assert (so2.avg, so2.zs_avg, so2.n) == (10, None, 12)
    assert so2.cou is not None


async def test_oxygen_is_taken_from_two_of_its_periods_ago_and_no_longer(
    stack: StationRun,
) -> None:
    due = slots(stack, START, START + MINUTE)
    for t in due[:8]:
        stack.scan("cems", t, {"so2": 10.0, "o2": 11})
    for t in due[8:]:
        stack.scan("cems", t, {"so2": 20.0}, bad={"o2": "timeout"})

    (told,) = await stack.tick(START + MINUTE + GRACE)

    so2 = told.factors["so2"]
    assert so2.zs_min == 15
    assert so2.zs_max == 30
    assert so2.zs_avg == Fraction(8 * 15 + 2 * 30, 10)


async def test_a_late_reading_makes_a_revision_that_says_why(
    stack: StationRun,
) -> None:
    due = slots(stack, START, START + MINUTE)
    for t in due[:-1]:
        stack.scan("cems", t, {"so2": 10.0, "o2": 11, "flow": 36000})
    (first,) = await stack.tick(START + MINUTE + GRACE)

    stack.scan("cems", due[-1], {"so2": 22.0, "o2": 11, "flow": 36000})
    (again,) = await stack.tick(START + MINUTE + GRACE + 5 * SECOND)

    assert (first.rev, first.reason, first.factors["so2"].n) == (0, "", 11)
    assert (again.rev, again.reason) == (1, "late_reading")
    assert again.factors["so2"].avg == 11
    assert stack.history.kept.keys() >= {
        ("DA001", "minute", START, 0),
        ("DA001", "minute", START, 1),
    }


async def test_an_hour_and_a_day_follow_a_late_reading(stack: StationRun) -> None:
    feed(stack, START, START + HOUR - MINUTE)
    last = slots(stack, START + HOUR - MINUTE, START + HOUR)
    for t in last[:-1]:
        stack.scan("cems", t, {"so2": 10.0, "o2": 11, "flow": 36000})
    told = await stack.tick(START + HOUR + GRACE)
    assert kinds(told)[-1] == ("hour", START, 0)

    stack.scan("cems", last[-1], {"so2": 22.0, "o2": 11, "flow": 36000})
    told = await stack.tick(START + HOUR + 2 * GRACE)

    assert kinds(told) == [
        ("minute", START + HOUR - MINUTE, 1),
        ("hour", START, 1),
    ]
    assert told[-1].factors["so2"].avg == Fraction(59 * 10 + 11, 60)
    assert told[-1].reason == "late_reading"


async def test_an_hour_is_the_mean_of_its_valid_minutes(stack: StationRun) -> None:
    for minute in range(60):
        at = START + minute * MINUTE
        feed(stack, at, at + MINUTE, 10.0 if minute < 45 else 100.0)
        if minute >= 45:
            for slot in stack.averager._books["DA001"].minutes[at].slots[0].copy():
                row = stack.averager._books["DA001"].minutes[at].slots[0]
                row[slot] = row[slot]._replace(mark="maintenance")
        await stack.tick(at + MINUTE + GRACE)

    hour = stack.told[-1]

    so2 = hour.factors["so2"]
    assert (hour.kind, so2.n, so2.of, so2.mark) == ("hour", 45, 60, "valid")
    assert so2.avg == 10
    assert so2.cou == Fraction(36, 100) * 45 / 60
    assert hour.factors["flow"].cou == 36000


@pytest.mark.parametrize(("hours", "mark"), [(19, "fault"), (20, "valid")])
async def test_a_day_needs_twenty_valid_hours(
    tmp_path: Path, hours: int, mark: str
) -> None:
    midnight = START + 15 * HOUR
    stack = StationRun(site_of(tmp_path, STACK), midnight)
    for hour in range(24):
        at = midnight + hour * HOUR
        if hour < hours:
            feed(stack, at, at + HOUR)
        await stack.tick(at + HOUR + GRACE)

    day = stack.told[-1]

    so2 = day.factors["so2"]
    assert (day.kind, day.t_ms, day.until_ms) == (
        "day",
        midnight,
        midnight + 24 * HOUR,
    )
    assert (so2.n, so2.of, so2.mark, so2.avg) == (hours, 24, mark, 10)
    assert day.flags["so2"] == ("N" if mark == "valid" else "D")
    assert day.factors["flow"].cou == 36000 * hours


async def test_days_begin_at_midnight_in_beijing(tmp_path: Path) -> None:
    midnight = 1_780_329_600_000  # 2026-06-02T00:00+08:00 is 16:00 UTC
    stack = StationRun(site_of(tmp_path, STACK), midnight - HOUR)

    for at in range(midnight - HOUR, midnight, MINUTE):
        feed(stack, at, at + MINUTE)
        await stack.tick(at + MINUTE + GRACE)

    assert [k for k in kinds(stack.told) if k[0] != "minute"] == [
        ("hour", midnight - HOUR, 0),
        ("day", midnight - 24 * HOUR, 0),
    ]


async def test_slots_of_a_gap_are_worth_what_it_says(stack: StationRun) -> None:
    due = slots(stack, START, START + MINUTE)
    since = Instant(due[0], due[0] - stack.offset_ms, BOOT, trusted=True)
    until = Instant(due[3], due[3] - stack.offset_ms, BOOT, trusted=True)
    stack.sink(Gap("cems", ("*",), since, until, 3, "bus_gone", every_ms=5000))
    for t in due[3:]:
        stack.scan("cems", t, {"so2": 10.0})

    (told,) = await stack.tick(START + MINUTE + GRACE)

    assert told.factors["so2"].marks == {"valid": 9, "link": 3}


async def test_slots_of_a_gap_in_a_maintenance_window_are_maintenance(
    stack: StationRun,
) -> None:
    """The analyzer is switched off at once, declared a slot later, for two slots."""
    due = slots(stack, START, START + MINUTE)
    stack.declared.append(("cems", due[1], due[3], "maintenance"))
    since = Instant(due[0], due[0] - stack.offset_ms, BOOT, trusted=True)
    until = Instant(due[11], due[11] - stack.offset_ms, BOOT, trusted=True)
    stack.sink(Gap("cems", ("*",), since, until, 12, "bus_gone", every_ms=5000))

    (told,) = await stack.tick(START + MINUTE + GRACE)

    assert told.factors["so2"].marks == {"link": 10, "maintenance": 2}


# -- the clock ------------------------------------------------------------------


async def test_readings_of_an_untrusted_clock_wait_until_they_are_dated(
    stack: StationRun,
) -> None:
    """The clock is an hour slow, and somebody says so three minutes later."""
    stack.trusted = False
    due = slots(stack, START, START + 3 * MINUTE)
    for t in due:
        stack.scan("cems", t - HOUR, {"so2": 10.0, "o2": 11, "flow": 36000})
    assert await stack.tick(START + 3 * MINUTE) == []

    stack.trusted = True
    for scan in stack.averager._waiting:
        stack.dates[scan.at] = DatedTime(scan.at.wall_ms + HOUR, "corrected")
    told = await stack.tick(START + 3 * MINUTE + GRACE)

    assert kinds(told) == [("minute", START + i * MINUTE, 0) for i in range(3)]
    assert all(period.factors["so2"].n == 12 for period in told)


async def test_what_nobody_can_date_counts_nowhere(stack: StationRun) -> None:
    stack.trusted = False
    feed(stack, START, START + MINUTE)
    stack.trusted = True
    for scan in stack.averager._waiting:
        stack.dates[scan.at] = DatedTime(scan.at.wall_ms, "unknown")

    told = await stack.tick(START + MINUTE + GRACE)

    assert [period.factors["so2"].n for period in told] == [0]
    assert told[0].factors["so2"].marks == {"missing": 12}
    assert stack.averager.dropped == 12


async def test_a_step_back_tells_no_period_and_counts_no_slot_twice(
    stack: StationRun,
) -> None:
    for at in range(START, START + 5 * MINUTE, MINUTE):
        feed(stack, at, at + MINUTE)
        await stack.tick(at + MINUTE + GRACE)
    before = dict(stack.history.kept)

    stack.offset_ms -= 3 * MINUTE
    for at in range(START + 2 * MINUTE, START + 7 * MINUTE, MINUTE):
        feed(stack, at, at + MINUTE, so2=99.0)
        await stack.tick(at + MINUTE + GRACE)

    minutes = [k for k in kinds(stack.told) if k[0] == "minute"]
    assert minutes == [("minute", START + i * MINUTE, 0) for i in range(7)]
    assert before.items() <= stack.history.kept.items()
    told = {period.t_ms: period for period in stack.told}
    assert told[START + 4 * MINUTE].factors["so2"].avg == 10
    assert told[START + 5 * MINUTE].factors["so2"].avg == 99


async def test_a_step_forward_leaves_minutes_that_are_missing(
    stack: StationRun,
) -> None:
    feed(stack, START, START + MINUTE)
    await stack.tick(START + MINUTE + GRACE)

    stack.offset_ms += HOUR
    at = START + HOUR + 2 * MINUTE
    feed(stack, at, at + MINUTE)
    await stack.tick(at + MINUTE + GRACE)

    hour = next(p for p in stack.told if p.kind == "hour")
    assert (hour.factors["so2"].n, hour.factors["so2"].of) == (1, 60)
    keys = kinds(stack.told)
    assert len(keys) == len(set(keys))


# -- restarts -------------------------------------------------------------------


async def test_after_a_kill_in_mid_hour_only_the_last_seconds_are_missing(
    stack: StationRun,
) -> None:
    kill = START + 30 * MINUTE + 33 * SECOND
    for at in range(START, START + 30 * MINUTE, MINUTE):
        feed(stack, at, at + MINUTE)
        await stack.tick(at + MINUTE + GRACE)
    feed(stack, START + 30 * MINUTE, kill - 3 * SECOND)
    stack.at(kill - 3 * SECOND)
    stack.averager.keep()
    feed(stack, kill - 3 * SECOND, kill)

    run = stack.killed(kill + 20 * SECOND)
    feed(run, kill + 20 * SECOND, START + HOUR)
    told = await run.tick(START + HOUR + GRACE)

    minute = next(p for p in told if p.t_ms == START + 30 * MINUTE)
    whole = len(slots(run, START + 30 * MINUTE, kill - 3 * SECOND))
    whole += len(slots(run, kill + 20 * SECOND, START + 31 * MINUTE))
    assert minute.factors["so2"].n == whole
    assert minute.factors["so2"].marks["missing"] == 12 - whole
    hour = told[-1]
    assert (hour.kind, hour.factors["so2"].of) == ("hour", 60)
    assert hour.factors["so2"].avg == 10
    assert hour.factors["so2"].n == 59
    assert len(told) == 31


async def test_a_period_that_an_earlier_run_told_is_not_told_otherwise(
    stack: StationRun,
) -> None:
    feed(stack, START, START + MINUTE)
    stack.at(START + 40 * SECOND)
    stack.averager.keep()
    await stack.tick(START + MINUTE + GRACE)
    before = dict(stack.history.kept)

    run = stack.killed(START + MINUTE + 15 * SECOND)
    feed(run, START, START + MINUTE, so2=77.0)
    await run.averager._tell_again()
    told = await run.tick(START + MINUTE + 30 * SECOND)

    assert told == []
    assert run.history.kept == before
    assert kinds(run.told) == [("minute", START, 0)]
    assert run.told == stack.told


async def test_after_a_clean_stop_nothing_is_told_again(stack: StationRun) -> None:
    feed(stack, START, START + MINUTE)
    await stack.tick(START + MINUTE + GRACE)
    await stack.averager.close()

    run = stack.killed(START + MINUTE + 15 * SECOND)
    await run.averager._tell_again()
    await run.tick(START + MINUTE + 30 * SECOND)

    assert run.told == []


async def test_time_away_is_told_by_the_hour_and_not_by_the_minute(
    stack: StationRun,
) -> None:
    feed(stack, START, START + 10 * MINUTE)
    await stack.tick(START + 10 * MINUTE + GRACE)
    await stack.averager.close()

    back = START + 2 * HOUR + 30 * MINUTE
    run = stack.killed(back)
    feed(run, back, back + MINUTE)
    told = await run.tick(back + MINUTE + GRACE)

    assert kinds(told) == [
        ("minute", back, 0),
        ("hour", START, 0),
    ] or kinds(told) == [("hour", START, 0), ("minute", back, 0)]
    hour = next(p for p in told if p.kind == "hour")
    assert hour.factors["so2"].marks == {"valid": 10, "missing": 50}


# -- another site ---------------------------------------------------------------


async def test_a_reload_goes_on_with_what_is_unchanged_and_begins_the_rest_anew(
    stack: StationRun, tmp_path: Path
) -> None:
    for at in range(START, START + 30 * MINUTE, MINUTE):
        feed(stack, at, at + MINUTE)
        await stack.tick(at + MINUTE + GRACE)
    half = START + 30 * MINUTE + 30 * SECOND
    feed(stack, START + 30 * MINUTE, half)

    text = STACK.replace(
        "so2: {from: cems.so2, code: a21026}",
        "so2: {from: cems.so2, code: a21026, unit: ug/m3, decimals: 0}",
    )
    stack.at(half)
    stack.change(site_of(tmp_path, text))
    for at in range(START + 30 * MINUTE, START + HOUR, MINUTE):
        feed(stack, max(at, half), at + MINUTE)
        await stack.tick(at + MINUTE + GRACE)

    hour = stack.told[-1]
    minute = next(
        p for p in stack.told if (p.kind, p.t_ms) == ("minute", START + 30 * MINUTE)
    )
    assert minute.factors["flow"].n == 12
    assert minute.factors["so2"].n == len(slots(stack, half, START + 31 * MINUTE))
    assert minute.factors["so2"].avg == 10_000
    assert (hour.kind, hour.factors["flow"].n) == ("hour", 60)
    assert (hour.factors["so2"].avg, hour.factors["so2"].of) == (10_000, 60)
    assert hour.factors["so2"].marks["missing"] == 30


async def test_a_station_that_is_gone_is_told_no_more(
    stack: StationRun, tmp_path: Path
) -> None:
    feed(stack, START, START + MINUTE)
    text = STACK[: STACK.index("stations:")]
    stack.change(site_of(tmp_path, text))

    assert await stack.tick(START + 2 * MINUTE) == []
    assert stack.averager.board.live("DA001") == {}


async def test_a_bus_that_feeds_no_station_keeps_its_own_way(
    tmp_path: Path,
) -> None:
    text = STACK[: STACK.index("stations:")]
    run = StationRun(site_of(tmp_path, text), START)

    def keep(_record: object) -> None:
        return None

    assert run.averager.before(run.site.devices.values(), keep) is keep
