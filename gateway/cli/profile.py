"""``ecogate profile list [WORD] | show NAME | check FILE``: devices as data."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from drivers.profiles.document import DocumentError, decode_text
from drivers.profiles.library import load_profile, profile_names, read_profile
from drivers.profiles.reading import Report, closest
from drivers.profiles.template import site_lines
from gateway.cli.arguments import add_site, site_path_if_any
from gateway.cli.check import coloured, problem_as_json, report_errors
from gateway.cli.exits import CliError, Exit
from gateway.cli.output import paint, print_json, table, terminal_columns
from gateway.cli.profile_list import listing, matching
from gateway.config.library import FOLDER, SiteLibrary
from gateway.texts import language, t

if TYPE_CHECKING:
    import argparse

    from drivers.profiles.model import Profile
    from drivers.profiles.reading import Problem


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``profile list [WORD ...]``, ``show NAME`` [--site PATH], ``check FILE ...``."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="ACTION")
    every = verbs.add_parser("list", help=t("profile.help.list"))
    every.add_argument("words", nargs="*", metavar="WORD", help=t("profile.help.words"))
    show = verbs.add_parser("show", help=t("profile.help.show"))
    show.add_argument("name", help=t("profile.help.name"))
    for verb in (every, show):
        add_site(verb, positional=False)
    check = verbs.add_parser("check", help=t("profile.help.check"))
    check.add_argument("files", nargs="+", type=Path, help=t("profile.help.files"))


def run(args: argparse.Namespace) -> int:
    """Carry out the action."""
    if args.verb == "list":
        return _list(_Shown(args), args.words, as_json=args.json)
    if args.verb == "show":
        return _show(args.name, _Shown(args), as_json=args.json)
    return _check(args.files, as_json=args.json)


class _Shown:
    """The installed profiles and, where there is a site, its own."""

    def __init__(self, args: argparse.Namespace) -> None:
        site = site_path_if_any(args)
        if site is not None and not site.is_file():
            why = t("config.unreadable", why=os.strerror(errno.ENOENT))
            raise CliError(f"{site}: {why}", Exit.USAGE)
        self._report = Report()
        self._site = site or Path("site.yaml")
        self._library = SiteLibrary(self._site.parent, self._report)
        # Without a site no folder is anybody's.
        names = self._library.own_names() if site is not None else ()
        self._names = self._library.names() if site is not None else profile_names()
        self.own = {name: self._library.file_of(name) for name in names}
        self.folder = self._site.parent / FOLDER

    def all(self) -> list[Profile]:
        """Those that can be used; ``status`` tells of the others."""
        found = [self._load(name) for name in sorted(self._names)]
        return [profile for profile in found if profile is not None]

    def one(self, name: str) -> Profile | None:
        """The profile of this name; None: ``status`` tells what is wrong with it."""
        if name not in self._names:
            meant = closest(name, self._names)
            key = "profile.unknown_meant" if meant else "profile.unknown"
            raise CliError(t(key, found=name, meant=meant), Exit.USAGE)
        return self._load(name)

    def status(self) -> int:
        """Print what is wrong with the site's own; the exit status."""
        report_errors(self._site, self._report.problems)
        return Exit.USAGE if self._report.failed else Exit.OK

    def _load(self, name: str) -> Profile | None:
        return self._library.load(name) if name in self.own else load_profile(name)


def _list(library: _Shown, words: list[str], *, as_json: bool) -> int:
    """List them; status 2 when one of the site's own cannot be used."""
    profiles = matching(library.all(), words)
    if as_json:
        print_json([_entry(profile, library) for profile in profiles])
        return library.status()
    if not profiles:
        print(t("profile.none", words=" ".join(words)))
        return library.status()
    print(listing(profiles, terminal_columns()))
    if own := [p.profile for p in profiles if p.profile in library.own]:
        print(t("profile.own", names=", ".join(own), folder=library.folder))
    return library.status()


def _entry(profile: Profile, library: _Shown) -> dict[str, object]:
    own = profile.profile in library.own
    return {
        "profile": profile.profile,
        "maker": profile.maker,
        "models": profile.models,
        "kind": profile.kind,
        "protocol": profile.protocol,
        "evidence": profile.evidence,
        "points": len(profile.points),
        "template": profile.template,
        **({"file": str(library.own[profile.profile])} if own else {}),
    }


def _show(name: str, library: _Shown, *, as_json: bool) -> int:
    profile = library.one(name)
    if profile is None:
        return library.status()
    if as_json:
        print_json(msgspec.to_builtins(profile, enc_hook=str))
        return Exit.OK
    # A generic profile's models say "any ..." already.
    maker = "" if profile.maker == "any" else f"{profile.maker} "
    print(paint(f"{profile.profile}  {maker}{', '.join(profile.models)}", "bold"))
    evidence = t(f"profile.evidence.{profile.evidence}")
    print(t("profile.source", source=profile.source, evidence=evidence))
    notes = (language() == "zh" and profile.notes_zh) or profile.notes
    if notes:
        print(paint(notes.strip(), "yellow"))
    if profile.points:
        print()
        print(points_table(profile))
    if profile.template:
        print()
        print(t("profile.fill_in"))
        print()
        print(site_lines(profile))
    return library.status()


def points_table(profile: Profile) -> str:
    """The points as a table: address in both notations, type, scale, unit, label."""
    rows = [
        (
            point.name,
            point.where,
            point.form,
            "" if point.scale == 1 else f"x {float(point.scale):g}",
            "" if point.unit == "1" else point.unit,
            point.label.get(language(), ""),
        )
        for point in profile.points
    ]
    heads = ("point", "address", "type", "scale", "unit", "label")
    return table(
        [t(f"profile.column.{head}") for head in heads],
        rows,
        cut=(5,),
        columns=terminal_columns(),
    )


def _check(files: list[Path], *, as_json: bool) -> int:
    """Print what is wrong with each; status 2 when any cannot be used."""
    checked = [(file, *_read(file)) for file in files]
    if as_json:
        print_json(
            [_as_json(file, profile, problems) for file, profile, problems in checked]
        )
    else:
        for file, profile, problems in checked:
            for problem in problems:
                print(coloured(problem, file))
            if profile is None:
                text = t("profile.refused", file=file, errors=_errors(problems))
                print(paint("✗ ", "red") + text)
            else:
                text = t("profile.good", file=file, points=len(profile.points))
                print(paint("✓ ", "green") + text)
    good = all(profile is not None for _, profile, _ in checked)
    return Exit.OK if good else Exit.USAGE


def _read(file: Path) -> tuple[Profile | None, list[Problem]]:
    try:
        return read_profile(decode_text(file.read_bytes()), file.stem)
    except OSError as exc:
        why = t("config.unreadable", why=exc.strerror or str(exc))
        raise CliError(f"{file}: {why}", Exit.USAGE) from exc
    except DocumentError as exc:
        report = Report()
        report.add_document_errors([exc])
        return None, report.problems


def _as_json(
    file: Path, profile: Profile | None, problems: list[Problem]
) -> dict[str, object]:
    return {
        "file": str(file),
        "ok": profile is not None,
        "problems": [problem_as_json(problem) for problem in problems],
    }


def _errors(problems: list[Problem]) -> int:
    return sum(not problem.warning for problem in problems)
