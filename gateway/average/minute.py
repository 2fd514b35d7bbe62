"""A minute out of its slots: pure.

Its parts are readings, one for each slot. The mean is of the valid ones; of all that
have a value where none is valid. A total is of the valid ones only, each for its own
slot, and of nothing else.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import msgspec

from gateway.aggregate import FactorPeriod
from gateway.average.noise import Levels
from gateway.average.sums import of_levels
from gateway.average.water import weighted_mean
from gateway.factors.number import GRAINS_PER_UNIT, of_grains
from gateway.factors.units import conversion, unit
from gateway.judge.validity import mark_of_period

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.aggregate import Mark, PeriodKind
    from gateway.average.samples import Sample
    from gateway.config.stations import Factor, Station

HOUR_MS = 3_600_000
_GRAIN = Fraction(1, GRAINS_PER_UNIT)
"""Extremes are rounded to it, means are not."""


def minute_of(
    station: Station,
    factor: Factor,
    samples: Sequence[Sample],
    unseen: dict[Mark, int],
    slot_ms: int,
    counted: Fraction | None = None,
) -> FactorPeriod:
    """One factor in one minute.

    Args:
        station: Whose rules hold.
        factor: What is averaged.
        samples: One for each slot that was read.
        unseen: The other slots, by what they are worth.
        slot_ms: For how long a sample stands.
        counted: What a counter grew by, in its point's unit.
    """
    marks = dict(unseen)
    for sample in samples:
        marks[sample.mark] = marks.get(sample.mark, 0) + 1
    of = sum(marks.values())
    mark = mark_of_period("minute", station.kind, marks, of, station.rules)
    with_value = [s for s in samples if s.value is not None]
    valid = [s for s in with_value if s.mark == "valid"]
    used = valid or with_value
    found = FactorPeriod(
        n=marks.get("valid", 0),
        of=of,
        marks=marks,
        mark=mark,
        over_oxygen=sum(sample.over for sample in used),
        unit=factor.unit,
        cou_unit=told_in(factor),
    )
    found = _replaced(found, **_means(used))
    lacking = sum(s.zs is None and not s.over for s in used)
    found = with_proved_oxygen("minute", station, factor, found, lacking)
    if unit(factor.unit).row == "sound level":
        return _of_noise(found, used)
    if factor.counter:
        return _replaced(found, cou=_counter_total(factor, counted))
    found = _with_total(station, factor, found, valid, slot_ms)
    return _weighted(station, factor, found, used)


def _means(used: Sequence[Sample]) -> dict[str, Fraction]:
    values = [s.value for s in used if s.value is not None]
    if not values:
        return {}
    found = {
        "avg": Fraction(sum(values), len(values) * GRAINS_PER_UNIT),
        "min": of_grains(min(values)),
        "max": of_grains(max(values)),
    }
    zs = [s.zs for s in used if s.zs is not None]
    if zs:
        found["zs_avg"] = Fraction(sum(zs), len(zs) * GRAINS_PER_UNIT)
        found["zs_min"] = of_grains(min(zs))
        found["zs_max"] = of_grains(max(zs))
    return found


def with_proved_oxygen(
    kind: PeriodKind,
    station: Station,
    factor: Factor,
    found: FactorPeriod,
    lacking: int,
) -> FactorPeriod:
    """Values at the reference oxygen only where they are as well proved as the mean.

    A period has one mark for all its numbers. Where so many of its valid parts have no
    oxygen that they would not make a valid period by themselves, a converted value of
    the few others would be told as valid: none is told.

    Args:
        kind: Of the period.
        station: Whose rules hold.
        factor: Of the station.
        found: With its mark.
        lacking: Parts of the mean whose converted value nobody knows.
    """
    if not factor.converted or not lacking or found.mark != "valid":
        return found
    marks = {**found.marks, "valid": found.n - lacking}
    marks["missing"] = marks.get("missing", 0) + lacking
    mark = mark_of_period(kind, station.kind, marks, found.of, station.rules)
    if mark == "valid":
        return found
    return _replaced(found, zs_avg=None, zs_min=None, zs_max=None, over_oxygen=0)


def _with_total(
    station: Station,
    factor: Factor,
    found: FactorPeriod,
    valid: Sequence[Sample],
    slot_ms: int,
) -> FactorPeriod:
    """What passed in the slots that say so, and the rate over their time."""
    rates = [s.rate for s in valid if s.rate is not None]
    if rates:
        ms = len(rates) * slot_ms
        total = Fraction(sum(rates) * slot_ms, GRAINS_PER_UNIT * HOUR_MS)
        return with_total(factor, found, total, ms)
    loads = [s for s in valid if s.mass is not None]
    if loads and factor.total and station.water is not None:
        mass = sum((s.mass for s in loads if s.mass is not None), Fraction(0))
        return with_total(factor, found, mass, len(loads) * slot_ms)
    return found


def with_total(
    factor: Factor, found: FactorPeriod, total: Fraction, ms: int
) -> FactorPeriod:
    """With a total in kg or m3, and the rate over the time it was measured in."""
    sums = {**found.sums, "ms": Fraction(ms), "total": total}
    rate = None
    if unit(factor.unit).row == "concentration":
        rate = total * HOUR_MS / ms
    return _replaced(found, cou=_told(factor, total), rate=rate, sums=sums)


def _told(factor: Factor, total: Fraction) -> Fraction | None:
    """A total of kg or m3 in the unit it is told in."""
    if factor.cou_unit is None:
        return None
    base = "kg" if unit(factor.unit).row == "concentration" else "m3"
    return conversion(base, factor.cou_unit)(total)


def told_in(factor: Factor) -> str:
    """The unit of its total; empty: it has none."""
    return factor.cou_unit or (factor.unit if factor.counter else "")


def _counter_total(factor: Factor, counted: Fraction | None) -> Fraction | None:
    if counted is None:
        return None
    return counted * conversion(factor.unit_of_point, told_in(factor)).factor


def _weighted(
    station: Station, factor: Factor, found: FactorPeriod, used: Sequence[Sample]
) -> FactorPeriod:
    volumes = [s.volume for s in used if s.volume is not None]
    masses = [s.mass for s in used if s.mass is not None]
    if not volumes:
        return found
    return weighted(station, factor, found, sum(volumes), sum(masses))


def weighted(
    station: Station,
    factor: Factor,
    found: FactorPeriod,
    volume: Fraction | int,
    mass: Fraction | int,
) -> FactorPeriod:
    """With water's volume and mass, and the mean by volume where that is asked for.

    The arithmetic mean stays where nothing flowed, or as much back as forth.

    Args:
        station: Whose water it is.
        factor: A concentration.
        found: With its arithmetic mean and its extremes.
        volume: m3 that had a concentration.
        mass: kg in it.
    """
    sums = {**found.sums, "volume": Fraction(volume), "mass": Fraction(mass)}
    found = _replaced(found, sums=sums)
    mean = weighted_mean(Fraction(volume), Fraction(mass))
    if mean is None or not station.weighs(factor):
        return found
    mean = conversion("mg/L", factor.unit)(mean)
    low, high = found.min, found.max
    if low is None or high is None or not low - _GRAIN <= mean <= high + _GRAIN:
        return found  # water went back and forth: a negative weight makes no mean
    return _replaced(found, avg=mean)


def _of_noise(found: FactorPeriod, used: Sequence[Sample]) -> FactorPeriod:
    levels = Levels()
    for sample in used:
        if sample.value is not None:
            levels.take(of_grains(sample.value))
    return of_levels(found, levels)


def _replaced(found: FactorPeriod, **changes: object) -> FactorPeriod:
    return msgspec.structs.replace(found, **changes)
