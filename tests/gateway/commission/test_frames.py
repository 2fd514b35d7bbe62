"""What identifies a device, read from any noise."""

from __future__ import annotations

import time

import pytest

from gateway.commission.frames import ascii_answers, identity_text, meters
from simulators.wire import rtu_frame

OBJECTS = [b"Eastron", b"SDM630 " + b"x" * 40, b"V2.11"]
NAMED = b"\x2b\x0e\x01\x01\x00\x00\x03" + b"".join(
    bytes((number, len(text))) + text for number, text in enumerate(OBJECTS)
)


@pytest.mark.parametrize("before", [b"", b"\x00", b"\x09\x2b", b"\x09\x11\xff"])
@pytest.mark.parametrize("behind", [b"", b"\x00\x09"])
def test_a_device_says_what_it_is(before, behind):
    reported = rtu_frame(9, b"\x11\x08\x01\xffWEATHR")
    named = rtu_frame(9, NAMED)

    assert identity_text(9, before + reported + behind) == "WEATHR"
    assert identity_text(9, before + named + behind) == (
        "Eastron SDM630 " + "x" * 40 + " V2.11"
    )


@pytest.mark.parametrize("pdu", [NAMED, b"\x11\x08\x01\xffWEATHR"])
def test_what_is_cut_or_damaged_says_nothing(pdu):
    frame = rtu_frame(9, pdu)

    for size in range(len(frame)):
        assert identity_text(9, frame[:size]) == ""
    for at in range(len(frame)):
        damaged = frame[:at] + bytes((frame[at] ^ 0x10,)) + frame[at + 1 :]
        assert identity_text(9, damaged) == ""


def test_a_hostile_line_costs_little():
    began = time.process_time()

    assert identity_text(1, b"\x01\x2b\x0e" * 2700) == ""
    assert meters(b"\x68" * 8192) == []
    assert ascii_answers(b":" * 8192) == []

    assert time.process_time() - began < 0.5
