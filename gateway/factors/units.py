"""From one UCUM code to another, exactly, or not at all.

    value in the row's base unit = value * factor + offset

Every factor is a ratio of whole numbers by definition of its unit. Codes of one row
convert into each other and into nothing else. What UCUM would allow and the field
would not mean is in rows of its own: W, V.A and var; turns a minute and hertz; dB and
a bare number. Between parts by volume and mass by volume lies a molar mass: that way
is asked for by name (``gateway.factors.molar``).

Source: UCUM 2.1; SI Brochure 9; NIST SP 811, appendix B. ``[NTU]`` is in no UCUM table.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Final

import msgspec

_F = Fraction
_MMHG: Final = _F(133322387415, 10**9)
_MM_WATER: Final = _F(980665, 10**5)
_INCH: Final = _F(254, 10000)
_ONE: Final = _F(1)


def _per(unit: Fraction, volume: Fraction) -> Fraction:
    return unit / volume


_MASS: Final = {
    "ng": _F(1, 10**9),
    "ug": _F(1, 10**6),
    "mg": _F(1, 1000),
    "g": _ONE,
    "kg": _F(1000),
    "t": _F(10**6),
}
_VOLUME: Final = {"mL": _F(1, 10**6), "L": _F(1, 1000), "m3": _ONE}
_TIME: Final = {"s": _ONE, "min": _F(60), "h": _F(3600), "d": _F(86400)}

_ROWS: Final[dict[str, dict[str, Fraction]]] = {
    "ratio": {
        "1": _ONE,
        "%": _F(1, 100),
        "[ppth]": _F(1, 1000),
        "[ppm]": _F(1, 10**6),
        "[ppb]": _F(1, 10**9),
        "[pptr]": _F(1, 10**12),
    },
    "mass": _MASS | {"[lb_av]": _F(45359237, 100000)},
    "volume": _VOLUME | {"dm3": _F(1, 1000), "cm3": _F(1, 10**6)},
    "time": _TIME | {"ms": _F(1, 1000)},
    "concentration": {
        f"{mass}/{volume}": _per(grams, cubic)
        for mass, grams in _MASS.items()
        for volume, cubic in (_VOLUME | {"dm3": _F(1, 1000)}).items()
    },
    "volume flow": {
        f"{volume}/{time}": cubic / seconds
        for volume, cubic in (_VOLUME | {"cm3": _F(1, 10**6)}).items()
        for time, seconds in _TIME.items()
    },
    "mass flow": {
        f"{mass}/{time}": grams / seconds
        for mass, grams in _MASS.items()
        for time, seconds in _TIME.items()
    },
    "length": {
        "um": _F(1, 10**6),
        "mm": _F(1, 1000),
        "cm": _F(1, 100),
        "m": _ONE,
        "km": _F(1000),
        "[in_i]": _INCH,
    },
    "area": {"mm2": _F(1, 10**6), "cm2": _F(1, 10**4), "m2": _ONE},
    "velocity": {
        "mm/s": _F(1, 1000),
        "cm/s": _F(1, 100),
        "m/s": _ONE,
        "m/min": _F(1, 60),
        "m/h": _F(1, 3600),
        "km/h": _F(5, 18),
        "[mi_i]/h": _F(44704, 100000),
        "[kn_i]": _F(463, 900),
        "[ft_i]/min": _F(508, 100000),
    },
    "rainfall intensity": {
        "mm/min": _F(60),
        "mm/h": _ONE,
        "mm/d": _F(1, 24),
        "[in_i]/h": _F(254, 10),
    },
    "pressure": {
        "Pa": _ONE,
        "hPa": _F(100),
        "kPa": _F(1000),
        "MPa": _F(10**6),
        "mbar": _F(100),
        "bar": _F(10**5),
        "mm[Hg]": _MMHG,
        "[in_i'Hg]": _MMHG * _F(254, 10),
        "mm[H2O]": _MM_WATER,
        "m[H2O]": _MM_WATER * 1000,
    },
    "conductivity": {
        "uS/cm": _F(1, 10**4),
        "mS/cm": _F(1, 10),
        "S/cm": _F(100),
        "mS/m": _F(1, 1000),
        "S/m": _ONE,
    },
    "voltage": {"uV": _F(1, 10**6), "mV": _F(1, 1000), "V": _ONE, "kV": _F(1000)},
    "current": {"uA": _F(1, 10**6), "mA": _F(1, 1000), "A": _ONE, "kA": _F(1000)},
    "active power": {"W": _ONE, "kW": _F(1000), "MW": _F(10**6)},
    "apparent power": {"V.A": _ONE, "kV.A": _F(1000), "MV.A": _F(10**6)},
    "reactive power": {"var": _ONE, "kvar": _F(1000), "Mvar": _F(10**6)},
    "energy": {
        "J": _F(1, 3600),
        "kJ": _F(1000, 3600),
        "MJ": _F(10**6, 3600),
        "GJ": _F(10**9, 3600),
        "W.h": _ONE,
        "kW.h": _F(1000),
        "MW.h": _F(10**6),
    },
    "apparent energy": {"V.A.h": _ONE, "kV.A.h": _F(1000), "MV.A.h": _F(10**6)},
    "reactive energy": {"var.h": _ONE, "kvar.h": _F(1000), "Mvar.h": _F(10**6)},
    "frequency": {"Hz": _ONE, "kHz": _F(1000), "MHz": _F(10**6)},
    "rotation": {"{r}/min": _ONE, "{r}/s": _F(60)},
    "angle": {"deg": _ONE},
    "sound level": {"dB": _ONE, "dB[SPL]": _ONE, "dB[A]": _ONE},
    "illuminance": {"lx": _ONE, "klx": _F(1000)},
    "irradiance": {"W/m2": _ONE, "kW/m2": _F(1000)},
    "resistance": {"Ohm": _ONE, "kOhm": _F(1000), "MOhm": _F(10**6)},
    "acidity": {"[pH]": _ONE},
    "turbidity": {"[NTU]": _ONE},
}
_TEMPERATURES: Final[dict[str, tuple[Fraction, Fraction]]] = {
    "K": (_ONE, _F(0)),
    "Cel": (_ONE, _F(27315, 100)),
    "[degF]": (_F(5, 9), _F(45967, 180)),
}

_MEANT: Final = {
    "℃": "Cel",
    "°C": "Cel",
    "degC": "Cel",
    "°F": "[degF]",
    "ppm": "[ppm]",
    "ppb": "[ppb]",
    "pH": "[pH]",
    "NTU": "[NTU]",
    "dB(A)": "dB[SPL]",
    "kWh": "kW.h",
    "Wh": "W.h",
    "MWh": "MW.h",
    "kVA": "kV.A",
    "VA": "V.A",
    "kvarh": "kvar.h",
    "rpm": "{r}/min",
    "r/min": "{r}/min",
    "°": "deg",
    "㎡": "m2",
    "mmHg": "mm[Hg]",
    "mmH2O": "mm[H2O]",
    "Nm3/h": "m3/h",
    "Nm3": "m3",
    "l/s": "L/s",
    "mg/l": "mg/L",
}
_SPELLING: Final = str.maketrans(
    {"³": "3", "²": "2", "\N{MICRO SIGN}": "u", "\N{GREEK SMALL LETTER MU}": "u"}
)


class Unit(msgspec.Struct, frozen=True):
    """One UCUM code: ``value * factor + offset`` is in its row's base unit."""

    code: str
    row: str
    """What kind of quantity; only units of the same one convert."""
    factor: Fraction
    offset: Fraction = Fraction(0)


