"""A station's period: stored whole, published without its exact numbers."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest
from msgspec.structs import replace

from gateway.aggregate import FactorPeriod, Period
from gateway.clock import Instant
from gateway.record import RecordError, decode, encode, head, to_wire

SO2 = FactorPeriod(
    avg=Fraction(37, 3),
    min=Fraction(119, 10),
    max=Fraction(64, 5),
    cou=Fraction(45, 1000),
    zs_avg=Fraction(2**70, 3**40),
    n=11,
    of=12,
    marks={"valid": 11, "missing": 1},
    mark="valid",
    unit="mg/m3",
    cou_unit="kg",
)
MINUTE = Period(
    kind="minute",
    station="DA001",
    t_ms=1_763_711_940_000,
    until_ms=1_763_712_000_000,
    factors={"so2": SO2},
    figures={"so2": {"avg": "12.3", "min": "11.9", "max": "12.8", "cou": "0.045"}},
    flags={"so2": "N"},
    # Boot and meta ids full of zero bytes and braces: the cut is looked for behind.
    at=Instant(1_763_712_000_010, 5, "7d007d00", True),
)


@pytest.mark.parametrize("kind", ["minute", "hour", "day"])
def test_a_period_is_stored_with_its_exact_numbers(kind: str) -> None:
    period = replace(MINUTE, kind=kind)

    data = encode(period, "7d007d00")

    assert head(data).kind == kind
    assert decode(data) == (period, "7d007d00")


def test_the_wire_has_the_digits_and_no_more() -> None:
    assert json.loads(to_wire(9, encode(MINUTE, "00000001"))) == {
        "seq": 9,
        "kind": "minute",
        "noted": 1_763_712_000_010,
        "station": "DA001",
        "t": 1_763_711_940_000,
        "until": 1_763_712_000_000,
        "rev": 0,
        "agg": {
            "so2": {
                "avg": "12.3",
                "min": "11.9",
                "max": "12.8",
                "cou": "0.045",
                "unit": "mg/m3",
                "cou_unit": "kg",
                "n": 11,
                "of": 12,
                "flag": "N",
                "marks": {"valid": 11, "missing": 1},
            }
        },
    }


def test_damage_to_the_exact_numbers_is_no_period() -> None:
    data = encode(MINUTE, "00000001")

    for spoilt in (
        data[: data.index(b"}\0") + 1],
        data[:-1],
        data.replace(b"37/3", b"37/0"),
    ):
        with pytest.raises(RecordError):
            decode(spoilt)
