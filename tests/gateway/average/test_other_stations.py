"""Outfalls, meters, slow analysers, velocities, noise: through the whole averager."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from tests.support.station_run import StationRun, site_of

if TYPE_CHECKING:
    from pathlib import Path

START = 1_780_275_600_000
"""2026-06-01 09:00:00 in Beijing."""
SECOND, MINUTE, HOUR = 1000, 60_000, 3_600_000
GRACE = 10 * SECOND

HEAD = """
gateway: g1
buffer: {path: data}
buses: {b: {protocol: modbus-tcp, tcp: "127.0.0.1:1502"}}
devices:
  d:
    bus: b
    address: 1
    every: 5s
    points:
"""


def point(n: int, name: str, unit: str, more: str = "") -> str:
    return (
        f'      - {{name: {name}, table: holding, address: "pdu:{2 * n}", '
        f'type: float32, unit: "{unit}"{more}}}\n'
    )


def station(
    tmp_path: Path, points: str, text: str, *, start: int = START
) -> StationRun:
    return StationRun(site_of(tmp_path, HEAD + points + "stations:\n" + text), start)


def due(run: StationRun, name: str, start: int, end: int) -> list[int]:
    book = next(iter(run.averager._books.values()))
    inlet = next(i for i in book.inlets if i.name == name)
    return [inlet.due(slot) for slot in inlet.slots(start, end)]


OUTFALL = """
  DW001:
    kind: water
    factors:
      cod: {from: d.cod, code: w01018, decimals: 2}
      flow: {from: d.flow, code: w00000, unit: L/s, decimals: 3}
"""


async def test_concentrations_of_an_outfall_are_weighted_with_its_flow(
    tmp_path: Path,
) -> None:
    """By hand: 6 slices of 10 L/s at 100 mg/L, 6 of 30 L/s at 40 mg/L, 5 s each."""
    points = point(0, "cod", "mg/L") + point(1, "flow", "m3/h")
    run = station(tmp_path, points, OUTFALL)
    for i, t in enumerate(due(run, "cod", START, START + MINUTE)):
        low = i < 6
        values = {"cod": 100.0 if low else 40.0, "flow": 36.0 if low else 108.0}
        run.scan("d", t, values)

    (told,) = await run.tick(START + MINUTE + GRACE)

    cod, flow = told.factors["cod"], told.factors["flow"]
    assert flow.avg == 20
    assert flow.cou == Fraction(12, 10)  # 0.3 m3 + 0.9 m3
    assert cod.avg == 55  # (0.3 * 100 + 0.9 * 40) / 1.2
    assert cod.cou == Fraction(66, 1000)  # 30 g + 36 g
    assert cod.rate == Fraction(66, 1000) * 60
    assert told.figures["cod"] == {
        "avg": "55.00",
        "min": "40.00",
        "max": "100.00",
        "cou": "0.066",
        "rate": "3.960",
    }


async def test_an_hour_of_an_outfall_is_weighted_with_its_minutes_volumes(
    tmp_path: Path,
) -> None:
    points = point(0, "cod", "mg/L") + point(1, "flow", "L/s")
    run = station(tmp_path, points, OUTFALL)
    for minute in range(60):
        at = START + minute * MINUTE
        high = minute < 15
        for t in due(run, "cod", at, at + MINUTE):
            run.scan(
                "d", t, {"cod": 100.0 if high else 20.0, "flow": 30.0 if high else 10.0}
            )
        await run.tick(at + MINUTE + GRACE)

    hour = run.told[-1]

    volume = Fraction(15 * 1800 + 45 * 600, 1000)
    assert hour.factors["flow"].cou == volume == 54
    assert hour.factors["flow"].avg == 15
    assert hour.factors["cod"].avg == 60  # (27 * 100 + 27 * 20) / 54
    assert hour.factors["cod"].cou == Fraction(54 * 60, 1000)


async def test_one_abnormal_slot_makes_a_minute_of_water_abnormal(
    tmp_path: Path,
) -> None:
    points = point(0, "cod", "mg/L") + point(1, "flow", "L/s")
    run = station(tmp_path, points, OUTFALL)
    times = due(run, "cod", START, START + MINUTE)
    for t in times[1:]:
        run.scan("d", t, {"cod": 10.0, "flow": 1.0})
    run.scan("d", times[0], {"flow": 1.0}, bad={"cod": "timeout"})

    (told,) = await run.tick(START + MINUTE + GRACE)

    assert told.factors["cod"].mark == "link"
    assert told.flags == {"cod": "B", "flow": "N"}


METER = """
  W1:
    kind: electricity
    factors:
      energy: {from: d.energy, counter: true, unit: kW.h, cou_unit: kW.h}
