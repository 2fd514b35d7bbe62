"""``ecogate history``: minutes, hours and days of a station, as kept here.

ecogate history DA001                            the last 24 hours, hour by hour
ecogate history DA001 so2 nox --kind minute --since 08:00
ecogate history DA001 so2 --since 7d --plot
ecogate history DA001 --kind day --since 2026-11 --csv
"""

from __future__ import annotations

import csv
import sys
import time
from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec

from gateway.cli.arguments import add_site
from gateway.cli.exits import CliError, Exit
from gateway.cli.memory import Memory
from gateway.cli.output import (
    display_width,
    paint,
    print_json,
    table,
    terminal_columns,
)
from gateway.cli.plot import NOTHING, Dot, plot, titled
from gateway.cli.reach import load
from gateway.cli.when import moment
from gateway.factors.units import UnitError, convert
from gateway.judge.marks import letter
from gateway.texts import language, t

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from gateway.aggregate import PeriodKind
    from gateway.config.model import Site
    from gateway.config.stations import Factor, Station
    from gateway.history import Shown, ShownPeriod

_HOUR_MS = 3_600_000
_USUAL_MS: dict[PeriodKind, int] = {
    "minute": 2 * _HOUR_MS,
    "hour": 24 * _HOUR_MS,
    "day": 31 * 24 * _HOUR_MS,
}
_FIGURES = ("avg", "min", "max", "cou", "rate", "zs_avg", "zs_min", "zs_max")
_NOISE = ("l5", "l10", "l50", "l90", "l95", "ld", "ln", "ldn")
_ROWS = 9
_COLUMNS = 100
"""Where the output is no terminal."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``history STATION [FACTOR ...]``."""
    parser.add_argument("station", metavar="STATION", help=t("history.help.station"))
    parser.add_argument(
        "factors", nargs="*", metavar="FACTOR", help=t("history.help.factor")
    )
    parser.add_argument(
        "--kind",
        choices=("minute", "hour", "day"),
        default="hour",
        help=t("history.help.kind"),
    )
    parser.add_argument("--since", metavar="WHEN", help=t("history.help.since"))
    parser.add_argument("--until", metavar="WHEN", help=t("history.help.until"))
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help=t("history.help.csv"))
    form.add_argument("--plot", action="store_true", help=t("history.help.plot"))
    add_site(parser, positional=False)


def run(args: argparse.Namespace) -> int:
    """Print what is kept; exit status 1 where there is nothing in that time."""
    site = load(args)
    station = station_of(site, args.station)
    factors = factors_of(station, args.factors)
    zone, now_ms = ZoneInfo(site.info.timezone), time.time_ns() // 1_000_000
    until = moment(args.until, zone, now_ms) if args.until else now_ms
    since = until - _USUAL_MS[args.kind]
    if args.since:
        since = moment(args.since, zone, now_ms)
    if since >= until:
        raise CliError(t("history.empty_span"), Exit.USAGE)
    memory = Memory(site.buffer.path)
    periods = memory.periods(station.name, args.kind, since, until)
    if args.json:
        print_json([_chosen(period, factors) for period in periods])
    elif args.csv:
        _csv(periods, station, args.kind, factors, zone)
    elif not periods:
        print(_nothing(memory.span(station.name, args.kind), zone), file=sys.stderr)
    elif args.plot:
        print(charts(periods, factors, since, until, zone, terminal_columns()))
    else:
        print(tables(periods, station, args.kind, factors, zone, terminal_columns()))
    return Exit.OK if periods else Exit.FAILED


def station_of(site: Site, name: str) -> Station:
    """The station that was named.

    Raises:
        CliError: There is none of that name.
    """
    if not site.stations:
        raise CliError(t("history.no_stations"), Exit.USAGE)
    station = site.stations.get(name)
    if station is None:
        names = ", ".join(site.stations)
        text = t("history.no_station", found=name, names=names)
        raise CliError(text, Exit.USAGE)
    return station


def factors_of(station: Station, names: Sequence[str]) -> list[Factor]:
    """The factors that were named, by name or code; all that are averaged if none was.

    Raises:
        CliError: The station has none of that name.
    """
    averaged = [factor for factor in station.factors if not factor.states]
    if not names:
        return averaged
    found = []
    for name in names:
        one = next((f for f in averaged if name in (f.name, f.code)), None)
        if one is None:
            known = ", ".join(factor.name for factor in averaged)
            text = t("history.no_factor", station=station.name, found=name, names=known)
            raise CliError(text, Exit.USAGE)
        found.append(one)
    return found


def mark_letter(one: Shown, rules: str) -> str:
    """How a period's mark is written where it does not count; empty where it does."""
    if one.mark == "valid":
        return ""
    table_of: Any = "2025" if rules.startswith("2025") else "2017"
    return one.flag or letter(one.mark, table_of)  # type: ignore[arg-type]


