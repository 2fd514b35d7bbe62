"""What is declared of a model on a command line; the same words as in a site file."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, cast

from vision.messages import LABELS, Model

if TYPE_CHECKING:
    from vision.messages import Label


def add(parser: argparse.ArgumentParser) -> None:
    """``--head NAME --class THEIRS=OURS ... --size WxH --pixels KIND``."""
    parser.add_argument("--head", default="auto")
    parser.add_argument("--class", dest="classes", action="append", default=[])
    parser.add_argument("--size", type=pair, default=None)
    parser.add_argument("--pixels", default="auto")


def model_of(args: argparse.Namespace, path: str | None, threads: int = 1) -> Model:
    """The model as declared.

    Raises:
        SystemExit: A class that is not ``THEIRS=OURS``.
    """
    classes: dict[str, Label] = {}
    for word in args.classes:
        theirs, _, ours = word.rpartition("=")
        if not theirs or ours not in LABELS:
            raise SystemExit(2)
        classes[theirs] = cast("Label", ours)
    return Model(
        path=path,
        head=args.head,
        classes=classes,
        size=args.size,
        pixels=args.pixels,
        threads=threads,
    )


def pair(text: str) -> tuple[int, int]:
    """``640x384``."""
    width, _, height = text.partition("x")
    try:
        found = int(width), int(height)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected WxH, got {text!r}") from None
    if not all(1 <= side <= 8192 for side in found):  # noqa: PLR2004
        raise argparse.ArgumentTypeError(f"expected sides of 1..8192, got {text!r}")
    return found
