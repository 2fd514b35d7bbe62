"""Benchmark devices say the truth about themselves."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from simulators.bench import (
    BenchUnit,
    check,
    check_scan,
    identity,
    kind_of,
    point_names,
)


def _pair(unit: BenchUnit, address: int) -> int:
    data = unit.read("holding", address, 2, aside=False)
    return int(struct.unpack(">I", data)[0])


@given(st.integers(0, 200), st.integers(1, 30))
def test_any_cut_of_the_pattern_agrees_with_its_definition(
    address: int, count: int
) -> None:
    unit = BenchUnit(7, 100, lambda: 0x01020304)
    unit.counter = 40
    data = unit.read("input", address, count, aside=False)
    words = struct.unpack(f">{count}H", data)

    for i, word in enumerate(words):
        at = address + i
        pair = {
            "age": 0x01020304,
            "identity": identity(7, at & ~1),
            "counter": 41,
        }[kind_of(at & ~1)]
        assert word == (pair & 0xFFFF if at % 2 else pair >> 16)


def test_the_counter_counts_answers_and_not_what_is_made_up() -> None:
    unit = BenchUnit(1, 3, lambda: 0)

    assert [_pair(unit, 4) for _ in range(3)] == [1, 2, 3]
    unit.read("holding", 0, 6, aside=True)
    assert _pair(unit, 4) == 4


def test_a_wrong_point_a_wrong_unit_and_a_stale_age_are_found() -> None:
    good = {"r0": 5000, "r2": identity(3, 2), "r4": 9}

    assert check_scan("bench-3", good, older_than_ms=5000) == []
    assert check("bench-3", "r2", identity(3, 8)) is not None
    assert check("bench-4", "r2", identity(3, 2)) is not None
    assert check("bench-3", "r2", 3.5) is not None
    assert check_scan("bench-3", good, older_than_ms=5001) == [
        "bench-3.r0: 1 ms older than allowed"
    ]
    assert point_names(3) == ["r0", "r2", "r4"]
