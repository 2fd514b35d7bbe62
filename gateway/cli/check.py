"""``ecogate check``: everything wrong with a site file, at once."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from gateway.cli.arguments import add_site, site_path
from gateway.cli.exits import Exit
from gateway.cli.output import paint, print_json
from gateway.texts import t

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from drivers.profiles.reading import Problem
    from gateway.config.model import Site


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``[SITE]``."""
    add_site(parser, positional=True)


def run(args: argparse.Namespace) -> int:
    """Print every error and warning; status 2 when there is an error."""
    from gateway.config import load_problems

    path = site_path(args)
    site, problems = load_problems(path)
    if args.json:
        print_json(as_json(path, site, problems))
    else:
        for problem in problems:
            print(coloured(problem, path))
        print(_summary(path, site, problems))
        if site is not None and _waits_for_a_clock(site):
            print(paint(t("check.clock"), "yellow"), file=sys.stderr)
    return Exit.USAGE if site is None else Exit.OK


def report_errors(path: Path, problems: list[Problem]) -> None:
    """Print what keeps another verb from using this site file."""
    for problem in problems:
        print(coloured(problem, path), file=sys.stderr)


def coloured(problem: Problem, path: Path) -> str:
    """The line of one problem, its place and its kind set off."""
    from gateway.config import message_of, place_of

    place = f"{place_of(problem, path)}:"
    kind = paint(t("config.warning"), "yellow") if problem.warning else ""
    where = paint(problem.path, "cyan") + ": " if problem.path else ""
    return f"{paint(place, 'bold')} {kind}{where}{message_of(problem)}"


def as_json(
    path: Path, site: Site | None, problems: list[Problem]
) -> dict[str, object]:
    """The result for programs; ``code`` is stable, ``message`` is for people."""
    return {
        "file": str(path),
        "ok": site is not None,
        "problems": [problem_as_json(problem) for problem in problems],
    }


def problem_as_json(problem: Problem) -> dict[str, object]:
    """One problem for programs."""
    from gateway.config import message_of

    other = {"file": problem.document} if problem.document else {}
    return {
        **other,
        "line": problem.line,
        "column": problem.column,
        "path": problem.path,
        "severity": "warning" if problem.warning else "error",
        "code": problem.code,
        "message": message_of(problem),
    }


def _waits_for_a_clock(site: Site) -> bool:
    from gateway.clock import kernel_synchronised

    return site.clock_trust == "ntp" and not kernel_synchronised()


def _summary(path: Path, site: Site | None, problems: list[Problem]) -> str:
    warnings = sum(problem.warning for problem in problems)
    if site is None:
        errors = len(problems) - warnings
        text = t("check.refused", file=path, errors=errors, warnings=warnings)
        return paint("✗ ", "red") + text
    points = sum(len(device.points) for device in site.devices.values())
    text = t(
        "check.good",
        file=path,
        buses=len(site.buses),
        devices=len(site.devices),
        points=points,
        targets=len(site.targets),
        warnings=warnings,
    )
    return paint("✓ ", "green") + text
