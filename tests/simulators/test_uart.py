"""What a receiver that is set otherwise makes of a waveform."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.uart import (
    NO_EDGE,
    Settings,
    Signal,
    Wave,
    as_tty,
    receive,
    settings,
    wave,
)

N81 = settings(9600, "8N1")
FRAMINGS = ["8N1", "8E1", "8O1", "8N2", "8E2", "7E1", "7O1", "7N2"]
BAUDS = [300, 1200, 2400, 9600, 19200, 115200]


def heard(data, sender, receiver, *, both_stops=False, waves=()):
    one = wave(data, sender, 1.0)
    signal = Signal([one, *waves])
    until = one.end + 1.0
    return receive(signal, receiver, 0.5, until, both_stops=both_stops).chars


@given(
    data=st.binary(max_size=40),
    framing=st.sampled_from(FRAMINGS),
    baud=st.sampled_from(BAUDS),
    drift=st.floats(-0.02, 0.02),
)
def test_the_same_settings_give_the_same_bytes_at_two_per_cent_off(
    data, framing, baud, drift
):
    sender = settings(baud, framing)
    mine = bytes(b & 0x7F for b in data) if sender.bits == 7 else data

    chars = heard(mine, sender._replace(baud=round(baud * (1 + drift))), sender)

    assert bytes(c.byte for c in chars) == mine
    assert not any(c.error for c in chars)


@given(data=st.binary(max_size=30), cut=st.floats(0, 1))
def test_reading_in_two_parts_is_reading_at_once(data, cut):
    one = wave(data, N81, 1.0)
    signal, until = Signal([one]), one.end + 0.01
    first = receive(signal, N81, 0.9, 1.0 + cut * (one.end - 1.0), both_stops=False)
    second = receive(signal, N81, first.since, until, both_stops=False)

    assert bytes(c.byte for c in first.chars + second.chars) == data


def test_half_the_speed_hears_fewer_bytes_and_double_speed_more():
    data = bytes.fromhex("01030800b40102030405060708")

    slow = heard(data, settings(9600, "8N1"), settings(4800, "8N1"))
    fast = heard(data, settings(9600, "8N1"), settings(19200, "8N1"))

    assert len(slow) < len(data) < len(fast)
    assert bytes(c.byte for c in slow) != data


def test_even_parity_read_as_odd_is_all_parity_errors_and_reads_as_zeros():
    data = b"\x01\x03\x02\x00\x17\xf8\x4a"
    receiver = settings(9600, "8O1")

    chars = heard(data, settings(9600, "8E1"), receiver)

    assert bytes(c.byte for c in chars) == data
    assert {c.error for c in chars} == {"parity"}
    assert as_tty(chars, receiver) == bytes(len(data))


def test_parity_read_without_parity_is_a_framing_error_where_the_bit_is_zero():
    data = b"\x03\x01"  # two ones, one one

    chars = heard(data, settings(9600, "8E1"), N81)

    assert [c.error for c in chars] == ["framing", ""]
    assert as_tty(chars, N81) == data  # without INPCK the port hands it on


def test_a_second_stop_bit_is_missed_by_those_who_look_at_it():
    two = settings(9600, "8N2")

    strict = heard(b"\x01\x03", N81, two, both_stops=True)
    usual = heard(b"\x01\x03", N81, two)

    assert [c.error for c in strict] == ["framing", ""]
    assert bytes(c.byte for c in usual) == b"\x01\x03"


def test_seven_bits_read_as_eight_have_the_parity_as_their_top_bit():
    chars = heard(b"3A", settings(9600, "7E1"), settings(9600, "8N1"))

    assert bytes(c.byte & 0x7F for c in chars) == b"3A"
    assert not any(c.error for c in chars)


def test_two_talkers_at_once_give_what_both_pull_low():
    other = wave(b"\x0f", N81, 1.0)

    chars = heard(b"\x33", N81, N81, waves=[other])

    assert [c.byte for c in chars] == [0x33 & 0x0F]


def test_a_line_held_low_is_one_break_and_nothing_more():
    low = Signal([Wave(1.0, NO_EDGE, ((1.0, 0),))])

    found = receive(low, N81, 0.5, 20.0, both_stops=False)

    assert [(c.byte, c.error) for c in found.chars] == [(0, "break")]
    assert as_tty(found.chars, N81) == b"\x00"


@pytest.mark.parametrize(
    "data", [b"\x01\x03\x00\x00\x00\x01\x84\x0a", b"\xff", b"\x00"]
)
def test_swapped_wires_invert_what_is_driven_and_leave_the_line_at_rest(data):
    one = wave(data, N81, 1.0).inverted()
    signal = Signal([one])

    assert signal.level(0.9) == 1
    assert signal.level(one.end + 0.001) == 1
    chars = receive(signal, N81, 0.5, one.end + 1, both_stops=False).chars
    assert bytes(c.byte for c in chars) != data
    assert Signal([one.inverted()])._times == Signal([wave(data, N81, 1.0)])._times


def test_ringing_damages_some_bytes_and_the_seed_says_which():
    data = bytes(range(64))

    def rung(seed):
        one = wave(data, N81, 1.0, ring=0.1, rng=random.Random(seed))
        return receive(Signal([one]), N81, 0.5, 3.0, both_stops=False).chars

    assert rung(1) == rung(1)
    assert bytes(c.byte for c in rung(1)) != data


def test_settings_read_as_people_write_them():
    assert settings(2400, "8E1") == Settings(2400, 8, "E", 1)
    assert str(settings(2400, "8E1")) == "2400 8E1"
    assert settings(2400, "8E1").char_s == pytest.approx(11 / 2400)
    with pytest.raises(ValueError, match="expected such as"):
        settings(9600, "8X1")
