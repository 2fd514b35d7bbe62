"""Ways to a wrong number: each of these once told one, marked as valid."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from tests.gateway.average.test_averager import (
    GRACE,
    HOUR,
    MINUTE,
    STACK,
    START,
    feed,
    slots,
)
from tests.gateway.average.test_other_stations import OUTFALL, due, point, station
from tests.support.station_run import StationRun, site_of

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.aggregate import FactorPeriod, Period

DAY = 24 * HOUR
SO2 = "      so2: {from: cems.so2, code: a21026}\n"
MICRO = SO2.replace("a21026", "a21026, unit: ug/m3")
FIVE = STACK.replace("kind: flue_gas", "kind: flue_gas\n    minute: 5m")


@pytest.fixture
def stack(tmp_path: Path) -> StationRun:
    return StationRun(site_of(tmp_path, STACK), START)


def hour(told: list[Period], name: str = "so2") -> FactorPeriod:
    (found,) = [period for period in told if period.kind == "hour"]
    return found.factors[name]


async def changed(run: StationRun, tmp_path: Path, *sites: str) -> FactorPeriod:
    """The hour after three minutes at 100 mg/m3, a reload or some, and 10 mg/m3."""
    feed(run, START, START + 3 * MINUTE, so2=100.0)
    await run.tick(START + 3 * MINUTE + GRACE)
    for n, text in enumerate(sites):
        run.change(site_of(tmp_path, text))
        await run.tick(START + 3 * MINUTE + GRACE + n)
    feed(run, START + 3 * MINUTE + 2 * GRACE, START + HOUR)
    return hour(await run.tick(START + HOUR + GRACE))


# -- reloads ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("between", "after"),
    [
        (STACK.replace(SO2, ""), STACK.replace(SO2, MICRO)),
        (STACK.partition("stations:")[0], STACK.replace(SO2, MICRO)),
        (STACK, STACK.replace(SO2, MICRO)),
    ],
)
async def test_a_name_that_comes_back_as_another_quantity_begins_anew(
    stack: StationRun, tmp_path: Path, between: str, after: str
) -> None:
    found = await changed(stack, tmp_path, between, after)

    assert (found.min, found.avg, found.max) == (10_000, 10_000, 10_000)


async def test_minutes_of_another_length_make_no_hour_together(
    stack: StationRun, tmp_path: Path
) -> None:
    found = await changed(stack, tmp_path, FIVE)

    assert (found.avg, found.max) == (10, 10)
    assert (found.n, found.of) == (11, 12)  # the five minutes of the change are lost
    labels = [p.t_ms for p in stack.told if p.until_ms - p.t_ms == 5 * MINUTE]
    assert labels == [START + n * 5 * MINUTE for n in range(1, 12)]
    assert [p for p in stack.told if p.rev] == []


async def test_shorter_minutes_make_no_hour_with_longer_ones(tmp_path: Path) -> None:
    run = StationRun(site_of(tmp_path, FIVE), START)
    feed(run, START, START + 6 * MINUTE, so2=100.0)
    await run.tick(START + 6 * MINUTE + GRACE)
    run.change(site_of(tmp_path, STACK))
    feed(run, START + 7 * MINUTE, START + HOUR)

    found = hour(await run.tick(START + HOUR + GRACE))

    assert (found.avg, found.n, found.of) == (10, 53, 60)


# -- the reference oxygen -----------------------------------------------------


@pytest.mark.parametrize("oxygen", [20.0, 21.0])
async def test_one_reading_of_oxygen_proves_no_converted_mean(
    stack: StationRun, oxygen: float
) -> None:
    """At 20 % it was told 15 times the concentration, out of 3 readings of 12; at 21 %
    the greatest number of its type, to a platform of 2025."""
    for i, t in enumerate(slots(stack, START, START + MINUTE)):
        away = {"o2": "calibration"} if i else {}
        values = {"so2": 10.0, "o2": oxygen, "flow": 36000}
        stack.scan("cems", t, values, states=away)

    (told,) = await stack.tick(START + MINUTE + GRACE)

    so2 = told.factors["so2"]
    assert (so2.mark, so2.avg, so2.zs_avg, so2.over_oxygen) == ("valid", 10, None, 0)


async def test_a_minute_of_oxygen_proves_no_converted_hour(stack: StationRun) -> None:
    feed(stack, START, START + MINUTE)
    for t in slots(stack, START + MINUTE, START + HOUR):
        stack.scan("cems", t, {"so2": 10.0, "flow": 36000}, bad={"o2": "timeout"})

    found = hour(await stack.tick(START + HOUR + GRACE))

    assert (found.mark, found.n, found.zs_avg) == ("valid", 60, None)


# -- water --------------------------------------------------------------------


async def test_water_that_flows_back_makes_no_mean_beyond_its_readings(
    tmp_path: Path,
) -> None:
    """10 mg/L at -10 L/s and 20 mg/L at 10.28 L/s: the quotient is 380 mg/L."""
    points = point(0, "cod", "mg/L") + point(1, "flow", "m3/h")
    run = station(tmp_path, points, OUTFALL)
    for i, t in enumerate(due(run, "cod", START, START + MINUTE)):
        back = i < 6
        values = {"cod": 10.0 if back else 20.0, "flow": -36.0 if back else 37.0}
        run.scan("d", t, values)

    (told,) = await run.tick(START + MINUTE + GRACE)

    cod = told.factors["cod"]
    assert (cod.min, cod.avg, cod.max) == (10, 15, 20)
    net = Fraction(-36 * 10 + 37 * 20, 3600) * 30 / 1000
    assert cod.cou == net


# -- the clock ----------------------------------------------------------------


async def test_a_minute_the_clock_is_set_back_into_is_told_when_it_is_over(
    stack: StationRun,
) -> None:
    """It was told with nine of twelve readings as valid, and with each one more again;
    its hour too."""
    feed(stack, START, START + MINUTE)
    await stack.tick(START + MINUTE + GRACE)
    stack.offset_ms -= DAY
    begin = START + 2 * MINUTE - DAY
    for t in slots(stack, begin, begin + MINUTE):
        stack.scan("cems", t, {"so2": 10.0, "o2": 11, "flow": 36000})
        assert await stack.tick(t + 1) == []

    (told,) = await stack.tick(begin + MINUTE + GRACE)

    assert (told.kind, told.t_ms, told.rev) == ("minute", begin, 0)
    assert told.factors["so2"].n == 12
    later = await stack.tick(START - DAY + HOUR + GRACE)
    assert [p.t_ms for p in later if p.kind == "hour"] == [START - DAY]
    assert hour(later).n == 1


# -- kills --------------------------------------------------------------------

METER = point(0, "volume", "m3", ", counter: {digits: 3}")
MEASURED = """
  DW001:
    kind: water
    grace: 1s
    factors:
      volume: {from: d.volume, unit: m3, cou_unit: m3, decimals: 3}
