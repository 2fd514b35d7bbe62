"""What a person typed to start a simulator: its ``usage:`` begins with that."""

from __future__ import annotations

import os

_KIND = "ECOGATE_SIMULATE"
"""Set by ``ecogate simulate KIND``; what a simulator starts itself is not that."""


def typed(module: str) -> str:
    """The program's name for ``argparse``."""
    kind = os.environ.pop(_KIND, None)
    return f"ecogate simulate {kind}" if kind else f"python -m simulators.{module}"
