"""What was worked out in another unit than the site file has now says so."""

from __future__ import annotations

import csv
import io
from zoneinfo import ZoneInfo

from gateway.cli import history
from gateway.config.stations import Factor, Station
from gateway.history import Shown, ShownPeriod
from gateway.texts import set_language

SO2 = Factor(
    name="so2", device="cems", point="so2", unit="mg/m3", decimals=2, every_ms=5000
)
STATION = Station(name="DA001", kind="flue_gas", factors=(SO2,))
ZONE = ZoneInfo("Asia/Shanghai")
HOUR = 3_600_000


def _hours() -> list[ShownPeriod]:
    told = [("12340", "ug/m3"), ("12.34", "mg/m3"), ("12.34", "")]
    return [
        ShownPeriod(
            "DA001", k * HOUR, (k + 1) * HOUR, 0, {"so2": Shown(avg=avg, unit=unit)}
        )
        for k, (avg, unit) in enumerate(told)
    ]


def test_a_table_names_the_other_unit_in_its_rows() -> None:
    set_language("en")
    try:
        two = (SO2, SO2)
        side = history.tables(_hours(), STATION, "hour", two, ZONE, 100).splitlines()
        one = history.tables(_hours(), STATION, "hour", (SO2,), ZONE, 100).splitlines()
    finally:
        set_language(None)

    assert ["ug/m3" in line for line in side[-3:]] == [True, False, False]
    assert ["in ug/m3" in line for line in one[-3:]] == [True, False, False]


def test_a_csv_row_has_the_unit_of_its_figures(capsys) -> None:
    history._csv(_hours(), STATION, "hour", (SO2,), ZONE)

    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["avg"], row["unit"]) for row in rows] == [
        ("12340", "ug/m3"),
        ("12.34", "mg/m3"),
        ("12.34", "mg/m3"),
    ]


def test_a_chart_draws_all_in_one_unit() -> None:
    found = [
        history._in_unit("12340", Shown(avg="12340", unit="ug/m3"), SO2),
        history._in_unit("12.34", Shown(avg="12.34", unit="mg/m3"), SO2),
        history._in_unit("5", Shown(avg="5", unit="Cel"), SO2),
    ]

    assert found == [12.34, 12.34, None]
