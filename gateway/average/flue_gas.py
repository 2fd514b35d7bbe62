"""Flue gas: the formulas between what analyzers tell and what is reported.

    as measured --state--> standard, wet --moisture--> standard, dry --O2--> converted
    velocity * area --> actual flow --state, moisture--> dry standard flow
    dry standard concentration * dry standard flow --> kg/h

Units, always: concentration mg/m3; temperature Cel; pressures Pa, that of the flue
against the atmosphere; moisture and oxygen %; flow m3/h; velocity m/s; area m2.
Numbers are exact; a formula that has none says why and never gives a negative or an
infinite one instead. Negative readings stay what they are: zero drift is not hidden.

Source: HJ 212-2017, annex D (after HJ/T 75-2007 and HJ/T 76-2007); HJ 75-2017.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Final, Literal

import msgspec

from gateway.average.derived import Derived, lacking
from gateway.factors.table import molar_masses

State = Literal["dry_standard", "dry_actual", "wet_standard", "wet_actual"]

STANDARD_PA: Final = Fraction(101325)
ZERO_CELSIUS_K: Final = Fraction(273)
"""As the annex writes it: 273, not 273.15."""
AIR_OXYGEN: Final = Fraction(21)
"""Percent, as the annex writes it."""
_FULL: Final = Fraction(100)


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What lies between a flue and the standard state; None: nobody knows."""

    temperature: Fraction | None = None
    """Cel."""
    pressure: Fraction | None = None
    """Static gauge pressure of the flue, Pa; negative: suction."""
    atmosphere: Fraction = STANDARD_PA
    """Pa."""
    moisture: Fraction | None = None
    """Percent by volume."""


def expansion(
    temperature: Fraction, pressure: Fraction, atmosphere: Fraction
) -> Derived:
    """How many times its standard volume the gas fills in the flue.

    ``101325 / (Ba + Ps) * (273 + ts) / 273``
    """
    absolute = atmosphere + pressure
    if absolute <= 0:
        return lacking("pressure")
    kelvin = ZERO_CELSIUS_K + temperature
    if kelvin <= 0:
        return lacking("temperature")
    return Derived(STANDARD_PA * kelvin / (absolute * ZERO_CELSIUS_K))


def dry_share(moisture: Fraction | None) -> Derived:
    """What is left of a volume once its water vapour is gone: ``1 - Xsw``."""
    if moisture is None:
        return lacking("empty")
    if moisture >= _FULL:
        return lacking("moisture")
    return Derived(1 - moisture / _FULL)


def dry_standard(
    concentration: Fraction, measured: State, around: Surroundings
) -> Derived:
    """A concentration in dry gas of the standard state.

    ``Csn = Cs * 101325 / (Ba + Ps) * (273 + ts) / 273`` and ``dry = wet / (1 - Xsw)``,
    as far as the state in which it is measured asks for them.

    Returns:
        mg/m3; without value where a quantity that the way needs is impossible, and
        ``empty`` where nobody knows it.
    """
    value = concentration
    if measured in ("dry_actual", "wet_actual"):
        times = _expansion(around)
        if times.value is None:
            return times
        value *= times.value
    if measured in ("wet_standard", "wet_actual"):
        return to_dry(value, around.moisture)
    return Derived(value)


def to_dry(wet: Fraction, moisture: Fraction | None) -> Derived:
    """A concentration, or an oxygen content, of wet gas as one of dry gas."""
    share = dry_share(moisture)
    return share if share.value is None else Derived(wet / share.value)


def nox(no: Fraction, no2: Fraction) -> Fraction:
    """Nitrogen oxides told as NO2: ``C_NO * M_NO2 / M_NO + C_NO2``, mg/m3."""
    return no * _nox_ratio() + no2


def converted(dry: Fraction, oxygen: Fraction, reference_oxygen: Fraction) -> Derived:
    """A dry standard concentration at the reference oxygen (``-Zs``).

    ``C * (21 - O2s) / (21 - O2)``. At 20.9 % the formula still holds and gives 150
    times the concentration for a reference of 6 %: that is what is reported.

    Args:
        dry: mg/m3.
        oxygen: Of dry gas, %.
        reference_oxygen: Of the permit, %.

    Returns:
        mg/m3; lacks ``oxygen`` at 21 % and above. HJ 212-2017 defines nothing there;
        for HJ 212-2025 see ``gateway.factors.output.over_oxygen``.
    """
    if oxygen >= AIR_OXYGEN:
        return lacking("oxygen")
    return Derived(dry * (AIR_OXYGEN - reference_oxygen) / (AIR_OXYGEN - oxygen))


def actual_flow(velocity: Fraction, area: Fraction) -> Fraction:
    """Wet gas as it passes the duct: ``3600 * F * V``, m3/h."""
    return 3600 * area * velocity


def standard_flow(
    flow: Fraction, around: Surroundings, measured: State = "wet_actual"
) -> Derived:
    """Dry gas of the standard state in a flow, m3/h.

    ``Qsn = Qsh * 273 / (273 + ts) * (Ba + Ps) / 101325 * (1 - Xsw)``, as far as the
    state in which the flow is told asks for it: out of a velocity it is wet and actual.
    """
    value = flow
    if measured in ("dry_actual", "wet_actual"):
        times = _expansion(around)
        if times.value is None:
            return times
        value /= times.value
    if measured in ("wet_standard", "wet_actual"):
        share = dry_share(around.moisture)
        if share.value is None:
            return share
        value *= share.value
    return Derived(value)


def mass_rate(concentration: Fraction, flow: Fraction) -> Fraction:
    """Emission: ``C * Q * 1e-6``, kg/h, both of dry gas in the standard state."""
    return concentration * flow / 1_000_000


def _expansion(around: Surroundings) -> Derived:
    if around.temperature is None or around.pressure is None:
        return lacking("empty")
    return expansion(around.temperature, around.pressure, around.atmosphere)


@cache
def _nox_ratio() -> Fraction:
    masses = molar_masses()
    return masses["no2"] / masses["no"]
