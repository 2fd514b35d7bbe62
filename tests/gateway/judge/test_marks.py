"""The table of marks and letters: complete, and no more generous than the readings."""

from __future__ import annotations

import copy
import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from drivers.profiles.document import load_document
from drivers.values import Quality
from gateway.aggregate import MARKS
from gateway.config import load_problems
from gateway.judge.marks import (
    FILE,
    MarksError,
    letter,
    mark_of,
    mark_of_gap,
    marks,
    read,
)
from gateway.judge.states import STATES
from gateway.texts import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
REASONS = {k.split(".", 1)[1] for k in catalogue() if k.startswith("reason.")}
CAUSES = {k.split(".", 1)[1] for k in catalogue() if k.startswith("cause.")}


def _said() -> dict[str, Any]:
    said = load_document(FILE.read_text("utf-8"), FILE.name).plain()
    assert isinstance(said, dict)
    return said


def _entries(node: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key of every mapping, but the optional ``confirmed``."""
    if isinstance(node, dict):
        for key, inner in node.items():
            if key != "confirmed":
                yield (*path, key)
                yield from _entries(inner, (*path, key))


def _without(said: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    cut = copy.deepcopy(said)
    node = cut
    for key in path[:-1]:
        node = node[key]
    del node[path[-1]]
    return cut


def test_every_entry_of_the_file_is_needed() -> None:
    said = _said()
    entries = list(_entries(said))
    assert len(entries) > 2 * len(REASONS)

    for path in entries:
        with pytest.raises(MarksError):
            read(_without(said, path), REASONS, CAUSES)


def test_a_word_that_the_file_does_not_know_is_an_error() -> None:
    with pytest.raises(MarksError, match="invented"):
        read(_said(), REASONS | {"invented"}, CAUSES)
    with pytest.raises(MarksError, match="invented"):
        read(_said(), REASONS, CAUSES | {"invented"})
    with pytest.raises(MarksError, match="timeout"):
        read(_said(), REASONS - {"timeout"}, CAUSES)


@pytest.mark.parametrize(
    ("path", "word"),
    [
        (("states", "normal", "bad"), "valid"),
        (("states", "maintenance", "good"), "valid"),
        (("states", "normal", "good"), "by_reason"),
        (("reasons", "jump", "uncertain"), "valid"),
        (("reasons", "other", "bad"), "valid"),
        (("causes", "overrun"), "valid"),
        (("causes", "overrun"), "well"),
        (("letters", "2025", "stopped"), {"letter": "N"}),
        (("letters", "2017", "link"), {"letter": ""}),
    ],
)
def test_a_file_that_would_call_valid_what_is_not_is_refused(
    path: tuple[str, ...], word: object
) -> None:
    said = _said()
    node = said
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = word

    with pytest.raises(MarksError):
        read(said, REASONS, CAUSES)


def test_valid_only_from_a_good_reading_in_the_normal_state() -> None:
    states = (None, "", *STATES, "never heard of")
    reasons = ("", *REASONS, "word_of_a_profile")
    for quality, reason, state in itertools.product(Quality, reasons, states):
        mark = mark_of(quality, reason, state)

        proper = quality is Quality.GOOD and state in (None, "", "normal")
        assert (mark == "valid") == proper, (quality, reason, state)
        assert (letter(mark, "2017") == "N") == proper
        assert (letter(mark, "2025") == "N") == proper


def test_gaps_are_never_valid() -> None:
    for cause, state in itertools.product(
        (*CAUSES, "unheard"), (None, *STATES, "never heard of")
    ):
        assert mark_of_gap(cause, state) != "valid"


@pytest.mark.parametrize(
    ("quality", "reason", "state", "mark"),
    [
        (Quality.GOOD, "", None, "valid"),
        (Quality.GOOD, "", "maintenance", "maintenance"),
        (Quality.BAD, "timeout", None, "link"),
        (Quality.BAD, "bus_gone", None, "link"),
        (Quality.BAD, "timeout", "maintenance", "maintenance"),
        (Quality.BAD, "timeout", "over_range", "link"),
        (Quality.BAD, "not_available", None, "missing"),
        (Quality.BAD, "instrument_stopped", None, "stopped"),
        (Quality.UNCERTAIN, "above_range", None, "over_range"),
        (Quality.UNCERTAIN, "above_limit", None, "over_range"),
        (Quality.UNCERTAIN, "below_limit", None, "doubtful"),
        (Quality.UNCERTAIN, "condition_fault", None, "condition"),
        (Quality.UNCERTAIN, "constant", None, "doubtful"),
        (Quality.GOOD, "", "unknown", "doubtful"),
        (Quality.GOOD, "", "a word of a later release", "doubtful"),
    ],
)
def test_marks(quality: Quality, reason: str, state: str | None, mark: str) -> None:
    assert mark_of(quality, reason, state) == mark


def test_letters_are_those_of_the_tables() -> None:
    seventeen = [letter(mark, "2017") for mark in MARKS]
    twenty_five = [letter(mark, "2025") for mark in MARKS]

    assert set(seventeen) == set("NFMSDCTB")
    assert set(twenty_five) == {"N", "D", "C", "M", "T", "Td"}
    assert letter("doubtful", "2017") == letter("doubtful", "2025") == "D"
    assert letter("link", "2017") == "B"
    unconfirmed = {m for m, x in marks().letters["2025"].items() if not x.confirmed}
    assert unconfirmed >= {"stopped", "manual", "link"}


def test_the_page_says_what_the_file_says() -> None:
    page = (ROOT / "docs" / "marks.md").read_text("utf-8")
    rows = dict(
        re.findall(r"^\| `(\w+)` \| ([A-Z]\w?(?: \?)? \| \w+(?: \?)?) \|", page, re.M)
    )
    told = {
        mark: " | ".join(
            shown.letter + ("" if shown.confirmed else " ?")
            for shown in (table[mark] for table in marks().letters.values())
        )
        for mark in MARKS
    }

    assert rows == told


def test_the_site_of_the_page_is_good(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "marks.md").read_text("utf-8")
    found = re.search(r"```yaml\n(.*?)```", page, re.S)
    assert found is not None
    path = tmp_path / "site.yaml"
    path.write_text(found[1], "utf-8")

    site, problems = load_problems(path)

    assert site is not None
    assert [p.code for p in problems if not p.warning] == []