def charts(
    periods: Sequence[ShownPeriod],
    factors: Sequence[Factor],
    since_ms: int,
    until_ms: int,
    zone: ZoneInfo,
    columns: int | None,
) -> str:
    """A chart for each factor, and what the marks below mean."""
    room = (columns or _COLUMNS) - 1
    when = f"{_time(since_ms, zone)} – {_time(until_ms, zone)}"
    parts, seen = [], set()
    for factor in factors:
        dots = []
        for period in periods:
            one = period.agg.get(factor.name)
            if one is None:
                continue
            text = one.avg if one.avg is not None else one.cou
            sign = mark_letter(one, "")
            if sign:
                seen.add((sign, one.mark))
            value = None if text is None else _in_unit(text, one, factor)
            dots.append(Dot(period.t, period.until, value, sign))
        lines = plot(
            dots,
            since_ms,
            until_ms,
            zone,
            columns=room,
            rows=_ROWS,
            decimals=factor.decimals,
        )
        head = titled(_named(factor), factor.unit, room, when)
        parts.append("\n".join([head, *(lines or [t("history.no_values")])]))
    key = [f"{sign} {t(f'history.mark.{mark}')}" for sign, mark in sorted(seen)]
    if any(NOTHING in part for part in parts):
        key.append(f"{NOTHING} {t('history.no_record')}")
    if key:
        parts.append(paint("   ".join(key), "dim"))
    return "\n\n".join(parts)


def tables(
    periods: Sequence[ShownPeriod],
    station: Station,
    kind: PeriodKind,
    factors: Sequence[Factor],
    zone: ZoneInfo,
    columns: int | None,
) -> str:
    """One factor with all its figures, or the means of several side by side."""
    if len(factors) == 1:
        return _one(periods, station, kind, factors[0], zone, columns)
    cells: list[list[str]] = []
    notes: dict[int, str] = {}
    for period, missing in _with_gaps(periods):
        if missing:
            notes[len(cells)] = _gap(missing, zone, kind)
            cells.append([""] * (len(factors) + 1))
            continue
        row = [_label(period.t, kind, zone)]
        for factor in factors:
            one = period.agg.get(factor.name)
            row.append("" if one is None else _mean(one, station.rules, factor))
        cells.append(row)
    heads = [t(f"history.column.{kind}")]
    heads += [f"{factor.name} {factor.unit}".strip() for factor in factors]
    parts = []
    for some in _groups(heads, cells, columns):
        picked = [[row[k] for k in some] for row in cells]
        right = range(1, len(some))
        parts.append(
            _noted(table([heads[k] for k in some], picked, right=right), notes)
        )
    return "\n\n".join([f"{paint(_station(station), 'bold')}", *parts])


def _one(
    periods: Sequence[ShownPeriod],
    station: Station,
    kind: PeriodKind,
    factor: Factor,
    zone: ZoneInfo,
    columns: int | None,
) -> str:
    known = [p.agg[factor.name] for p in periods if factor.name in p.agg]
    shown = [
        name
        for name in (*_FIGURES, *_NOISE)
        if any(getattr(one, name) is not None for one in known)
    ]
    rows: list[list[str]] = []
    notes: dict[int, str] = {}
    for period, missing in _with_gaps(periods):
        if missing:
            notes[len(rows)] = _gap(missing, zone, kind)
            rows.append([""] * (len(shown) + 4))
            continue
        one = period.agg.get(factor.name)
        figures = [(one and getattr(one, name)) or "" for name in shown]
        sign = mark_letter(one, station.rules) if one else ""
        rows.append(
            [
                _label(period.t, kind, zone),
                *figures,
                f"{one.n}/{one.of}" if one else "",
                paint(sign, "yellow") if sign else (one.flag if one else ""),
                _words(one, period, factor),
            ]
        )
    heads = [t(f"history.column.{kind}")]
    heads += [t(f"history.column.{name}") for name in shown]
    heads += [t(f"history.column.{name}") for name in ("parts", "flag", "remark")]
    right = range(1, len(shown) + 2)
    title = f"{_station(station)}  {_named(factor)}  {factor.unit}"
    if factor.cou_unit:
        title += f"  {t('history.total_in', unit=factor.cou_unit)}"
    body = table(heads, rows, right=right, cut=(len(heads) - 1,), columns=columns)
    return f"{paint(title, 'bold')}\n{_noted(body, notes)}"


def _noted(body: str, notes: dict[int, str]) -> str:
    """A table with some of its rows in words: they would widen its columns."""
    lines = body.split("\n")
    for row, words in notes.items():
        lines[row + 1] = words
    return "\n".join(lines)


def _words(one: Shown | None, period: ShownPeriod, factor: Factor) -> str:
    words = []
    if one is not None and (units := _other_units(one, factor)):
        words.append(t("history.in_unit", unit=units))
    if one is not None and one.mark != "valid":
        words.append(t(f"history.mark.{one.mark}"))
    if one is not None:
        lost = {m: n for m, n in one.marks.items() if m != "valid" and n}
        if lost and set(lost) != {one.mark}:
            parts = (f"{t(f'history.mark.{m}')} {n}" for m, n in lost.items())
            words.append(", ".join(parts))
    if period.rev:
        words.append(t("history.revised", rev=period.rev, reason=period.reason))
    return "; ".join(words)


