"""Sound levels in a period's sums, and back: so that hours are made of minutes.

energy    sum of 10^(L/10), grains
c523      how many readings of 52.3 dB
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import msgspec

from gateway.average.noise import Levels
from gateway.factors.number import grains, of_grains

if TYPE_CHECKING:
    from gateway.aggregate import FactorPeriod

_ENERGY = "energy"
_CLASS = "c"


def of_levels(found: FactorPeriod, levels: Levels) -> FactorPeriod:
    """With a period's sound levels: its mean is Leq."""
    if not levels.n or levels.least is None or levels.greatest is None:
        return found
    sums = {_ENERGY: Fraction(levels.energy)}
    for place, count in sorted(levels.classes.items()):
        sums[f"{_CLASS}{place}"] = Fraction(count)
    return msgspec.structs.replace(
        found,
        avg=levels.leq,
        min=of_grains(levels.least),
        max=of_grains(levels.greatest),
        extra={**found.extra, **levels.statistics()},
        sums={**found.sums, **sums},
    )


def levels_of(period: FactorPeriod) -> Levels:
    """The sound levels a shorter period was made of."""
    if _ENERGY not in period.sums or period.min is None or period.max is None:
        return Levels()
    classes = {
        int(key[1:]): int(count)
        for key, count in period.sums.items()
        if key.startswith(_CLASS)
    }
    return Levels(
        n=sum(classes.values()),
        energy=int(period.sums[_ENERGY]),
        classes=classes,
        least=grains(period.min),
        greatest=grains(period.max),
    )