"""


async def test_a_minute_told_just_before_a_kill_is_in_its_hour_and_counts_once(
    tmp_path: Path,
) -> None:
    """The history has the minute, the note is older: its last readings are lost. The
    hour had the minute as missing, and what it grew by in those readings again."""
    run = station(tmp_path, METER, MEASURED)
    moments = due(run, "volume", START, START + HOUR)
    for n, t in enumerate(moments[:10]):
        run.scan("d", t, {"volume": 100.0 + n})
    run.averager.keep()
    note = run.note
    for n, t in enumerate(moments[10:12], 10):
        run.scan("d", t, {"volume": 100.0 + n})
    (first,) = await run.tick(START + MINUTE + 1000)
    run.note = note
    after = run.killed(START + MINUTE + 2000)
    for n, t in enumerate(moments[12:], 12):
        after.scan("d", t, {"volume": 100.0 + n})

    found = hour(await after.tick(START + HOUR + 1000), "volume")

    assert first.factors["volume"].cou == 11
    assert (found.n, found.of) == (60, 60)
    assert (found.min, found.max) == (100, 100 + len(moments) - 1)
    # One increment, from the last reading that was told to the next, nobody knows.
    assert found.cou == len(moments) - 2


# -- instruments --------------------------------------------------------------


async def test_a_result_from_the_future_stands_no_longer_than_another(
    tmp_path: Path,
) -> None:
    """An analyser whose clock is a day ahead hangs: its result stood for a day more."""
    points = point(0, "cod", "mg/L")
    slow = "\n  DW001: {kind: water, factors: {cod: {from: d.cod, holds: 10m}}}\n"
    run = station(tmp_path, points, slow)
    for t in due(run, "cod", START, START + HOUR):
        run.scan("d", t, {"cod": 10.0}, sampled={"cod": START + HOUR // 2})

    told = await run.tick(START + HOUR + GRACE)

    valid = [p.t_ms for p in told if p.kind == "minute" and p.flags["cod"] == "N"]
    assert valid == [START + n * MINUTE for n in range(10)]


async def test_a_slow_result_from_the_future_stands_no_longer_than_another(
    tmp_path: Path,
) -> None:
    points = point(0, "cod", "mg/L", ", every: 5m")
    slow = "\n  DW001: {kind: water, factors: {cod: {from: d.cod, holds: 10m}}}\n"
    run = station(tmp_path, points, slow)
    first = due(run, "cod", START, START + HOUR)[0]
    run.scan("d", first, {"cod": 10.0}, sampled={"cod": START + DAY})

    told = await run.tick(START + HOUR + GRACE)

    valid = [p.t_ms for p in told if p.kind == "minute" and p.flags["cod"] == "N"]
    assert len(valid) == 10
    assert valid[0] >= first


async def test_a_newest_value_is_converted_with_the_oxygen_of_its_time(
    tmp_path: Path,
) -> None:
    """Oxygen read a moment later, by another device, left it without any."""
    text = STACK.replace("o2: {from: cems.o2", "o2: {from: other.o2").replace(
        "stations:",
        '  other: {bus: b, address: 2, every: 1s, points: [{name: o2, unit: "%",\n'
        '    table: holding, address: "pdu:4", type: float32}]}\nstations:',
    )
    run = StationRun(site_of(tmp_path, text), START)
    t = slots(run, START + MINUTE, START + 2 * MINUTE)[3]
    for n in range(-2, 5):
        run.scan("other", t + 1000 * n + 500, {"o2": 11.0 if n < 0 else 16.0})
    run.scan("cems", t, {"so2": 10.0, "flow": 36000})

    live = run.averager.board.live("DA001")

    assert (live["so2"].value, live["so2"].zs) == (10, 15)
    assert live["o2"].value == 16


async def test_an_hour_that_waits_for_its_end_is_not_forgotten_by_a_kill(
    stack: StationRun,
) -> None:
    feed(stack, START, START + MINUTE)
    await stack.tick(START + MINUTE + GRACE)
    stack.offset_ms -= DAY
    begin = START + 2 * MINUTE - DAY
    feed(stack, begin, begin + MINUTE)
    (minute,) = await stack.tick(begin + MINUTE + GRACE)
    stack.averager.keep()
    after = stack.killed(begin + 3 * MINUTE)

    later = await after.tick(START - DAY + HOUR + GRACE)

    assert (minute.kind, minute.t_ms) == ("minute", begin)
    assert [p.t_ms for p in later if p.kind == "hour"] == [START - DAY]
    assert hour(later).n == 1


async def test_hours_of_another_zone_make_no_day_together(
    stack: StationRun, tmp_path: Path
) -> None:
    """Hours begin at the half in India: those of before overlap with them."""
    for n in range(3):
        feed(stack, START + n * HOUR, START + (n + 1) * HOUR, so2=100.0)
        await stack.tick(START + (n + 1) * HOUR + GRACE)
    stack.change(site_of(tmp_path, STACK + "site: {timezone: Asia/Kolkata}\n"))
    feed(stack, START + 3 * HOUR + GRACE, START + DAY)

    told = await stack.tick(START + DAY + GRACE)

    (day,) = [period for period in told if period.kind == "day"]
    so2 = day.factors["so2"]
    assert (so2.min, so2.max, so2.of) == (10, 10, 24)


async def test_a_totaliser_that_was_away_leaves_the_flows_own_sum(
    tmp_path: Path,
) -> None:
    """10 L/s all the hour are 36 m3; the totaliser was asked for ten minutes of it."""
    points = METER + point(1, "flow", "m3/h")
    text = """
  DW001:
    kind: water
    factors:
      flow: {from: d.flow, code: w00000, unit: L/s, decimals: 3}
      volume: {from: d.volume, unit: m3, cou_unit: m3, decimals: 3}
    water: {volume: volume}
