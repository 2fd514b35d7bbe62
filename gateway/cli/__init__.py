"""The command line, one file a verb.

A verb is a module of this package with ``add_arguments(parser)`` and
``run(args) -> int``. Only the chosen one is imported, so that ``--help`` is quick; a
verb whose module is not there is not offered.
"""

from __future__ import annotations

import importlib
import os
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from gateway.cli.exits import CliError, Exit
from gateway.texts import set_language, t

if TYPE_CHECKING:
    from collections.abc import Sequence

VERBS = (
    "run",
    "check",
    "schema",
    "apply",
    "read",
    "watch",
    "status",
    "find",
    "decode",
    "doctor",
    "measure",
    "maintain",
    "history",
    "report",
    "clock",
    "buffer",
    "profile",
    "vision",
    "simulate",
    "demo",
)


def available() -> tuple[str, ...]:
    """The verbs that can be used, in the order people meet them."""
    return tuple(verb for verb in VERBS if find_spec(f"gateway.cli.{verb}"))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is one of ``Exit``."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(arguments)
    except CliError as exc:
        print(f"ecogate: {exc}", file=sys.stderr)
        return exc.status
    except KeyboardInterrupt:
        print(t("cli.interrupted"), file=sys.stderr)
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has seen enough. Python would complain once more
        # when it flushes standard output at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILED


def _run(arguments: list[str]) -> int:
    from gateway.cli.parser import build, common_options

    common, rest = common_options(arguments)
    set_language(common.lang)
    verbs = available()
    chosen = next((word for word in rest if word in verbs), None)
    parser, verb_parser = build(verbs, chosen)
    module = None
    if chosen is not None and verb_parser is not None:
        module = importlib.import_module(f"gateway.cli.{chosen}")
        module.add_arguments(verb_parser)
    args = parser.parse_args(rest)
    args.lang, args.json = common.lang, common.json
    if module is None:
        parser.print_help()
        return Exit.USAGE
    status: int = module.run(args)
    return status
