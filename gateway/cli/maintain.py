"""``ecogate maintain``: a device is worked on: who, why, until when.

ecogate maintain start so2-1 nox-1 --who 王工 --why "更换气路滤芯" --for 2h
ecogate maintain end so2-1 --who 王工
ecogate maintain list
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from gateway.cli.arguments import add_site, duration
from gateway.cli.exits import CliError, Exit
from gateway.cli.output import print_json, table
from gateway.cli.reach import connect
from gateway.cli.status import span
from gateway.control import ControlError
from gateway.judge.windows import KINDS
from gateway.texts import t

if TYPE_CHECKING:
    import argparse

_HEADS = ("device", "state", "who", "why", "since", "left")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``maintain start | end | list``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    start = actions.add_parser("start", help=t("maintain.help.start"))
    start.add_argument(
        "devices", nargs="+", metavar="DEVICE", help=t("maintain.help.devices")
    )
    start.add_argument(
        "--who", required=True, metavar="NAME", help=t("maintain.help.who")
    )
    start.add_argument(
        "--why", required=True, metavar="TEXT", help=t("maintain.help.why")
    )
    start.add_argument(
        "--for",
        dest="for_s",
        required=True,
        type=duration,
        metavar="TIME",
        help=t("maintain.help.for"),
    )
    start.add_argument(
        "--state", choices=KINDS, default=KINDS[0], help=t("maintain.help.state")
    )
    end = actions.add_parser("end", help=t("maintain.help.end"))
    end.add_argument(
        "devices", nargs="*", metavar="DEVICE", help=t("maintain.help.devices")
    )
    end.add_argument("--all", action="store_true", help=t("maintain.help.all"))
    end.add_argument("--who", metavar="NAME", help=t("maintain.help.who"))
    listed = actions.add_parser("list", help=t("maintain.help.list"))
    for action in (start, end, listed):
        add_site(action, positional=False)


def run(args: argparse.Namespace) -> int:
    """Ask the running gateway."""
    if args.action == "end" and bool(args.devices) == args.all:
        raise CliError(t("maintain.no_device_named"), Exit.USAGE)
    with connect(args) as client:
        try:
            found = client.call(f"maintain-{args.action}", **_fields(args))
        except ControlError as exc:
            raise CliError(str(exc), Exit.FAILED) from exc
    windows, zone = found["windows"], ZoneInfo(found["timezone"])
    if args.json:
        print_json(found)
    elif args.action == "list":
        _list(windows, zone)
    else:
        for window in windows:
            print(_said(args.action, window, zone))
    return Exit.OK


def _fields(args: argparse.Namespace) -> dict[str, Any]:
    if args.action == "start":
        options = {
            "who": args.who,
            "why": args.why,
            "for_s": args.for_s,
            "state": args.state,
        }
        return {"devices": args.devices, "options": options}
    if args.action == "end":
        devices = None if args.all else args.devices
        return {"devices": devices, "options": {"who": args.who or ""}}
    return {}


def _said(action: str, window: dict[str, Any], zone: ZoneInfo) -> str:
    return t(
        "maintain.started" if action == "start" else "maintain.ended",
        device=window["device"],
        state=t(f"state.{window['state']}"),
        until=_time(window["until"], zone),
    )


def _time(wall_ms: int, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(wall_ms / 1000, zone):%Y-%m-%d %H:%M:%S}"


def _list(windows: list[dict[str, Any]], zone: ZoneInfo) -> None:
    if not windows:
        print(t("maintain.none"))
        return
    rows = [
        [
            window["device"],
            t(f"state.{window['state']}"),
            window["who"],
            window["why"],
            _time(window["since"], zone),
            span(window["left_s"]),
        ]
        for window in windows
    ]
    print(table([t(f"maintain.head.{head}") for head in _HEADS], rows))
