"""From a reading to a sample: what its factor reports at that instant.

    plain          the reading in the factor's unit
    flue gas       dry gas of the standard state; at the reference oxygen; kg/h
    water          the concentration, and the volume it was measured for

Formulas want other quantities of the same instant: the newest valid reading of each
that is at most two of its periods old. Where one is wanting, what follows from it is
wanting as well, and nothing stands in for it. Everything is worked out exactly and
rounded half to even to whole grains (1e-12), once per sample: sums of samples are sums
of whole numbers. Only valid readings make a mass: gas of calibration is no emission.
"""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from gateway.average import flue_gas as gas
from gateway.average.derived import Derived, lacking
from gateway.average.water import mass as mass_of
from gateway.average.water import slice_volume
from gateway.factors.molar import by_molar_mass
from gateway.factors.number import exact, grains
from gateway.factors.units import Conversion, conversion, unit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gateway.aggregate import Mark
    from gateway.average.readings import Raw, Reading
    from gateway.config.stations import Factor, FlueGas, Station, Water

Sort = Literal["plain", "gas", "flow", "water", "states"]
PERIODS_OLD = 2
"""So many of its periods a reading may be old to be used in a formula."""
_MS_PER_S = 1000
_ONE = Fraction(1)
"""Formulas are linear in the concentration, and exact: what one is times what."""
_NUMBER = Literal["temperature", "pressure", "atmosphere", "moisture"]
_UNITS: dict[_NUMBER, str] = {
    "temperature": "Cel",
    "pressure": "Pa",
    "atmosphere": "Pa",
    "moisture": "%",
}


class Sample(NamedTuple):
    """One slot of one factor; numbers are grains of 1e-12."""

    value: int | None
    mark: Mark
    """What it is worth in a mean."""
    zs: int | None = None
    rate: int | None = None
    """Per hour, of the total's quantity: kg/h of a pollutant, m3/h of a flow."""
    volume: Fraction | None = None
    """Water: m3 that its concentration was measured for."""
    mass: Fraction | None = None
    """Water: kg in it."""
    over: bool = False
    """It has no ``zs``, as the oxygen was 21 % or more."""


class Beside:
    """Valid readings of what formulas want, by time: of a minute, and just before."""

    def __init__(self, readings: Mapping[int, Sequence[Reading]]) -> None:
        """Of inlets by their place.

        Args:
            readings: Any; those that are not valid are left out.
        """
        self.flows: dict[int, Fraction | None] = {}
        self.drying: dict[int, Fraction | None] = {}
        self.converting: dict[int, Derived] = {}
        """By time, once worked out: all gases of an instant have the same."""
        self._times: dict[int, list[int]] = {}
        self._raw: dict[int, list[Raw]] = {}
        for place, found in readings.items():
            valid = sorted(
                (r.t_ms, r.value)
                for r in found
                if r.mark == "valid" and type(r.value) in (int, float)
            )
            self._times[place] = [t for t, _ in valid]
            self._raw[place] = [raw for _, raw in valid if raw is not None]

    def at(self, place: int, t_ms: int, every_ms: int) -> Raw | None:
        """The newest at this time that is not too old."""
        times = self._times.get(place)
        if not times:
            return None
        index = bisect_right(times, t_ms) - 1
        if index < 0 or t_ms - times[index] > PERIODS_OLD * every_ms:
            return None
        return self._raw[place][index]


class Way:
    """How raw numbers of one point become a quantity in one unit; remembers some."""

    def __init__(self, to: Conversion, place: int, every_ms: int) -> None:
        self.place = place
        self.every_ms = every_ms
        self.exact = lru_cache(maxsize=512)(lambda raw: to(exact(raw)))
        self.grains = lru_cache(maxsize=512)(lambda raw: grains(self.exact(raw)))

    def beside(self, others: Beside, t_ms: int) -> Fraction | None:
        """The quantity beside a sample of this time."""
        raw = others.at(self.place, t_ms, self.every_ms)
        return None if raw is None else self.exact(raw)


