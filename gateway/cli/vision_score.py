"""``ecogate vision score PICTURE ...``: what the model sees in each picture by itself.

ecogate vision score DCIM/                     every picture below, and a sum
ecogate vision score a.jpg b.png --json        one object a picture
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from gateway.cli.exits import Exit
from gateway.cli.output import paint, print_json
from gateway.cli.vision_child import lines
from gateway.cli.vision_model import add_model, as_json, declared
from gateway.texts import t
from vision.messages import LABELS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``score PICTURE ... [--model ONNX]``."""
    add = parser.add_argument
    add("paths", metavar="PICTURE", nargs="+", help=t("cli.vision.score.help.paths"))
    add("--model", metavar="ONNX", help=t("cli.vision.help.model"))
    add_model(parser)


def run(args: argparse.Namespace) -> int:
    """Score the pictures; nothing of one is known when the next is looked at."""
    model = as_json(declared(args, args.model))
    said = lines("score", ["--model", model, "--", *args.paths])
    if args.json:
        print_json(list(said))
        return Exit.OK
    for text in told(said):
        print(text, flush=True)
    return Exit.OK


def told(said: Iterator[dict[str, Any]]) -> Iterator[str]:
    """The child's lines in words, as they come, and a sum."""
    pictures, over, unread = 0, Counter[str](), 0
    for line in said:
        if line["kind"] == "began":
            yield _began(line)
        elif "scores" not in line:
            unread += 1
            why = t(line["key"], **line["args"])
            yield paint(t("cli.vision.score.unread", file=line["file"], why=why), "red")
        else:
            pictures += 1
            over.update(line["over"])
            yield _picture(line)
    sums = ", ".join(f"{t(f'vision.label.{x}')} {over[x]}" for x in LABELS)
    done = t("cli.vision.score.done", pictures=pictures, sums=sums, unread=unread)
    yield paint(done, "bold")


def _began(line: dict[str, Any]) -> str:
    limits = ", ".join(
        f"{t(f'vision.label.{label}')} ≥ {value:.2f}"
        for label, value in line["thresholds"].items()
    )
    note = "" if line["calibrated"] else "\n" + t("cli.vision.score.uncalibrated")
    return f"{paint(line['model'], 'bold')}  {limits}{note}"


def _picture(line: dict[str, Any]) -> str:
    scores = "  ".join(
        paint(f"{line['scores'][x]:.2f}", "red")
        if x in line["over"]
        else f"{line['scores'][x]:.2f}"
        for x in LABELS
    )
    found = ", ".join(t(f"vision.label.{x}") for x in line["over"])
    return f"{scores}  {line['file']}  {paint(found, 'red') if found else ''}".rstrip()
