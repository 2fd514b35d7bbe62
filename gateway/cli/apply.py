"""``ecogate apply``: put a site file in force, with automatic return.

ecogate apply NEW --confirm-within 10m    in force now, gone again unless confirmed
ecogate apply --confirm                   keep it: the site file is replaced
ecogate apply --revert                    go back now, or to the version before
ecogate apply NEW                         replace the site file and reload at once
"""

from __future__ import annotations

import argparse
import errno
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.profiles.units import format_duration
from gateway.cli.arguments import add_site, duration, site_path
from gateway.cli.check import report_errors
from gateway.cli.exits import CliError, Exit
from gateway.cli.output import paint, print_json
from gateway.config import SiteError, load_problems, load_site
from gateway.config.staging import Staging
from gateway.control import ControlClient, ControlError, NotRunningError
from gateway.reload import compare
from gateway.texts import t

if TYPE_CHECKING:
    from gateway.config.model import Site

_SHORTEST_S, _LONGEST_S = 5.0, 86_400.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``NEW --confirm-within 10m``, ``--confirm`` or ``--revert``."""
    parser.add_argument("new", nargs="?", metavar="NEW", help=t("apply.help.new"))
    add_site(parser, positional=False)
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--confirm-within", metavar="10m", type=_within, help=t("apply.help.within")
    )
    what.add_argument("--confirm", action="store_true", help=t("apply.help.confirm"))
    what.add_argument("--revert", action="store_true", help=t("apply.help.revert"))


def run(args: argparse.Namespace) -> int:
    """Do one of the four; exit status 3 where a trial needs a running gateway."""
    if (args.new is None) != (args.confirm or args.revert):
        raise CliError(t("apply.which"), Exit.USAGE)
    site_file = site_path(args)
    site = _load(site_file)
    try:
        if args.confirm:
            return _confirm(args, site, site_file)
        if args.revert:
            return _revert(args, site, site_file)
        return _apply(args, site, site_file)
    except ControlError as exc:
        if isinstance(exc, NotRunningError):
            raise CliError(str(exc), Exit.UNREACHABLE) from exc
        raise CliError(str(exc)) from exc
    except OSError as exc:
        what = t("apply.cannot_write", file=exc.filename, error=exc.strerror)
        raise CliError(what) from exc


def _apply(args: argparse.Namespace, old: Site, site_file: Path) -> int:
    new_file = Path(args.new)
    same = new_file.exists() and site_file.exists() and new_file.samefile(site_file)
    if same and args.confirm_within is not None:
        raise CliError(t("apply.same_file", file=site_file), Exit.USAGE)
    new, problems = load_problems(new_file, folder=site_file.absolute().parent)
    report_errors(new_file, problems)
    if new is None:
        return Exit.USAGE
    change = compare(old, new)
    if change.refused and not same:
        raise CliError(change.refusal())
    staging = Staging(old.buffer.path)
    content = new_file.read_bytes()
    if args.confirm_within is not None:
        within_s: float = args.confirm_within
        with ControlClient.for_folder(old.buffer.path) as client:
            staging.stage(content)
            result = client.call("try", within_s=within_s)
        within = format_duration(within_s)
        _say(args, "trial", result["changes"], t("apply.on_trial", within=within))
        return Exit.OK
    if not same:
        staging.put_in_force(site_file, content, datetime.now(UTC))
    return _reloaded(args, old, change.said(), site_file)


def _confirm(args: argparse.Namespace, site: Site, site_file: Path) -> int:
    staging = Staging(site.buffer.path)
    folder = site_file.absolute().parent
    if not os.access(folder, os.W_OK):
        # Seen before the trial ends: else it would run on, and be gone at a restart.
        raise CliError(
            t("apply.cannot_write", file=folder, error=os.strerror(errno.EACCES))
        )
    with ControlClient.for_folder(site.buffer.path) as client:
        # Read and written only once the gateway says that this is what runs.
        client.call("keep")
        staging.put_in_force(site_file, staging.trial.read_bytes(), datetime.now(UTC))
        client.call("reload")
    staging.drop()
    _say(args, "kept", [], t("apply.kept", file=site_file))
    return Exit.OK


def _revert(args: argparse.Namespace, site: Site, site_file: Path) -> int:
    """End the trial; where none runs, the version before comes back."""
    staging = Staging(site.buffer.path)
    try:
        with ControlClient.for_folder(site.buffer.path) as client:
            result = client.call("return")
    except ControlError as exc:
        if exc.code not in ("no_trial", "not_running"):
            raise
    else:
        staging.drop()
        _say(args, "returned", result["changes"], t("apply.returned"))
        return Exit.OK
    version = staging.previous(site_file)
    if version is None:
        raise CliError(t("apply.no_version", folder=staging.folder))
    try:
        before = load_site(
            staging.folder / version.name, folder=site_file.absolute().parent
        )
    except SiteError as exc:
        raise CliError(str(exc), Exit.USAGE) from exc
    change = compare(site, before)
    content = staging.read(version)
    staging.put_in_force(site_file, content, datetime.now(UTC))
    when = version.until.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    if not args.json:
        print(t("apply.version_back", until=when))
    return _reloaded(args, site, change.said(), site_file)


def _reloaded(
    args: argparse.Namespace, old: Site, changes: list[str], site_file: Path
) -> int:
    """Have the running gateway read its file; without one the file is all there is."""
    try:
        with ControlClient.for_folder(old.buffer.path) as client:
            changes = client.call("reload")["changes"]
    except NotRunningError:
        _say(args, "written", changes, t("apply.written", file=site_file))
        return Exit.OK
    _say(args, "applied", changes, t("apply.applied", file=site_file))
    return Exit.OK


def _say(
    args: argparse.Namespace, state: str, changes: list[str], sentence: str
) -> None:
    if args.json:
        print_json({"state": state, "changes": changes})
        return
    for change in changes or [t("apply.no_changes")] if state != "kept" else []:
        print(f"  · {change}")
    print(paint("✓ ", "green") + sentence)


def _load(site_file: Path) -> Site:
    """The site in force; it names the data folder and what is compared with."""
    site, problems = load_problems(site_file)
    if site is None:
        report_errors(site_file, [p for p in problems if not p.warning])
        raise CliError(t("apply.in_force_bad", file=site_file), Exit.USAGE)
    return site


def _within(text: str) -> float:
    seconds = duration(text)
    if not _SHORTEST_S <= seconds <= _LONGEST_S:
        low, high = format_duration(_SHORTEST_S), format_duration(_LONGEST_S)
        raise argparse.ArgumentTypeError(
            t("config.range", low=low, high=high, found=text)
        )
    return seconds
