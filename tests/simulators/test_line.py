"""A line of UARTs: only who is set alike understands, whatever the port is."""

from __future__ import annotations

import asyncio

import pytest

from drivers.modbus import RtuBus, Span, Timing
from drivers.serial_port import open_serial
from simulators.line import Line, line_pty
from simulators.station import RtuServer, Station
from simulators.talkers import Master, Noise, Streamer
from simulators.uart import settings
from simulators.units import MapUnit
from simulators.wire import rtu_frame
from tests.support.virtual import virtual

REQUEST = rtu_frame(3, bytes.fromhex("0300000002"))
ANSWER = rtu_frame(3, bytes.fromhex("030400070008"))


class Ear(asyncio.Protocol):
    def __init__(self):
        self.data = b""
        self.chunks = []

    def data_received(self, data):
        self.data += data
        self.chunks.append((asyncio.get_running_loop().time(), data))


def unit(number=3, delay_s=0.03):
    words = {("holding", a): a + 7 for a in range(10)}
    return RtuServer(Station([MapUnit(number, words)], turnaround_s=delay_s))


async def asked(line, baud, framing, request=REQUEST, wait_s=0.5):
    ear = Ear()
    tap = line.open(baud, framing, lambda: ear)
    tap.write(request)
    await asyncio.sleep(wait_s)
    tap.close()
    return ear.data


@virtual
async def test_only_the_same_settings_are_answered():
    line = Line()
    line.attach(unit(), settings(9600, "8E1"))

    got = {
        how: await asked(line, *how)
        for how in [
            (9600, "8E1"), (9600, "8N1"), (9600, "8O1"), (4800, "8E1"),
            (19200, "8E1"), (9600, "7E1"), (2400, "8N1"),
        ]
    }  # fmt: skip

    assert got.pop((9600, "8E1")) == ANSWER
    assert not any(got.values()), got
    line.close()


@virtual
async def test_bytes_take_their_time_and_arrive_in_lumps():
    line = Line()
    line.attach(unit(), settings(1200, "8N1"))
    ear = Ear()
    tap = line.open(1200, "8N1", lambda: ear)
    loop = asyncio.get_running_loop()
    start = loop.time()

    tap.write(REQUEST)
    await asyncio.sleep(1)

    last = ear.chunks[-1][0] - start
    assert ear.data == ANSWER
    assert len(ear.chunks) > 1
    assert last == pytest.approx((8 + 9) * 10 / 1200 + 0.03, abs=0.003)
    line.close()


@virtual
async def test_an_echo_comes_back_and_a_slow_turnaround_cuts_the_answer():
    echoing, late = Line(echo=True), Line(turnaround_s=0.005)
    echoing.attach(unit(), settings(9600, "8N1"))
    late.attach(unit(delay_s=0.002), settings(9600, "8N1"))

    echoed = await asked(echoing, 9600, "8N1")
    cut = await asked(late, 9600, "8N1")

    assert echoed == REQUEST + ANSWER
    assert cut
    assert ANSWER not in cut
    assert cut[-3:] == ANSWER[-3:]
    echoing.close()
    late.close()


@virtual
async def test_swapped_wires_reach_nobody_and_two_at_one_address_collide():
    swapped, both = Line(swapped=True), Line()
    swapped.attach(unit(), settings(9600, "8N1"))
    both.attach(unit(), settings(9600, "8N1"))
    other = MapUnit(3, {("holding", a): 0x5500 + a for a in range(10)})
    both.attach(RtuServer(Station([other], turnaround_s=0.0304)), settings(9600, "8N1"))

    assert ANSWER not in await asked(swapped, 9600, "8N1")
    collided = await asked(both, 9600, "8N1")

    assert len(collided) > 4
    assert collided != ANSWER
    swapped.close()
    both.close()


@virtual
async def test_foreign_masters_streams_and_noise_are_heard():
    line = Line()
    line.attach(unit(), settings(9600, "8N1"))
    line.attach(Master([REQUEST], 0.2), settings(9600, "8N1"))
    line.attach(
        Streamer(lambda n: b"PM %d\r\n" % n, 0.5), settings(9600, "8N1"), strict=False
    )
    ear = Ear()
    tap = line.open(9600, "8N1", lambda: ear)
    await asyncio.sleep(3)

    assert REQUEST + ANSWER in ear.data
    assert b"PM 2\r\n" in ear.data
    before = len(ear.data)
    line.attach(Noise(0.05, seed=2), settings(4800, "8N1"))
    await asyncio.sleep(1)
    assert len(ear.data) > before + 50
    with pytest.raises(OSError, match="holds the port"):
        line.open(9600, "8N1", Ear)
    tap.close()
    line.close()


@virtual
async def test_a_line_that_is_held_low_says_one_zero_and_carries_nothing():
    line = Line()
    line.attach(unit(), settings(9600, "8N1"))
    ear = Ear()
    tap = line.open(9600, "8N1", lambda: ear)
    line.hold_low()
    await asyncio.sleep(0.1)
    tap.write(REQUEST)
    await asyncio.sleep(1)

    assert ear.data == b"\x00\x00"  # a second one after our own bytes
    line.close()


@pytest.mark.parametrize("framing", ["8N1", "8E1", "8O1", "8N2"])
async def test_behind_a_pty_the_port_s_settings_count(tmp_path, framing):
    line = Line()
    line.attach(unit(delay_s=0.001), settings(19200, framing))
    port = line_pty(line, tmp_path / "line")
    port.open()

    right = RtuBus(str(port.link), 19200, framing)
    wrong = RtuBus(str(port.link), 19200, "8E1" if framing == "8N1" else "8N1")
    await right.open()
    reply = await right.read(3, Span("holding", 0, 2), Timing(0.5))
    await right.close()

    assert reply.data == b"\x00\x07\x00\x08"
    if framing != "8N2":  # two stop bits are heard by all as one
        await wrong.open()
        with pytest.raises(Exception, match="unit 3"):
            await wrong.read(3, Span("holding", 0, 2), Timing(0.1))
        await wrong.close()
    port.close()
    line.close()


async def test_a_pty_knows_its_new_settings_after_it_was_opened_anew(tmp_path):
    line = Line()
    line.attach(unit(delay_s=0.001), settings(9600, "8E1"))
    port = line_pty(line, tmp_path / "line")
    port.open()

    for framing, answered in (("8N1", False), ("8E1", True), ("8N1", False)):
        ear = Ear()
        transport = await open_serial(
            str(port.link), 9600, framing, lambda ear=ear: ear
        )
        await asyncio.sleep(0.03)
        transport.write(REQUEST)
        for _ in range(20 if answered else 6):
            await asyncio.sleep(0.01)
            if ear.data == ANSWER:
                break
        assert (ear.data == ANSWER) is answered, framing
        transport.close()
        await asyncio.sleep(0.05)
    port.close()
    line.close()
