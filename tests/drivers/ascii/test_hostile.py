"""Instruments and lines at their worst: what must never become a value."""

from __future__ import annotations

import asyncio
import functools
import operator

import pytest

from drivers.ascii import Timing
from drivers.ascii.framing import ABANDONED_S, Framer
from drivers.ascii.line import AsciiLine
from drivers.byte_line import ByteLine
from drivers.profiles.dialogue import Frame
from drivers.values import Flaw, Quality
from tests.drivers.ascii.test_line import Scripted, device, on_line, own
from tests.support.virtual import run_virtual, running_loop

LINE = Frame(ends=(b"\r", b"\n"))
NAMES = (
    b"Time,Conc(mg/m3),Qtot(m3),WS(MPS),WD(DEG),BP(mm),RH(%),Delta(C),AT(C),"
    b"E,U,M,I,L,R,N,F,P,D,C,T\r\n"
)
COLUMNS = "mode: listen, messages: {m: {columns: {count: 1-4}}}"
FIRST = '[{name: p, field: 1, unit: "1"}]'


def bad(reason):
    return Flaw(Quality.BAD, reason)


def streamed(body, *pieces):
    """Run body(port) while (time, bytes) are said without being asked."""

    class Talker(Scripted):
        def connection_made(self, transport):
            super().connection_made(transport)
            for at, data in pieces:
                self.later(at, data)

    async def work():
        wire = running_loop().line("line")
        wire.attach(lambda: Talker(None))
        port = AsciiLine(ByteLine("line", wire.open_port))
        await port.open()
        try:
            return await body(port)
        finally:
            await port.close()

    return run_virtual(work())


# -- names of columns -------------------------------------------------------------


def row(hour, value):
    return b"01/30/08 %s, %s,0.834,0.0,0,0,30,57.0,27.1,%s\r\n" % (
        hour,
        value,
        b"0," * 12,
    )


def bam_says(*records):
    """A BAM-1020 that answers ``4`` with these, one after another."""
    left = list(records)

    def say(line, data):
        if data == b"6":
            line.later(0.01, b"6\r\nmenu\r\n>")
        elif data == b"4":
            line.later(0.02, left.pop(0) + b">")
        else:
            line.later(0.01, b"*")

    return say


async def two_hours(port, _wire):
    it = device(port, "met-one-bam-1020-pm10", timing=Timing(5.0))
    first = await it.scan(["pm10"])
    await asyncio.sleep(120)
    return first, await it.scan(["pm10"])


@pytest.mark.parametrize("names", [NAMES.replace(b"mg/m3", b"ug/m3"), b"", NAMES[9:]])
def test_a_record_is_not_read_by_the_names_of_another_answer(names):
    say = bam_says(
        b"4\r\n" + NAMES + row(b"16:00", b"0.084"),
        b"4\r\n" + names + row(b"17:00", b"84.0"),
    )

    first, second = on_line(two_hours, say=say)

    assert first.values == {"pm10": 84.0}
    assert second.values == {}


def test_names_of_other_units_end_what_was_named_before():
    text = (
        "mode: listen, messages: {m: {columns: {header: true},"
        ' time: {field: Time, form: "MM/DD/YY hh:mm"}}}'
    )

    async def body(port):
        it = own(port, text, Timing(2), points='[{name: p, field: "A(mg)", unit: "1"}]')
        return [(await it.scan(["p"])).values for _ in range(2)]

    got = streamed(
        body,
        (0.1, b"\r\nTime,A(mg)\r\n01/30/08 16:00,1\r\n"),
        (1.1, b"Time,A(ug)\r\n01/30/08 17:00,1000\r\n"),
    )

    assert got == [{"p": 1.0}, {}]


def test_a_prompt_is_not_the_front_of_an_answer():
    say = bam_says(*[NAMES + row(b"16:00", b"0.084")] * 2)  # no echo of the 4

    for answer in on_line(two_hours, say=say):
        assert answer.values == {"pm10": 84.0}


# -- messages without their front ---------------------------------------------------


def test_a_stream_is_believed_from_its_second_message_on():
    async def body(port):
        return await own(port, COLUMNS, Timing(5), points=FIRST).scan(["p"])

    got = streamed(body, (0.1, b"9.5,3.2\r\n"), (1.1, b"229.6,3.2\r\n"))

    assert got.values == {"p": 229.6}


def test_a_message_whose_middle_came_late_has_no_front():
    async def body(port):
        it = own(port, COLUMNS, Timing(5), points=FIRST)
        return [(await it.scan(["p"])).values for _ in range(2)]

    got = streamed(
        body,
        (0.1, b"\r\n1,1\r\n22"),
        (0.2 + ABANDONED_S, b"9.5,3.2\r\n"),
        (2.6, b"229.6,3.2\r\n"),
    )

    assert got == [{"p": 1.0}, {"p": 229.6}]


