"""What a reading is worth to a regulator, and the letter that each version has for it.

Both come from ``marks.yaml`` beside this module and from nowhere else. The file lists
every pair there is: instrument state x quality, reason x quality, mark x table. It is
checked when it is first needed; what is missing is an error, never a default.

``valid`` comes from a GOOD reading of an instrument in its normal state, and from
nothing else: the check refuses a file that says otherwise.
"""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from drivers.profiles.document import load_document
from drivers.values import Quality
from gateway.aggregate import MARKS, Mark
from gateway.judge.states import NORMAL, STATES, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Set

Table = Literal["2017", "2025"]
FILE = Path(__file__).with_name("marks.yaml")

_BY_REASON: Final = "by_reason"
_OTHER = "other"
_FLAWED = (Quality.UNCERTAIN, Quality.BAD)


class MarksError(ValueError):
    """The table file does not say everything, or says what it must not."""


class Letter(msgspec.Struct, frozen=True):
    """How one table writes a mark."""

    letter: str
    confirmed: bool = True
    """False: no text of the standard that we have says so."""


class Marks(msgspec.Struct, frozen=True):
    """The table file, checked."""

    states: dict[str, dict[Quality, Mark | None]]
    """None: the reading's reason decides."""
    reasons: dict[str, dict[Quality, Mark]]
    other: dict[Quality, Mark]
    """Of words that a profile made up for its own instrument."""
    causes: dict[str, Mark]
    letters: dict[str, dict[Mark, Letter]]


@lru_cache(maxsize=4096)
def mark_of(quality: Quality, reason: str = "", state: str | None = None) -> Mark:
    """What a reading is worth.

    Args:
        quality: Its quality, rules included.
        reason: Why it is not GOOD.
        state: The instrument's state at that instant; None: normal. One that the file
            does not know is never normal.
    """
    table = marks()
    row = table.states.get(state or NORMAL) or table.states[UNKNOWN]
    mark = row[quality]
    if mark is not None:
        return mark
    return table.reasons.get(reason, table.other)[quality]


def mark_of_gap(cause: str, state: str | None = None) -> Mark:
    """What a slot is worth that was not asked.

    Args:
        cause: As the gap record says.
        state: What is known all the same, such as a maintenance window; None: nothing.
    """
    table = marks()
    if state not in (None, NORMAL):
        return mark_of(Quality.BAD, "", state)
    return table.causes.get(cause, table.other[Quality.BAD])


def letter(mark: Mark, table: str) -> str:
    """The data flag of a mark.

    Args:
        mark: Of a reading or a period.
        table: ``2017`` or ``2025``.

    Raises:
        KeyError: No such table.

    Source: HJ 212-2017, table 8; HJ 212-2025, table 10 as far as it is public.
    """
    return marks().letters[table][mark].letter


@cache
def marks() -> Marks:
    """The table file beside this module, read once.

    Raises:
        MarksError: See ``read``.
    """
    from gateway.texts import catalogue  # noqa: PLC0415 - texts are read when needed

    said = load_document(FILE.read_text("utf-8"), FILE.name).plain()
    keys = catalogue().keys()
    return read(said, _words(keys, "reason."), _words(keys, "cause."))


def read(said: object, reasons: Set[str], causes: Set[str]) -> Marks:
    """Check a table file.

    Args:
        said: The file's content.
        reasons: Every word there is for a reading that is not good.
        causes: Every word there is for a slot that was not asked.

    Raises:
        MarksError: Something is missing, unknown, or would call valid what is not.
    """
    try:
        found = msgspec.convert(said, _File)
    except msgspec.ValidationError as exc:
        raise MarksError(f"{FILE.name}: {exc}") from exc
    _complete("states", found.states, set(STATES))
    for state, row in found.states.items():
        _complete(f"states.{state}", row, set(Quality))
        for quality, word in row.items():
            if word == _BY_REASON and quality is Quality.GOOD:
                raise MarksError(f"states.{state}.good: a good reading has no reason")
            if word == "valid" and not (state == NORMAL and quality is Quality.GOOD):
                raise MarksError(f"states.{state}.{quality}: may never be valid")
    _complete("reasons", found.reasons, {*reasons, _OTHER})
    for reason, told in found.reasons.items():
        _complete(f"reasons.{reason}", told, set(_FLAWED))
        _never_valid(f"reasons.{reason}", told.values())
    _complete("causes", found.causes, set(causes))
    _never_valid("causes", found.causes.values())
    _complete("letters", found.letters, {"2017", "2025"})
    for table, letters in found.letters.items():
        _complete(f"letters.{table}", letters, set(MARKS))
        normal = letters["valid"].letter
        for mark, shown in letters.items():
            if not shown.letter or (mark != "valid" and shown.letter == normal):
                raise MarksError(
                    f"letters.{table}.{mark}: {shown.letter!r} is the valid one's"
                )
    other = found.reasons.pop(_OTHER)
    return Marks(
        states={
            state: {quality: _own(word) for quality, word in row.items()}
            for state, row in found.states.items()
        },
        reasons=found.reasons,
        other=other,
        causes=found.causes,
        letters=found.letters,
    )


class _File(msgspec.Struct, forbid_unknown_fields=True):
    states: dict[str, dict[Quality, Mark | Literal["by_reason"]]]
    reasons: dict[str, dict[Quality, Mark]]
    causes: dict[str, Mark]
    letters: dict[str, dict[Mark, Letter]]


def _own(word: Mark | Literal["by_reason"]) -> Mark | None:
    return None if word == _BY_REASON else word


def _complete(place: str, found: Iterable[str], wanted: Iterable[str]) -> None:
    there, due = set(found), set(wanted)
    missing, unknown = due - there, there - due
    if missing or unknown:
        raise MarksError(
            f"{FILE.name}, {place}: missing {sorted(missing)}, unknown "
            f"{sorted(unknown)}: every word needs its row"
        )


def _never_valid(place: str, found: Iterable[Mark]) -> None:
    if "valid" in found:
        raise MarksError(f"{FILE.name}, {place}: may never be valid")


def _words(keys: Set[str], prefix: str) -> set[str]:
    return {key.removeprefix(prefix) for key in keys if key.startswith(prefix)}