"""


async def test_a_counter_counts_over_minutes_and_not_over_a_replacement(
    tmp_path: Path,
) -> None:
    """By hand: 0.5 kWh a slot; the meter is replaced in the third minute."""
    run = station(tmp_path, point(0, "energy", "kW.h"), METER)
    value, told = 1000.0, []
    for minute in range(5):
        at = START + minute * MINUTE
        for i, t in enumerate(due(run, "energy", at, at + MINUTE)):
            if minute == 2 and i == 6:
                value = 0.0
            run.scan("d", t, {"energy": value})
            value += 0.5
        told += await run.tick(at + MINUTE + GRACE)

    totals = [period.factors["energy"].cou for period in told]
    # The first has no reading before it; one step of the third is nobody's.
    assert totals == [Fraction(55, 10), 6, Fraction(55, 10), 6, 6]


async def test_a_hole_of_a_counter_is_in_its_hour_and_in_no_minute(
    tmp_path: Path,
) -> None:
    run = station(tmp_path, point(0, "energy", "kW.h"), METER)
    for minute in range(60):
        at = START + minute * MINUTE
        for t in due(run, "energy", at, at + MINUTE):
            if not 20 <= minute < 40:
                run.scan("d", t, {"energy": (t - START) / 5000})
        await run.tick(at + MINUTE + GRACE)

    minutes, hour = run.told[:-1], run.told[-1]

    counted = sum(p.factors["energy"].cou or 0 for p in minutes)
    assert counted == 20 * 12 - 1 + 20 * 12 - 1
    assert hour.factors["energy"].cou == 60 * 12 - 1


SLOW = """
  DW001:
    kind: water
    factors:
      cod: {from: d.cod, code: w01018, holds: 2h}
      flow: {from: d.flow, code: w00000, unit: L/s}
"""


async def test_a_result_of_a_slow_analyser_stands_until_it_is_too_old(
    tmp_path: Path,
) -> None:
    points = point(0, "cod", "mg/L", ", every: 10m") + point(1, "flow", "L/s")
    run = station(tmp_path, points, SLOW)
    sampled = START - 30 * MINUTE
    told = []
    for minute in range(120):
        at = START + minute * MINUTE
        for t in due(run, "cod", at, at + MINUTE):
            run.scan("d", t, {"cod": 50.0}, sampled={"cod": sampled})
        for t in due(run, "flow", at, at + MINUTE):
            run.scan("d", t, {"flow": 10.0})
        told += await run.tick(at + MINUTE + GRACE)

    minutes = [p for p in told if p.kind == "minute"]
    fresh = [p.t_ms for p in minutes if p.factors["cod"].mark == "valid"]
    first = due(run, "cod", START, START + 10 * MINUTE)[0]
    assert fresh[0] - first <= MINUTE
    assert fresh[-1] == sampled + 2 * HOUR - MINUTE
    whole = next(p for p in minutes if p.t_ms == fresh[-1])
    assert whole.factors["cod"].cou == Fraction(600 * 50, 10**6)
    stale = minutes[-1].factors["cod"]
    assert (stale.n, stale.avg, stale.cou) == (0, None, None)


async def test_a_stale_result_that_is_polled_often_is_not_fresh(
    tmp_path: Path,
) -> None:
    points = point(0, "cod", "mg/L") + point(1, "flow", "L/s")
    run = station(tmp_path, points, SLOW)
    for t in due(run, "cod", START, START + MINUTE):
        sampled = START + 30 * SECOND - 2 * HOUR
        run.scan("d", t, {"cod": 50.0, "flow": 1.0}, sampled={"cod": sampled})

    (told,) = await run.tick(START + MINUTE + GRACE)

    assert told.factors["cod"].n == 6
    assert told.factors["cod"].marks["missing"] == 6


STACK = """
  DA001:
    kind: flue_gas
    factors:
      nox: {from: [d.no, d.no2], formula: nox, decimals: 3}
      velocity: {from: d.velocity, code: a01011}
      flow: {from: d.velocity, formula: flow, unit: m3/h, cou_unit: m3}
    flue_gas: {area: 2, temperature: 136.5, pressure: 0, moisture: 10}
