"""Frames as the standard prints them, and found again in any noise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.wire import (
    char_bits,
    char_s,
    crc16,
    find_rtu,
    read_request,
    rtu_frame,
    silence_s,
    tcp_frame,
    walk_rtu,
    walk_tcp,
    write_request,
)
from tests.support.modbus_fakes import crc, mbap, rtu


def test_crc_has_the_published_check_value() -> None:
    assert crc16(b"123456789") == 0x4B37


def test_a_whole_rtu_request_is_the_one_in_the_manuals() -> None:
    # Widely printed first example: unit 1, ten holding registers from 0.
    frame = rtu_frame(1, read_request(3, 0, 10).pdu)

    assert frame.hex(" ") == "01 03 00 00 00 0a c5 cd"


@given(st.binary(max_size=260))
def test_the_table_gives_what_the_bitwise_rule_gives(data: bytes) -> None:
    assert crc16(data).to_bytes(2, "little") == crc(data)


# MODBUS Application Protocol V1.1b3, 6.1 to 6.12: the examples' request PDUs.
@pytest.mark.parametrize(
    ("pdu", "expected"),
    [
        (read_request(1, 0x13, 0x13).pdu, "01 00 13 00 13"),
        (read_request(2, 0xC4, 0x16).pdu, "02 00 c4 00 16"),
        (read_request(3, 0x6B, 3).pdu, "03 00 6b 00 03"),
        (read_request(4, 8, 1).pdu, "04 00 08 00 01"),
        (write_request("coil", 0xAC, (1,)).pdu, "05 00 ac ff 00"),
        (write_request("coil", 0xAC, (0,)).pdu, "05 00 ac 00 00"),
        (write_request("holding", 1, (3,)).pdu, "06 00 01 00 03"),
        (
            write_request("coil", 0x13, (1, 0, 1, 1, 0, 0, 1, 1, 1, 0)).pdu,
            "0f 00 13 00 0a 02 cd 01",
        ),
        (
            write_request("holding", 1, (0x000A, 0x0102)).pdu,
            "10 00 01 00 02 04 00 0a 01 02",
        ),
    ],
)
def test_requests_are_the_standards_examples(pdu: bytes, expected: str) -> None:
    assert pdu.hex(" ") == expected


@pytest.mark.parametrize(
    ("function", "count", "expect", "size"),
    [(1, 19, "01 03", 5), (2, 22, "02 03", 5), (3, 3, "03 06", 8), (4, 1, "04 02", 4)],
)
def test_a_read_knows_how_its_answer_begins(function, count, expect, size) -> None:
    request = read_request(function, 100, count)

    assert request.expect.hex(" ") == expect
    assert request.size == size


@pytest.mark.parametrize(
    ("table", "words"),
    [("input", (1,)), ("discrete", (1,)), ("holding", ()), ("holding", (0,) * 124)],
)
def test_what_cannot_be_written_is_refused(table, words) -> None:
    with pytest.raises(ValueError, match=table):
        write_request(table, 5, words)


def test_a_tcp_request_carries_number_length_and_unit() -> None:
    frame = tcp_frame(0x1501, 0xFF, read_request(3, 4, 1).pdu)

    assert frame.hex(" ") == "15 01 00 00 00 06 ff 03 00 04 00 01"


@given(st.binary(max_size=40), st.binary(max_size=40), st.integers(1, 60))
def test_an_rtu_answer_is_found_inside_noise(before, after, registers) -> None:
    pdu = bytes((3, 2 * registers)) + bytes(2 * registers)
    frame = rtu(17, pdu)
    buffer = bytearray(before + frame + after)

    at = find_rtu(buffer, bytes((17, 3, 2 * registers)), len(frame), 0)

    assert at >= 0
    assert bytes(buffer[at : at + len(frame)]) == frame


def test_a_frame_before_the_allowed_offset_is_not_found() -> None:
    frame = rtu(1, b"\x03\x02\x00\x05")

    assert find_rtu(bytearray(frame), frame[:3], len(frame), 1) == -1


def test_a_damaged_frame_does_not_hide_the_good_one_behind_it() -> None:
    frame = rtu(1, b"\x03\x02\x00\x05")
    damaged = frame[:-1] + bytes((frame[-1] ^ 1,))

    assert find_rtu(bytearray(damaged + frame), frame[:3], len(frame), 0) == len(frame)


@given(st.binary(max_size=300))
def test_walking_over_anything_ends_and_stays_inside(data: bytes) -> None:
    for heard in (*walk_rtu(data), *walk_tcp(data)):
        assert 0 <= heard.start < heard.end <= len(data)


def test_walking_sees_every_kind_of_answer_on_a_serial_line() -> None:
    data = (
        b"\xff\x00"
        + rtu(5, b"\x03\x04\x00\x01\x00\x02")
        + b"\x55"
        + rtu(6, b"\x84\x02")
        + rtu(7, b"\x06\x00\x01\x00\x03")
    )

    heard = [(h.unit, h.function, h.size, h.exception) for h in walk_rtu(data)]

    assert heard == [(5, 3, 4, 0), (6, 4, 0, 2), (7, 6, 0, 0)]


def test_walking_sees_every_kind_of_answer_over_tcp() -> None:
    data = (
        mbap(7, 5, b"\x03\x04\x00\x01\x00\x02")
        + mbap(8, 6, b"\x84\x02")
        + mbap(9, 7, b"\x06\x00\x01\x00\x03")
    )

    heard = [
        (h.number, h.unit, h.function, h.size, h.exception) for h in walk_tcp(data)
    ]

    assert heard == [(7, 5, 3, 4, 0), (8, 6, 4, 0, 2), (9, 7, 6, 0, 0)]


@pytest.mark.parametrize(
    ("baud", "registers", "milliseconds"),
    [(9600, 10, 41.8), (19200, 10, 20.9), (115200, 10, 4.90), (9600, 100, 248.0)],
)
def test_wire_times_are_those_of_eleven_bits(baud, registers, milliseconds) -> None:
    total = (8 + 5 + 2 * registers) * char_s(baud, "8E1") + silence_s(baud, "8E1")

    assert 1000 * total == pytest.approx(milliseconds, rel=0.01)


@pytest.mark.parametrize(("framing", "bits"), [("8N1", 10), ("8E1", 11), ("7O2", 11)])
def test_framing_says_how_long_a_character_is(framing: str, bits: int) -> None:
    assert char_bits(framing) == bits


@pytest.mark.parametrize("framing", ["", "8N", "9N1", "8X1", "8N3", "8N10"])
def test_an_unknown_framing_is_refused(framing: str) -> None:
    with pytest.raises(ValueError, match="expected such as 8N1"):
        char_bits(framing)
