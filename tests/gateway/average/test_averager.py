"""Minutes, hours and days of a station: told once, exact, whatever happens between."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from tests.support.station_run import StationRun, site_of

if TYPE_CHECKING:
    from pathlib import Path

START = 1_780_275_600_000
"""2026-06-01 09:00:00 in Beijing."""
MINUTE, HOUR = 60_000, 3_600_000

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


def stack(tmp_path: Path) -> StationRun:
    return StationRun(site_of(tmp_path, STACK), START)


async def test_a_minute_is_the_mean_of_its_slots(tmp_path: Path) -> None:
    run = stack(tmp_path)
    for i in range(12):
        run.scan("cems", START + 3000 + 5000 * i, {"so2": 10.1 + i, "o2": 11, "flow": 36000})

    (told,) = await run.tick(START + MINUTE + 10_000)

    so2 = told.factors["so2"]
    assert (told.kind, told.t_ms, told.until_ms, told.rev) == ("minute", START, START + MINUTE, 0)
    assert (so2.n, so2.of, so2.mark) == (12, 12, "valid")
    assert so2.avg == Fraction(156, 10)
    assert (so2.min, so2.max) == (Fraction(101, 10), Fraction(211, 10))
    assert so2.zs_avg == Fraction(234, 10)  # (21 - 6) / (21 - 11)
    assert so2.rate == Fraction(156, 10) * 36000 / 10**6
    assert so2.cou == so2.rate / 60
    assert told.factors["flow"].cou == 600
    assert told.figures["so2"]["avg"] == "15.60"
    assert told.flags == {"so2": "N", "o2": "N", "flow": "N"}