def _mean(one: Shown, rules: str, factor: Factor) -> str:
    text = one.avg if one.avg is not None else (one.cou or "-")
    if units := _other_units(one, factor):
        text = f"{text} {units}"
    sign = mark_letter(one, rules)
    return paint(f"{text} {sign}", "yellow") if sign else f"{text}  "


def _other_units(one: Shown, factor: Factor) -> str:
    """The units it was worked out in, where the site file has others now."""
    told = [(one.unit, factor.unit), (one.cou_unit, factor.cou_unit or "")]
    return ", ".join(was for was, now in told if was not in ("", now))


def _in_unit(text: str, one: Shown, factor: Factor) -> float | None:
    """A figure in the unit of the chart; None: it cannot be drawn there."""
    total = one.avg is None
    was, now = (
        (one.cou_unit, factor.cou_unit or "") if total else (one.unit, factor.unit)
    )
    if was in ("", now):
        return float(text)
    try:
        return float(convert(Fraction(text), was, now))
    except UnitError:
        return None


def _with_gaps(
    periods: Sequence[ShownPeriod],
) -> Iterator[tuple[ShownPeriod, tuple[int, int, int] | None]]:
    """Each period; before it what is missing: from, until, how many."""
    before: ShownPeriod | None = None
    for period in periods:
        if before is not None and period.t > before.until:
            length = max(1, period.until - period.t)
            count = (period.t - before.until) // length
            yield period, (before.until, period.t, count)
        yield period, None
        before = period


def _groups(
    heads: Sequence[str], cells: Sequence[Sequence[str]], columns: int | None
) -> list[list[int]]:
    """Columns that fit beside the time, in as many tables as that takes."""
    widths = [
        max(display_width(row[k]) for row in (heads, *cells)) for k in range(len(heads))
    ]
    if columns is None:
        return [list(range(len(heads)))]
    groups: list[list[int]] = [[0]]
    used = widths[0]
    for k in range(1, len(heads)):
        if used + 2 + widths[k] > columns and len(groups[-1]) > 1:
            groups.append([0])
            used = widths[0]
        groups[-1].append(k)
        used += 2 + widths[k]
    return groups


def _gap(missing: tuple[int, int, int], zone: ZoneInfo, kind: PeriodKind) -> str:
    since, until, count = missing
    text = t(
        "history.gap",
        since=_label(since, kind, zone),
        until=_label(until, kind, zone),
        count=count,
    )
    return paint(text, "dim")


def _csv(
    periods: Sequence[ShownPeriod],
    station: Station,
    kind: PeriodKind,
    factors: Sequence[Factor],
    zone: ZoneInfo,
) -> None:
    out = csv.writer(sys.stdout, lineterminator="\n")
    figures = [
        name
        for name in (*_FIGURES, *_NOISE)
        if name in _FIGURES or station.kind == "noise"
    ]
    beside = ("n", "of", "flag", "mark")
    head = ("time", "station", "kind", "factor", "code", "unit", *figures)
    out.writerow([*head, "cou_unit", *beside, "rev", "reason"])
    for period in periods:
        for factor in factors:
            one = period.agg.get(factor.name)
            if one is None:
                continue
            at = datetime.fromtimestamp(period.t / 1000, UTC).astimezone(zone)
            first = (at.isoformat(), station.name, kind, factor.name, factor.code or "")
            values = ("" if (v := getattr(one, f)) is None else v for f in figures)
            others = (getattr(one, name) for name in beside)
            total = one.cou_unit or factor.cou_unit or ""
            tail = (total, *others, period.rev, period.reason)
            out.writerow([*first, one.unit or factor.unit, *values, *tail])


def _chosen(period: ShownPeriod, factors: Sequence[Factor]) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(period)
    plain["agg"] = {
        factor.name: {k: v for k, v in plain["agg"][factor.name].items() if v != {}}
        for factor in factors
        if factor.name in plain["agg"]
    }
    return plain


def _nothing(span: tuple[int, int] | None, zone: ZoneInfo) -> str:
    if span is None:
        return t("history.nothing_yet")
    since, until = (_time(at, zone) for at in span)
    return t("history.nothing_then", since=since, until=until)


def _named(factor: Factor) -> str:
    label = factor.label.get(language())
    return f"{factor.name} {label}" if label else factor.name


def _station(station: Station) -> str:
    label = station.label.get(language())
    return f"{station.name} {label}" if label else station.name


def _label(t_ms: int, kind: PeriodKind, zone: ZoneInfo) -> str:
    text = _time(t_ms, zone)
    return text[:10] if kind == "day" else text


def _time(t_ms: int, zone: ZoneInfo) -> str:
    at = datetime.fromtimestamp(t_ms / 1000, UTC).astimezone(zone)
    return f"{at:%Y-%m-%d %H:%M}"
