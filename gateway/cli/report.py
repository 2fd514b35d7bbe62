"""``ecogate report``: how much of what was due arrived and counts.

ecogate report day DA001                    yesterday
ecogate report day DA001 2026-11-21 --html report.html
ecogate report month DA001 2026-11 --csv > report.csv
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from gateway.cli.arguments import add_site
from gateway.cli.exits import CliError, Exit
from gateway.cli.history import station_of
from gateway.cli.memory import Memory
from gateway.cli.output import paint, print_json, table, terminal_columns
from gateway.cli.reach import load
from gateway.cli.when import moment
from gateway.config.model import Hj212Target
from gateway.report import calendar, page, sheet
from gateway.report.count import Counts, percent
from gateway.report.said import cause_said, remarks, state_said, when
from gateway.report.validity import Report, Sources, counted_kind, make
from gateway.texts import language, t

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from gateway.config.model import Site
    from gateway.config.stations import Station

_DAY_MS = 24 * 3_600_000
_AROUND_MS = 31 * _DAY_MS
"""A gap is kept at its end, a window at its begin and end: looked for so far around."""
_NUMBERS = ("expected", "acquired", "valid", "sent", "proved", "stopped")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``report day | month STATION [DATE]``."""
    lengths = parser.add_subparsers(dest="length", required=True, metavar="LENGTH")
    for length in ("day", "month"):
        one = lengths.add_parser(length, help=t(f"report.help.{length}"))
        one.add_argument("station", metavar="STATION", help=t("history.help.station"))
        one.add_argument("date", nargs="?", metavar="DATE", help=t("report.help.date"))
        one.add_argument("--target", metavar="TARGET", help=t("report.help.target"))
        form = one.add_mutually_exclusive_group()
        form.add_argument("--csv", action="store_true", help=t("report.help.csv"))
        form.add_argument("--html", metavar="FILE", help=t("report.help.html"))
        add_site(one, positional=False)


def run(args: argparse.Namespace) -> int:
    """Print or write the report."""
    site = load(args)
    station = station_of(site, args.station)
    zone, now_ms = ZoneInfo(site.info.timezone), time.time_ns() // 1_000_000
    usual = "yesterday" if args.length == "day" else "1d"
    day = calendar.local(moment(args.date or usual, zone, now_ms), zone).date()
    target = _target(site, station, args.target)
    since, until = calendar.bounds(args.length, day, zone)
    if since > now_ms:
        raise CliError(t("report.future"), Exit.USAGE)
    sources = _sources(site, station, args.length, since, until, target, now_ms)
    report = make(
        station,
        args.length,
        day,
        sources,
        timezone=site.info.timezone,
        now_ms=now_ms,
        target=target.name if target else None,
        proves=target is not None and target.answer,
    )
    if args.html:
        path = Path(args.html)
        path.write_text(page.page(report, _site(site)), "utf-8")
        print(t("report.written", path=path))
    elif args.csv:
        sheet.write(report, sys.stdout)
    elif args.json:
        print_json(msgspec.to_builtins(report))
    else:
        print("\n\n".join(_parts(report, zone, terminal_columns())))
        if args.date is None and args.length == "day" and not report.total.expected:
            print(t("report.try_today", station=station.name), file=sys.stderr)
    return Exit.OK


def _target(site: Site, station: Station, name: str | None) -> Hj212Target | None:
    """Whose proofs count: the one that was named, else the only one there is."""
    found = [
        target
        for target in site.targets.values()
        if isinstance(target, Hj212Target) and target.station == station.name
    ]
    names = ", ".join(target.name for target in found)
    if name is not None:
        target = next((one for one in found if one.name == name), None)
        if target is None:
            there = names or t("config.word.none")
            text = t("report.no_such_target", found=name, names=there)
            raise CliError(text, Exit.USAGE)
        return target
    if len(found) > 1:
        raise CliError(t("report.which_target", names=names), Exit.USAGE)
    return found[0] if found else None


def _sources(
    site: Site,
    station: Station,
    length: calendar.Length,
    since: int,
    until: int,
    target: Hj212Target | None,
    now_ms: int,
) -> Sources:
    memory, kind = Memory(site.buffer.path), counted_kind(length)
    span = memory.span(station.name, kind)
    devices = {factor.device for factor in station.factors}
    devices |= {factor.also.device for factor in station.factors if factor.also}
    later = min(until + _AROUND_MS, now_ms + _DAY_MS)
    events = [
        event
        for device in sorted(devices)
        for event in memory.events(device, since - _AROUND_MS, later)
    ]
    fates = []
    if target is not None:
        fates = memory.fates(target.name, station.name, kind, since, until)
    return Sources(
        periods=memory.periods(station.name, kind, since, until),
        fates=fates,
        events=events,
        first_ms=span[0] if span else None,
    )


