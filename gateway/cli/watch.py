"""``ecogate watch``: records as the running gateway makes them, one line each."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.cli.arguments import add_site
from gateway.cli.exits import CliError, Exit
from gateway.cli.output import Style, paint
from gateway.cli.reach import connect
from gateway.control import ControlError
from gateway.texts import known, language, t

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
    """Print records until Ctrl-C or the gateway's end."""
    with connect(args) as client:
        try:
            for record in client.stream("watch", devices=args.devices):
                if args.json:
                    print(msgspec.json.encode(record).decode(), flush=True)
                else:
                    print(line(record), flush=True)
        except ControlError as exc:
            raise CliError(str(exc), Exit.UNREACHABLE) from exc
    return Exit.OK


def line(record: dict[str, Any]) -> str:
    """One record in one line: when, what, whose, and what it says."""
    at = record.get("t", 0)
    clock = time.strftime("%H:%M:%S", time.localtime(at / 1000))
    who = record.get("device") or record.get("bus") or ""
    kind = record["kind"]
    style, text = _SAY.get(kind, _other)(record)
    head = f"{clock}.{at % 1000:03d}  {record['seq']:>8}  {kind:<5}  {who:<12}"
    return f"{paint(head, 'dim')}  {paint(text, style)}"


def _scan(record: dict[str, Any]) -> tuple[Style, str]:
    values, flaws = record.get("values", {}), record.get("q", {})
    parts = [f"{name}={value}" for name, value in list(values.items())[:_SHOWN]]
    if len(values) > _SHOWN:
        parts.append(t("watch.more", count=len(values) - _SHOWN))
    reasons = {reason for quality, reason in flaws.values()}
    if flaws:
        words = ", ".join(_reason(reason) for reason in sorted(reasons))
        parts.append(t("watch.flawed", count=len(flaws), reasons=words))
    return ("green" if not flaws else "yellow" if values else "red"), "  ".join(parts)


def _gap(record: dict[str, Any]) -> tuple[Style, str]:
    cause = _reason(record["cause"])
    return "red", t("watch.gap", slots=record["slots"], cause=cause)


def _event(record: dict[str, Any]) -> tuple[Style, str]:
    return "cyan", record.get("text", {}).get(language(), record.get("type", ""))


def _other(record: dict[str, Any]) -> tuple[Style, str]:
    return "yellow", msgspec.json.encode(record).decode()


def _reason(word: str) -> str:
    key = f"reason.{word}"
    return t(key) if known(key) else word


_SAY = {"scan": _scan, "gap": _gap, "event": _event}
