"""The ledger as people see it: hours that are alike share a row, trouble stands out."""

from __future__ import annotations

import pytest

from gateway.bookkeeper import HourLine
from gateway.cli.deliveries import Deliveries, report, well
from gateway.cli.output import display_width
from gateway.spread import HOUR_MS
from gateway.texts import set_language

T = 489_920 * HOUR_MS
"""2025-11-21T08:00Z, 16:00 in Shanghai."""


@pytest.fixture(autouse=True)
def _english():
    set_language("en")
    yield
    set_language(None)


def a_line(hour=0, device="cems-1", **more):
    usual = {
        "t": T + hour * HOUR_MS,
        "device": device,
        "scheduled": 36_000,
        "value": 36_000,
        "bad": 0,
        "gap": 0,
        "records": 3600,
        "lost": 0,
        "unsure": 0,
        "incomplete": False,
        "targets": {
            "city": {"sent": 3600, "proved": 3600, "refused": 0, "filtered": 0}
        },
    }
    return HourLine(**(usual | more))


def a_target(**more):
    usual = {
        "target": "city",
        "state": "online",
        "lanes": {"event": 0, "live": 1, "backfill": 0},
        "oldest_t_ms": T + 90_000,
        "set_aside": 0,
        "aside": [],
        "awaiting_receipt": None,
    }
    return usual | more


def found(*lines, targets=None):
    return Deliveries(
        now_ms=T + 100_000,
        tz="Asia/Shanghai",
        hours=24,
        targets=targets or [a_target()],
        lines=list(lines),
    )


def troubled():
    bad = {
        "seq": 907,
        "device": "fan-2",
        "t_ms": T,
        "reason": "too large",
        "size": 9000,
    }
    return found(
        a_line(device="", scheduled=0, value=0, records=2, targets={}),
        *(a_line(hour) for hour in range(5)),
        a_line(5, value=35_000, bad=400, gap=600, incomplete=True),
        a_line(6),
        a_line(7, targets={"city": {"sent": 4000, "proved": 3000, "refused": 1}}),
        a_line(5, "风机-2", lost=100, unsure=7, targets={}),
        a_line(t=None, device="风机-2", records=3, scheduled=30, value=30, targets={}),
        targets=[
            a_target(set_aside=1, aside=[bad], awaiting_receipt=12),
            a_target(target="省平台", state="offline", oldest_t_ms=T - 9 * HOUR_MS),
        ],
    )


def test_hours_with_nothing_amiss_share_a_row_and_others_do_not():
    text = report(troubled())

    assert "11-21 16:00-21:00 " in text
    assert "11-21 21:00-22:00*" in text
    assert "3000/3600" in text
    assert "100+≤7" in text
    assert "no certain time" in text
    assert "* the gateway was killed" in text
    assert "907" in text
    assert "too large" in text


@pytest.mark.parametrize("language", ["zh", "en"])
def test_columns_are_aligned_in_both_languages(language):
    set_language(language)

    for part in report(troubled()).split("\n\n"):
        rows = [row for row in part.splitlines() if "→" in row or "11-21" in row]
        ends = {display_width(row) for row in rows if "/" in row or "→" in row}
        assert len(ends) <= 2, part


def test_it_is_well_when_all_is_delivered_and_nothing_is_lost():
    assert well(found(a_line()))
    assert not well(found(a_line(lost=1)))
    assert not well(found(a_line(), targets=[a_target(state="offline")]))
    assert not well(found(a_line(), targets=[a_target(set_aside=1)]))


def test_what_was_told_and_dropped_and_filtered_later_is_no_number_below_zero():
    late = {"city": {"sent": 0, "proved": 0, "refused": 0, "filtered": 36}}

    text = report(found(a_line(t=None, records=0, targets=late)))

    assert "-36" not in text


def test_columns_of_what_happens_seldom_are_shown_where_there_is_any():
    assert "AWAITING" not in report(found(a_line()))

    text = report(found(a_line(), targets=[a_target(awaiting_receipt=3)]))

    assert "AWAITING" in text
    assert "FILTERED" not in text


def test_what_was_only_written_is_never_shown_as_confirmed():
    only = {"city": {"sent": 3600, "written": 3600}}

    said = report(found(a_line(targets=only)))

    assert "3600~" in said
    assert "written only" in said
    assert "WRITTEN" in said
