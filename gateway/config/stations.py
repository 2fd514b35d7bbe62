"""Stations: places whose factors are averaged together and reported to the authority.

One outlet's flue gas, one outfall's water, one dust mast: what an HJ 212 platform knows
by an MN. A factor is what a station reports; it is fed by one point of one device.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal, get_args

import msgspec

from gateway.factors.units import unit

StationKind = Literal[
    "flue_gas", "water", "ambient", "dust", "noise", "electricity", "conditions"
]
"""Decides which formulas hold and which ST of HJ 212 is meant."""
STATION_KINDS: tuple[StationKind, ...] = get_args(StationKind)
Formula = Literal["point", "flow", "nox"]
"""How a factor comes from its points: as it is; flow out of a velocity and the duct's
area; NOx as NO2 out of NO, with or without NO2 measured beside it."""
FORMULAS: tuple[Formula, ...] = get_args(Formula)
MINUTES = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)
"""Lengths of the shortest period. Source: HJ 212-2017, table 4 (MinInterval)."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A second point that a factor's formula needs."""

    device: str
    point: str
    unit: str
    every_ms: int


class Factor(msgspec.Struct, frozen=True, kw_only=True):
    """One quantity that a station reports."""

    name: str
    """Its key in records; the station's own."""
    device: str
    point: str
    code: str | None = None
    """HJ 212 factor code; None: it is not sent there unless a target names one."""
    unit: str
    """UCUM code of what is reported; readings are converted exactly."""
    decimals: int
    cou_unit: str | None = None
    """Of the period's total (``Cou``): kg, m3, kW.h; None: it has none."""
    cou_decimals: int = 3
    every_ms: int
    """A reading is due so often."""
    holds_ms: int = 0
    """A result stands from its SampleTime on for so long, or until the next; 0: a
    reading stands for its own slot only."""
    counter: bool = False
    """It only grows: a period's total is the difference of its readings."""
    converted: bool = False
    """Flue gas: a value at the reference oxygen (``-Zs``) goes with it."""
    total: bool = False
    """Its period total is reported: mass of a pollutant, volume of a flow."""
    label: dict[str, str] = {}
    from_unit: str = ""
    """UCUM code of the point; empty: the factor's own."""
    gas: str | None = None
    """Which gas it is, where its point tells parts by volume: so2, no2 ..."""
    states: bool = False
    """Its point tells states, not a number: newest value only, no averages."""
    formula: Formula = "point"
    also: Source | None = None
    """NO2 beside NO."""

    @property
    def unit_of_point(self) -> str:
        """UCUM code of what the point tells."""
        return self.from_unit or self.unit


class FlueGas(msgspec.Struct, frozen=True, kw_only=True):
    """How a stack's readings become dry values in the standard state.

    Names are of the station's factors; a number stands where nothing measures it.
    Source: HJ 212-2017, annex D.
    """

    measured: Literal["dry_standard", "dry_actual", "wet_standard", "wet_actual"] = (
        "dry_standard"
    )
    """The state in which the analyzers tell the pollutants."""
    oxygen: str | None = None
    oxygen_measured: Literal["dry", "wet"] = "dry"
    reference_oxygen: Fraction | None = None
    """Percent, of the permit: 6 for coal, 11 for waste."""
    moisture: str | Fraction | None = None
    temperature: str | Fraction | None = None
    pressure: str | Fraction | None = None
    """Static gauge pressure of the flue, as the factor's unit says."""
    atmosphere: str | Fraction = Fraction(101325)
    """Pa."""
    velocity: str | None = None
    area: Fraction | None = None
    """m2."""
    flow: str | None = None
    """The factor of the flow: its own point, or worked out of velocity and area."""


class Water(msgspec.Struct, frozen=True, kw_only=True):
    """How an outfall's concentrations are weighted."""

    flow: str | None = None
    """The factor of the flow."""
    volume: str | None = None
    """The factor of the totaliser: its differences are better than a sum of flows."""
    mean: Literal["flow_weighted", "arithmetic"] = "flow_weighted"


class Station(msgspec.Struct, frozen=True, kw_only=True):
    """What is averaged together."""

    name: str
    kind: StationKind
    factors: tuple[Factor, ...]
    asset: str | None = None
    minute_s: int = 60
    """Length of the shortest period: 1 2 3 4 5 6 10 12 15 20 30 minutes."""
    grace_s: float = 10.0
    """What comes later than this after a period's end makes a new revision of it."""
    rules: str = "2017"
    """Whose validity rules decide what an hour is made of; see ``judge.validity``."""
    flue_gas: FlueGas | None = None
    water: Water | None = None
    label: dict[str, str] = {}

    def weighs(self, factor: Factor) -> bool:
        """Whether a factor's mean is weighted with the water that passed."""
        return (
            self.water is not None
            and self.water.mean == "flow_weighted"
            and unit(factor.unit).row == "concentration"
        )

    def factor(self, name: str | None) -> Factor | None:
        """The factor of this name; None where there is none."""
        return next((f for f in self.factors if f.name == name), None)
