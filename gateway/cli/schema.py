"""``ecogate schema``: the site file's JSON Schema, on standard output."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gateway.cli.exits import Exit

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(args: argparse.Namespace) -> int:
    """Print it; the same text whatever the language in force."""
    from gateway.config.schema import site_schema

    del args
    print(json.dumps(site_schema(), ensure_ascii=False, indent=2))
    return Exit.OK
