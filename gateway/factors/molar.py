"""Between parts by volume and mass by volume: ``C * M / 22.4``, when asked for.

An instrument that tells ppm and a factor that is reported in mg/m3 do not meet by
themselves: the gas has to be named (``so2``), or its molar mass given. The result is of
the standard state, 273 K and 101325 Pa.

Source: HJ 212-2017, annex D; molar masses in ``factors.yaml``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.factors.table import molar_masses, molar_volume
from gateway.factors.units import Conversion, UnitError, conversion

if TYPE_CHECKING:
    from fractions import Fraction


def molar_mass(gas: str) -> Fraction:
    """g/mol of a gas.

    Raises:
        UnitError: We have none for it.
    """
    found = molar_masses().get(gas.lower())
    if found is None:
        names = ", ".join(sorted(molar_masses()))
        message = f"no molar mass of {gas!r} is known; known are {names}"
        raise UnitError(message)
    return found


def by_molar_mass(from_unit: str, to_unit: str, molar: Fraction | str) -> Conversion:
    """From parts by volume to mass by volume, or back.

    Args:
        from_unit: UCUM code: [ppm], [ppb], %; or mg/m3, ug/m3, ...
        to_unit: One of the other kind.
        molar: g/mol, or the name of a gas.

    Raises:
        UnitError: The units are no such pair, or the gas is not known.
    """
    grams = molar_mass(molar) if isinstance(molar, str) else molar
    if grams <= 0:
        raise UnitError(f"expected a molar mass above 0 g/mol, found {grams}")
    step = Conversion(grams / molar_volume())
    try:
        to_ppm = conversion(from_unit, "[ppm]")
    except UnitError:
        to_mg = conversion(from_unit, "mg/m3")
        return to_mg.then(step.inverse).then(conversion("[ppm]", to_unit))
    return to_ppm.then(step).then(conversion("mg/m3", to_unit))
