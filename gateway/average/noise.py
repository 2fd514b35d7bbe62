"""Noise: levels of a period out of one reading a second.

    Leq    10 * lg(mean of 10^(L/10)): the mean of energies
    L10    exceeded 10 % of the time: the 10th of 100 readings, the loudest first
    Ld Ln  Leq of 06 to 22 h and of 22 to 06 h, civil time
    Ldn    10 * lg((16 * 10^(Ld/10) + 8 * 10^((Ln + 10)/10)) / 24)

Energies are no fractions: 10^(L/10) is irrational. It is worked out in decimal with 40
digits and rounded half to even to 1e-12, once for each reading; a period's sum is one
of whole numbers, so it is the same in any order and after any restart. Percentiles come
from counts in classes of 0.1 dB, extremes from the readings themselves. Seconds without
a reading are in no count: nothing stands in for them.

Source: GB 3096-2008, 3.1 to 3.5 (Leq, Ld and Ln, percentiles; day 06 to 22 h);
HJ 640-2012 for day and night; Ldn with 10 dB on the night is the usual definition.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Final

import msgspec

from gateway.factors.number import (
    GRAINS_PER_UNIT,
    grains,
    half_even,
    of_grains,
)

PERCENTS: Final = (5, 10, 50, 90, 95)
DAY_FROM_H: Final = 6
NIGHT_FROM_H: Final = 22
_DAY_HOURS: Final = NIGHT_FROM_H - DAY_FROM_H
_NIGHT_HOURS: Final = 24 - _DAY_HOURS
NIGHT_DB: Final = Fraction(10)
_CLASSES_PER_DB: Final = 10
_BEYOND_DB: Final = 300
"""No power of ten is worked out of a number that an instrument cannot have meant."""
_CONTEXT: Final = Context(prec=40, rounding=ROUND_HALF_EVEN)


class Levels(msgspec.Struct):
    """The readings of a time, summed so that sums can be added up."""

    n: int = 0
    energy: int = 0
    """Sum of 10^(L/10), in grains of 1e-12."""
    classes: dict[int, int] = msgspec.field(default_factory=dict)
    """Readings by level in 0.1 dB."""
    least: int | None = None
    """The lowest reading, in grains of dB."""
    greatest: int | None = None

    def take(self, level: Fraction) -> bool:
        """One more second, dB.

        Returns:
            False: that is no sound level (beyond +-300 dB), and it is not counted.
        """
        if abs(level) > _BEYOND_DB:
            return False
        found = grains(level)
        self.n += 1
        self.energy += energy(level)
        place = half_even(level.numerator * _CLASSES_PER_DB, level.denominator)
        self.classes[place] = self.classes.get(place, 0) + 1
        self.least = found if self.least is None else min(self.least, found)
        self.greatest = found if self.greatest is None else max(self.greatest, found)
        return True

    def merge(self, other: Levels) -> None:
        """Add another time's readings."""
        self.n += other.n
        self.energy += other.energy
        for place, count in other.classes.items():
            self.classes[place] = self.classes.get(place, 0) + count
        lows = [low for low in (self.least, other.least) if low is not None]
        highs = [high for high in (self.greatest, other.greatest) if high is not None]
        self.least = min(lows, default=None)
        self.greatest = max(highs, default=None)

    @property
    def leq(self) -> Fraction | None:
        """The equivalent level, dB, to 1e-12; None: there was no reading."""
        if not self.n:
            return None
        return level_of(Fraction(self.energy, self.n * GRAINS_PER_UNIT))

    def exceeded(self, percent: int) -> Fraction | None:
        """The level exceeded so much of the time: L10 for 10; in steps of 0.1 dB.

        The reading that stands at ``percent`` of all, rounded up to a whole one, the
        loudest first.
        """
        rank = -(-self.n * percent // 100)
        for place in sorted(self.classes, reverse=True):
            rank -= self.classes[place]
            if rank <= 0:
                return Fraction(place, _CLASSES_PER_DB)
        return None

    def statistics(self) -> dict[str, Fraction]:
        """l5 l10 l50 l90 l95 leq lmx lmn; nothing without a reading."""
        if not self.n or self.least is None or self.greatest is None:
            return {}
        found = {f"l{percent}": self.exceeded(percent) for percent in PERCENTS}
        found["leq"] = self.leq
        found["lmx"] = of_grains(self.greatest)
        found["lmn"] = of_grains(self.least)
        return {key: value for key, value in found.items() if value is not None}


def by_day(hour: int) -> bool:
    """Whether an hour of civil time (0 to 23) is one of Ld; the others are of Ln."""
    return DAY_FROM_H <= hour < NIGHT_FROM_H


def day_and_night(day: Levels, night: Levels) -> dict[str, Fraction]:
    """ld, ln, and ldn where both are there, dB.

    Args:
        day: All readings of 06 to 22 h.
        night: All readings of the rest of the same civil day.
    """
    found: dict[str, Fraction] = {}
    ld, ln = day.leq, night.leq
    if ld is not None:
        found["ld"] = ld
    if ln is not None:
        found["ln"] = ln
    if ld is not None and ln is not None:
        found["ldn"] = ldn(ld, ln)
    return found


def ldn(ld: Fraction, ln: Fraction) -> Fraction:
    """Day and night in one: the night weighs 10 dB more."""
    loud = _DAY_HOURS * energy(ld) + _NIGHT_HOURS * energy(ln + NIGHT_DB)
    return level_of(Fraction(loud, 24 * GRAINS_PER_UNIT))


@lru_cache(maxsize=4096)
def energy(level: Fraction) -> int:
    """``10^(L/10)`` in grains of 1e-12; instruments tell few levels, often."""
    tenth = _CONTEXT.divide(Decimal(level.numerator), Decimal(10 * level.denominator))
    power = _CONTEXT.power(Decimal(10), tenth)
    return grains(Fraction(*power.as_integer_ratio()))


def level_of(mean_energy: Fraction) -> Fraction:
    """``10 * lg`` of it, dB, to 1e-12; what is zero is 0 dB at the least grain.

    Args:
        mean_energy: Above zero.
    """
    ratio = _CONTEXT.divide(
        Decimal(mean_energy.numerator), Decimal(mean_energy.denominator)
    )
    lg = _CONTEXT.multiply(Decimal(10), _CONTEXT.log10(ratio))
    return of_grains(grains(Fraction(*lg.as_integer_ratio())))
