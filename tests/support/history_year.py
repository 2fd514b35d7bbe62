"""A stack's minutes as averages store them, as many as wanted: for size and speed.

Twenty factors: gases with converted values, mass and rate, and plain ones. Values walk
about as an analyzer's do; exact numbers have the digits that exact sums of readings
have. The k-th day has its own seed.
"""

from __future__ import annotations

import random
from fractions import Fraction
from typing import TYPE_CHECKING

from buffer import Kept
from gateway.aggregate import FactorPeriod, Period
from gateway.clock import Instant
from gateway.factors.number import shown
from gateway.record import encode

if TYPE_CHECKING:
    from collections.abc import Iterator

GASES = ("so2", "nox", "pm", "co", "hcl", "hf", "nh3", "hg")
PLAIN = (
    "o2", "temp", "press", "humid", "flow", "velocity", "power_id", "power_fd", "ph_1",
    "ph_2", "pump_1", "pump_2",
)  # fmt: skip
FACTORS = (*GASES, *PLAIN)
META = "9c41d07a"
MINUTE_MS = 60_000
DAY_MS = 1440 * MINUTE_MS
_READINGS = 12
_TINY = 10**12
"""Derived samples are rounded to 1e-12 of their unit; see docs/averages.md."""


def day(
    start_ms: int, seed: object = 0, *, station: str = "DA001", minutes: int = 1440
) -> Iterator[Period]:
    """One day, minute by minute."""
    rng = random.Random(f"year/{seed}")
    base = {name: rng.uniform(5, 150) for name in FACTORS}
    for n in range(minutes):
        flow = _readings(rng, 120_000, 900, 1)
        oxygen = _readings(rng, 7, 0.15, 2)
        factors, figures = {}, {}
        for name in GASES:
            base[name] += rng.gauss(0, 0.4)
            found = _readings(rng, base[name], 0.6, 2)
            factors[name] = _gas(found, oxygen, flow)
            figures[name] = _figures(factors[name], 1)
        for name in PLAIN:
            base[name] += rng.gauss(0, 0.2)
            factors[name] = _plain(_readings(rng, base[name], 0.3, 2))
            figures[name] = _figures(factors[name], 2)
        yield period(
            "minute", start_ms + n * MINUTE_MS, MINUTE_MS, factors, figures, station
        )


def period(kind, t_ms, length_ms, factors, figures, station="DA001", rev=0) -> Period:
    """One period of these factors, worked out ten seconds after its end."""
    return Period(
        kind=kind,
        station=station,
        t_ms=t_ms,
        until_ms=t_ms + length_ms,
        rev=rev,
        factors=factors,
        figures=figures,
        flags=dict.fromkeys(factors, "N"),
        at=Instant(t_ms + length_ms + 10_000, t_ms % 10**9, "b0071001", True),
    )


def kept(found: Period) -> Kept:
    """The period as the history takes it."""
    data = encode(found, META)
    return Kept(found.station, found.kind, found.t_ms, found.rev, data)


def year_of(days: list[list[Kept]], start_ms: int, count: int) -> Iterator[list[Kept]]:
    """So many days out of a few, with their dates put right."""
    for k in range(count):
        yield [_moved(one, start_ms + k * DAY_MS) for one in days[k % len(days)]]


def _moved(one: Kept, day_ms: int) -> Kept:
    t = day_ms + one.t_ms % DAY_MS
    data = one.data.replace(b'"t":%d' % one.t_ms, b'"t":%d' % t)
    data = data.replace(
        b'"until":%d' % (one.t_ms + MINUTE_MS), b'"until":%d' % (t + MINUTE_MS)
    )
    return one._replace(t_ms=t, data=data)


def _readings(rng, middle: float, spread: float, decimals: int) -> list[Fraction]:
    scale = 10**decimals
    return [
        Fraction(round((middle + rng.gauss(0, spread)) * scale), scale)
        for _ in range(_READINGS)
    ]


def _gas(found, oxygen, flow) -> FactorPeriod:
    converted = [
        Fraction(round(v * 15 / (21 - o) * _TINY), _TINY)
        for v, o in zip(found, oxygen, strict=True)
    ]
    rates = [
        Fraction(round(v * f / 10**6 * _TINY), _TINY)
        for v, f in zip(found, flow, strict=True)
    ]
    rate = sum(rates, Fraction(0)) / _READINGS
    return FactorPeriod(
        avg=sum(found, Fraction(0)) / _READINGS,
        min=min(found),
        max=max(found),
        cou=rate / 60,
        rate=rate,
        zs_avg=sum(converted, Fraction(0)) / _READINGS,
        zs_min=min(converted),
        zs_max=max(converted),
        n=_READINGS,
        of=_READINGS,
        marks={"valid": _READINGS},
        mark="valid",
    )


def _plain(found) -> FactorPeriod:
    return FactorPeriod(
        avg=sum(found, Fraction(0)) / _READINGS,
        min=min(found),
        max=max(found),
        n=_READINGS,
        of=_READINGS,
        marks={"valid": _READINGS},
        mark="valid",
    )


def _figures(factor: FactorPeriod, decimals: int) -> dict[str, str]:
    names: dict[str, int] = {"avg": decimals, "min": decimals, "max": decimals}
    names |= {"cou": 3, "rate": 3, "zs_avg": 1, "zs_min": 1, "zs_max": 1}
    return {
        name: shown(value, places)
        for name, places in names.items()
        if (value := getattr(factor, name)) is not None
    }
