"""The numbers of a period in the digits that one platform wants. Pure.

Where unit and decimals are the station's own, the digits are those that stand in the
record already: the same that every other platform gets. Otherwise the exact number is
converted and rounded, half to even, once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from gateway.config.stations import Factor
from gateway.factors.output import Output, over_oxygen, resolve
from gateway.factors.units import SAME, Conversion, UnitError, conversion, unit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.aggregate import FactorPeriod
    from gateway.config.model import Hj212Target
    from gateway.config.stations import Station

FACILITY = re.compile(r"SB[0-9A-Za-z]{1,4}\Z")
"""Codes of facilities: their state goes by 2021, their running hours by 2041."""
_FIELDS = {
    "cou": "Cou",
    "min": "Min",
    "avg": "Avg",
    "max": "Max",
    "zs_min": "ZsMin",
    "zs_avg": "ZsAvg",
    "zs_max": "ZsMax",
}
_CONVERTED = ("zs_min", "zs_avg", "zs_max")
_MEANS = ("min", "avg", "max", "zs_min", "zs_avg", "zs_max")


class Form(msgspec.Struct, frozen=True):
    """One factor for one platform."""

    factor: Factor
    output: Output
    own: bool
    """Values in the station's own unit and decimals."""
    own_cou: bool
    names: dict[str, str]
    """Number -> its name in a frame, in the standard's order."""
    flag_name: str
    over_oxygen: str | None = None
    """What stands for values at the reference oxygen where the formula has none."""

    @property
    def code(self) -> str:
        """Its code there."""
        return self.output.code

    @property
    def as_it_is(self) -> bool:
        """Whether every number goes as the station's record shows it."""
        return self.own and self.own_cou

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
        output = self.output
        way = _way(found.cou_unit, _told_in(self.factor))
        if found.cou is not None and output.cou_unit is not None and way is not None:
            written = figures.get("cou") if self.own_cou and way == SAME else None
            shown["cou"] = written or output.cou_digits(way(found.cou))
        way = _way(found.unit, self.factor.unit)
        numbers = {name: getattr(found, name) for name in _MEANS} | found.extra
        for name, number in numbers.items():
            if number is not None and way is not None:
                written = figures.get(name) if self.own and way == SAME else None
                shown[name] = written or output.digits(way(number))
        if self.over_oxygen is not None and found.over_oxygen:
            shown |= self.without_formula(shown)
        return shown

    def tells(self, found: FactorPeriod) -> bool:
        """Whether its numbers are of the factor's kind: it may have been another."""
        return _way(found.unit, self.factor.unit) is not None

    def as_now(self, found: FactorPeriod) -> bool:
        """Whether its numbers are in the factor's units of now."""
        return found.unit in (self.factor.unit, "") and found.cou_unit in (
            _told_in(self.factor),
            "",
        )

    def without_formula(self, numbers: Mapping[str, str]) -> dict[str, str]:
        """What goes for values at the reference oxygen: oxygen was 21 % throughout.

        Args:
            numbers: The digits of a period whose ``over_oxygen`` says so.
        """
        if self.over_oxygen is None or "zs_avg" in numbers:
            return {}
        return dict.fromkeys(_CONVERTED, self.over_oxygen)


def _in_hours(output: Output, factor: Factor) -> Output:
    """Of a facility a total of time is told, in hours, and no other."""
    own = _told_in(factor)
    if own is None or unit(own).row != "time":
        return replace(output, cou_unit=None)
    return replace(output, cou_unit="h", cou_convert=conversion(own, "h"))


def _told_in(factor: Factor) -> str | None:
    """The unit of its total; None: it has none."""
    return factor.cou_unit or (factor.unit if factor.counter else None)


def _way(said: str, now: str | None) -> Conversion | None:
    """From the unit of a record to the factor's of now; None: there is no way.

    Args:
        said: The record's; empty: it does not say.
        now: The factor's.
    """
    if not said or said == now or now is None:
        return SAME
    try:
        return conversion(said, now)
    except UnitError:
        return None


def forms(target: Hj212Target, station: Station) -> dict[str, Form]:
    """The factors that a platform gets, by name, in the station's order.

    Raises:
        FactorError: One cannot be sent as it is configured; the site file was checked
            for that.
    """
    found: dict[str, Form] = {}
    for factor in station.factors:
        if target.only and factor.name not in target.only:
            continue
        output = resolve(factor, target.factors.get(factor.name), target.version)
        if output is not None and FACILITY.match(output.code):
            output = _in_hours(output, factor)
        if output is not None:
            found[factor.name] = Form(
                factor,
                output,
                own=output.convert == SAME and output.decimals == factor.decimals,
                own_cou=output.cou_convert == SAME
                and output.cou_decimals == factor.cou_decimals,
                names={
                    key: f"{output.code}-{field}"
                    for key, field in _FIELDS.items()
                    if key != "cou" or output.cou_unit is not None
                },
                flag_name=f"{output.code}-Flag",
                over_oxygen=over_oxygen(output.code, target.version),
            )
    return found
