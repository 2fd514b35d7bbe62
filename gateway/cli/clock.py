"""``ecogate clock``: is the time right, who says so, what waits for it, what to do.

ecogate clock            how it stands
ecogate clock confirm    the system clock of this machine is right: take my word
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.cli.arguments import add_site
from gateway.cli.exits import CliError, Exit
from gateway.cli.output import Style, paint, print_json
from gateway.cli.reach import connect
from gateway.cli.status import span
from gateway.control import ControlError
from gateway.events import utc_text
from gateway.texts import t

if TYPE_CHECKING:
    import argparse

_STYLES: dict[str, Style] = {"trusted": "green", "held": "yellow", "doubted": "yellow"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``clock [confirm]``."""
    parser.add_argument(
        "action", nargs="?", choices=("confirm",), help=t("clock.help.confirm")
    )
    add_site(parser, positional=False)


def run(args: argparse.Namespace) -> int:
    """Print how it stands; exit status 1 where the time is not trusted."""
    command = "clock-confirm" if args.action else "clock"
    with connect(args) as client:
        try:
            found = client.call(command)
        except ControlError as exc:
            status = Exit.FAILED if args.action else Exit.UNREACHABLE
            raise CliError(str(exc), status) from exc
    if args.json:
        print_json(found)
    else:
        print(report(found))
    return Exit.OK if found["state"] == "trusted" else Exit.FAILED


def report(found: dict[str, Any]) -> str:
    """The answer for people, and what to do where the time is not right."""
    state, source = found["state"], found["source"]
    head = t(f"clock.state.{state}", source=t(f"clock.source.{source or 'none'}"))
    lines = [paint(head, _STYLES.get(state, "red")), *_facts(found)]
    if found["records_wait"]:
        lines.append(t("clock.wait", count=found["records_wait"]))
        left_s = found["wait_left_s"]
        key = "clock.wait_forever" if left_s is None else "clock.wait_left"
        lines.append(t(key, left=span(max(0.0, left_s or 0.0))))
    elif found["estimated"]:
        lines.append(t("clock.estimated"))
    if state in {"unknown", "held"}:
        lines += ["", t("clock.remedy")]
    return "\n".join(lines)


def _facts(found: dict[str, Any]) -> list[str]:
    facts = [t("clock.ours", time=utc_text(found["now_ms"]))]
    if found["offset_ms"]:
        facts.append(t("clock.offset", offset=f"{found['offset_ms'] / 1000:+.3f}"))
    if found["state"] != "trusted":
        facts.append(t("clock.floor", time=utc_text(found["floor_ms"])))
    return facts
