"""What the actions of ``ecogate vision`` that open a model have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from gateway.cli.exits import CliError, Exit
from gateway.texts import t
from vision.messages import HEADS, LABELS, PIXELS, Model

if TYPE_CHECKING:
    import argparse

    from vision.messages import Label


def add_model(parser: argparse.ArgumentParser) -> None:
    """What is declared of a model: the same words as in a site file."""
    add = parser.add_argument
    add("--head", choices=HEADS, default="auto", help=t("cli.vision.help.head"))
    add(
        "--class",
        dest="classes",
        action="append",
        default=[],
        metavar="THEIRS=OURS",
        help=t("cli.vision.help.class", labels=", ".join(LABELS)),
    )
    add("--size", metavar="WxH", help=t("cli.vision.help.size"))
    add("--pixels", choices=PIXELS, default="auto", help=t("cli.vision.help.pixels"))


def declared(args: argparse.Namespace, path: str | None, threads: int = 1) -> Model:
    """What the command line declares of a model.

    Args:
        args: Of a parser with ``add_model``.
        path: The file; None: the model we ship.
        threads: It runs with.

    Raises:
        CliError: A class or a size that is none.
    """
    classes: dict[str, Label] = {}
    for word in args.classes:
        theirs, _, ours = word.rpartition("=")
        if not theirs or ours not in LABELS:
            labels = ", ".join(LABELS)
            raise CliError(
                t("cli.vision.bad_class", found=word, labels=labels), Exit.USAGE
            )
        classes[theirs] = ours
    return Model(
        path=path,
        head=args.head,
        pixels=args.pixels,
        classes=classes,
        size=size(args.size) if args.size else None,
        threads=threads,
    )


def as_json(model: Model) -> str:
    """How a child is told of a model."""
    return msgspec.json.encode(model).decode()


def size(text: str) -> tuple[int, int]:
    """Width and height of ``640x384``.

    Raises:
        CliError: Not two numbers.
    """
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and text.isascii()):
        raise CliError(t("cli.vision.bad_size", found=text), Exit.USAGE)
    return int(width), int(height)
