"""The argument parser: argparse, with its words taken from the catalogue."""

from __future__ import annotations

import argparse
import difflib
import re
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, NoReturn

from gateway.cli.exits import Exit
from gateway.texts import LANGUAGES, t

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class _Formatter(argparse.RawDescriptionHelpFormatter):
    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[Any],
        prefix: str | None = None,
    ) -> None:
        # argparse asks with an empty prefix to name a verb: that is no None.
        words = t("cli.usage") if prefix is None else prefix
        super().add_usage(usage, actions, groups, words)

    def _format_action(self, action: argparse.Action) -> str:
        text = super()._format_action(action)
        # The list of verbs has a heading; a line with its metavar says it again.
        return text.partition("\n")[2] if action.nargs == argparse.PARSER else text


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that speaks the chosen language."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - argparse's own
        super().__init__(
            add_help=False, allow_abbrev=False, formatter_class=_Formatter, **options
        )
        # argparse offers no other way to name its two groups.
        self._positionals.title = t("cli.arguments")
        self._optionals.title = t("cli.options")
        self.add_argument("-h", "--help", action="help", help=t("cli.help.help"))

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where help is, and end with status 2."""
        _refuse(self, message)


class _Common(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        _refuse(self, message)


def _refuse(parser: argparse.ArgumentParser, message: str) -> NoReturn:
    hint = t("cli.see_help", command=parser.prog)
    parser.exit(Exit.USAGE, f"ecogate: {_reworded(message)}\n{hint}\n")


def common_options(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Take ``--lang`` and ``--json`` out, wherever they stand; the rest comes back."""
    parser = _Common(prog="ecogate", add_help=False, allow_abbrev=False)
    parser.add_argument("--lang", choices=LANGUAGES)
    parser.add_argument("--json", action="store_true")
    ours = arguments
    after: list[str] = []
    if "--" in arguments:
        cut = arguments.index("--")
        ours, after = arguments[:cut], arguments[cut:]
    known, rest = parser.parse_known_args(ours)
    return known, [*rest, *after]


def build(verbs: Sequence[str], chosen: str | None) -> tuple[Parser, Parser | None]:
    """The whole parser and that of the chosen verb, still without its arguments."""
    parser = Parser(prog="ecogate", description=t("cli.about"), epilog=t("cli.more"))
    parser.add_argument(
        "--version", action="version", version=_version(), help=t("cli.help.version")
    )
    _show_common(parser)
    subparsers = parser.add_subparsers(
        dest="verb",
        metavar=t("cli.verb_metavar"),
        title=t("cli.verbs"),
        parser_class=Parser,
    )
    verb_parser: Parser | None = None
    for verb in verbs:
        text = t(f"cli.verb.{verb}")
        added: Parser = subparsers.add_parser(verb, help=text, description=text)
        if verb == chosen:
            verb_parser = added
            _show_common(added)
    return parser, verb_parser


def _show_common(parser: Parser) -> None:
    """List the options that ``common_options`` already took."""
    parser.add_argument("--lang", choices=LANGUAGES, help=t("cli.help.lang"))
    parser.add_argument("--json", action="store_true", help=t("cli.help.json"))


def _version() -> str:
    try:
        return f"ecogate {version('ecogate')}"
    except PackageNotFoundError:
        return "ecogate (not installed)"


_COMPLAINTS = {
    "cli.bad.required": r"the following arguments are required: (?P<names>.*)",
    "cli.bad.unrecognized": r"unrecognized arguments: (?P<names>.*)",
    "cli.bad.expected_one": r"argument (?P<argument>.*): expected one argument",
    "cli.bad.together": r"argument (?P<argument>.*): not allowed with argument"
    r" (?P<other>.*)",
    "cli.bad.choice": r"argument (?P<argument>.*): invalid choice: '(?P<found>.*)'"
    r" \(choose from (?P<choices>.*)\)",
    "cli.bad.value": r"argument (?P<argument>\S*): (?P<problem>.*)",
}
"""Our words for what argparse says; the first that fits."""


def _reworded(message: str) -> str:
    """Argparse's commonest complaints in our words; the others as they are."""
    for key, pattern in _COMPLAINTS.items():
        if match := re.fullmatch(pattern, message):
            return _said(key, match.groupdict())
    return message


def _said(key: str, values: dict[str, str]) -> str:
    if "choices" not in values:
        return t(key, **values)
    choices = values["choices"].replace("'", "")
    near = difflib.get_close_matches(values["found"], choices.split(", "), 1)
    values |= {"choices": choices, "meant": near[0] if near else ""}
    return t("cli.bad.choice_meant" if near else key, **values)
