"""Waste water: volumes, masses, and means that are weighted with the flow.

    volume D   sum of slices Q * T / 1000 (L/s, s), or the totaliser's difference, m3
    mass G     D * C / 1000 (m3, mg/L), kg
    mean       1000 * sum of G / sum of D: flow-weighted; or arithmetic, as an option

A weighted mean counts a concentration only with the volume it was measured for: water
that passed without a concentration is in the volume and in no mass, and the mean does
not know of it.

Source: HJ 212-2017, annex D.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

import msgspec

from gateway.average.derived import Derived, lacking

Mean = Literal["flow_weighted", "arithmetic"]


def slice_volume(flow: Fraction, seconds: Fraction) -> Fraction:
    """What passed in one slice: ``Q * T / 1000``, m3 of L/s."""
    return flow * seconds / 1000


def mean_flow(volume: Fraction, seconds: Fraction) -> Derived:
    """The flow that gives a volume in a time, L/s of m3: ``1000 * D / T``.

    Lacks ``empty`` where no time was measured.
    """
    if seconds <= 0:
        return lacking("empty")
    return Derived(1000 * volume / seconds)


def mass(volume: Fraction, concentration: Fraction) -> Fraction:
    """What a volume carries: ``D * C / 1000``, kg of m3 and mg/L."""
    return volume * concentration / 1000


class Load(msgspec.Struct, frozen=True):
    """Concentrations and their volumes, summed: of slices, minutes or hours alike."""

    n: int = 0
    concentrations: Fraction = Fraction(0)
    """Sum, mg/L."""
    volume: Fraction = Fraction(0)
    """m3 that had a concentration."""
    mass: Fraction = Fraction(0)
    """kg."""

    def with_slice(self, concentration: Fraction, volume: Fraction) -> Load:
        """One more slice.

        Args:
            concentration: mg/L.
            volume: m3 it was measured for.
        """
        return Load(
            self.n + 1,
            self.concentrations + concentration,
            self.volume + volume,
            self.mass + mass(volume, concentration),
        )

    def __add__(self, other: Load) -> Load:
        """Both together."""
        return Load(
            self.n + other.n,
            self.concentrations + other.concentrations,
            self.volume + other.volume,
            self.mass + other.mass,
        )

    def mean(self, kind: Mean) -> Derived:
        """The mean concentration, mg/L.

        Lacks ``empty`` without any slice, and ``no_flow`` where a flow is the weight
        and none was there (or as much back as forth): no other mean is put in its
        place.
        """
        if not self.n:
            return lacking("empty")
        if kind == "arithmetic":
            return Derived(self.concentrations / self.n)
        if self.volume <= 0:
            return lacking("no_flow")
        return Derived(1000 * self.mass / self.volume)
