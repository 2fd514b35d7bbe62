"""Two days of a stack in a history, with everything a report has to tell.

The second day, 2025-11-21 in Beijing:

    03:10-04:05  the bus is gone: no values, marked
    09:00-10:30  maintenance by 王工: values, marked
    14:00-15:00  no power: no records
    17:00-18:00  written to the platform and never confirmed
    20:00-22:00  the facility is declared stopped
"""

from __future__ import annotations

import math
import random
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from buffer import History, Kept
from gateway.aggregate import FactorPeriod
from gateway.chronicle import KIND
from gateway.clock import Instant
from gateway.factors.number import shown
from gateway.history import cut
from gateway.judge.windows import TYPE
from gateway.record import Event, Gap, encode
from tests.support.history_year import META, kept, period

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.aggregate import Mark, Period, PeriodKind
    from gateway.record import Record

DAY_MS, HOUR_MS, MINUTE_MS = 86_400_000, 3_600_000, 60_000
SECOND_DAY = 1_763_654_400_000
"""2025-11-21 00:00 in Beijing."""
FIRST_DAY = SECOND_DAY - DAY_MS
END = SECOND_DAY + DAY_MS
SITE = """
gateway: site-07
site: {name: {zh: 示范厂, en: Demo plant}}
buffer: {path: ./data}
buses:
  b1: {protocol: modbus-tcp, tcp: "127.0.0.1:1502"}
devices:
  cems:
    bus: b1
    address: 1
    every: 5s
    points:
      - {name: so2, table: input, address: "pdu:0", type: float32, unit: mg/m3}
      - {name: nox, table: input, address: "pdu:4", type: float32, unit: mg/m3}
      - {name: o2, table: input, address: "pdu:8", type: float32, unit: "%"}
      - {name: flow, table: input, address: "pdu:12", type: float32, unit: m3/h}
stations:
  DA001:
    kind: flue_gas
    label: {zh: 1号烟囱, en: Stack 1}
    factors:
      so2: {from: cems.so2, code: a21026, label: {zh: 二氧化硫, en: SO2}}
      nox: {from: cems.nox, code: a21002, label: {zh: 氮氧化物, en: NOx}}
      o2: {from: cems.o2, code: a19001}
      flow: {from: cems.flow, code: a00000}
    flue_gas: {reference_oxygen: 6}
targets:
  city:
    hj212: 127.0.0.1:9001
    mn: 010000A8900016F000169DC0
    station: DA001
    password_file: pw
"""
_UNTIL = (
    (3 * 60 + 10, 4 * 60 + 5, "link"),
    (9 * 60, 10 * 60 + 30, "maintenance"),
    (14 * 60, 15 * 60, "none"),
    (20 * 60, 22 * 60, "stopped"),
)
_LETTERS = {"valid": "N", "link": "B", "maintenance": "M", "stopped": "F"}


def make_site(folder: Path) -> Path:
    """The site file, its password beside it."""
    password = folder / "pw"
    password.write_text("123456")
    password.chmod(0o600)
    path = folder / "site.yaml"
    path.write_text(SITE, "utf-8")
    return path


async def fill(folder: Path) -> None:
    """Two days, their hours and days, what became of them, and what happened."""
    history = await History.open(folder / "history", 200_000_000, cut=cut)
    minutes = [m for n in range(2 * 1440) if (m := _minute(n)) is not None]
    hours = [h for n in range(48) if (h := _longer(minutes, "hour", n)) is not None]
    days = [d for n in range(2) if (d := _longer(minutes, "day", n)) is not None]
    for some in (minutes, hours, days):
        await history.put([kept(one) for one in some])
        for one in some:
            at = (one.t_ms - SECOND_DAY) / HOUR_MS
            fate: Any = "written" if 17 <= at < 18 else "proved"
            history.mark("city", "DA001", one.kind, one.t_ms, 0, fate)
    await history.put([_kept(record) for record in events()])
    await history.settled()
    await history.close()


def events() -> list[Record]:
    """What happened, as the recorder would have been given it."""
    names = ("so2", "nox", "o2", "flow")
    gone = Gap("cems", names, _at(190), _at(245), 660, "bus_gone", every_ms=5000)
    half = Gap("cems", names, _at(190), _at(220), 360, "bus_gone", open=True)
    dark = Gap("cems", ("*",), _at(840), _at(900), 720, "power_off", certain=False)
    values = {"state": "maintenance", "who": "王工", "why": "更换气路滤芯"}
    work = Event(
        id="m-1",
        type=TYPE,
        severity="info",
        at=_at(540),
        device="cems",
        values=values,
        text={"zh": "维护开始", "en": "maintenance begins"},
    )
    over = Event(
        id="m-1",
        type=TYPE,
        severity="info",
        state="cleared",
        at=_at(540),
        until=_at(630),
        device="cems",
        values={**values, "cause": "ended", "by": "王工"},
        text={"zh": "维护结束", "en": "maintenance ends"},
    )
    door = Event(
        id="d-1",
        type="contact",
        severity="warning",
        state="cleared",
        at=_at(535),
        until=_at(632),
        device="cems",
        text={"zh": "站房门打开 97 分钟", "en": "the door was open for 97 min"},
    )
    return [half, gone, dark, work, over, door]


