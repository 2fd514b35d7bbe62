"""How a verb reaches the running gateway: the site file names the data folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.cli.arguments import site_path
from gateway.cli.exits import CliError, Exit
from gateway.config import SiteError, load_site
from gateway.control import ControlClient, NotRunningError

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from gateway.config.model import Site


def load(args: argparse.Namespace) -> Site:
    """The site that the arguments name.

    Raises:
        CliError: The file is missing or wrong.
    """
    path = site_path(args)
    try:
        return load_site(path)
    except SiteError as exc:
        raise CliError(str(exc), Exit.USAGE) from exc


def data_folder(args: argparse.Namespace) -> Path:
    """Where the gateway of this site keeps its records."""
    return load(args).buffer.path


def connect(args: argparse.Namespace, timeout_s: float | None = None) -> ControlClient:
    """A connection to the gateway that runs this site.

    Raises:
        CliError: It does not run.
    """
    folder = data_folder(args)
    try:
        if timeout_s is None:
            return ControlClient.for_folder(folder)
        return ControlClient.for_folder(folder, timeout_s)
    except NotRunningError as exc:
        raise CliError(str(exc), Exit.UNREACHABLE) from exc
