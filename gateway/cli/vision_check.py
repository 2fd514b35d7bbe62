"""``ecogate vision check-model FILE``: whether a model of one's own can be used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.cli.exits import Exit
from gateway.cli.output import pad, paint, print_json
from gateway.cli.vision_child import lines
from gateway.cli.vision_model import add_model, as_json, declared
from gateway.texts import t

if TYPE_CHECKING:
    import argparse

_KEYS = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``check-model FILE [--head NAME] [--class THEIRS=OURS ...] [--size WxH]``."""
    parser.add_argument("file", metavar="FILE", help=t("cli.vision.help.file"))
    add_model(parser)


def run(args: argparse.Namespace) -> int:
    """Say what it is, or why not."""
    for found in lines("check-model", [as_json(declared(args, args.file))]):
        if args.json:
            print_json(found)
        else:
            print(told(found))
    return Exit.OK


def told(found: dict[str, Any]) -> str:
    """A model for a person."""
    width, height = found["size"]
    head = "cli.vision.model.declared" if found["declared"] else "cli.vision.model.seen"
    form = "cli.vision.model.free" if found["free"] else "cli.vision.model.fixed"
    classes = ", ".join(f"{a} → {b}" for a, b in found["classes"].items())
    if found["unused"]:
        rest = ", ".join(found["unused"][:20])
        classes += "; " + t("cli.vision.model.unused", names=rest)
    rows = [
        ("file", f"{found['path']}  {found['bytes'] / 1e6:.2f} MB"),
        ("sha256", found["sha256"]),
        ("head", t(head, head=found["head"])),
        ("input", t(form, size=f"{width}x{height}", pixels=found["pixels"])),
        ("classes", classes),
        *(
            (key, ", ".join(f"{a} {b:g}" for a, b in found[key].items()))
            for key in ("thresholds", "rises", "alone")
        ),
        ("ms", t("cli.vision.model.ms_frame", ms=f"{found['ms']:.1f}")),
    ]
    if found["licence"]:
        rows.append(("licence", found["licence"]))
    said = [
        f"{pad(t(f'cli.vision.model.{key}'), _KEYS)} {value}" for key, value in rows
    ]
    said += [
        paint("! ", "yellow") + t(f"cli.vision.note.{note}") for note in found["notes"]
    ]
    said.append(paint(t("cli.vision.model.usable"), "green"))
    return "\n".join(said)
