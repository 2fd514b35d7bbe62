"""How one platform wants the factors of a station: codes, units, digits. Pure.

Where unit and decimals are the station's own, the digits are those that stand in the
record already: the same that every other platform gets. Otherwise the exact number is
converted and rounded, half to even, once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from gateway.config.model import FactorMap
from gateway.config.stations import Factor
from gateway.factors.number import shown
from gateway.factors.units import SAME, Conversion, conversion

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction

    from gateway.aggregate import FactorPeriod
    from gateway.config.model import Hj212Target
    from gateway.config.stations import Station

FACILITY = re.compile(r"SB[0-9A-Za-z]{1,4}\Z")
"""Codes of facilities: their state goes by 2021, their running hours by 2041."""
_MEANS = ("min", "avg", "max", "zs_min", "zs_avg", "zs_max")
_NONE = FactorMap()


class Digits(msgspec.Struct, frozen=True):
    """How one kind of number is written."""

    way: Conversion
    decimals: int
    own: bool
    """As the station writes it."""

    def __call__(self, value: Fraction) -> str:
        """The digits of an exact number in the factor's own unit."""
        return shown(self.way(value), self.decimals)


class Form(msgspec.Struct, frozen=True):
    """One factor for one platform."""

    factor: Factor
    code: str
    value: Digits
    cou: Digits | None

    @property
    def facility(self) -> bool:
        """Whether it is a facility's state or running hours."""
        return FACILITY.match(self.code) is not None

    def numbers(
        self, found: FactorPeriod, figures: Mapping[str, str]
    ) -> dict[str, str]:
        """The digits of a period by name: cou, min, avg, max, zs_min, ..., l5, ...

        Args:
            found: The exact numbers.
            figures: The digits as the station writes them.
        """
        shown: dict[str, str] = {}
        if self.cou is not None and found.cou is not None:
            shown["cou"] = _digits(self.cou, found.cou, figures.get("cou"))
        for name in _MEANS:
            number = getattr(found, name)
            if number is not None:
                shown[name] = _digits(self.value, number, figures.get(name))
        for name, number in found.extra.items():
            shown[name] = _digits(self.value, number, figures.get(name))
        return shown


def forms(target: Hj212Target, station: Station) -> dict[str, Form]:
    """The factors that a platform gets, by name, in the station's order.

    Raises:
        UnitError: A platform's unit is none that the factor's converts to; the site
            file was checked for that.
    """
    found: dict[str, Form] = {}
    for factor in station.factors:
        wanted = target.factors.get(factor.name, _NONE)
        code = wanted.code or factor.code
        if code is None or (target.only and factor.name not in target.only):
            continue
        found[factor.name] = Form(
            factor,
            code,
            _written(factor.unit, factor.decimals, wanted.unit, wanted.decimals),
            None
            if factor.cou_unit is None
            else _written(
                factor.cou_unit,
                factor.cou_decimals,
                wanted.cou_unit,
                wanted.cou_decimals,
            ),
        )
    return found


def _written(
    own_unit: str, own_decimals: int, unit: str | None, decimals: int | None
) -> Digits:
    way = SAME if unit is None else conversion(own_unit, unit)
    places = own_decimals if decimals is None else decimals
    return Digits(way, places, own=way == SAME and places == own_decimals)


def _digits(how: Digits, number: Fraction, written: str | None) -> str:
    return written if how.own and written is not None else how(number)
