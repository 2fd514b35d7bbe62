"""From the unit that an instrument wrote to the point's: exact, or not at all.

Factors are whole-number ratios, by definition of the units (SI Brochure 9; NIST SP 811,
appendix B). Parts by volume and mass by volume are not in one row: what lies between
them is a molar mass, a temperature and a pressure, which nobody wrote down.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

_F = Fraction
_MMHG: Final = _F(133322387415, 10**9)

_ROWS: Final[tuple[dict[str, Fraction], ...]] = (
    {
        "m/s": _F(1),
        "km/h": _F(5, 18),
        "[mi_i]/h": _F(44704, 100000),
        "[kn_i]": _F(463, 900),
        "[ft_i]/min": _F(508, 100000),
        "cm/s": _F(1, 100),
    },
    {
        "Pa": _F(1),
        "hPa": _F(100),
        "kPa": _F(1000),
        "mbar": _F(100),
        "bar": _F(100_000),
        "mm[Hg]": _MMHG,
        "[in_i'Hg]": _MMHG * _F(254, 10),
    },
    {
        "mm": _F(1),
        "cm": _F(10),
        "m": _F(1000),
        "[in_i]": _F(254, 10),
    },
    {"mm/h": _F(1), "[in_i]/h": _F(254, 10)},
    {
        "ug/m3": _F(1),
        "mg/m3": _F(1000),
        "g/m3": _F(1_000_000),
        "ng/m3": _F(1, 1000),
    },
    {"[ppb]": _F(1), "[ppm]": _F(1000), "[pptr]": _F(1, 1000), "%": _F(10_000_000)},
    {
        "g": _F(1),
        "kg": _F(1000),
        "t": _F(1_000_000),
        "[lb_av]": _F(45359237, 100000),
    },
    {"V": _F(1), "mV": _F(1, 1000)},
    {"A": _F(1), "mA": _F(1, 1000)},
    {"s": _F(1), "min": _F(60), "h": _F(3600), "ms": _F(1, 1000)},
    {
        "L/min": _F(1),
        "mL/min": _F(1, 1000),
        "cm3/min": _F(1, 1000),
        "m3/h": _F(1000, 60),
    },
)
_TEMPERATURES: Final[dict[str, tuple[Fraction, Fraction]]] = {
    # value in Cel = number * factor + offset
    "Cel": (_F(1), _F(0)),
    "[degF]": (_F(5, 9), _F(-160, 9)),
    "K": (_F(1), _F(-27315, 100)),
}


def conversion(written: str, wanted: str) -> tuple[Fraction, Fraction] | None:
    """Factor and offset from one unit to another; None: there is no way.

    Args:
        written: UCUM code of what the instrument wrote.
        wanted: UCUM code of the point.
    """
    if written == wanted:
        return _F(1), _F(0)
    if written in _TEMPERATURES and wanted in _TEMPERATURES:
        factor, offset = _TEMPERATURES[written]
        below, under = _TEMPERATURES[wanted]
        return factor / below, (offset - under) / below
    for row in _ROWS:
        if written in row and wanted in row:
            return row[written] / row[wanted], _F(0)
    return None
