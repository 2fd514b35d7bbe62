"""One station's open minutes, and what longer periods need: no clock, no disk.

    take(scan), gap(gap) --> slots of open minutes --minute()--> its factors
    late                 --> minutes whose readings came after they were over

A minute that is over stays here for a while, so that what comes late is counted and
what comes again is not.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

import msgspec

from drivers.profiles.watches import Counter
from drivers.values import Quality
from gateway.average.board import Live
from gateway.average.calendar import Bounds, Calendar
from gateway.average.finish import by_totaliser
from gateway.average.minute import minute_of
from gateway.average.readings import Inlet, Reading, Slots, keep
from gateway.average.samples import PERIODS_OLD, Beside, Sampler
from gateway.average.tally import Tally
from gateway.clock import Instant
from gateway.factors.number import of_grains
from gateway.judge.marks import mark_of, mark_of_gap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from fractions import Fraction

    from gateway.aggregate import FactorPeriod, Mark, PeriodKind
    from gateway.config.stations import Factor, Station
    from gateway.judge.states import State
    from gateway.record import Gap, Scan

    Declared = Callable[[str, Instant], State | None]
    """What an operator declared of a device for an instant."""

KEEP_MS = 15 * 60_000
"""So long readings of minutes that are over are kept."""
_KEEP_GAPS_MS = 2 * 3_600_000


class Minute:
    """The readings of one minute."""

    __slots__ = ("counted", "known", "over", "slots")

    def __init__(self, inlets: int) -> None:
        self.slots: list[Slots] = [{} for _ in range(inlets)]
        self.over = False
        self.known = True
        """False: it was over before the first reading of it came here."""
        self.counted: dict[int, Fraction | None] = {}
        """What counters grew by in it: settled once, when it is over."""


class Feed(msgspec.Struct, frozen=True):
    """Where the readings of one inlet come from."""

    device: str
    point: str
    every_ms: int
    phase_ms: int
    counter: Counter | None = None


class Book:
    """The accumulators of one station."""

    def __init__(
        self,
        station: Station,
        timezone: str,
        feeds: Mapping[tuple[str, str], Feed],
        declared: Declared,
    ) -> None:
        """Begin with nothing.

        Args:
            station: As configured.
            timezone: Of its civil clock.
            feeds: By device and point.
            declared: Maintenance windows.
        """
        self.station = station
        self._declared = declared
        self.calendar = Calendar(timezone, station.minute_s)
        self.sampler = Sampler(station)
        self.grace_ms = round(1000 * station.grace_s)
        self.inlets: list[Inlet] = []
        self.by_device: dict[str, list[Inlet]] = {}
        self._counters: dict[int, Counter | None] = {}
        places = [(f.name, f.device, f.point) for f in station.factors]
        places += [
            (f"{name}+", also.device, also.point) for name, also in self.sampler.extra
        ]
        for index, (name, device, point) in enumerate(places):
            feed = feeds[device, point]
            inlet = Inlet(index, name, point, feed.every_ms, feed.phase_ms)
            self.inlets.append(inlet)
            self.by_device.setdefault(device, []).append(inlet)
            self._counters[index] = feed.counter
        self.minutes: dict[int, Minute] = {}
        self.late: dict[int, str] = {}
        """Minutes to be worked out again, and why."""
        self.again: dict[PeriodKind, dict[int, str]] = {"hour": {}, "day": {}}
        """Hours and days whose parts changed, and why."""
        self.since_ms: dict[str, int] = {}
        """Of a factor that was another one before: when it began."""
        self.meta = ""
        """The version of the site that its periods are read with."""
        self.fresh = False
        """Nothing of its past is of the same station: only its name may be."""
        self.next_ms: int | None = None
        """The first minute that is not over."""
        self.began: Instant | None = None
        """When this run took it up: what is empty before is not ours."""
        self.newest: list[Reading | None] = [None] * len(self.inlets)
        self.tails: list[Reading | None] = [None] * len(self.inlets)
        """The newest valid reading before the minutes that are not over."""
        self.tallies: dict[str, Tally] = {
            f.name: Tally() for f in station.factors if f.counter
        }
        self._gaps: dict[tuple[str, tuple[str, ...], int], Gap] = {}
        self._slow = frozenset(
            i
            for i, f in enumerate(station.factors)
            if f.every_ms > self.calendar.minute_ms
        )

    # -- in ------------------------------------------------------------------

    def take(self, scan: Scan) -> None:
        """Readings of one scan, whose time is known to be right."""
        self.take_at(scan, scan.at.wall_ms)

    def take_at(self, scan: Scan, t_ms: int, why: str = "late_reading") -> None:
        """The same with the time that is known now.

        Args:
            scan: What came.
            t_ms: When it was acquired, UTC.
            why: Of a new revision, where its minute is over.
        """
        values, flaws, states, sampled = (
            scan.values,
            scan.flaws,
            scan.states,
            scan.sampled,
        )
        for inlet in self.by_device.get(scan.device, ()):
            point = inlet.point
            value = values.get(point)
            flaw = flaws.get(point) if flaws else None
            if value is None and flaw is None:
                continue
            state = states.get(point) if states else None
            if flaw is None:
                mark = "valid" if state is None else mark_of(Quality.GOOD, "", state)
            else:
                mark = mark_of(flaw.quality, flaw.reason, state)
                if flaw.quality is Quality.BAD:
                    value = None
            newest = self.newest[inlet.index]
            taken_ms = sampled.get(point) if sampled else None
            shown_ms = None
            if taken_ms is not None:
                if newest is not None and newest.sampled_ms == taken_ms:
                    shown_ms = newest.shown_ms
                elif taken_ms > t_ms:
                    shown_ms = t_ms
            reading = Reading(t_ms, value, mark, taken_ms, shown_ms)
            slot = inlet.slot(t_ms)
            start = self.calendar.minute(inlet.due(slot))
            minute = self.minutes.get(start)
            if minute is None:
                minute = self._open(start)
            if keep(minute.slots[inlet.index], slot, reading) and minute.over:
                self.late.setdefault(start, why)
            if newest is None or newest.t_ms <= t_ms:
                self.newest[inlet.index] = reading

    def gap(self, gap: Gap) -> None:
        """Slots that were not asked, and why."""
        if not (gap.since.trusted and gap.until.trusted and gap.every_ms):
            return
        key = gap.device, gap.points, gap.since.wall_ms
        if gap.slots:
            self._gaps[key] = gap
        edge = gap.until.wall_ms - _KEEP_GAPS_MS
        for other, known in list(self._gaps.items()):
            if not known.open and known.until.wall_ms < edge:
                del self._gaps[other]

    def gaps(self) -> Iterable[Gap]:
        """Those that may still matter."""
        return self._gaps.values()

    def minute_at(self, start_ms: int) -> Minute:
        """The minute that begins here."""
        return self.minutes.get(start_ms) or self._open(start_ms)

    def like(self, other: Book) -> bool:
        """Whether readings come to both on the same grids."""
        return (
            self.calendar.timezone == other.calendar.timezone
            and [(i.every_ms, i.phase_ms) for i in self.inlets]
            == [(i.every_ms, i.phase_ms) for i in other.inlets]
            and self._counters == other._counters
        )

    def _open(self, start_ms: int) -> Minute:
        minute = self.minutes[start_ms] = Minute(len(self.inlets))
        if self.next_ms is not None and start_ms < self.next_ms:
            minute.over, minute.known = True, False
        return minute

    # -- out -----------------------------------------------------------------

    def over_by(self, now_ms: int, since_ms: int) -> list[int]:
        """Minutes whose end, and the grace after it, have passed.

        Args:
            now_ms: UTC, by a trusted clock.
            since_ms: We have been here since then: what is empty before is not ours.
        """
        length = self.calendar.minute_ms
        edge = self.calendar.minute(now_ms - self.grace_ms)
        if self.next_ms is None:
            since_ms = min(since_ms, now_ms)
            self.next_ms = min([self.calendar.minute(since_ms), *self.minutes])
            if self.fresh:
                self.since_ms = {inlet.name: self.next_ms for inlet in self.inlets}
        if now_ms < self.next_ms - KEEP_MS:
            self._set_back(now_ms)
        first = max(self.next_ms, self.calendar.minute(since_ms))
        due = {start for start in self.minutes if self.next_ms <= start < edge}
        due.update(range(first, edge, length))
        return sorted(due)

    def _set_back(self, now_ms: int) -> None:
        """The clock was far ahead: go on from now; nothing of the future counts."""
        self.next_ms = next_ms = self.calendar.minute(now_ms)
        for start, minute in self.minutes.items():
            if start >= next_ms and not minute.known:
                minute.over, minute.known = False, True
                self.late.pop(start, None)
        edge = next_ms + self.calendar.minute_ms
        for found in (self.newest, self.tails):
            for place, reading in enumerate(found):
                if reading is not None and reading.t_ms >= edge:
                    found[place] = None
        for tally in self.tallies.values():
            if tally.state.at is not None and tally.state.at.wall_ms >= edge:
                tally.begin_anew()

    def close(self, start_ms: int) -> dict[str, FactorPeriod]:
        """Work out a minute that is over: its factors by name."""
        minute = self.minutes.get(start_ms)
        if minute is None:
            minute = self.minutes[start_ms] = Minute(len(self.inlets))
        first = not minute.over
        minute.over = minute.known = True
        bounds = Bounds(start_ms, start_ms + self.calendar.minute_ms)
        found = self._worked_out(minute, bounds, first=first)
        if first:
            self.next_ms = max(self.next_ms or 0, bounds.end_ms)
            self._remember_tails(minute)
        return by_totaliser(self.station, found, bounds.ms)

    def disown(
        self,
        start_ms: int,
        found: Mapping[str, FactorPeriod],
        told: Mapping[str, FactorPeriod],
    ) -> None:
        """A minute that an earlier run told: it may have had readings that are lost.

        Args:
            start_ms: The minute.
            found: What is made of the readings that are left of it.
            told: What was told.
        """
        self.minutes[start_ms].known = False
        for name, tally in self.tallies.items():
            if found.get(name) != told.get(name):
                # It was counted further than is known here: no growth twice.
                tally.begin_anew()

    def forget(self, before_ms: int) -> None:
        """Let go of readings of minutes that are over for long."""
        edge = before_ms - KEEP_MS
        for start in [s for s, m in self.minutes.items() if m.over and s < edge]:
            if start not in self.late:
                del self.minutes[start]

    def live(self) -> dict[str, Live]:
        """The newest value of every factor."""
        around: dict[int, Beside] = {}
        found = {}
        for place, factor in enumerate(self.station.factors):
            reading = self.newest[place]
            if reading is not None:
                bounds = self.calendar.of("minute", reading.t_ms)
                if bounds.start_ms not in around:
                    around[bounds.start_ms] = self._beside(bounds)
                others = around[bounds.start_ms]
                found[factor.name] = self._live(place, factor, reading, others)
        return found

    def _live(
        self, place: int, factor: Factor, reading: Reading, others: Beside
    ) -> Live:
        value: Fraction | str | None
        if factor.states:
            value = None if reading.value is None else str(reading.value)
            sample, zs = None, None
        else:
            (sample,) = self.sampler.samples(place, [reading], others, factor.every_ms)
            value = None if sample.value is None else of_grains(sample.value)
            zs = None if sample.zs is None else of_grains(sample.zs)
        return Live(
            value=value,
            zs=zs,
            over_oxygen=sample is not None and sample.over,
            # What weights it in a mean does not matter here.
            mark=reading.mark if value is not None or sample is None else sample.mark,
            t_ms=reading.t_ms,
            unit=factor.unit,
            sampled_ms=reading.sampled_ms,
        )

    # -- how a minute is worked out ------------------------------------------

    def _worked_out(
        self, minute: Minute, bounds: Bounds, *, first: bool
    ) -> dict[str, FactorPeriod]:
        others = self._beside(bounds)
        found = {}
        for place, factor in enumerate(self.station.factors):
            if factor.states:
                continue
            slots, inlet = minute.slots[place], self.inlets[place]
            readings = list(slots.values())
            slot_ms = inlet.every_ms
            if place in self._slow:
                readings, unseen, slot_ms = self._standing(place, factor, bounds)
            else:
                unseen = self._unseen(place, slots, bounds)
            if factor.counter and first:
                minute.counted[place] = self._count(place, factor, slots, bounds)
            samples = self.sampler.samples(place, readings, others, slot_ms)
            counted = minute.counted.get(place)
            found[factor.name] = minute_of(
                self.station, factor, samples, unseen, slot_ms, counted
            )
        return found

    def _beside(self, bounds: Bounds) -> Beside:
        """What formulas want in a minute."""
        return Beside(
            {place: list(self._near(place, bounds)) for place in self.sampler.wanted}
        )

    def _near(self, place: int, bounds: Bounds) -> Iterator[Reading]:
        """Readings of a minute, and those before it that may still be near enough.

        Not the last one only: a minute may be worked out again, when there is a newer.
        """
        tail = self.tails[place]
        if tail is not None:
            yield tail
        old_ms = max(PERIODS_OLD * self.inlets[place].every_ms, bounds.ms)
        for start, minute in self.minutes.items():
            if bounds.start_ms - bounds.ms - old_ms < start <= bounds.start_ms:
                yield from minute.slots[place].values()

    def _unseen(self, place: int, slots: Slots, bounds: Bounds) -> dict[Mark, int]:
        inlet = self.inlets[place]
        due = inlet.slots(*bounds)
        missing = len(due) - len(slots)
        if missing <= 0:
            return {}
        gaps = list(self._gaps_of(place))
        if not gaps:
            return {"missing": missing}
        found: dict[Mark, int] = {}
        for slot in due:
            if slot not in slots:
                mark = self._mark_at(gaps, inlet.due(slot))
                found[mark] = found.get(mark, 0) + 1
        return found

    def _mark_at(self, gaps: Iterable[Gap], due_ms: int) -> Mark:
        """What a slot is worth that nobody asked: a maintenance window goes first."""
        for gap in gaps:
            since = gap.since
            late_ms = due_ms - since.wall_ms
            inside = gap.open or late_ms < gap.slots * gap.every_ms
            if late_ms >= -gap.every_ms // 2 and inside:
                mono_ms = since.mono_ms + late_ms
                at = Instant(due_ms, mono_ms, since.boot, since.trusted)
                return mark_of_gap(gap.cause, self._declared(gap.device, at))
        return "missing"

    def _gaps_of(self, place: int) -> Iterable[Gap]:
        feed_of = self.station.factors[place]
        for gap in self._gaps.values():
            if gap.device == feed_of.device and (
                "*" in gap.points or feed_of.point in gap.points
            ):
                yield gap

    def _standing(
        self, place: int, factor: Factor, bounds: Bounds
    ) -> tuple[list[Reading], dict[Mark, int], int]:
        """Of an analyser slower than a minute: the results that stand in it.

        In each slot of the flow, so that each slice of it has its concentration; in one
        slot where there is no flow.
        """
        known = [r for m in self.minutes.values() for r in m.slots[place].values()]
        tail = self.tails[place]
        known += [tail] if tail is not None else []
        shown = sorted((r for r in known if r.value is not None), key=lambda r: r.t_ms)
        times = [r.t_ms for r in shown]
        readings: list[Reading] = []
        moments, slot_ms = self._moments(bounds)
        for t_ms in moments:
            index = bisect_right(times, t_ms) - 1
            if index < 0:
                continue
            last = shown[index]
            if t_ms < last.begun_ms + factor.holds_ms:
                readings.append(last._replace(t_ms=t_ms))
        missing = len(moments) - len(readings)
        return readings, {"missing": missing} if missing else {}, slot_ms

    def _moments(self, bounds: Bounds) -> tuple[list[int], int]:
        place = self.sampler.flow
        if place is None or place in self._slow:
            return [bounds.start_ms], bounds.ms
        inlet, minute = self.inlets[place], self.minutes.get(bounds.start_ms)
        slots = minute.slots[place] if minute is not None else {}
        moments = [
            slots[slot].t_ms if slot in slots else inlet.due(slot)
            for slot in inlet.slots(*bounds)
        ]
        return moments, inlet.every_ms

    def _count(
        self, place: int, factor: Factor, slots: Slots, bounds: Bounds
    ) -> Fraction | None:
        """What a counter grew by; readings count where their slots were due."""
        due = self.inlets[place].due
        valid = [
            reading._replace(t_ms=due(slot))
            for slot, reading in sorted(slots.items())
            if reading.mark == "valid"
        ]
        tally = self.tallies[factor.name]
        return tally.minute(self._counters[place], valid, bounds, factor.every_ms)

    def _remember_tails(self, minute: Minute) -> None:
        for place in {*self.sampler.wanted, *self._slow}:
            slow = place in self._slow
            for reading in minute.slots[place].values():
                tail = self.tails[place]
                if reading.value is None or (reading.mark != "valid" and not slow):
                    continue
                if tail is None or tail.t_ms < reading.t_ms:
                    self.tails[place] = reading
