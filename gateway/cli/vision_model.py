"""What the actions of ``ecogate vision`` that open a model have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args, get_type_hints

import msgspec

from gateway.cli.exits import CliError, Exit
from gateway.texts import t
from vision.messages import LABELS, Model

if TYPE_CHECKING:
    import argparse

_HINTS = get_type_hints(Model)
HEADS: tuple[str, ...] = get_args(_HINTS["head"])
PIXELS: tuple[str, ...] = get_args(_HINTS["pixels"])


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


def declared(args: argparse.Namespace) -> list[str]:
    """The arguments of the child.

    Raises:
        CliError: A class or a size that is none.
    """
    found = ["--head", args.head, "--pixels", args.pixels]
    for word in args.classes:
        theirs, _, ours = word.rpartition("=")
        if not theirs or ours not in LABELS:
            labels = ", ".join(LABELS)
            raise CliError(
                t("cli.vision.bad_class", found=word, labels=labels), Exit.USAGE
            )
        found += ["--class", word]
    if args.size:
        found += ["--size", size(args.size)]
    return found


def declared_model(args: argparse.Namespace) -> Model:
    """What ``--model`` and the rest declare, as a struct.

    Raises:
        CliError: A class or a size that is none.
    """
    declared(args)  # refuses what is no class or no size
    classes = dict(word.rpartition("=")[::2] for word in args.classes)
    width, _, height = (args.size or "").partition("x")
    return msgspec.convert(
        {
            "path": args.model,
            "head": args.head,
            "pixels": args.pixels,
            "classes": classes,
            "size": (int(width), int(height)) if args.size else None,
        },
        Model,
    )


def size(text: str) -> str:
    """A size as the child wants it.

    Raises:
        CliError: Not two numbers.
    """
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and text.isascii()):
        raise CliError(t("cli.vision.bad_size", found=text), Exit.USAGE)
    return text