class Sampler:
    """The formulas of one station, made once.

    Inlets are numbered as the station's factors are; points that only formulas need
    follow them (``extra``).
    """

    def __init__(self, station: Station) -> None:
        self.station = station
        self.extra = [
            (factor.name, factor.also) for factor in station.factors if factor.also
        ]
        self._places = {factor.name: i for i, factor in enumerate(station.factors)}
        self.sorts = [_sort(station, factor) for factor in station.factors]
        self._main = [
            Way(
                _from_point(f.unit_of_point, self._unit_worked_in(i), _gas_of(f)),
                i,
                f.every_ms,
            )
            for i, f in enumerate(station.factors)
        ]
        self._back = [
            conversion(self._unit_worked_in(i), f.unit)
            for i, f in enumerate(station.factors)
        ]
        self._second = {
            self._places[name]: Way(
                _from_point(also.unit, "mg/m3", "no2"),
                len(station.factors) + n,
                also.every_ms,
            )
            for n, (name, also) in enumerate(self.extra)
        }
        conf, water = station.flue_gas, station.water
        self._around = _Around(self, conf) if conf is not None else None
        flow = conf.flow if conf is not None else water.flow if water else None
        self.flow = self._places.get(flow) if flow else None
        flow_unit = "L/s" if water is not None else "m3/h"
        self._flow_way = (
            self._way_to(self.flow, flow_unit) if self.flow is not None else None
        )
        self.wanted = self._all_wanted()
        """Inlets whose readings formulas want."""

    def samples(
        self, place: int, readings: Sequence[Reading], others: Beside, ms: int
    ) -> list[Sample]:
        """Of one factor.

        Args:
            place: Which.
            readings: One for each slot that has one.
            others: What formulas want.
            ms: For how long each stands.
        """
        factor, sort = self.station.factors[place], self.sorts[place]
        one = self._one(place, sort, ms)
        holds_ms = factor.holds_ms
        found = []
        for reading in readings:
            raw = reading.value
            if (
                type(raw) not in (int, float)
                or raw is None
                or (
                    holds_ms
                    and reading.sampled_ms is not None
                    and reading.t_ms - reading.begun_ms >= holds_ms
                )
            ):
                found.append(_without(reading))
            else:
                found.append(one(reading, raw, others))
        return found

    # -- one sample ----------------------------------------------------------

    def _one(
        self, place: int, sort: Sort, ms: int
    ) -> Callable[[Reading, Raw, Beside], Sample]:
        if sort == "gas":
            return lambda reading, raw, others: self._of_gas(
                place, reading, raw, others
            )
        if sort == "flow":
            return lambda reading, raw, others: self._of_flow(
                place, reading, raw, others
            )
        if sort == "water":
            seconds = Fraction(ms, _MS_PER_S)
            return lambda reading, raw, others: self._of_water(
                place, reading, raw, others, seconds
            )
        to_grains = self._main[place].grains
        return lambda reading, raw, _others: Sample(to_grains(raw), reading.mark)

    def _of_gas(self, place: int, reading: Reading, raw: Raw, others: Beside) -> Sample:
        """A pollutant of flue gas."""
        around, t_ms = self._around, reading.t_ms
        assert around is not None  # noqa: S101 - as ``_sort`` said
        factor = self.station.factors[place]
        measured: Fraction | None = self._main[place].exact(raw)
        if factor.formula == "nox":
            measured = self._nox(place, measured, others, t_ms)
        dry = None if measured is None else around.dry(measured, others, t_ms)
        if dry is None:
            return _without(reading)
        back = self._back[place]
        value = grains(back(dry))
        zs, over = None, False
        if factor.converted:
            found = around.converted(dry, others, t_ms)
            zs = None if found.value is None else grains(back(found.value))
            over = found.lack == "oxygen"
        rate: int | None = None
        if factor.total and reading.mark == "valid":
            flow = self._flow_at(others, t_ms)
            if flow is not None:
                rate = grains(gas.mass_rate(dry, flow))
        return Sample(value, reading.mark, zs, rate, over=over)

    def _nox(
        self, place: int, no: Fraction | None, others: Beside, t_ms: int
    ) -> Fraction | None:
        second = self._second.get(place)
        if no is None or second is None:
            return None if no is None else gas.nox(no, Fraction(0))
        no2 = second.beside(others, t_ms)
        return None if no2 is None else gas.nox(no, no2)

    def _of_flow(
        self, place: int, reading: Reading, raw: Raw, others: Beside
    ) -> Sample:
        """A flow, in its own point's words or out of a velocity."""
        factor = self.station.factors[place]
        flow: Fraction | None = self._main[place].exact(raw)
        if factor.formula == "flow":
            assert flow is not None  # noqa: S101 - the velocity, m/s
            flow = self._out_of_velocity(flow, others, reading.t_ms)
        if flow is None:
            return _without(reading)
        rate: int | None = None
        if factor.total and reading.mark == "valid":
            per_hour = flow if self.station.water is None else flow * 18 / 5
            rate = grains(per_hour)  # of L/s: 3.6 m3/h
        return Sample(grains(self._back[place](flow)), reading.mark, None, rate)

    def _out_of_velocity(
        self, velocity: Fraction, others: Beside, t_ms: int
    ) -> Fraction | None:
        around = self._around
        if around is None or around.conf.area is None:
            return None
        actual = gas.actual_flow(velocity, around.conf.area)
        return gas.standard_flow(actual, around.now(others, t_ms)).value

    def _flow_at(self, others: Beside, t_ms: int) -> Fraction | None:
        """The flow beside a sample: m3/h of flue gas, L/s of water."""
        if self.flow is None or self._flow_way is None:
            return None
        if t_ms not in others.flows:
            found = self._flow_way.beside(others, t_ms)
            if found is not None and self.station.factors[self.flow].formula == "flow":
                found = self._out_of_velocity(found, others, t_ms)
            others.flows[t_ms] = found
        return others.flows[t_ms]

    def _of_water(
        self,
        place: int,
        reading: Reading,
        raw: Raw,
        others: Beside,
        seconds: Fraction,
    ) -> Sample:
        """A concentration of an outfall, and the slice of water it stands for."""
        milligrams = self._main[place].exact(raw)
        value = grains(self._back[place](milligrams))
        if reading.mark != "valid":
            return Sample(value, reading.mark)
        flow = self._flow_at(others, reading.t_ms)
        if flow is None:
            # Nobody knows what it weighs: in a weighted mean it is no valid slot.
            factor = self.station.factors[place]
            weighed = self.flow is not None and self.station.weighs(factor)
            return Sample(value, "missing" if weighed else "valid")
        volume = slice_volume(flow, seconds)
        return Sample(
            value,
            reading.mark,
            volume=volume,
            mass=mass_of(volume, milligrams),
        )

    # -- how it is made ------------------------------------------------------

    def _unit_worked_in(self, place: int) -> str:
        factor, sort = self.station.factors[place], self.sorts[place]
        if sort == "gas":
            return "mg/m3"
        if sort == "water":
            return "mg/L"
        if sort == "flow":
            return "L/s" if self.station.water is not None else "m3/h"
        return factor.unit

    def _way_to(self, place: int, to_unit: str) -> Way:
        """The reading of a factor's point in another unit."""
        factor = self.station.factors[place]
        if factor.formula == "flow":
            to_unit = "m/s"
        to = conversion(factor.unit_of_point, to_unit)
        return Way(to, place, factor.every_ms)

    def way_of(self, name: str, to_unit: str) -> Way | None:
        """The same by name; None: no such factor."""
        place = self._places.get(name)
        return None if place is None else self._way_to(place, to_unit)

    def _all_wanted(self) -> frozenset[int]:
        found = {way.place for way in self._second.values()}
        if self.flow is not None:
            found.add(self.flow)
        if self._around is not None:
            found |= self._around.places
        return frozenset(found)


