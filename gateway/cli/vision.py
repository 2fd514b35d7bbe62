"""``ecogate vision ACTION``: cameras, models and what they see.

An action is a module of this package with ``add_arguments(parser)`` and
``run(args) -> int``. What needs pictures or a model runs in a child,
``python -m vision VERB``: see ``vision_child``.
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import TYPE_CHECKING

from gateway.texts import t

if TYPE_CHECKING:
    import argparse

ACTIONS = {
    "run": "vision_run",
    "test": "vision_test",
    "score": "vision_score",
    "snapshot": "vision_snapshot",
    "bench": "vision_bench",
    "check-model": "vision_check",
    "label": "vision_label",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``vision run | test | score | snapshot | bench | check-model | label``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, module in ACTIONS.items():
        if find_spec(f"gateway.cli.{module}") is None:
            continue
        text = t(f"cli.vision.{name}")
        action = actions.add_parser(name, help=text, description=text)
        importlib.import_module(f"gateway.cli.{module}").add_arguments(action)


def run(args: argparse.Namespace) -> int:
    """Carry out the action."""
    module = importlib.import_module(f"gateway.cli.{ACTIONS[args.action]}")
    status: int = module.run(args)
    return status
