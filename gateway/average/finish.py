"""A period as it is told: exact numbers, and the digits and letters of its station."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from gateway.aggregate import FactorPeriod, Period
from gateway.average.minute import with_total
from gateway.average.water import mass
from gateway.factors.number import shown
from gateway.factors.units import conversion, unit
from gateway.judge.marks import letter

if TYPE_CHECKING:
    from fractions import Fraction

    from gateway.aggregate import PeriodKind
    from gateway.average.calendar import Bounds
    from gateway.clock import Instant
    from gateway.config.stations import Factor, Station

_MEANS = ("avg", "min", "max", "zs_avg", "zs_min", "zs_max")
_TOTALS = ("cou", "rate")


def finish(
    station: Station,
    kind: PeriodKind,
    bounds: Bounds,
    factors: dict[str, FactorPeriod],
    at: Instant,
    *,
    rev: int = 0,
    reason: str = "",
) -> Period:
    """The record of a period.

    Args:
        station: Whose factors they are.
        kind: Minute, hour or day.
        bounds: Where it begins and ends.
        factors: By name.
        at: Now.
        rev: 0 at first.
        reason: Why it was worked out again.
    """
    table = "2025" if station.rules.startswith("2025") else "2017"
    return Period(
        kind=kind,
        station=station.name,
        t_ms=bounds.start_ms,
        until_ms=bounds.end_ms,
        rev=rev,
        reason=reason,
        factors=factors,
        figures={
            factor.name: figures(factor, factors[factor.name])
            for factor in station.factors
            if factor.name in factors
        },
        flags={name: letter(found.mark, table) for name, found in factors.items()},
        at=at,
    )


def figures(factor: Factor, found: FactorPeriod) -> dict[str, str]:
    """The digits: the one place where an exact number of a station is rounded."""
    digits: dict[str, str] = {}
    for names, decimals in ((_MEANS, factor.decimals), (_TOTALS, factor.cou_decimals)):
        for name in names:
            value: Fraction | None = getattr(found, name)
            if value is not None:
                digits[name] = shown(value, decimals)
    for name, value in found.extra.items():
        digits[name] = shown(value, factor.decimals)
    return digits


def by_totaliser(
    station: Station, factors: dict[str, FactorPeriod], ms: int
) -> dict[str, FactorPeriod]:
    """Water: what the totaliser counted goes before what flows add up to.

    Where it was not there all the time and the flow was, the flow's own sum stays.
    Where there is no flow at all, it weights the concentrations of valid minutes too.

    Args:
        station: Its factors.
        factors: Of one period.
        ms: How long it is.
    """
    water = station.water
    if water is None or water.volume is None:
        return factors
    conf, counted = station.factor(water.volume), factors.get(water.volume)
    if conf is None or counted is None or counted.cou is None:
        return factors
    cubic = conversion(conf.cou_unit or conf.unit, "m3")(counted.cou)
    found = dict(factors)
    flow = station.factor(water.flow)
    summed = found.get(flow.name) if flow is not None else None
    whole = counted.mark == "valid" or summed is None or summed.mark != "valid"
    if flow is not None and summed is not None and flow.cou_unit and whole:
        cou = conversion("m3", flow.cou_unit)(cubic)
        found[flow.name] = msgspec.structs.replace(summed, cou=cou)
    if flow is not None:
        return found
    for factor in station.factors:
        one = found.get(factor.name)
        if one is None or one.avg is None or one.mark != "valid":
            continue
        if unit(factor.unit).row == "concentration" and "volume" not in one.sums:
            kg = mass(cubic, conversion(factor.unit, "mg/L")(one.avg))
            sums = {**one.sums, "volume": cubic, "mass": kg}
            one = msgspec.structs.replace(one, sums=sums)
            if factor.total:
                one = with_total(factor, one, kg, ms)
            found[factor.name] = one
    return found