class _Around:
    """What lies between a flue and the standard state, at some instant."""

    def __init__(self, sampler: Sampler, conf: FlueGas) -> None:
        self.conf = conf
        self._numbers: dict[_NUMBER, Way | Fraction | None] = {}
        for key, code in _UNITS.items():
            said = getattr(conf, key)
            self._numbers[key] = (
                sampler.way_of(said, code) if isinstance(said, str) else said
            )
        self._oxygen = sampler.way_of(conf.oxygen, "%") if conf.oxygen else None
        ways = [way for way in self._numbers.values() if isinstance(way, Way)]
        if self._oxygen is not None:
            ways.append(self._oxygen)
        self.places = {way.place for way in ways}

    def now(self, others: Beside, t_ms: int) -> gas.Surroundings:
        """All of it."""
        atmosphere = self._number("atmosphere", others, t_ms)
        pressure = self._number("pressure", others, t_ms)
        if atmosphere is None:
            pressure, atmosphere = None, gas.STANDARD_PA
        return gas.Surroundings(
            temperature=self._number("temperature", others, t_ms),
            pressure=pressure,
            atmosphere=atmosphere,
            moisture=self._number("moisture", others, t_ms),
        )

    def dry(self, measured: Fraction, others: Beside, t_ms: int) -> Fraction | None:
        """A concentration in dry gas of the standard state; None: nobody can say."""
        state = self.conf.measured
        if state == "dry_standard":
            return measured
        if t_ms not in others.drying:
            one = gas.dry_standard(_ONE, state, self.now(others, t_ms))
            others.drying[t_ms] = one.value
        times = others.drying[t_ms]
        return None if times is None else measured * times

    def converted(self, dry: Fraction, others: Beside, t_ms: int) -> Derived:
        """The same at the reference oxygen."""
        if t_ms not in others.converting:
            others.converting[t_ms] = self._times_at(others, t_ms)
        times = others.converting[t_ms]
        return times if times.value is None else Derived(dry * times.value)

    def _times_at(self, others: Beside, t_ms: int) -> Derived:
        """How many times a concentration it is at the reference oxygen."""
        reference = self.conf.reference_oxygen
        if self._oxygen is None or reference is None:
            return lacking("empty")
        oxygen = self._oxygen.beside(others, t_ms)
        if oxygen is not None and self.conf.oxygen_measured == "wet":
            moisture = self._number("moisture", others, t_ms)
            oxygen = gas.to_dry(oxygen, moisture).value
        if oxygen is None:
            return lacking("empty")
        return gas.converted(_ONE, oxygen, reference)

    def _number(self, key: _NUMBER, others: Beside, t_ms: int) -> Fraction | None:
        said = self._numbers[key]
        return said.beside(others, t_ms) if isinstance(said, Way) else said


def _without(reading: Reading) -> Sample:
    """What a formula could not be worked out of is no valid slot."""
    return Sample(None, "missing" if reading.mark == "valid" else reading.mark)


def _sort(station: Station, factor: Factor) -> Sort:
    if factor.states:
        return "states"
    flue_gas, water = station.flue_gas, station.water
    row = unit(factor.unit).row
    if row == "volume flow" and (flue_gas is not None or water is not None):
        return "flow"
    if row == "concentration" and flue_gas is not None:
        return "gas"
    if row == "concentration" and water is not None and _weighted(water):
        return "water"
    return "plain"


def _weighted(water: Water) -> bool:
    return water.flow is not None or water.volume is not None


def _gas_of(factor: Factor) -> str | None:
    return factor.gas or ("no" if factor.formula == "nox" else None)


def _from_point(from_unit: str, to_unit: str, named: str | None) -> Conversion:
    """From what a point tells; parts by volume by the gas that is named."""
    if to_unit == "m3/h" and unit(from_unit).row == "velocity":
        return conversion(from_unit, "m/s")
    if named is not None and unit(from_unit).row == "ratio":
        return by_molar_mass(from_unit, to_unit, named)
    return conversion(from_unit, to_unit)
