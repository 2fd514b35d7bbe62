"""What is wrong on the line is named, in both languages."""

from __future__ import annotations

import re
from functools import reduce

import pytest

from drivers.gnss.diagnosis import binary_frames, diagnose
from gateway.texts.field import worded
from simulators import nmea
from simulators.receiver import Receiver
from simulators.receivers import misheard, ubx

MOMENT = Receiver(1_786_000_000_000).moment(0)
TEXT = b"".join(nmea.burst(MOMENT))
NOTHING = {"good": 0, "bad": 0, "unchecked": 0}


def rtcm(content):
    frame = b"\xd3" + len(content).to_bytes(2, "big") + content
    crc = 0
    for byte in frame:
        crc ^= byte << 16
        crc = reduce(
            lambda c, _: c << 1 ^ (0x1864CFB if c & 0x800000 else 0), range(8), crc
        )
    return frame + (crc & 0xFFFFFF).to_bytes(3, "big")


def test_the_vector_of_rtcm_s_own_standard_is_a_frame():
    # RTCM 10403, section 4.2: message 1005, as printed there.
    frame = bytes.fromhex("D300133ED7D30202980EDEEF34B4BD62AC0941986F33360B98")

    assert binary_frames(frame + frame) == "RTCM"


@pytest.mark.parametrize(
    ("sent", "heard"),
    [(9600, 38400), (9600, 115200), (9600, 4800), (115200, 9600), (38400, 9600),
     (38400, 115200), (115200, 38400), (4800, 9600)],
)  # fmt: skip
def test_a_wrong_speed_is_called_that(sent, heard):
    found = diagnose(misheard(TEXT * 2, sent, heard)[-2048:], **NOTHING)

    assert found.reason == "no_sentences"
    assert "the speed is wrong" in found.advice


CASES = {
    "nothing": (b"", {}, "no_data", "nothing came"),
    "ubx": (ubx(MOMENT) * 5, {}, "binary_only", "only UBX frames"),
    "rtcm": (rtcm(b"\x3e\xd0" + bytes(30)) * 4, {}, "binary_only", "only RTCM frames"),
    "text": (b"01.23 kg\r\n" * 90, {}, "no_sentences", "another instrument"),
    "damaged": (TEXT, {"bad": 9}, "no_sentences", "damaged"),
    "unchecked": (TEXT, {"unchecked": 9}, "no_sentences", "without a checksum"),
    "gsv only": (TEXT, {"good": 9}, "no_data", "none that tells time and position"),
    "speed": (misheard(TEXT, 9600, 38400), {}, "no_sentences", "the speed is wrong"),
}


@pytest.mark.parametrize("name", CASES)
def test_causes_are_told_apart_in_both_languages(name):
    recent, counts, reason, advice = CASES[name]

    found = diagnose(recent[-2048:], **(NOTHING | counts))

    assert found.reason == reason
    assert advice in found.advice
    for tail in ("", "; received b5 62 01"):
        said = f"/dev/serial/by-id/x: {found.advice}{tail}"
        assert re.search("[\u4e00-\u9fff]", worded(said, "zh")), said


def test_one_frame_may_be_chance():
    assert binary_frames(ubx(MOMENT)) == ""
    assert binary_frames(ubx(MOMENT) + b"\xb5b" + bytes(30)) == ""
