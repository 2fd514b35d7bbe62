from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.profiles.address import (
    TABLE_DIGITS,
    AddressError,
    format_both,
    format_pdu,
    format_reference,
    parse_address,
)
from drivers.profiles.units import (
    UnitError,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("1s", 1.0),
        ("2.5s", 2.5),
        ("10m", 600.0),
        ("10min", 600.0),
        ("24h", 86400.0),
        ("7d", 604800.0),
        ("0s", 0.0),
        ("0.1s", 0.1),
        ("5 s", 5.0),
    ],
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [("512MB", 512_000_000), ("200kB", 200_000), ("64KiB", 65536), ("1.5GB", 1.5e9)],
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1", "missing_unit"),
        ("1.5", "missing_unit"),
        ("1 hour", "unknown_unit"),
        ("5S", "unknown_unit"),
        ("-1s", "malformed"),
        ("", "malformed"),
        ("1s2", "malformed"),
        ("1e3s", "malformed"),
        ("nan", "malformed"),
        ("٣s", "malformed"),
    ],
)
def test_a_duration_needs_a_number_and_a_known_unit(text, code):
    with pytest.raises(UnitError) as caught:
        parse_duration(text)

    assert caught.value.code == code


@given(st.integers(0, 10**10))
def test_a_written_duration_reads_back(milliseconds):
    assert parse_duration(format_duration(milliseconds / 1000)) == milliseconds / 1000


def test_sizes_are_written_short():
    assert [format_size(n) for n in (0, 999, 1500, 512_000_000, 10**9)] == [
        "0B",
        "999B",
        "1.5kB",
        "512MB",
        "1GB",
    ]


@pytest.mark.parametrize(
    ("text", "table", "address"),
    [
        # By hand from V1.1b3, 4.4: number X in the data model is X-1 in the request.
        ("pdu:0", "holding", 0),
        ("pdu:100", "holding", 100),
        ("pdu:0x2006", "input", 0x2006),
        ("pdu:65535", "coil", 65535),
        ("4x:40001", "holding", 0),
        ("4x:40101", "holding", 100),
        ("4x:400101", "holding", 100),
        ("4x:101", "holding", 100),
        ("4x:465536", "holding", 65535),
        ("3x:30001", "input", 0),
        ("1x:10017", "discrete", 16),
        ("0x:00017", "coil", 16),
        ("0x:17", "coil", 16),
        ("0x:9999", "coil", 9998),
        ("4X:40101", "holding", 100),
    ],
)
def test_both_notations_reach_the_wire(text, table, address):
    assert parse_address(text, table) == address


@pytest.mark.parametrize(
    ("text", "table", "code", "hint"),
    [
        ("100", "holding", "notation", "pdu:100"),
        ("40101", "holding", "notation", "4x:40101"),
        ("pdu:65536", "holding", "range", ""),
        ("pdu:-1", "holding", "notation", ""),
        ("4x:40000", "holding", "range", ""),
        ("4x:0", "holding", "range", ""),
        ("4x:465537", "holding", "range", ""),
        ("4x:30001", "holding", "notation", ""),
        ("3x:30001", "holding", "other_table", ""),
        ("2x:20001", "holding", "table", ""),
        ("4x:0x10", "holding", "notation", "pdu:0x10"),
        ("4x:4000101", "holding", "range", ""),
    ],
)
def test_an_address_that_could_mean_two_things_is_refused(text, table, code, hint):
    with pytest.raises(AddressError) as caught:
        parse_address(text, table)

    assert (caught.value.code, caught.value.hint) == (code, hint)


@given(st.integers(0, 65535), st.sampled_from(sorted(TABLE_DIGITS)))
def test_every_address_reads_back_from_both_notations(address, table):
    assert parse_address(format_pdu(address), table) == address
    assert parse_address(format_reference(address, table), table) == address


def test_both_notations_stand_side_by_side():
    assert format_both(100, "holding") == "pdu:100 (4x:40101)"
    assert format_both(16, "coil") == "pdu:16 (0x:00017)"
    assert format_both(9999, "input") == "pdu:9999 (3x:310000)"
