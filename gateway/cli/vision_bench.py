"""``ecogate vision bench``: milliseconds a frame at one and two threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.cli.exits import CliError, Exit
from gateway.cli.output import print_json, table, terminal_columns
from gateway.cli.vision_child import lines
from gateway.cli.vision_model import add_model, as_json, declared, size
from gateway.texts import t

if TYPE_CHECKING:
    import argparse

_MOST_THREADS, _MOST_FRAMES = 16, 2000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``bench [--model FILE] [--threads N ...] [--frames N] [--picture WxH ...]``."""
    add = parser.add_argument
    add("--model", metavar="FILE", help=t("cli.vision.help.model"))
    add(
        "--threads",
        type=int,
        action="append",
        metavar="N",
        help=t("cli.vision.help.threads"),
    )
    add(
        "--frames",
        type=int,
        default=40,
        metavar="N",
        help=t("cli.vision.help.frames", default=40),
    )
    add(
        "--picture",
        action="append",
        metavar="WxH",
        help=t("cli.vision.help.picture"),
    )
    add_model(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, each number of threads in a child of its own, so that memory is its."""
    threads = args.threads or [1, 2]
    for name, value, most in [
        *(("--threads", n, _MOST_THREADS) for n in threads),
        ("--frames", args.frames, _MOST_FRAMES),
    ]:
        if not 1 <= value <= most:
            text = t("cli.vision.bad_number", name=name, found=value, most=most)
            raise CliError(text, Exit.USAGE)
    arguments = ["--frames", str(args.frames)]
    for picture in args.picture or []:
        arguments += ["--picture", *map(str, size(picture))]
    models = [as_json(declared(args, args.model, count)) for count in threads]
    found = [
        line
        for model in models
        for line in lines("bench", [*arguments, "--model", model])
    ]
    if args.json:
        print_json(found)
    else:
        print(told(found))
    return Exit.OK


_COLUMNS = (
    "threads",
    "picture",
    "fed",
    "p50",
    "p95",
    "prepare",
    "infer",
    "decode",
    "cpu",
    "memory",
)


def told(found: list[dict[str, Any]]) -> str:
    """The figures as a table."""
    rows = [
        [
            str(line["threads"]),
            "x".join(map(str, line["picture"])),
            "x".join(map(str, line["fed"])),
            *(
                f"{line[f'{name}_ms']:.1f}"
                for name in ("p50", "p95", "prepare", "infer", "decode", "cpu")
            ),
            f"{line['pss_bytes'] / 1e6:.0f} MB" if line["pss_bytes"] else "-",
        ]
        for line in found
    ]
    heads = [t(f"cli.vision.bench.{name}") for name in _COLUMNS]
    first = t("cli.vision.bench.head", model=found[0]["model"], head=found[0]["head"])
    numbers = range(3, len(_COLUMNS))
    return f"{first}\n{table(heads, rows, right=numbers, columns=terminal_columns())}"
