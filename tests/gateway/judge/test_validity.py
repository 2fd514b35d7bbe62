"""What a period is worth by the marks of its parts."""

from __future__ import annotations

import copy
from fractions import Fraction
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.profiles.document import load_document
from gateway.aggregate import MARKS, PERIODS, Mark, PeriodKind
from gateway.config.stations import StationKind
from gateway.judge.validity import (
    FILE,
    ValidityError,
    mark_of_period,
    names,
    read,
    validity,
)

KINDS: tuple[StationKind, ...] = get_args(StationKind)


def _said() -> dict[str, Any]:
    said = load_document(FILE.read_text("utf-8"), FILE.name).plain()
    assert isinstance(said, dict)
    return copy.deepcopy(said)


def test_every_row_of_the_file_is_needed() -> None:
    removed = 0
    for name, kinds in _said()["rules"].items():
        for kind, periods in kinds.items():
            for period in periods:
                for key in (None, "share", "otherwise"):
                    said = _said()
                    row = said["rules"][name][kind]
                    if key is None:
                        del row[period]
                    else:
                        row[period] = {k: v for k, v in row[period].items() if k != key}
                    with pytest.raises(ValidityError):
                        read(said)
                    removed += 1
            said = _said()
            del said["rules"][name][kind]
            with pytest.raises(ValidityError):
                read(said)
    for mark in _said()["precedence"]:
        said = _said()
        said["precedence"].remove(mark)
        with pytest.raises(ValidityError):
            read(said)
    assert removed == 3 * len(names()) * len(KINDS) * len(PERIODS)


@pytest.mark.parametrize("share", ["0/4", "5/4", "-1/2", "3/0", "most", ""])
def test_a_share_is_above_nothing_and_at_most_all(share: str) -> None:
    said = _said()
    said["rules"]["2017"]["water"]["day"] = {"share": share, "otherwise": "fault"}

    with pytest.raises(ValidityError, match=r"rules\.2017\.water\.day"):
        read(said)


@pytest.mark.parametrize(
    ("kind", "station", "counts", "of", "mark"),
    [
        ("minute", "flue_gas", {"valid": 9, "link": 3}, 12, "valid"),
        ("minute", "flue_gas", {"valid": 8, "link": 4}, 12, "fault"),
        ("hour", "flue_gas", {"valid": 45, "maintenance": 15}, 60, "valid"),
        ("hour", "flue_gas", {"valid": 44, "maintenance": 16}, 60, "fault"),
        ("day", "flue_gas", {"valid": 20, "stopped": 4}, 24, "valid"),
        ("day", "flue_gas", {"valid": 19, "stopped": 5}, 24, "fault"),
        ("day", "flue_gas", {"valid": 20}, 24, "valid"),
        ("day", "flue_gas", {"valid": 19}, 24, "fault"),
        ("hour", "water", {"valid": 60}, 60, "valid"),
        ("hour", "water", {"valid": 59, "calibration": 1}, 60, "calibration"),
        ("hour", "water", {"valid": 59}, 60, "missing"),
        ("hour", "water", {"valid": 5, "link": 2, "fault": 2}, 9, "fault"),
        ("hour", "dust", {"valid": 45, "doubtful": 15}, 60, "valid"),
        ("hour", "dust", {"valid": 44, "doubtful": 16}, 60, "doubtful"),
        ("hour", "water", {}, 0, "missing"),
        ("hour", "flue_gas", {}, 0, "missing"),
        ("hour", "water", {"stopped": 60}, 60, "stopped"),
    ],
)
def test_rules_of_2017(
    kind: PeriodKind, station: StationKind, counts: dict[Mark, int], of: int, mark: Mark
) -> None:
    assert mark_of_period(kind, station, counts, of, "2017") == mark


def test_a_platform_may_want_another_share() -> None:
    counts: dict[Mark, int] = {"valid": 40, "link": 20}
    wanted: dict[PeriodKind, Fraction] = {"hour": Fraction(2, 3)}

    assert mark_of_period("hour", "flue_gas", counts, 60, "2017") == "fault"
    assert mark_of_period("hour", "flue_gas", counts, 60, "2017", wanted) == "valid"
    assert mark_of_period("day", "flue_gas", counts, 60, "2017", wanted) == "fault"


def test_a_stack_out_of_service_can_be_told_as_that() -> None:
    counts: dict[Mark, int] = {"stopped": 60}

    assert mark_of_period("hour", "flue_gas", counts, 60, "2017-commonest") == "stopped"


def test_what_2025_says_of_validity_is_not_confirmed() -> None:
    rows = validity().rules["2025"].values()

    assert not any(rule.confirmed for row in rows for rule in row.values())


@given(
    kind=st.sampled_from(PERIODS),
    station=st.sampled_from(KINDS),
    rules=st.sampled_from(names()),
    counts=st.dictionaries(st.sampled_from(MARKS), st.integers(0, 100)),
    of=st.integers(0, 200),
)
def test_a_valid_period_has_its_share_of_valid_parts(
    kind: PeriodKind,
    station: StationKind,
    rules: str,
    counts: dict[Mark, int],
    of: int,
) -> None:
    mark = mark_of_period(kind, station, counts, of, rules)

    due = max(of, sum(counts.values()))
    enough = 4 * counts.get("valid", 0) >= 3 * due > 0
    assert mark != "valid" or enough
    if counts.get("valid", 0) == due > 0:
        assert mark == "valid"
