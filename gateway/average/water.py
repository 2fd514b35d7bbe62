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

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction


def slice_volume(flow: Fraction, seconds: Fraction) -> Fraction:
    """What passed in one slice: ``Q * T / 1000``, m3 of L/s."""
    return flow * seconds / 1000


def mass(volume: Fraction, concentration: Fraction) -> Fraction:
    """What a volume carries: ``D * C / 1000``, kg of m3 and mg/L."""
    return volume * concentration / 1000


def weighted_mean(volume: Fraction, mass: Fraction) -> Fraction | None:
    """The mean concentration of some water: ``1000 * G / D``, mg/L of m3 and kg.

    None where nothing flowed, or as much back as forth.
    """
    return 1000 * mass / volume if volume > 0 else None
