"""Sentences are found wherever they stand, and nothing else is one."""

from __future__ import annotations

import random
import time
from functools import reduce
from operator import xor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.gnss.sentence import LONGEST, Framer, checksum
from tests.support.gnss_logs import EXPECTED, LOGS, accepted, log

RMC = b"$GNRMC,055234.200,A,4739.71890,N,12219.58362,W,0.00,286.35,050826,,,A,V*11"
VTG = b"$GNVTG,286.35,T,,M,0.00,N,0.00,K,A*29"


def made(body):
    return b"$%s*%02X" % (body, reduce(xor, body, 0))


def lines(data, size=0):
    framer = Framer()
    size = size or len(data) or 1
    found = []
    for start in range(0, len(data), size):
        found += framer.feed(data[start : start + size])
    return [sentence.line for sentence in found]


@pytest.mark.parametrize("name", LOGS)
def test_every_sentence_of_every_log_is_counted_as_others_count_it(name):
    for size in (7, 0):
        framer = Framer()
        data, expected = log(name), EXPECTED[name]
        for start in range(0, len(data), size or len(data)):
            framer.feed(data[start : start + (size or len(data))])
        counts = (framer.good, framer.bad_checksum, framer.no_checksum)
        assert counts == (expected["good"], expected["bad"], expected["nochk"])
        assert framer.refused == 0


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r", b"\r\r\n"])
def test_any_end_of_line_will_do(end):
    assert lines(RMC + end + VTG + end) == [RMC, VTG]


def test_a_sentence_without_a_checksum_is_none():
    framer = Framer()

    assert framer.feed(RMC[:-3] + b"\r\n" + RMC[:-1] + b"\r\n") == []
    assert framer.no_checksum == 1


def test_small_hex_digits_are_known():
    body = next(b for b in (b"GPTXT,%d" % n for n in range(99)) if checksum(b) % 16 > 9)
    line = made(body)

    assert lines(line[:-2] + line[-2:].lower() + b"\r\n") == [
        line[:-2] + line[-2:].lower()
    ]


@pytest.mark.parametrize(
    "before",
    [
        b"\xb5b\x01\x07\x04\x00$$$$\x11\x22",
        b"\xd3\x00\x04$GNR\x01\x02\x03",
        b"$GNRMC,0552\x00\xff",
        b"noise !",
        RMC[:30] + b"\r\n",
    ],
)
def test_binary_and_broken_sentences_before_it_cost_a_sentence_nothing(before):
    assert lines(before + RMC + b"\r\n") == [RMC]


def test_a_sentence_that_another_one_interrupts_is_lost_and_the_other_is_not():
    assert lines(RMC[:40] + VTG + b"\r\n") == [VTG]


@pytest.mark.parametrize(
    "body", [b"TMCPU,54.57,-1,98", b"GNRMC,1", b"GPXXX,1"], ids=lambda b: b.decode()
)
def test_an_opener_inside_an_address_spoils_both(body):
    assert lines(b"$P" + made(body) + b"\r\n") == []


def test_a_bang_opens_only_what_is_encapsulated():
    ais = made(b"AIVDM,1,1,,A,13u?etPv2;0n:dDPwUM1U1Cb069D,0")

    assert lines(b"!" + RMC[1:] + b"\r\n") == []
    assert lines(b"!" + ais[1:] + b"\r\n") == [b"!" + ais[1:]]
    assert lines(ais + b"\r\n") == []


def test_a_line_that_is_too_long_is_none_and_the_next_one_is_found():
    assert lines(made(b"GPTXT," + b"x" * LONGEST) + b"\r\n" + RMC + b"\r\n") == [RMC]


def test_the_moment_of_its_first_byte_goes_with_a_sentence():
    framer = Framer()

    framer.feed(b"\xff\xff" + RMC[:10], 1.0)
    framer.feed(RMC[10:20], 2.0)
    (first, second) = framer.feed(RMC[20:] + b"\r\n" + VTG + b"\r\n", 3.0)

    assert (first.came_s, second.came_s) == (1.0, 3.0)


@given(st.binary(max_size=300))
def test_the_folded_checksum_is_the_xor_of_all_bytes(data):
    assert checksum(data) == reduce(xor, data, 0)


@given(st.data())
def test_pieces_make_no_difference(data):
    pieces = data.draw(
        st.lists(
            st.sampled_from([RMC, VTG, RMC[:33], b"$", b"!", b"*", b"\r\n", b"\n"])
            | st.binary(max_size=9),
            max_size=12,
        )
    )
    stream = b"".join(pieces)
    size = data.draw(st.integers(1, 40))

    assert lines(stream, size) == lines(stream)


@pytest.mark.parametrize(
    "byte", [b"$", b"$GNRMC,", b"A", b"\x00", b"$P", b"!$", b"*", b"$GNGGA,1*"]
)
def test_hostile_bytes_cost_linear_time_and_no_memory(byte):
    def cost(size):
        framer, data = Framer(), (byte * size)[:size]
        began = time.process_time()
        for start in range(0, size, 65_536):
            framer.feed(data[start : start + 65_536])
        assert len(framer._rest) <= 3 * LONGEST
        return time.process_time() - began

    cost(10_000)
    small = min(cost(100_000) for _ in range(3))
    assert cost(1_000_000) < max(30 * small, 0.5)


def test_every_byte_flipped_or_cut_around_some_sentences_adds_none(seed, count):
    rng = random.Random(seed)
    for _ in range(count(500, 100_000)):
        data = log(rng.choice(LOGS))
        start = rng.randrange(len(data))
        piece = data[max(0, start - 300) : start + 300]
        before = set(accepted(piece))
        at = rng.randrange(len(piece))
        byte = bytes((rng.randrange(256),)) if rng.random() < 0.8 else b""
        after = accepted(piece[:at] + byte + piece[at + 1 :])
        assert set(after) <= before, (seed, start, at, byte)
