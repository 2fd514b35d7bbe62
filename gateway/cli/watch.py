"""``ecogate watch``: records as the running gateway makes them, one line each."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.cli import words
from gateway.cli.arguments import add_site
from gateway.cli.exits import CliError, Exit
from gateway.cli.output import Style, display_width, paint, terminal_columns
from gateway.cli.reach import connect
from gateway.control import ControlError
from gateway.texts import language, t

if TYPE_CHECKING:
    import argparse

_SHOWN = 6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``watch [SITE] [--device NAME ...]``."""
    add_site(parser, positional=True)
    parser.add_argument(
        "--device",
        action="append",
        dest="devices",
        metavar="NAME",
        help=t("watch.help.device"),
    )


def run(args: argparse.Namespace) -> int:
    """Print records until Ctrl-C or the gateway's end; with ``--json`` a line each."""
    columns = terminal_columns()
    with connect(args) as client:
        try:
            for record in client.stream("watch", devices=args.devices):
                if args.json:
                    print(msgspec.json.encode(record).decode(), flush=True)
                else:
                    print(line(record, columns), flush=True)
        except ControlError as exc:
            status = Exit.USAGE if exc.code == "no_device" else Exit.UNREACHABLE
            raise CliError(str(exc), status) from exc
    return Exit.OK


def line(record: dict[str, Any], columns: int | None = None) -> str:
    """One record in one line: when, what, whose, and of what it says what fits."""
    at = record.get("t", 0)
    clock = time.strftime("%H:%M:%S", time.localtime(at / 1000))
    who = record.get("device") or record.get("station") or record.get("bus") or ""
    kind = record["kind"]
    head = f"{clock}.{at % 1000:03d}  {record['seq']:>8}  {kind:<5}  {who:<12}"
    room = None if columns is None else columns - display_width(head) - 2
    if kind == "scan":
        style, text = _scan(record, room)
    else:
        style, text = _SAY.get(kind, _other)(record)
    return f"{paint(head, 'dim')}  {paint(text, style)}"


def _scan(record: dict[str, Any], room: int | None) -> tuple[Style, str]:
    """What is wrong comes first and whole; values fill the room that is left."""
    values, flaws = record.get("values", {}), record.get("q", {})
    parts = []
    reasons = {reason for quality, reason in flaws.values()}
    if flaws:
        told = ", ".join(words.reason(reason) for reason in sorted(reasons))
        parts.append(t("watch.flawed", count=len(flaws), reasons=told))
    more = t("watch.more", count=len(values))
    if room is not None:
        room -= sum(display_width(part) + 2 for part in parts) + display_width(more)
    shown = 0
    for name, value in list(values.items())[:_SHOWN]:
        part = f"{name}={value}"
        if room is not None:
            room -= display_width(part) + 2
            if room < 0 and shown:
                break
        parts.append(part)
        shown += 1
    if shown < len(values):
        parts.append(t("watch.more", count=len(values) - shown))
    return ("green" if not flaws else "yellow" if values else "red"), "  ".join(parts)


def _gap(record: dict[str, Any]) -> tuple[Style, str]:
    cause = words.cause(record["cause"])
    return "red", t("watch.gap", slots=record["slots"], cause=cause)


def _lost(record: dict[str, Any]) -> tuple[Style, str]:
    return "red", t(
        "watch.lost",
        first=record["seq_from"],
        last=record["seq_to"],
        at_most=record["at_most"],
        cause=words.loss(record["cause"]),
    )


def _event(record: dict[str, Any]) -> tuple[Style, str]:
    return "cyan", record.get("text", {}).get(language(), record.get("type", ""))


def _period(record: dict[str, Any]) -> tuple[Style, str]:
    """Means with their flags; what is not valid comes first."""
    agg = record["agg"]
    flawed = [name for name, one in agg.items() if "mark" in one]
    names = [*flawed, *(name for name in agg if name not in flawed)]
    parts = [
        f"{name}={agg[name].get('avg', '-')} {agg[name].get('flag', '')}".rstrip()
        for name in names
    ]
    if record["rev"]:
        parts.insert(0, t("watch.again", rev=record["rev"]))
    return "yellow" if flawed else "green", "  ".join(parts)


def _other(record: dict[str, Any]) -> tuple[Style, str]:
    return "yellow", msgspec.json.encode(record).decode()


_SAY = {
    "gap": _gap,
    "lost": _lost,
    "event": _event,
    "minute": _period,
    "hour": _period,
    "day": _period,
}
