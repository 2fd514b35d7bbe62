"""``ecogate status --deliveries``: what each platform has of what was scheduled.

Three tables: targets; devices and hours; what was set aside. Hours of a device that
follow each other with nothing amiss share a row, so that trouble stands out.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec

from gateway.bookkeeper import HourLine
from gateway.cli.output import clip, display_width, paint, table, terminal_columns
from gateway.cli.status import span, state
from gateway.spread import HOUR_MS
from gateway.texts import t

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gateway.cli.output import Style

LANES = ("event", "live", "backfill")
WRITTEN = "~"
"""Beside a number of records: handed over, and nobody says that they arrived."""
_ASIDE_SHOWN = 20
_NAME_LEAST = 8
"""Columns that a platform's name keeps above its numbers where there is little room."""
_DAY = timedelta(days=1)


class Deliveries(msgspec.Struct):
    """The answer of the control socket."""

    now_ms: int
    tz: str
    hours: int
    targets: list[dict[str, Any]]
    """Health of each, see ``uplink.pump``."""
    lines: list[HourLine]


def well(found: Deliveries) -> bool:
    """Whether every target is connected and nothing was lost or set aside."""
    return all(
        target["state"] == "online" and not target["set_aside"]
        for target in found.targets
    ) and not any(line.lost or line.unsure for line in found.lines)


def report(found: Deliveries) -> str:
    """All of it, for people."""
    zone = ZoneInfo(found.tz)
    parts = [
        paint(t("deliveries.head", hours=found.hours, tz=found.tz), "bold"),
        _targets(found),
        _hours(found, zone),
    ]
    if aside := list(_aside(found.targets, zone)):
        parts.append(_aside_table(aside))
    return "\n\n".join(part for part in parts if part)


def _targets(found: Deliveries) -> str:
    sums: defaultdict[str, defaultdict[str, int]]
    sums = defaultdict(lambda: defaultdict(int))
    for line in found.lines:
        for name, counts in line.targets.items():
            for fate, count in counts.items():
                sums[name][fate] += count
    rows = []
    for target in found.targets:
        counts, lanes = sums[target["target"]], target.get("lanes", {})
        oldest = target.get("oldest_t_ms")
        awaiting = target.get("awaiting_receipt")
        rows.append(
            (
                target["target"],
                state(target["state"]),
                *(_number(lanes.get(lane, 0), "yellow") for lane in LANES),
                "-" if oldest is None else span(max(0, found.now_ms - oldest) / 1000),
                str(counts["sent"]),
                str(counts["proved"]),
                _number(target["set_aside"], "red"),
                str(counts["filtered"]),
                str(counts["written"]),
                "-" if awaiting is None else str(awaiting),
                _number(lanes.get("media", 0), "yellow"),
            )
        )
    heads = ("target", "state", *LANES, "oldest", "sent", "proved")
    seldom = ("set_aside", "filtered", "written", "awaiting", "media")
    always = len(heads)
    shown = [
        column
        for column in range(always + len(seldom))
        if column < always or any(row[column] not in {"0", "-"} for row in rows)
    ]
    return table(
        [_heads(*heads, *seldom)[column] for column in shown],
        [[row[column] for column in shown] for row in rows],
        right=range(2, len(shown)),
        cut=(0, 1),
        columns=terminal_columns(),
    )


def _hours(found: Deliveries, zone: ZoneInfo) -> str:
    if not found.lines:
        return ""
    names = [target["target"] for target in found.targets]
    by_device: defaultdict[str, list[HourLine]] = defaultdict(list)
    for line in found.lines:
        by_device[line.device].append(line)
    rows = []
    for device in sorted(by_device, key=lambda name: (not name, name)):
        shown = device or paint(t("deliveries.gateway"), "dim")
        for run in _runs(by_device[device], names):
            rows.append((shown, _when(run, zone), *_cells(run, names)))
            shown = ""
    heads = ("device", "hour", "scheduled", "value", "bad", "gap", "records", "lost")
    room = terminal_columns()
    made = ""
    for longest in (None, _NAME_LEAST):
        titles = [name if longest is None else clip(name, longest) for name in names]
        made = table(
            [*_heads(*heads), *(f"→ {title}" for title in titles)],
            rows,
            right=range(2, len(heads) + len(names)),
            cut=(0,),
            columns=room,
        )
        if room is None or display_width(made.split("\n", 1)[0]) <= room:
            break
    notes = [t("deliveries.of")]
    if any(line.incomplete for line in found.lines):
        notes.append(t("deliveries.incomplete"))
    if any(_written(found.lines, name) for name in names):
        notes.append(t("deliveries.written"))
    return "\n".join([made, *(paint(f"  {note}", "dim") for note in notes)])


