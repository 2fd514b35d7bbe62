"""Totals of a period out of rates: kg of kg/h, m3 of m3/h, each for its own slot.

Only slots that have a rate are summed: nothing is extrapolated over the rest of a
period, so a total of a period with gaps is what was measured and no more.

Source: HJ 212-2017, annex D (G = sum of the slices' rate times their time).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from gateway.factors.number import grains, of_grains

if TYPE_CHECKING:
    from fractions import Fraction

_HOUR_MS = 3_600_000


class Total(msgspec.Struct, frozen=True):
    """A sum of rate times time, in whole numbers: the same in any order."""

    grains_ms: int = 0
    """Rate (unit/h) in grains of 1e-12, times milliseconds."""
    ms: int = 0
    """How much time had a rate."""

    def with_slot(self, rate: Fraction, slot_ms: int) -> Total:
        """One more slot.

        Args:
            rate: Per hour.
            slot_ms: For how long it stands.
        """
        return Total(self.grains_ms + grains(rate) * slot_ms, self.ms + slot_ms)

    def __add__(self, other: Total) -> Total:
        """Both together."""
        return Total(self.grains_ms + other.grains_ms, self.ms + other.ms)

    @property
    def value(self) -> Fraction:
        """What came together: kg where the rate is kg/h."""
        return of_grains(self.grains_ms) / _HOUR_MS

    @property
    def mean_rate(self) -> Fraction | None:
        """Per hour, over the time that had a rate; None: there was none."""
        return of_grains(self.grains_ms) / self.ms if self.ms else None


def over(rate: Fraction, ms: int) -> Fraction:
    """What one rate (per hour) gives in a time."""
    return rate * ms / _HOUR_MS
