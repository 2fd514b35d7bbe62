"""The line that DL/T 645 and ASCII instruments share, on a pty, a socket, a pipe."""

import asyncio

import pytest

from drivers.byte_line import ByteLine, tcp_line
from drivers.errors import BadFrameError, BusError, ResponseTimeoutError
from tests.support.pipes import Line, serial_pace
from tests.support.virtual import run_virtual


class Answering(asyncio.Protocol):
    """Answers each request with what it is told to."""

    def __init__(self, say):
        self.say = say

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.say(self.transport, data)


def line_end(buffer):
    end = buffer.find(b"\r")
    if end < 0:
        return None
    answer = bytes(buffer[:end])
    del buffer[: end + 1]
    return answer


def on_line(say, body, pace=None):
    """Run body(line, wire) on virtual time against what answers by ``say``."""

    async def work():
        wire = Line(asyncio.get_running_loop(), "/dev/line", pace)
        wire.attach(lambda: Answering(say))
        line = ByteLine("/dev/line", wire.open_port)
        await line.open()
        try:
            return await body(line, wire)
        finally:
            await line.close()

    return run_virtual(work())


def test_an_answer_in_pieces_is_one_and_the_rest_is_handed_on():
    idle = []

    def say(transport, data):
        transport.write(b"21")
        transport.write(b".5\rwhat")

    async def body(line, wire):
        line.on_idle = idle.append
        return await line.exchange(b"T\r", line_end, timeout_s=1)

    assert on_line(say, body).found == b"21.5"
    assert idle == [b"what"]


def test_what_came_before_the_request_is_no_answer():
    idle = []

    def say(transport, data):
        transport.write(b"new\r")

    async def body(line, wire):
        line.on_idle = idle.append
        wire.far.write(b"old\r")
        await asyncio.sleep(0.01)
        return await line.exchange(b"?", line_end, timeout_s=1)

    assert on_line(say, body).found == b"new"
    assert idle == [b"old\r"]


def test_silence_ends_at_the_deadline_whatever_bytes_come():
    def say(transport, data):
        loop = asyncio.get_running_loop()
        for n in range(40):
            loop.call_later(0.05 * n, transport.write, b"x")

    async def body(line, wire):
        began = asyncio.get_running_loop().time()
        with pytest.raises(ResponseTimeoutError) as told:
            await line.exchange(b"?", line_end, timeout_s=0.5)
        return told.value, asyncio.get_running_loop().time() - began

    error, took = on_line(say, body)
    assert took == pytest.approx(0.5, abs=0.01)
    assert (error.sent, error.received) == (b"?", b"x" * 10)


def test_after_a_time_out_it_waits_until_the_line_is_silent():
    sent = []

    def say(transport, data):
        loop = asyncio.get_running_loop()
        sent.append(loop.time())
        if len(sent) == 1:
            for n in range(5):
                loop.call_later(0.49 + 0.015 * n, transport.write, b"late")
        else:
            transport.write(b"ok\r")

    async def body(line, wire):
        with pytest.raises(ResponseTimeoutError):
            await line.exchange(b"?", line_end, timeout_s=0.5)
        return await line.exchange(b"?", line_end, timeout_s=0.5)

    assert on_line(say, body).found == b"ok"
    assert sent[1] - sent[0] >= 0.49 + 0.06 + 0.02 - 1e-6


def test_wire_time_is_not_counted_against_the_instrument():
    def say(transport, data):
        transport.write(b"x" * 47 + b"\r")

    async def work():
        wire = Line(asyncio.get_running_loop(), "/dev/line", serial_pace(1200, lump=1))
        wire.attach(lambda: Answering(say))
        line = ByteLine("/dev/line", wire.open_port, char_s=11 / 1200)
        await line.open()
        return await line.exchange(b"?", line_end, timeout_s=0.05, answer_bytes=48)

    assert len(run_virtual(work()).found) == 47


def test_a_driver_error_of_the_reader_ends_the_exchange():
    def take(buffer):
        raise BadFrameError("no such thing")

    async def body(line, wire):
        with pytest.raises(BadFrameError):
            await line.exchange(b"?", take, timeout_s=1)

    on_line(lambda transport, data: transport.write(b"!"), body)


def test_a_port_that_goes_away_is_told_at_once_and_again():
    async def body(line, wire):
        asking = asyncio.ensure_future(line.exchange(b"?", line_end, timeout_s=60))
        await asyncio.sleep(0.01)
        wire.unplug()
        with pytest.raises(BusError, match="Input/output error"):
            await asking
        with pytest.raises(BusError, match="gone"):
            await line.exchange(b"?", line_end, timeout_s=60)
        with pytest.raises(BusError, match="no such port"):
            await line.open()

    on_line(lambda transport, data: None, body)


async def test_over_tcp_and_where_nobody_listens():
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    line = tcp_line("127.0.0.1", port)
    await line.open()
    assert (await line.exchange(b"hello\r", line_end, timeout_s=5)).found == b"hello"
    await line.close()
    await line.close()
    server.close()
    await server.wait_closed()
    with pytest.raises(BusError, match="Connection refused"):
        await line.open()


async def echo(reader, writer):
    while data := await reader.read(100):
        writer.write(data)
    writer.close()