@pytest.mark.parametrize("first", [b"\xb1", b"\x11", b"\x00\xb1"])
@pytest.mark.parametrize("split", [False, True])
def test_noise_that_may_have_been_a_digit_takes_the_front_away(first, split):
    framer = Framer(LINE)
    framer.feed(b"\n", 0.0)
    pieces = [first, b"5.3\n"] if split else [first + b"5.3\n"]

    (message,) = [m for piece in pieces for m in framer.feed(piece, 0.1)]
    (after,) = framer.feed(b"\x00\xff15.3\n", 0.2)

    assert (message.body, message.torn) == (b"5.3", True)
    assert (after.body, after.torn) == (b"15.3", False)


# -- whose answer -------------------------------------------------------------------


def test_after_an_error_that_came_twice_no_answer_is_another_question_s():
    def say(line, data):
        if data == b"A\r":
            line.later(0.01, b"busy\r\n")
            line.later(0.06, b"busy\r\n")
        else:
            line.later(0.06, b"2\r\n" if data == b"B\r" else b"3\r\n")

    asks = ", ".join(
        f'{name.lower()}: {{send: "{name}<CR>", columns: {{count: 1}}}}'
        for name in "ABC"
    )
    points = ", ".join(f'{{name: {n}, ask: {n}, field: 1, unit: "1"}}' for n in "abc")

    async def body(port, _wire):
        text = f"errors: {{busy: not_available}}, asks: {{{asks}}}"
        return await own(port, text, points=f"[{points}]").scan(["a", "b", "c"])

    got = on_line(body, say=say)

    assert got.values == {"b": 2.0, "c": 3.0}
    assert got.flaws == {"a": bad("not_available")}


def test_what_never_falls_silent_ends_with_the_time_out():
    def say(line, _data):
        for number in range(3000):
            line.later(0.02 * number, b"1")

    async def body(port, _wire):
        text = 'frame: {gap: 50ms}, asks: {m: {send: "X", columns: {count: 1}}}'
        it = own(port, text, Timing(0.5), points=FIRST)
        began = running_loop().time()
        return await it.scan(["p"]), running_loop().time() - began

    got, took_s = on_line(body, say=say)

    assert got.values == {}
    assert took_s < 1.5


@pytest.mark.parametrize("stall_s", [3.0, 8.0, 13.0, 29.9, 70.0])
@pytest.mark.parametrize("phase_s", [0.25, 0.49, 0.985])
def test_a_network_that_stood_still_gives_out_no_old_answer(stall_s, phase_s):
    """All that was said meanwhile comes at once, also after it was given up."""
    zero, held = [], [0]

    def say(line, _data):
        now_s = running_loop().time() - zero[0]
        at, ends = now_s + 0.02, 100 + phase_s + stall_s
        if 100 + phase_s <= at < ends:
            held[0] += 1
            at = ends + 0.001 * held[0]
        line.later(at - now_s, b"so2 %.3f ppb\r" % now_s)

    async def body(port, _wire):
        loop, ages = running_loop(), []
        zero.append(loop.time())
        it = device(port, "thermo-43i", "14", timing=Timing(2.0))
        while loop.time() < zero[0] + 200:
            await asyncio.sleep(1 - (loop.time() - zero[0]) % 1)
            now_s = loop.time() - zero[0]
            got = (await it.scan(["so2_ppb"])).values
            if got:
                ages.append(now_s - got["so2_ppb"])
        return ages

    ages = on_line(body, say=say)

    assert len(ages) > 100
    assert max(ages) < 0.1


# -- what it says -------------------------------------------------------------------


@pytest.mark.parametrize("at", ["9999-12-31 24:00", "0000-00-00 00:00", "0001-13-01"])
def test_a_time_that_cannot_be_is_no_answer(at):
    text = (
        'asks: {m: {send: "X", columns: {count: 2},'
        ' time: {field: 1, form: "YYYY-MM-DD hh:mm"}}}'
    )

    async def body(port, _wire):
        it = own(port, text, points='[{name: p, field: 2, unit: "1"}]')
        return await it.scan(["p"])

    got = on_line(body, say=lambda line, _: line.later(0.01, f"{at},1\r\n".encode()))

    assert got.flaws == {"p": bad("bad_frame")}


def test_components_of_a_wind_are_no_direction_and_speed():
    body = b"Q,+001.59,-000.03,M,00,"
    check = b"%02X" % functools.reduce(operator.xor, body)

    async def scan(port):
        it = device(port, "gill-windsonic", timing=Timing(2))
        return await it.scan(["wind_direction", "wind_speed"])

    got = streamed(scan, (0.1, b"\x02" + body + b"\x03" + check + b"\r\n"))

    assert got.values == {}


def test_a_number_below_zero_has_no_bits():
    points = (
        "[{name: p, field: 1, mask: 4},"
        ' {name: q, field: 1, unit: "1", bits: {0: a, 5: b}}]'
    )

    async def body(port, _wire):
        text = 'asks: {m: {send: "X", columns: {count: 1}}}'
        return await own(port, text, points=points).scan(["p", "q"])

    got = on_line(body, say=lambda line, _: line.later(0.01, b"-1\r\n"))

    assert got.values == {}
    assert set(got.flaws.values()) == {bad("unreadable")}
