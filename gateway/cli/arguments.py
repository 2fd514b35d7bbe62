"""Arguments that several verbs share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli.exits import CliError, Exit
from gateway.texts import t

if TYPE_CHECKING:
    import argparse


def add_site(parser: argparse.ArgumentParser, *, positional: bool) -> None:
    """``[SITE]`` for verbs about the site itself, ``--site PATH`` for all others."""
    if positional:
        parser.add_argument("site", nargs="?", metavar="SITE", help=t("cli.help.site"))
    else:
        parser.add_argument("--site", metavar="PATH", help=t("cli.help.site"))


def duration(text: str) -> float:
    """Seconds of an argument such as ``10m``, for argparse's ``type``.

    Raises:
        argparse.ArgumentTypeError: In the language in force.
    """
    import argparse

    from drivers.profiles.units import UnitError, parse_duration

    try:
        return parse_duration(text)
    except UnitError as exc:
        bare = exc.code == "missing_unit"
        key = "config.duration_bare" if bare else "config.duration"
        raise argparse.ArgumentTypeError(t(key, found=text)) from exc


def site_path(args: argparse.Namespace) -> Path:
    """The site file meant: the argument, ECOGATE_SITE, or ./site.yaml.

    Raises:
        CliError: None of the three names a file.
    """
    path = site_path_if_any(args)
    if path is not None:
        return path
    raise CliError(t("cli.no_site"), Exit.USAGE)


def site_path_if_any(args: argparse.Namespace) -> Path | None:
    """The same for verbs that work without a site as well."""
    named = args.site or os.environ.get("ECOGATE_SITE")
    if named:
        return Path(named)
    usual = Path("site.yaml")
    return usual if usual.is_file() else None