def _runs(lines: Iterable[HourLine], names: Sequence[str]) -> Iterator[list[HourLine]]:
    """Hours that follow each other and are alike together, others alone."""
    run: list[HourLine] = []
    for line in lines:
        if run and not (
            (alike := _pattern(line, names)) is not None
            and alike == _pattern(run[-1], names)
            and line.t == (run[-1].t or 0) + HOUR_MS
        ):
            yield run
            run = []
        run.append(line)
    if run:
        yield run


def _pattern(line: HourLine, names: Sequence[str]) -> tuple[bool, ...] | None:
    """By target whether it has all of it; None: it has some, or something is amiss."""
    amiss = line.bad or line.gap or line.lost or line.unsure or line.incomplete
    fates = [_fates(line, name) for name in names]
    some = any(0 < proved < wanted for proved, wanted in fates)
    refused = any(counts.get("refused") for counts in line.targets.values())
    if line.t is None or amiss or some or refused:
        return None
    return tuple(proved == wanted for proved, wanted in fates)


def _fates(line: HourLine, name: str) -> tuple[int, int]:
    """Records a target has, and records it wants: no fewer, whatever a kill took.

    What was written to a target that proves nothing counts here, and is marked.

    What no clock dated is dropped once told: its records may count as proved or
    filtered later, in a row that no longer knows them.
    """
    counts = line.targets.get(name, {})
    proved = counts.get("proved", 0) + counts.get("written", 0)
    return proved, max(line.records - counts.get("filtered", 0), proved)


def _written(run: Iterable[HourLine], name: str) -> bool:
    """Whether anything was handed to a target that proves nothing."""
    return any(line.targets.get(name, {}).get("written") for line in run)


def _cells(run: list[HourLine], names: Sequence[str]) -> Iterator[str]:
    yield str(sum(line.scheduled for line in run))
    yield str(sum(line.value for line in run))
    yield _number(sum(line.bad for line in run), "yellow")
    yield _number(sum(line.gap for line in run), "yellow")
    yield str(sum(line.records for line in run))
    lost, unsure = (sum(getattr(line, n) for line in run) for n in ("lost", "unsure"))
    some = f"{lost}+≤{unsure}" if unsure else str(lost)
    yield paint(some, "red") if lost or unsure else "0"
    for name in names:
        fates = [_fates(line, name) for line in run]
        proved, wanted = (sum(each) for each in zip(*fates, strict=True))
        refused = sum(line.targets.get(name, {}).get("refused", 0) for line in run)
        mark = WRITTEN if _written(run, name) else ""
        if not wanted and not proved:
            yield "-"
        elif proved == wanted:
            yield paint(f"{proved}{mark}", "dim" if mark else "green")
        else:
            text = f"{proved}{mark}/{wanted}"
            yield paint(text, "red" if refused else "yellow")


def _when(run: list[HourLine], zone: ZoneInfo) -> str:
    first, last = run[0], run[-1]
    if first.t is None or last.t is None:
        return t("deliveries.undated")
    start, end = _local(first.t, zone), _local(last.t + HOUR_MS, zone)
    mark = "*" if any(line.incomplete for line in run) else ""
    until = f"{end:%H:%M}" if end - start < _DAY else f"{end:%m-%d %H:%M}"
    return f"{start:%m-%d %H:%M}-{until}{mark}"


def _aside(
    targets: Iterable[dict[str, Any]], zone: ZoneInfo
) -> Iterator[tuple[str, ...]]:
    for target in targets:
        for one in list(target.get("aside", ()))[-_ASIDE_SHOWN:]:
            yield (
                target["target"],
                str(one["seq"]),
                one["device"] or "-",
                f"{_local(one['t_ms'], zone):%m-%d %H:%M:%S}",
                str(one["size"]),
                one["reason"],
            )


def _aside_table(rows: list[tuple[str, ...]]) -> str:
    heads = ("target", "seq", "device", "time", "bytes", "reason")
    title = paint(t("deliveries.aside"), "bold")
    made = table(
        _heads(*heads), rows, right=(1, 4), cut=(5, 0, 2), columns=terminal_columns()
    )
    return f"{title}\n{made}"


def _heads(*names: str) -> list[str]:
    return [t(f"deliveries.column.{name}") for name in names]


def _number(count: int, style: Style) -> str:
    return paint(str(count), style) if count else "0"


def _local(ms: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone)
