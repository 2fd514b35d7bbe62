"""Every frame that others made is taken or refused as it must be."""

from __future__ import annotations

import pytest

from drivers.hj212.build import encode
from drivers.hj212.crc import crc16
from drivers.hj212.deviations import Deviation, Refusal
from drivers.hj212.frame import FrameFinder, pack
from drivers.hj212.segment import parse
from tests.drivers.hj212.vectors import REFUSED, TAKEN

DEVIATES = {
    "B1": "pw_form mn_form",
    "B2": "lower_case_crc mn_form",
    "B3": "lower_case_crc mn_form",
    "B6": "mn_form",
    "B7": "mn_form",
    "C2": "time_with_milliseconds no_flag no_qn",
    "C3": "mn_form",
    "C6": "mn_form",
    "C7": "no_flag no_qn",
    "C8": "mn_form",
    "C9": "mn_empty",
    "C10": "no_flag no_qn st_three_digits",
    "C11": "mn_form",
    "C12": "lower_case_crc td_for_rtd trailing_semicolon flag_without_numbers",
    "C13": "semicolon_comma flag_upper_case no_qn",
}


def crc_of_annex_a(data):
    """HJ 212-2017, annex A, step by step as its C code has it."""
    register = 0xFFFF
    for byte in data:
        register = (register >> 8) ^ byte
        for _ in range(8):
            low = register & 1
            register >>= 1
            if low:
                register ^= 0xA001
    return register


def take(frame):
    finder = FrameFinder()
    frames = finder.feed(frame.encode() + b"\r\n")
    return finder, frames


@pytest.mark.parametrize("name", TAKEN)
def test_a_frame_that_verifies_is_taken_with_its_known_deviations(name):
    finder, (frame,) = take(TAKEN[name])
    segment, noted = parse(frame.segment)

    assert {*frame.deviations, *noted} == {
        Deviation(word) for word in DEVIATES.get(name, "").split()
    }
    assert not finder.refused
    assert not finder.deviations
    assert finder.skipped == 0
    assert finder.kept == 0
    assert segment.version in (2005, 2017, 2025)


@pytest.mark.parametrize("name", set(TAKEN) - set(DEVIATES))
def test_what_conforms_is_written_back_byte_by_byte(name):
    _, (frame,) = take(TAKEN[name])

    segment, _ = parse(frame.segment)

    assert pack(encode(segment)) == TAKEN[name].encode() + b"\r\n"


@pytest.mark.parametrize("name", REFUSED)
def test_a_frame_whose_check_is_not_its_own_is_refused(name):
    finder, frames = take(REFUSED[name])

    assert frames == []
    assert finder.refused == {Refusal.CRC: 1}


@pytest.mark.parametrize(
    ("name", "length"), [("C6", 609), ("C7", 243), ("B8", 163), ("B8", 161)]
)
def test_a_length_that_others_counted_wrongly_is_refused(name, length):
    # As the public frames C1 (428 for 431) and C4 (181 for 183), of which only the
    # heads are known.
    finder, frames = take(f"##{length:04d}{TAKEN[name][6:]}")

    assert frames == []
    assert finder.refused == {Refusal.LENGTH: 1}


def test_a_foreign_check_is_refused():
    # As the public frame B5: printed F9C1, computed 7340.
    finder, frames = take(TAKEN["B6"][:-4] + "f9c1")

    assert frames == []
    assert finder.refused == {Refusal.CRC: 1}


def test_the_check_is_the_standards_and_not_modbus():
    assert crc16(b"") == 0xFFFF
    assert crc16(b"123456789") == 0x2F80  # Modbus: 0x4B37
    for frame in TAKEN.values():
        data = frame[6:-4].encode()
        assert crc16(data) == crc_of_annex_a(data) == int(frame[-4:], 16)


def modbus(data):
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xA001 if register & 1 else 0)
    return register


def test_a_frame_that_carries_the_check_of_modbus_is_refused():
    # The trap: a Modbus library's CRC16 looks right and only agrees with itself.
    assert modbus(b"123456789") == 0x4B37
    for name in set(TAKEN) - {"D8"}:  # Chinese text waits for its length in characters
        data = TAKEN[name][6:-4].encode()
        check = modbus(data)
        for wrong in (check, check >> 8 | (check & 0xFF) << 8):
            if wrong == crc16(data):
                continue
            finder, frames = take(f"{TAKEN[name][:-4]}{wrong:04X}")

            assert frames == []
            assert finder.refused == {Refusal.CRC: 1}


def test_the_check_has_256_values_after_any_byte():
    low = {crc16(bytes([a, b])) & 0xFF for a in range(256) for b in range(0, 256, 5)}

    assert low == {0x00, 0x01, 0x40, 0x41, 0x80, 0x81, 0xC0, 0xC1}


def test_chinese_text_counts_in_bytes_or_in_characters():
    _, (by_bytes,) = take(TAKEN["D8"])
    text = TAKEN["D8"][6:-4]
    _, (by_characters,) = take(f"##{len(text):04d}{TAKEN['D8'][6:]}")

    assert by_bytes.segment == by_characters.segment
    assert by_bytes.deviations == ()
    assert by_characters.deviations == (Deviation.LENGTH_IN_CHARACTERS,)
    segment, _ = parse(by_bytes.segment)
    assert segment.get("i11001-Info") == "//清洗管路//"