"""
    run = station(tmp_path, points, text)
    for n, t in enumerate(due(run, "flow", START, START + 2 * HOUR)):
        if START + 10 * MINUTE <= t < START + 80 * MINUTE:
            run.scan("d", t, {"flow": 36.0}, bad={"volume": "timeout"})
        else:
            run.scan("d", t, {"flow": 36.0, "volume": 100 + n // 20})

    first, _ = [p for p in await run.tick(START + 2 * HOUR + GRACE) if p.kind == "hour"]

    assert first.flags["flow"] == "N"
    assert first.factors["flow"].cou == 36
    assert first.factors["volume"].mark == "link"


@pytest.mark.parametrize("ahead", [HOUR, DAY, 20 * 365 * DAY])
async def test_a_clock_that_was_far_ahead_spoils_nothing_of_what_comes_after(
    tmp_path: Path, ahead: int
) -> None:
    """Nothing was told of silent minutes, no counter counted and no newest value was
    shown until the time came that the clock had once told."""
    points = METER + point(1, "flow", "m3/h")
    text = """
  DW001:
    kind: water
    factors:
      flow: {from: d.flow, code: w00000, unit: L/s, decimals: 3}
      volume: {from: d.volume, unit: m3, cou_unit: m3, decimals: 3}
"""
    run = station(tmp_path, points, text)
    begin = START + 10 * MINUTE
    for n, t in enumerate(due(run, "flow", START, begin)):
        run.scan("d", t, {"flow": 36.0, "volume": float(n)})
    await run.tick(begin + GRACE)
    run.offset_ms += ahead
    wrong = begin + ahead
    for t in due(run, "flow", wrong, wrong + 5 * MINUTE):
        run.scan("d", t, {"flow": 72.0, "volume": 500.0})
    await run.tick(wrong + 5 * MINUTE + GRACE)
    run.offset_ms -= ahead
    begin = begin + 6 * MINUTE
    await run.tick(begin)
    told = len(run.told)
    for n, t in enumerate(due(run, "flow", begin, START + 50 * MINUTE)):
        if begin + MINUTE <= t < begin + 2 * MINUTE:
            continue
        run.scan("d", t, {"flow": 36.0, "volume": 600.0 + n})
        if n == 100:
            live = run.averager.board.live("DW001")["flow"]
            assert (live.value, live.t_ms) == (10, t)
    await run.tick(START + 50 * MINUTE + GRACE)

    after = [p for p in run.told[told:] if p.kind == "minute"]
    assert [p.t_ms for p in after] == list(range(begin, START + 50 * MINUTE, MINUTE))
    assert [p.rev for p in after] == [0] * len(after)
    assert [p.flags["flow"] for p in after[:3]] == ["N", "D", "N"]
    assert {p.factors["flow"].avg for p in after} == {10, None}
    assert [p.factors["volume"].cou for p in after[3:]] == [12] * (len(after) - 3)
    last = [p for p in await run.tick(START + HOUR + GRACE) if p.kind == "hour"]
    assert [p.t_ms for p in last] == [START]
    (first,) = last
    assert first.factors["flow"].n == 10 + 33
    assert first.reason == ("clock" if first.rev else "")


async def test_a_minute_worked_out_again_keeps_what_it_had_of_slow_readings(
    tmp_path: Path,
) -> None:
    """Its new revision had no converted value and no total: there was a newer reading
    of oxygen and flow by then."""
    text = STACK.replace('unit: "%"}', 'unit: "%", every: 5m}').replace(
        "unit: m3/h}", "unit: m3/h, every: 5m}", 1
    )
    text = text.replace("{from: cems.o2, code", "{from: cems.o2, holds: 6m, code")
    text = text.replace("{from: cems.flow, code", "{from: cems.flow, holds: 6m, code")
    run = StationRun(site_of(tmp_path, text), START)
    moments = slots(run, START, START + 10 * MINUTE)
    late = next(t for t in moments if t >= START + 8 * MINUTE)
    for t in moments:
        if t != late:
            run.scan("cems", t, {"so2": 10.0})
        if (t - moments[0]) % (5 * MINUTE) == 0:
            run.scan("cems", t + 100, {"o2": 11.0, "flow": 36000.0})
    told = await run.tick(START + 10 * MINUTE + GRACE)
    for t in slots(run, START + 10 * MINUTE, START + 12 * MINUTE):
        run.scan("cems", t, {"so2": 10.0, "o2": 11.0, "flow": 36000.0})
    await run.tick(START + 12 * MINUTE + GRACE)
    run.scan("cems", late, {"so2": 10.0})

    again = await run.tick(START + 12 * MINUTE + 2 * GRACE)

    (before,) = [p for p in told if p.t_ms == START + 8 * MINUTE]
    (after,) = [p for p in again if p.kind == "minute"]
    first, second = before.factors["so2"], after.factors["so2"]
    assert (after.t_ms, after.rev) == (before.t_ms, 1)
    assert (first.zs_avg, second.zs_avg) == (15, 15)
    assert first.cou is not None
    assert second.cou == first.cou * Fraction(12, 11)