def _parts(report: Report, zone: ZoneInfo, columns: int | None) -> Iterator[str]:
    at = calendar.local(report.since_ms, zone)
    day = f"{at:%Y-%m-%d}" if report.length == "day" else f"{at:%Y-%m}"
    label = report.label.get(language(), "")
    title = f"{t(f'report.title.{report.length}')} {day}  {report.station} {label}"
    yield paint(title.rstrip(), "bold") + f"  {report.target or ''}".rstrip()
    yield _summary(report)
    if notes := remarks(report, zone)[1:]:  # how it is counted: in the page, in docs
        yield "\n".join(paint(note, "dim") for note in notes)
    if amiss := _amiss(report, zone):
        yield f"{paint(t(f'report.amiss.{report.length}'), 'bold')}\n{amiss}"
    yield f"{paint(t('report.gaps'), 'bold')}\n{_gaps(report, zone, columns)}"
    yield f"{paint(t('report.declared'), 'bold')}\n{_declared(report, zone, columns)}"
    if report.others:
        yield f"{paint(t('report.others'), 'bold')}\n{_others(report, zone, columns)}"


def _summary(report: Report) -> str:
    heads = [t("report.column.factor")]
    heads += [t(f"report.column.{name}") for name in _NUMBERS]
    heads += [
        t(f"report.column.{n}") for n in ("transmission", "validity", "effective")
    ]
    rows = []
    for name, total in (
        *((f.name, f.total) for f in report.factors),
        (t("report.all_factors"), report.total),
    ):
        rates = total.transmission, total.validity, total.effective
        rows.append([name, *_counted(total), *map(percent, rates)])
    return table(heads, rows, right=range(1, len(heads)))


def _amiss(report: Report, zone: ZoneInfo) -> str:
    """Hours or days in which not everything that was due is valid and proved."""
    rows = []
    for factor in report.factors:
        for part in factor.parts:
            counts = part.counts
            wanted = counts.proved if report.target else counts.valid
            if counts.expected > min(counts.valid, wanted) or counts.stopped:
                at = calendar.local(part.since_ms, zone)
                name = f"{at:%H:%M}" if report.length == "day" else f"{at:%m-%d}"
                rows.append((part.since_ms, [name, factor.name, *_counted(counts)]))
    rows.sort(key=lambda row: row[0])
    heads = [t(f"report.column.{'hour' if report.length == 'day' else 'day'}")]
    heads += [t("report.column.factor")]
    heads += [t(f"report.column.{name}") for name in _NUMBERS]
    found = _merged([cells for _, cells in rows])
    return table(heads, found, right=range(2, len(heads))) if found else ""


def _merged(rows: list[list[str]]) -> list[list[str]]:
    """Factors of one hour that say the same share a row."""
    found: list[list[str]] = []
    for row in rows:
        for known in found:
            if known[0] == row[0] and known[2:] == row[2:]:
                known[1] += f", {row[1]}"
                break
        else:
            found.append(list(row))
    return found


def _gaps(report: Report, zone: ZoneInfo, columns: int | None) -> str:
    names = ("since", "until", "device", "factors", "cause", "slots")
    rows = [
        [
            when(gap.since_ms, zone),
            t("report.still") if gap.open else when(gap.until_ms, zone),
            gap.device,
            ", ".join(gap.factors),
            cause_said(gap.cause),
            f"{'' if gap.certain else '≤ '}{gap.slots}",
        ]
        for gap in report.gaps
    ]
    return _listed(names, rows, columns, right=(5,), cut=(3, 4))


def _declared(report: Report, zone: ZoneInfo, columns: int | None) -> str:
    names = ("since", "until", "device", "state", "who", "why")
    rows = [
        [
            when(one.since_ms, zone),
            t("report.still") if one.until_ms is None else when(one.until_ms, zone),
            one.device,
            state_said(one.state),
            one.who,
            one.why,
        ]
        for one in report.declared
    ]
    return _listed(names, rows, columns, cut=(5,))


def _others(report: Report, zone: ZoneInfo, columns: int | None) -> str:
    names = ("since", "until", "device", "happened")
    rows = [
        [
            when(one.t_ms, zone),
            "" if one.until_ms is None else when(one.until_ms, zone),
            one.device,
            one.text.get(language(), "") or one.type,
        ]
        for one in report.others
    ]
    return _listed(names, rows, columns, cut=(3,))


def _listed(
    names: tuple[str, ...],
    rows: list[list[str]],
    columns: int | None,
    *,
    right: tuple[int, ...] = (),
    cut: tuple[int, ...] = (),
) -> str:
    if not rows:
        return t("report.nothing")
    heads = [t(f"report.column.{name}") for name in names]
    return table(heads, rows, right=right, cut=cut, columns=columns)


def _counted(counts: Counts) -> list[str]:
    return [str(getattr(counts, name)) for name in _NUMBERS]


def _site(site: Site) -> str:
    return site.info.name.get(language(), "") or site.gateway