"""


async def test_a_flow_out_of_a_velocity_and_nox_out_of_its_gases(
    tmp_path: Path,
) -> None:
    """By hand: 10 m/s * 2 m2 = 72000 m3/h; * 273 / 409.5 * 0.9 = 43200 m3/h."""
    points = point(0, "no", "mg/m3") + point(1, "no2", "mg/m3")
    run = station(tmp_path, points + point(2, "velocity", "m/s"), STACK)
    for t in due(run, "nox", START, START + MINUTE):
        run.scan("d", t, {"no": 30.006, "no2": 4.0, "velocity": 10.0})

    (told,) = await run.tick(START + MINUTE + GRACE)

    nox, flow = told.factors["nox"], told.factors["flow"]
    assert flow.avg == 43200
    assert flow.cou == 720
    assert nox.avg == Fraction(50005, 1000)  # 30.006 * 46.005 / 30.006 + 4
    assert nox.rate == Fraction(50005, 1000) * 43200 / 10**6
    assert nox.cou == nox.rate / 60


async def test_noise_has_its_levels_and_an_hour_those_of_its_minutes(
    tmp_path: Path,
) -> None:
    text = """
  N1:
    kind: noise
    factors: {la: {from: d.la, unit: dB, decimals: 1}}
"""
    run = station(tmp_path, point(0, "la", "dB[SPL]", ", every: 1s"), text)
    for minute in range(60):
        at = START + minute * MINUTE
        for i, t in enumerate(due(run, "la", at, at + MINUTE)):
            run.scan("d", t, {"la": 70.0 if i % 10 == 0 else 50.0})
        await run.tick(at + MINUTE + GRACE)

    minute, hour = run.told[0], run.told[-1]

    for period in (minute, hour):
        figures = period.figures["la"]
        assert figures["avg"] == figures["leq"] == "60.4"  # 10 lg(10.9e6 / 10 ...)
        assert (figures["l5"], figures["l50"], figures["lmx"]) == (
            "70.0",
            "50.0",
            "70.0",
        )
    assert (minute.factors["la"].of, hour.factors["la"].of) == (60, 60)


async def test_the_board_shows_the_newest_value_of_every_factor(
    tmp_path: Path,
) -> None:
    points = point(0, "no", "mg/m3") + point(1, "no2", "mg/m3")
    run = station(tmp_path, points + point(2, "velocity", "m/s"), STACK)
    run.scan("d", START, {"no": 0.0, "no2": 4.0, "velocity": 10.0})
    run.scan("d", START + 5000, {"no2": 4.5, "velocity": 10.0}, bad={"no": "timeout"})

    live = run.averager.board.live("DA001")

    assert live["velocity"].value == 10
    assert live["flow"].value == 43200
    assert (live["nox"].value, live["nox"].mark) == (None, "link")
    assert live["flow"].t_ms == START + 5000


async def test_a_slot_whose_flow_nobody_measured_is_not_valid_in_a_weighted_mean(
    tmp_path: Path,
) -> None:
    """By hand: 6 slices of 10 L/s at 100 mg/L, then the flow meter answers no more.

    Two periods of the flow are bridged: 3 more slices of 10 L/s at 40 mg/L, or fewer.
    """
    points = point(0, "cod", "mg/L") + point(1, "flow", "L/s")
    run = station(tmp_path, points, OUTFALL)
    for i, t in enumerate(due(run, "cod", START, START + 2 * MINUTE)):
        high = i < 6
        values = {"cod": 100.0 if high else 40.0} | ({"flow": 10.0} if high else {})
        run.scan("d", t, values, bad={} if high else {"flow": "timeout"})

    first, second = await run.tick(START + 2 * MINUTE + GRACE)
    now = run.averager.board.live("DW001")["cod"]

    cod = first.factors["cod"]
    assert (cod.n, cod.of, cod.mark, cod.marks["missing"]) == (8, 12, "missing", 4)
    assert cod.avg == (6 * 100 + 2 * 40) // 8
    none = second.factors["cod"]
    assert (none.n, none.mark, none.avg, none.cou) == (0, "missing", 40, None)
    assert second.flags == {"cod": "D", "flow": "B"}
    assert (now.value, now.mark) == (40, "valid")  # of now, it needs no flow


async def test_an_arithmetic_mean_wants_no_flow(tmp_path: Path) -> None:
    points = point(0, "cod", "mg/L") + point(1, "flow", "L/s")
    run = station(tmp_path, points, OUTFALL + "    water: {mean: arithmetic}\n")
    for i, t in enumerate(due(run, "cod", START, START + MINUTE)):
        run.scan("d", t, {"cod": 10.0 + i}, bad={"flow": "timeout"})

    (told,) = await run.tick(START + MINUTE + GRACE)

    cod = told.factors["cod"]
    assert (cod.n, cod.mark, cod.avg, cod.cou) == (12, "valid", Fraction(31, 2), None)


async def test_where_no_water_flows_the_mean_is_arithmetic(tmp_path: Path) -> None:
    points = point(0, "cod", "mg/L") + point(1, "flow", "L/s")
    run = station(tmp_path, points, OUTFALL)
    for i, t in enumerate(due(run, "cod", START, START + MINUTE)):
        run.scan("d", t, {"cod": 10.0 + i, "flow": 0.0})

    (told,) = await run.tick(START + MINUTE + GRACE)

    cod = told.factors["cod"]
    assert (cod.n, cod.mark, cod.avg, cod.cou) == (12, "valid", Fraction(31, 2), 0)


TOTALISER = """
  DW001:
    kind: water
    factors:
      cod: {from: d.cod, code: w01018, decimals: 2}
      passed: {from: d.passed, counter: true, unit: m3, cou_unit: m3}
    water: {volume: passed, mean: flow_weighted}
