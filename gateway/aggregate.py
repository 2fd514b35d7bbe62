"""What a station says of one period: exact numbers, and the digits everybody sees.

    minute  parts are readings, one for each slot of the point that feeds the factor
    hour    parts are minutes
    day     parts are hours

A period is known by station, kind, start and revision. Numbers are exact fractions
here; only ``Figures`` writes digits, rounding half to even once, at the very end. Its
stored form holds both (see ``gateway.record``), so that a target that wants other units
or decimals rounds the exact number and not a rounded one.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal, get_args

import msgspec

from gateway.clock import Instant

PeriodKind = Literal["minute", "hour", "day"]
PERIODS: tuple[PeriodKind, ...] = get_args(PeriodKind)

Mark = Literal[
    "valid",
    "stopped",
    "maintenance",
    "manual",
    "fault",
    "calibration",
    "over_range",
    "condition",
    "link",
    "doubtful",
    "missing",
]
"""What a reading, or a period, is worth to a regulator; versions of HJ 212 have letters
for it (``gateway.judge.marks``). ``doubtful``: a value that a rule or its own quality
does not trust. ``missing``: no value, by no fault of the instrument that we know."""
MARKS: tuple[Mark, ...] = get_args(Mark)


class FactorPeriod(msgspec.Struct, frozen=True, kw_only=True):
    """One factor in one period; numbers in the factor's units, None: there is none."""

    avg: Fraction | None = None
    """Of the valid parts; of all that have a value where no part is valid."""
    min: Fraction | None = None
    max: Fraction | None = None
    """Extremes of the readings that ``avg`` is made of."""
    cou: Fraction | None = None
    """The period's total: only of what was measured, nothing is filled in."""
    rate: Fraction | None = None
    """Mean mass flow, kg/h."""
    zs_avg: Fraction | None = None
    zs_min: Fraction | None = None
    zs_max: Fraction | None = None
    """At the reference oxygen."""
    over_oxygen: int = 0
    """Parts of the mean that have no such value, as their oxygen was 21 % or more."""
    extra: dict[str, Fraction] = {}
    """More of the same unit by name: noise has l5, l10, l50, l90, l95, ld, ln, ldn."""
    sums: dict[str, Fraction] = {}
    """What the next longer period needs of this one, and nobody is shown: ``ms`` that
    had a rate, ``volume`` and ``mass`` of a weighted mean, classes of sound levels."""
    n: int
    """Valid parts."""
    of: int
    """Parts that were due."""
    marks: dict[Mark, int] = {}
    """Parts by mark, ``valid`` and ``missing`` among them: together ``of``."""
    mark: Mark
    """Of the period, by the station's rules."""
    unit: str = ""
    """UCUM code of its numbers: the factor may have another one by now."""
    cou_unit: str = ""
    """Of its total."""


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """One station's minute, hour or day."""

    kind: PeriodKind
    station: str
    t_ms: int
    """Its start, UTC ms: its label."""
    until_ms: int
    rev: int = 0
    reason: str = ""
    """Why it was worked out again: ``late_reading``, ``clock``, ``restart``, ..."""
    factors: dict[str, FactorPeriod]
    figures: dict[str, dict[str, str]] = {}
    """The digits: factor -> avg, min, max, cou, rate, zs_avg, ... as decimal text."""
    flags: dict[str, str] = {}
    """The letter of each factor's mark, by the station's rules."""
    at: Instant
    """When it was worked out."""