class Conversion(msgspec.Struct, frozen=True):
    """From one unit to another: ``value * factor + offset``."""

    factor: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)

    def __call__(self, value: Fraction) -> Fraction:
        """The value in the other unit, exactly."""
        if self.factor == 1 and not self.offset:
            return value
        return value * self.factor + self.offset

    @property
    def inverse(self) -> Conversion:
        """The way back."""
        return Conversion(1 / self.factor, -self.offset / self.factor)

    def then(self, further: Conversion) -> Conversion:
        """This one first, and ``further`` of its result."""
        return Conversion(
            self.factor * further.factor, self.offset * further.factor + further.offset
        )


SAME: Final = Conversion()


class UnitError(ValueError):
    """A code that is not in the table, or two between which there is no way."""


@cache
def units() -> dict[str, Unit]:
    """All of them by code."""
    found = {
        code: Unit(code, row, factor)
        for row, codes in _ROWS.items()
        for code, factor in codes.items()
    }
    for code, (factor, offset) in _TEMPERATURES.items():
        found[code] = Unit(code, "temperature", factor, offset)
    return found


def unit(code: str) -> Unit:
    """What a code stands for.

    Raises:
        UnitError: It is not in the table.
    """
    found = units().get(code)
    if found is not None:
        return found
    meant = meant_by(code)
    hint = f"; meant {meant}?" if meant is not None else ""
    message = (
        "expected a UCUM code such as mg/m3, m3/h, Cel, kW.h, dB[SPL], "
        f"found {code!r}{hint}"
    )
    raise UnitError(message)


def meant_by(code: str) -> str | None:
    """The UCUM code that somebody meant who wrote it otherwise; None: who knows."""
    plain = code.strip().translate(_SPELLING)
    for candidate in (plain, _MEANT.get(code.strip()), _MEANT.get(plain)):
        if candidate is not None and candidate in units():
            return candidate
    return None


def alike(code: str) -> tuple[str, ...]:
    """All codes it converts to, itself among them; for messages and pages.

    Raises:
        UnitError: It is not in the table.
    """
    row = unit(code).row
    return tuple(other.code for other in units().values() if other.row == row)


@cache
def conversion(from_unit: str, to_unit: str) -> Conversion:
    """The way from one unit to another; made once, cheap to apply to each sample.

    Raises:
        UnitError: A code is not in the table, or there is no way between them.
    """
    if from_unit == to_unit:
        unit(from_unit)
        return SAME
    source, target = unit(from_unit), unit(to_unit)
    if source.row != target.row:
        message = f"{from_unit} ({source.row}) is no {to_unit} ({target.row})"
        raise UnitError(message)
    if source.factor == target.factor and source.offset == target.offset:
        return SAME
    return Conversion(
        source.factor / target.factor, (source.offset - target.offset) / target.factor
    )


def convert(value: Fraction, from_unit: str, to_unit: str) -> Fraction:
    """The same quantity in another unit, exactly.

    Raises:
        UnitError: A code is not in the table, or there is no way between them.
    """
    return conversion(from_unit, to_unit)(value)
