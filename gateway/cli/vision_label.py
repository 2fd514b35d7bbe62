"""``ecogate vision label``: what an alarm really was, and what that proposes.

ecogate vision label yard                        the alarms and the proposals
ecogate vision label yard last steam             the last alarm was steam
ecogate vision label yard 17 real                the one whose id ends with 17 was real

Nothing is changed but the note: proposals are for a person and the site file.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args
from zoneinfo import ZoneInfo

from gateway.cli.arguments import add_site
from gateway.cli.exits import CliError, Exit
from gateway.cli.output import paint, print_json, table, terminal_columns
from gateway.cli.reach import load
from gateway.cli.vision_child import lines
from gateway.texts import t
from vision.messages import ALARMS_FOLDER, Confounder

if TYPE_CHECKING:
    import argparse

WHATS = (*get_args(Confounder), "real")
_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``label CAMERA [ALARM WHAT]``."""
    add = parser.add_argument
    add("camera", metavar="CAMERA", help=t("cli.vision.label.help.camera"))
    add("alarm", nargs="?", metavar="ALARM", help=t("cli.vision.label.help.alarm"))
    add(
        "what",
        nargs="?",
        metavar="WHAT",
        help=t("cli.vision.label.help.what", whats=", ".join(WHATS)),
    )
    add_site(parser, positional=False)


def run(args: argparse.Namespace) -> int:
    """Note it, and say what the notes propose.

    Raises:
        CliError: No such camera, alarm or word.
    """
    if args.alarm is not None and args.what not in WHATS:
        whats = ", ".join(WHATS)
        text = t("cli.vision.label.bad_what", found=args.what or "-", whats=whats)
        raise CliError(text, Exit.USAGE)
    site = load(args)
    if args.camera not in site.cameras or site.vision is None:
        known = ", ".join(site.cameras) or t("config.word.none")
        text = t("cli.vision.no_camera", found=args.camera, known=known)
        raise CliError(text, Exit.USAGE)
    folder = Path(site.vision.evidence.folder) / ALARMS_FOLDER
    given = ["--folder", str(folder), "--camera", args.camera]
    if args.alarm is not None:
        given += ["--alarm", args.alarm, "--what", args.what]
    said = list(lines("label", given))
    if args.json:
        print_json(said)
        return Exit.OK
    print(told(said, ZoneInfo(site.cameras[args.camera].camera.timezone)))
    return Exit.OK


def told(said: list[dict[str, Any]], zone: ZoneInfo) -> str:
    """The alarms as a table, then each proposal as a sentence and lines of YAML."""
    parts = []
    for line in said:
        if line["kind"] == "labelled":
            what = t(f"vision.what.{line['what']}")
            parts.append(t("cli.vision.label.noted", id=line["id"], what=what))
    alarms = [line for line in said if line["kind"] == "alarm"]
    if not alarms:
        return t("cli.vision.label.no_alarms")
    heads = [
        t(f"cli.vision.label.{name}")
        for name in ("id", "time", "label", "peak", "region", "what")
    ]
    rows = [_row(line, zone) for line in alarms[-_SHOWN:]]
    parts.append(table(heads, rows, right=[3], columns=terminal_columns()))
    proposals = [line for line in said if line["kind"] == "proposal"]
    parts += [_proposal(line) for line in proposals]
    if proposals:
        parts.append(paint(t("cli.vision.label.yours"), "dim"))
    elif any(line["what"] for line in alarms):
        parts.append(paint(t("cli.vision.label.nothing"), "dim"))
    return "\n\n".join(parts)


def _row(line: dict[str, Any], zone: ZoneInfo) -> list[str]:
    at = datetime.fromtimestamp(line["t_ms"] / 1000, UTC).astimezone(zone)
    x0, y0, x1, y1 = (round(100 * side) for side in line["region"])
    return [
        line["id"],
        f"{at:%m-%d %H:%M:%S}",
        t(f"vision.label.{line['label']}"),
        f"{line['peak']:.2f}",
        f"{x0}–{x1} % × {y0}–{y1} %",
        t(f"vision.what.{line['what']}") if line["what"] else "",
    ]


def _proposal(line: dict[str, Any]) -> str:
    label = t(f"vision.label.{line['label']}") if line["label"] else ""
    whats = t("cli.vision.test.comma").join(
        t(f"vision.what.{w}") for w in line["whats"]
    )
    text = t(
        f"cli.vision.label.do_{line['do']}",
        label=label,
        threshold=line["threshold"],
        whats=whats,
        count=len(line["alarms"]),
    )
    cost = (
        paint(t("cli.vision.label.cost", ids=", ".join(line["lost"])), "yellow")
        if line["lost"]
        else t("cli.vision.label.free")
    )
    yaml = _yaml(line)
    return f"{paint('→ ', 'cyan')}{text}\n  {cost}" + (f"\n{yaml}" if yaml else "")


def _yaml(line: dict[str, Any]) -> str:
    """What to write below the camera in the site file."""
    match line["do"]:
        case "threshold":
            rule = f"{line['label']}: {{threshold: {line['threshold']}}}"
            return f"    rules:\n      {rule}"
        case "ignore":
            corners = ", ".join(f"[{x}, {y}]" for x, y in line["area"])
            name = f"{'-'.join(line['whats'])}"
            keys = f"use: ignore, labels: [{line['label']}], area: [{corners}]"
            return f"    zones:\n      {name}: {{{keys}}}"
        case "hold_night":
            return "    night: hold"
        case _:
            return ""
