"""Bytes to messages: every frame kind, split anywhere, hostile streams, bounded."""

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.ascii.framing import ABANDONED_S, Framer
from drivers.profiles.dialogue import Frame

LINE = Frame(ends=(b"\r", b"\n"))
CRLF = Frame(ends=(b"\r\n",))
STX = Frame(start=b"\x02", ends=(b"\x03",), after=2)
PLAIN_STX = Frame(start=b"\x02", ends=(b"\r",))
COUNT = Frame(start=b"\x02", ends=(b"\x03",), size=12)
GAP = Frame(gap_s=0.05)
FRAMES = [LINE, CRLF, STX, PLAIN_STX, COUNT, GAP]


def bodies(frame, *pieces, step_s=0.001):
    framer, found = Framer(frame), []
    for number, piece in enumerate(pieces):
        found += framer.feed(piece, number * step_s)
    found += framer.silent(10.0)
    return [message.body for message in found]


def test_lines_end_with_either_sign_and_empty_ones_are_none():
    assert bodies(LINE, b"so2 1.2 ppb\r\n\r\nno 3\n") == [b"so2 1.2 ppb", b"no 3"]


def test_an_end_of_two_signs_may_come_in_two_pieces():
    assert bodies(CRLF, b"0R1,Dm=027D\r", b"\n0R2\r\n") == [b"0R1,Dm=027D", b"0R2"]


def test_noise_in_front_of_a_line_is_no_part_of_it():
    assert bodies(LINE, b"\x00\xff\x81so2 1\r") == [b"so2 1"]


def test_between_signs_with_what_follows():
    (message,) = Framer(STX).feed(b"junk\x02Q,229\x0316\r\n", 0.0)

    assert message.body == b"Q,229"
    assert message.framed.tail == b"16"


def test_an_unfinished_message_does_not_swallow_the_next():
    assert bodies(STX, b"\x02Q,229,00", b"\x02Q,230\x0311") == [b"Q,230"]


def test_counted_messages_resynchronise_behind_a_start_that_was_none():
    frame = b"\x02+0020002" + b"1B\x03"
    assert bodies(COUNT, b"\x02+00" + frame + frame) == [frame[1:-1], frame[1:-1]]


def test_silence_ends_a_message():
    framer = Framer(GAP)
    framer.feed(b"2.", 0.0)
    framer.feed(b"87\r\n", 0.01)

    assert framer.silent(0.03) == []
    assert [m.body for m in framer.feed(b"3.1", 1.0)] == [b"2.87"]
    assert [m.body for m in framer.silent(2.0)] == [b"3.1"]


def test_a_message_is_as_old_as_its_first_byte():
    framer = Framer(LINE)
    framer.feed(b"\x00", 1.0)
    framer.feed(b"so2 ", 1.1)

    (message,) = framer.feed(b"1.2\r", 1.2)

    assert message.began == 1.1


def test_what_is_never_finished_is_given_up():
    framer = Framer(LINE)
    framer.feed(b"2", 0.0)

    (message,) = framer.feed(b"87\r", ABANDONED_S + 0.1)

    assert (message.body, message.began, framer.dropped) == (b"87", 1.1, 1)


def test_a_question_cuts_off_what_is_unfinished_and_the_rest_of_it_is_torn():
    framer = Framer(LINE)
    framer.feed(b"2.", 0.0)
    framer.split(0.2)

    (rest, whole) = framer.feed(b"87\r2.88\r", 0.3)

    assert (rest.body, rest.torn) == (b"87", True)
    assert (whole.body, whole.torn) == (b"2.88", False)


def test_a_message_still_flowing_is_not_cut_off():
    framer = Framer(LINE)
    framer.feed(b"0R1,Dm=02", 0.0)
    framer.split(0.001)

    assert [m.body for m in framer.feed(b"7D\r", 0.002)] == [b"0R1,Dm=027D"]


@pytest.mark.parametrize("frame", FRAMES, ids=str)
@given(data=st.binary(max_size=300), cuts=st.lists(st.integers(0, 300), max_size=6))
def test_pieces_make_no_difference(frame, data, cuts):
    edges = sorted({0, len(data), *(cut for cut in cuts if cut <= len(data))})
    pieces = [data[a:b] for a, b in pairwise(edges)]

    assert bodies(frame, *pieces) == bodies(frame, data)


HOSTILE = {
    "no end": b"a" * 1_000_000,
    "only ends": b"\r" * 1_000_000,
    "short lines": b"a\r" * 500_000,
    "only starts": b"\x02" * 1_000_000,
    "only stops": b"\x03" * 1_000_000,
    "start and stop": b"\x02\x03" * 500_000,
    "noise": bytes(range(256)) * 3907,
    "high bytes": b"\xff" * 1_000_000,
    "commas": b"," * 1_000_000 + b"\r",
    "almost": (b"\x02" + b"1" * 10 + b"\x04") * 83_000,
}


@pytest.mark.parametrize("frame", FRAMES, ids=str)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_megabyte_of_anything_is_bounded_work_and_memory(frame, name):
    data, framer = HOSTILE[name], Framer(frame)

    at_once = framer.feed(data, 0.0)

    assert len(at_once) <= 512 + len(data) // 64 + 1
    assert framer.size <= max(frame.limit, frame.size) + 1
    assert all(len(m.body) <= frame.limit for m in at_once)


@pytest.mark.bars
@pytest.mark.parametrize("frame", FRAMES, ids=str)
def test_a_megabyte_of_anything_costs_less_than_50_ms(frame, figure):
    worst = 0.0
    for data in HOSTILE.values():
        best = 1.0
        for _ in range(3):
            framer = Framer(frame)
            began = time.perf_counter()
            framer.feed(data, 0.0)
            best = min(best, time.perf_counter() - began)
        worst = max(worst, best)
    figure("worst_ms", round(worst * 1000, 1))
    assert worst < 0.05


@pytest.mark.parametrize("frame", FRAMES, ids=str)
def test_twice_the_bytes_cost_about_twice_the_time(frame):
    def cost(size):
        pieces = [b"\x02a\x03\x03zz\r\n" * 64] * size
        best = 9.0
        for _ in range(3):
            framer = Framer(frame)
            began = time.process_time()
            for number, piece in enumerate(pieces):
                framer.feed(piece, number * 1e-4)
            best = min(best, time.process_time() - began)
        return best

    # A square would be 16; the machine is shared.
    assert cost(400) < 10 * cost(100) + 0.02


@settings(max_examples=200)
@given(data=st.lists(st.binary(max_size=2000), max_size=8))
def test_nothing_held_outgrows_its_limit(data):
    for frame in FRAMES:
        framer = Framer(frame)
        for number, piece in enumerate(data):
            framer.feed(piece, number * 0.001)
            assert framer.size <= max(frame.limit, frame.size) + 1