def _at(minute: int) -> Instant:
    return Instant(
        SECOND_DAY + minute * MINUTE_MS, minute * MINUTE_MS, "b0071001", True
    )


def _kept(record: Record) -> Kept:
    until = record.until if isinstance(record, Gap) else record.until or record.at
    data = encode(record, META)
    return Kept("cems", KIND, until.wall_ms, len(data), data)


def _mark(n: int) -> str:
    of_day = n - 1440
    return next((m for a, b, m in _UNTIL if a <= of_day < b), "valid")


def _minute(n: int) -> Period | None:
    mark = _mark(n)
    if mark == "none":
        return None
    rng = random.Random(f"stack/{n}")
    wave = math.sin(n / 180)
    means = {
        "so2": 31 + 9 * wave + rng.gauss(0, 0.8),
        "nox": 48 + 5 * math.cos(n / 90) + rng.gauss(0, 0.6),
        "o2": 8 + wave / 2 + rng.gauss(0, 0.05),
        "flow": 118_000 + 4000 * wave + rng.gauss(0, 300),
    }
    factors = {k: _factor(k, v, 12, mark) for k, v in means.items()}
    return _period("minute", FIRST_DAY + n * MINUTE_MS, MINUTE_MS, factors)


def _longer(minutes: list[Period], kind: PeriodKind, n: int) -> Period | None:
    length = HOUR_MS if kind == "hour" else DAY_MS
    begin = FIRST_DAY + n * length
    of = [m for m in minutes if begin <= m.t_ms < begin + length]
    if not of:
        return None
    factors = {}
    for name in of[0].factors:
        found = [m.factors[name] for m in of]
        valid = [f for f in found if f.mark == "valid"]
        wanted = length // MINUTE_MS
        if 4 * len(valid) >= 3 * wanted or kind == "day":
            mean = sum((f.avg for f in valid), Fraction(0)) / len(valid)  # type: ignore[misc]
            factors[name] = _factor(name, float(mean), wanted, "valid", len(valid))
        else:
            worst = max(found, key=lambda f: sum(g.mark == f.mark for g in found))
            mark = next(f.mark for f in found if f.mark != "valid")
            value = worst.avg or Fraction(0)
            factors[name] = _factor(name, float(value), wanted, mark, len(valid))
    return _period(kind, begin, length, factors)


def _factor(
    name: str, mean: float, of: int, mark: str, valid: int | None = None
) -> FactorPeriod:
    n = valid if valid is not None else of if mark == "valid" else 0
    value = Fraction(round(mean * 100), 100)
    gas = name in ("so2", "nox")
    nothing = mark == "link"
    spread = Fraction(3, 2) if gas else Fraction(1, 5)
    which: Mark = mark  # type: ignore[assignment]
    marks: dict[Mark, int] = {"valid": n}
    if n < of:
        marks[which if mark != "valid" else "missing"] = of - n
    return FactorPeriod(
        avg=None if nothing else value,
        min=None if nothing else value - spread,
        max=None if nothing else value + spread,
        cou=value / 50 if gas and not nothing else None,
        rate=value / 9 if gas and not nothing else None,
        zs_avg=value * 15 / 13 if gas and not nothing else None,
        n=n,
        of=of,
        marks=marks,
        mark=which,
    )


def _period(
    kind: PeriodKind, t_ms: int, length_ms: int, factors: dict[str, FactorPeriod]
) -> Period:
    places = {"so2": 1, "nox": 1, "o2": 2, "flow": 0}
    figures = {
        name: {
            key: shown(value, 3 if key in ("cou", "rate") else places[name])
            for key in ("avg", "min", "max", "cou", "rate", "zs_avg")
            if (value := getattr(factor, key)) is not None
        }
        for name, factor in factors.items()
    }
    made = period(kind, t_ms, length_ms, factors, figures)
    flags = {name: _LETTERS[factor.mark] for name, factor in factors.items()}
    return type(made)(
        **{**{f: getattr(made, f) for f in made.__struct_fields__}, "flags": flags}
    )
