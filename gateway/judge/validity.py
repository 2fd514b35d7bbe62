"""What a minute, an hour or a day is worth, by the marks of its parts. Pure.

The rules stand in ``validity.yaml`` beside this module: by name, station kind and
period. The file is checked when it is first needed; a missing row is an error.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from drivers.profiles.document import load_document
from gateway.aggregate import MARKS, PERIODS, Mark, PeriodKind
from gateway.config.stations import StationKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FILE = Path(__file__).with_name("validity.yaml")
_NONE: dict[PeriodKind, Fraction] = {}


class ValidityError(ValueError):
    """The rules file does not say everything, or says what cannot be."""


class Rule(msgspec.Struct, frozen=True):
    """When a period is valid, and what it is else."""

    share: Fraction
    """Of the parts that were due; above 0, at most 1."""
    otherwise: Literal["fault", "commonest"]
    confirmed: bool
    """False: no text of the standard that we have says so."""


class Validity(msgspec.Struct, frozen=True):
    """The rules file, checked."""

    precedence: tuple[Mark, ...]
    rules: dict[str, dict[StationKind, dict[PeriodKind, Rule]]]


def mark_of_period(
    kind: PeriodKind,
    station_kind: StationKind,
    counts: Mapping[Mark, int],
    of: int,
    rules: str,
    shares: Mapping[PeriodKind, Fraction] = _NONE,
) -> Mark:
    """What a period is worth.

    Args:
        kind: Minute, hour or day.
        station_kind: What is measured there.
        counts: Parts by mark; parts in none of them are missing.
        of: Parts that were due.
        rules: Whose rules; see ``names``.
        shares: Shares of valid parts that a platform wants instead.

    Raises:
        KeyError: No such rules.
    """
    table = validity()
    rule = table.rules[rules][station_kind][kind]
    counted = sum(counts.values())
    due = max(of, counted)
    valid = counts.get("valid", 0)
    if valid > 0 and valid >= shares.get(kind, rule.share) * due:
        return "valid"
    if due <= 0:
        return "missing"
    if rule.otherwise == "fault":
        return "fault"
    worst: Mark = "missing"
    most = counts.get("missing", 0) + due - counted
    for mark in reversed(table.precedence):
        found = most if mark == "missing" else counts.get(mark, 0)
        if found >= most and found > 0:
            worst, most = mark, found
    return worst


def names() -> tuple[str, ...]:
    """The rules there are."""
    return tuple(validity().rules)


@cache
def validity() -> Validity:
    """The rules file beside this module, read once.

    Raises:
        ValidityError: See ``read``.
    """
    return read(load_document(FILE.read_text("utf-8"), FILE.name).plain())


def read(said: object) -> Validity:
    """Check a rules file.

    Raises:
        ValidityError: A row is missing or unknown, or a share is none.
    """
    try:
        found = msgspec.convert(said, _File)
    except msgspec.ValidationError as exc:
        raise ValidityError(f"{FILE.name}: {exc}") from exc
    _complete("precedence", found.precedence, {*MARKS} - {"valid"})
    if len(found.precedence) != len(set(found.precedence)):
        raise ValidityError(f"{FILE.name}, precedence: a mark stands there twice")
    if not found.rules.keys() >= {"2017", "2025"}:
        raise ValidityError(f"{FILE.name}, rules: 2017 and 2025 must be there")
    for name, kinds in found.rules.items():
        _complete(f"rules.{name}", kinds, set(get_args(StationKind)))
        for station_kind, periods in kinds.items():
            _complete(f"rules.{name}.{station_kind}", periods, set(PERIODS))
    return Validity(
        precedence=found.precedence,
        rules={
            name: {
                station_kind: {
                    period: _rule(f"rules.{name}.{station_kind}.{period}", row)
                    for period, row in periods.items()
                }
                for station_kind, periods in kinds.items()
            }
            for name, kinds in found.rules.items()
        },
    )


class _Row(msgspec.Struct, forbid_unknown_fields=True):
    share: str
    otherwise: Literal["fault", "commonest"]
    confirmed: bool = True


class _File(msgspec.Struct, forbid_unknown_fields=True):
    precedence: tuple[Mark, ...]
    rules: dict[str, dict[StationKind, dict[PeriodKind, _Row]]]


def _rule(place: str, row: _Row) -> Rule:
    try:
        share = Fraction(row.share)
    except (ValueError, ZeroDivisionError):
        share = Fraction(0)
    if not 0 < share <= 1:
        raise ValidityError(
            f"{FILE.name}, {place}: expected a share such as 3/4, got {row.share!r}"
        )
    return Rule(share, row.otherwise, row.confirmed)


def _complete(place: str, found: Iterable[str], wanted: Iterable[str]) -> None:
    there, due = set(found), set(wanted)
    if there != due:
        raise ValidityError(
            f"{FILE.name}, {place}: missing {sorted(due - there)}, unknown "
            f"{sorted(there - due)}: every word needs its row"
        )
