"""``ecogate simulate``: start a simulator, as a child with a process of its own.

The gateway imports no simulator; this only starts ``python -m simulators.KIND`` and
hands it the rest of the command line.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from importlib.util import find_spec

from gateway.cli.exits import CliError, Exit
from gateway.texts import language, t

KINDS = (
    "modbus",
    "dlt645",
    "hj212",
    "hj212-platform",
    "line",
    "broker",
    "proxy",
    "platform",
    "gateways",
    "subscribers",
    "analyzers",
    "receivers",
    "site",
    "camera",
)
_WRITES_NMEA = ("receivers", "site")
"""Their sentences are another hand's (extra ``demo``); the gateway does without it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``simulate KIND [options of that simulator ...]``."""
    parser.add_argument("kind", choices=KINDS, help=t("simulate.help.kind"))
    parser.add_argument(
        "rest", nargs=argparse.REMAINDER, metavar="...", help=t("simulate.help.rest")
    )


def run(args: argparse.Namespace) -> int:
    """Run the simulator until it ends or Ctrl-C; its exit status is ours."""
    if args.kind in _WRITES_NMEA and find_spec("pynmea2") is None:
        raise CliError(t("simulate.missing_extra", kind=args.kind))
    if args.kind == "camera" and find_spec("cv2") is None:
        raise CliError(t("simulate.missing_vision"))
    # --json and --lang were taken out for all verbs; who knows them gets them back.
    common = ["--json"] if args.json and args.kind == "platform" else []
    if args.kind == "hj212-platform":
        common = ["--lang", language()]
    module = f"simulators.{args.kind.replace('-', '_')}"
    # Ctrl-C reaches the child as well (same terminal): it prints its summary and ends,
    # and we wait for that instead of dying first.
    ignored = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        child = subprocess.Popen(
            # -P: a http.py in the current folder must not stand in for Python's.
            [sys.executable, "-P", "-m", module, *args.rest, *common],
            env=os.environ | {"ECOGATE_SIMULATE": args.kind},
            preexec_fn=_heed_interrupts,  # noqa: PLW1509 - no thread runs here yet
        )
        status = child.wait()
    finally:
        signal.signal(signal.SIGINT, ignored)
    return Exit.INTERRUPTED if status == -signal.SIGINT else abs(status)


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