"""


async def test_minutes_without_a_volume_make_no_valid_hour_where_volumes_weigh(
    tmp_path: Path,
) -> None:
    """By hand: 1 m3 a slot; COD 100 for 30 minutes, 20 then; the meter gone for 3."""
    points = point(0, "cod", "mg/L") + point(1, "passed", "m3")
    run = station(tmp_path, points, TOTALISER)
    hours = []
    for minute in range(120):
        at = START + minute * MINUTE
        gone = 70 <= minute < 73
        for t in due(run, "cod", at, at + MINUTE):
            values = {"cod": 100.0 if minute % 60 < 30 else 20.0}
            if not gone:
                values["passed"] = (t - START) // 5000
            run.scan("d", t, values, bad={"passed": "timeout"} if gone else {})
        told = await run.tick(at + MINUTE + GRACE)
        hours += [period for period in told if period.kind == "hour"]

    whole, holed = hours[0].factors["cod"], hours[1].factors["cod"]

    assert whole.mark == "valid"
    # The first minute begins with a reading that has none before it: 11 m3.
    volume = 30 * 12 - 1
    assert whole.avg == Fraction(volume * 100 + 360 * 20, volume + 360)
    # The minute after the hole has 11 m3: what led to it is in the hour alone.
    assert (holed.n, holed.of, holed.mark) == (57, 60, "missing")
    assert holed.marks["missing"] == 3
