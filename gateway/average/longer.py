"""An hour out of its minutes, a day out of its hours: pure.

A mean is of the valid parts' means; of all that have one where no part is valid.
Totals are of all parts: what was measured was measured, whatever the part as a whole is
worth. A part that is not there is missing, and is in no mean and no total.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from gateway.aggregate import FactorPeriod
from gateway.average.minute import told_in, weighted, with_proved_oxygen, with_total
from gateway.average.noise import Levels, by_day, day_and_night
from gateway.average.sums import levels_of, of_levels
from gateway.factors.units import conversion, unit
from gateway.judge.validity import mark_of_period

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.aggregate import Mark
    from gateway.config.stations import Factor, Station


class Part(NamedTuple):
    """One factor in one minute of an hour, or hour of a day."""

    hour: int
    """Of the civil day, 0 to 23; of a minute it does not matter."""
    found: FactorPeriod


def longer_of(
    station: Station,
    factor: Factor,
    kind: Literal["hour", "day"],
    parts: Sequence[Part],
    of: int,
    left_over: Fraction | None = None,
) -> FactorPeriod:
    """One factor in one hour or day.

    Args:
        station: Whose rules hold.
        factor: What is averaged.
        kind: What is made.
        parts: Those there are, in order of time.
        of: How many were due.
        left_over: What a counter grew by that lies in no part, in its point's unit.
    """
    if station.weighs(factor):
        parts = [_weighed(part) for part in parts]
    marks: dict[Mark, int] = {}
    for part in parts:
        marks[part.found.mark] = marks.get(part.found.mark, 0) + 1
    if len(parts) < of:
        marks["missing"] = marks.get("missing", 0) + of - len(parts)
    mark = mark_of_period(kind, station.kind, marks, of, station.rules)
    with_value = [part for part in parts if part.found.avg is not None]
    valid = [part for part in with_value if part.found.mark == "valid"]
    used = valid or with_value
    found = FactorPeriod(
        n=marks.get("valid", 0),
        of=max(of, len(parts)),
        marks=marks,
        mark=mark,
        over_oxygen=sum(_over_oxygen(part.found) for part in used),
        unit=factor.unit,
        cou_unit=told_in(factor),
    )
    means = _means([part.found for part in used])
    found = msgspec.structs.replace(found, **means)
    lacking = sum(p.found.zs_avg is None and not p.found.over_oxygen for p in used)
    found = with_proved_oxygen(kind, station, factor, found, lacking)
    if unit(factor.unit).row == "sound level":
        return _of_noise(kind, found, used)
    if factor.counter:
        return _of_counter(factor, found, parts, left_over)
    found = _with_total(factor, found, parts)
    return _weighted(station, factor, found, used)


def _weighed(part: Part) -> Part:
    """A part whose water nobody measured is no valid one of a weighted mean."""
    found = part.found
    if found.mark != "valid" or "volume" in found.sums:
        return part
    return part._replace(found=msgspec.structs.replace(found, mark="missing"))


def _means(used: Sequence[FactorPeriod]) -> dict[str, Fraction]:
    found: dict[str, Fraction] = {}
    for mean, low, high in (("avg", "min", "max"), ("zs_avg", "zs_min", "zs_max")):
        means = [m for one in used if (m := getattr(one, mean)) is not None]
        if not means:
            continue
        found[mean] = sum(means, Fraction(0)) / len(means)
        found[low] = min(m for one in used if (m := getattr(one, low)) is not None)
        found[high] = max(m for one in used if (m := getattr(one, high)) is not None)
    return found


def _over_oxygen(part: FactorPeriod) -> bool:
    return part.over_oxygen > 0 and part.zs_avg is None


def _with_total(
    factor: Factor, found: FactorPeriod, parts: Sequence[Part]
) -> FactorPeriod:
    ms = sum((part.found.sums.get("ms", Fraction(0)) for part in parts), Fraction(0))
    if not ms:
        return found
    total = sum(
        (part.found.sums.get("total", Fraction(0)) for part in parts), Fraction(0)
    )
    return with_total(factor, found, total, int(ms))


def _weighted(
    station: Station, factor: Factor, found: FactorPeriod, used: Sequence[Part]
) -> FactorPeriod:
    loads = [part.found.sums for part in used if "volume" in part.found.sums]
    if not loads:
        return found
    volume = sum(sums["volume"] for sums in loads)
    return weighted(station, factor, found, volume, sum(sums["mass"] for sums in loads))


def _of_counter(
    factor: Factor,
    found: FactorPeriod,
    parts: Sequence[Part],
    left_over: Fraction | None,
) -> FactorPeriod:
    totals = [part.found.cou for part in parts if part.found.cou is not None]
    if left_over is not None:
        factor_of = conversion(factor.unit_of_point, told_in(factor)).factor
        totals.append(left_over * factor_of)
    cou = sum(totals, Fraction(0)) if totals else None
    return msgspec.structs.replace(found, cou=cou)


def _of_noise(
    kind: Literal["hour", "day"], found: FactorPeriod, used: Sequence[Part]
) -> FactorPeriod:
    whole, day, night = Levels(), Levels(), Levels()
    for part in used:
        levels = levels_of(part.found)
        whole.merge(levels)
        (day if by_day(part.hour) else night).merge(levels)
    found = of_levels(found, whole)
    if kind == "hour":
        return found
    extra = {**found.extra, **day_and_night(day, night)}
    return msgspec.structs.replace(found, extra=extra)
