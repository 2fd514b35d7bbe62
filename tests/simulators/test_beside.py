"""MQTT's periods beside those of HJ 212: what differs is found, whatever it is."""

from __future__ import annotations

import pytest

from simulators.beside import codes_of, compare
from simulators.hj212_platform_held import Held

MN = "010000A8900016F000169DC0"
T_MS = 1_763_712_000_000  # 2025-11-21 16:00:00 in Beijing
LABEL = "20251121160000"
FIGURES = {"avg": "12.34", "min": "11.90", "max": "12.80", "n": 12, "flag": "N"}
SENT = "a21026-Min=11.90,a21026-Avg=12.34,a21026-Max=12.80,a21026-Flag=N"
CODES = {"so2": "a21026"}


def periods(figures=FIGURES, rev=0):
    return {("DA001", "minute", T_MS): {rev: {"agg": {"so2": figures}}}}


def held(text=SENT, label=LABEL, cn=2051):
    found = Held()
    found.take(MN, cn, label, {"a21026": text})
    return found


def test_the_same_digits_and_flag_are_counted():
    found = compare(periods(), CODES, held(), MN)

    assert (found.numbers, found.differing, found.waiting) == (4, [], [])
    assert found.held == {"minute": 1, "hour": 0, "day": 0}


@pytest.mark.parametrize(
    "text",
    [
        SENT.replace("12.34", "12.340"),
        SENT.replace("Flag=N", "Flag=D"),
        SENT.replace("a21026-Max=12.80,", ""),
    ],
)
def test_one_digit_more_another_flag_or_a_missing_field_differs(text):
    found = compare(periods(), CODES, held(text), MN)

    assert len(found.differing) == 1
    assert LABEL in found.differing[0]


def test_what_only_mqtt_has_is_waited_for():
    assert compare(periods(), CODES, held(cn=2061), MN).waiting
    assert compare(periods(), CODES, held(label="20251121160100"), MN).waiting


def test_the_newest_revision_counts():
    told = periods({**FIGURES, "avg": "99.99"})
    told["DA001", "minute", T_MS][1] = {"agg": {"so2": FIGURES}}

    assert compare(told, CODES, held(), MN).differing == []


def test_factors_in_another_unit_and_those_without_a_code_are_left_out():
    assert compare(periods(), CODES, held("x"), MN, skip=["so2"]).differing == []
    assert compare(periods(), {}, held("x"), MN).differing == []


def test_codes_are_those_of_the_newest_description():
    def meta(code):
        factors = [{"name": "so2", "code": code}, {"name": "state"}]
        return {"stations": [{"id": "DA001", "factors": factors}]}

    assert codes_of({"1": meta("a00"), "2": meta("a21026")}, "DA001") == CODES
    assert codes_of({"1": meta("a21026")}, "DW001") == {}
