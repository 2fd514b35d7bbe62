"""The validity report of one station for a day or a month: put together, pure.

a day      hour by hour, counted in the station's minutes
a month    day by day, counted in hours
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec

from gateway.aggregate import PeriodKind
from gateway.history import ShownPeriod
from gateway.report import calendar, incidents
from gateway.report.calendar import Length
from gateway.report.count import Counts, count
from gateway.report.incidents import Declared, GapLine, Happened

if TYPE_CHECKING:
    from datetime import date

    from gateway.config.stations import Station

_HOUR_MS = 3_600_000


class Part(msgspec.Struct, frozen=True):
    """One hour of a day, or one day of a month."""

    since_ms: int
    until_ms: int
    counts: Counts


class FactorReport(msgspec.Struct, frozen=True):
    """One factor."""

    name: str
    label: dict[str, str]
    code: str | None
    unit: str
    parts: tuple[Part, ...]
    total: Counts


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    station: str
    label: dict[str, str]
    length: Length
    kind: PeriodKind
    """What is counted."""
    since_ms: int
    until_ms: int
    timezone: str
    made_ms: int
    from_ms: int
    """Nothing was due before: the history of the station begins there."""
    target: str | None
    """Whose proofs count; None: no platform, nothing can be proved."""
    proves: bool
    """Whether the target ever proves: it asks for answers."""
    factors: tuple[FactorReport, ...]
    total: Counts
    gaps: tuple[GapLine, ...]
    declared: tuple[Declared, ...]
    others: tuple[Happened, ...]


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """What a report is made of."""

    periods: Iterable[ShownPeriod]
    fates: Iterable[tuple[int, int, str]]
    events: Iterable[Mapping[str, Any]]
    """Of the station's devices, from well before its begin to what is known now."""
    first_ms: int | None
    """Label of the oldest period that is kept; None: there is none."""


def counted_kind(length: Length) -> PeriodKind:
    """What a report of this length counts."""
    return "minute" if length == "day" else "hour"


def make(
    station: Station,
    length: Length,
    day: date,
    sources: Sources,
    *,
    timezone: str,
    now_ms: int,
    target: str | None = None,
    proves: bool = True,
) -> Report:
    """The report of a day, or of the month in which the day is."""
    zone = ZoneInfo(timezone)
    since, until = calendar.bounds(length, day, zone)
    step = station.minute_s * 1000 if length == "day" else _HOUR_MS
    periods = {period.t: period for period in sources.periods}
    fates = {(t, rev): fate for t, rev, fate in sources.fates}
    first = now_ms if sources.first_ms is None else sources.first_ms
    spans = list(calendar.parts(length, since, until, zone))
    due = [list(calendar.due(*span, step, first, now_ms)) for span in spans]
    events = list(sources.events)
    windows = incidents.declared(events, since, until)
    factors = []
    for factor in station.factors:
        stops = incidents.stops(windows, factor.device, now_ms)
        counted = (
            count(of, periods, fates, factor.name, length_ms=step, stops=stops)
            for of in due
        )
        parts = tuple(
            Part(*span, one) for span, one in zip(spans, counted, strict=True)
        )
        total = reduce(add, (part.counts for part in parts), Counts())
        factors.append(
            FactorReport(
                factor.name, factor.label, factor.code, factor.unit, parts, total
            )
        )
    fed: dict[tuple[str, str], list[str]] = {}
    for factor in station.factors:
        fed.setdefault((factor.device, factor.point), []).append(factor.name)
    return Report(
        station=station.name,
        label=station.label,
        length=length,
        kind=counted_kind(length),
        since_ms=since,
        until_ms=until,
        timezone=timezone,
        made_ms=now_ms,
        from_ms=first,
        target=target,
        proves=proves,
        factors=tuple(factors),
        total=reduce(add, (f.total for f in factors), Counts()),
        gaps=tuple(incidents.gaps(events, fed, since, until)),
        declared=tuple(windows),
        others=tuple(incidents.others(events, since, until)),
    )
