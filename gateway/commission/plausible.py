"""How likely a value is a reading: what units, physics and types allow. Pure.

Weights are rough odds on a logarithmic scale: +3 hardly by chance, +1 fits, 0 says
nothing, -3 hardly a reading. A zero says nothing: registers nobody uses read so, too.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drivers.values import Value

SMALLEST, LARGEST = 1e-4, 1e9
"""Readings lie between; registers of another type read as float32 rarely do."""

_USUAL: dict[str, tuple[float, float, float]] = {
    "Hz": (45.0, 65.0, 3.0),
    "V": (80.0, 480.0, 2.0),
    "kV": (0.08, 40.0, 1.0),
    "A": (0.0, 6000.0, 0.5),
    "Cel": (-40.0, 250.0, 0.7),
    "%": (0.0, 100.0, 0.7),
    "[pH]": (0.0, 14.0, 1.5),
    "kPa": (-200.0, 10_000.0, 0.5),
    "hPa": (500.0, 1200.0, 2.0),
    "m/s": (-5.0, 75.0, 0.5),
    "deg": (0.0, 360.0, 0.5),
    "mg/m3": (-5.0, 20_000.0, 0.5),
    "ug/m3": (-5.0, 20_000.0, 0.5),
    "mg/L": (-1.0, 100_000.0, 0.5),
    "dB": (20.0, 140.0, 1.0),
    "dB[A]": (20.0, 140.0, 1.0),
    "dB[SPL]": (20.0, 140.0, 1.0),
    "kW": (-20_000.0, 20_000.0, 0.3),
    "W": (-2e7, 2e7, 0.3),
    "kW.h": (0.0, 1e8, 0.4),
    "kvar.h": (-1e8, 1e8, 0.2),
    "m3": (0.0, 1e9, 0.3),
    "m3/h": (-1e5, 1e6, 0.4),
    "mA": (3.6, 22.0, 0.8),
}
"""UCUM unit -> from, to, and what a value in between says in favour."""
_OUTSIDE = -2.5
_NO_NUMBER = -3.0
_POWER_FACTOR = 1.0


def weight(value: Value, unit: str, name: str = "") -> float:
    """What a decoded value says for the profile that decoded it.

    Args:
        value: As decoded, finite.
        unit: UCUM code of its point.
        name: Of the point; a power factor has no unit that tells.
    """
    if isinstance(value, bool) or value == 0:
        return 0.0
    if isinstance(value, str):
        return 0.5 if value.strip() else 0.0
    if isinstance(value, float) and not real(value):
        return _NO_NUMBER
    if "power_factor" in name:
        return 0.7 if abs(value) <= _POWER_FACTOR else _OUTSIDE
    usual = _USUAL.get(unit)
    if usual is None:
        return 0.1 if abs(value) < LARGEST else _OUTSIDE
    low, high, favour = usual
    return favour if low <= value <= high else _OUTSIDE


def real(value: float) -> bool:
    """Whether an instrument may have meant this number: not 1e-38, nor 1e+20."""
    if not math.isfinite(value):
        return False
    return value == 0 or SMALLEST <= abs(value) <= LARGEST
