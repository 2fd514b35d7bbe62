"""Ports that instruments push into: who is believed, who is answered, what is lost."""

from __future__ import annotations

import asyncio
import os
import re
import tty
from datetime import UTC

import pytest

from drivers.errors import BusError
from drivers.hj212.device import Hj212Device
from drivers.hj212.frame import pack
from drivers.hj212.listener import (
    MOST_CONNECTIONS,
    Hj212Port,
    listening_port,
    serial_port,
    tcp_port,
)
from drivers.profiles.hj212_points import Hj212Point
from gateway.texts.field import worded
from tests.drivers.hj212.vectors import REFUSED, TAKEN
from tests.support.virtual import running_loop, virtual

DUST = Hj212Point(name="pm10", factor="a34002", unit="ug/m3")


def push(mn, second, value, *, flag=4, cn=2011, qn_ms=0):
    return pack(
        f"QN=202406010800{second:02d}{qn_ms:03d};ST=39;CN={cn};PW=123456;MN={mn};"
        f"Flag={flag};CP=&&DataTime=202406010800{second:02d};a34002-Rtd={value},"
        f"a34002-Flag=N&&".encode()
    )


def device(port, address, *, timeout_s=0.0, points=(DUST,)):
    return Hj212Device(
        f"d-{address}", address, port, points, timeout_s=timeout_s, zone=UTC
    )


async def value(one):
    answer = await one.scan(["pm10"])
    return answer.values.get(
        "pm10", answer.flaws.get("pm10") and answer.flaws["pm10"].reason
    )


class Side(asyncio.Protocol):
    """An instrument's end: says and hears."""

    def __init__(self):
        self.heard = bytearray()
        self.ended = asyncio.Event()

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.heard += data

    def connection_lost(self, exc):
        self.ended.set()

    async def say(self, *frames):
        for frame in frames:
            self.transport.write(frame)
        await settle()


async def settle():
    for _ in range(6):
        await asyncio.sleep(0)


async def until(true):
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - the other end is a callback
            await asyncio.sleep(0.001)


async def served(**options):
    port = listening_port("127.0.0.1", 9001, **{"answer": True, **options})
    await port.open()
    return port


async def connected():
    _, side = await asyncio.get_running_loop().create_connection(
        Side, "127.0.0.1", 9001
    )
    return side


@virtual
async def test_several_instruments_on_several_connections_and_on_one():
    port = await served()
    devices = {mn: device(port, mn) for mn in "ABC"}
    first, second = await connected(), await connected()

    await first.say(push("A", 0, 1) + push("B", 0, 2))
    await second.say(push("C", 0, 3), push("X", 0, 4), push("X", 1, 4))

    assert [await value(one) for one in devices.values()] == [1, 2, 3]
    assert [await value(one) for one in devices.values()] == ["no_data"] * 3
    stats = port.stats("A")
    assert (stats.frames, stats.taken, stats.connections) == (1, 1, 2)
    assert stats.strangers == {"X": 2}
    assert any("MN 'X' are for no device here" in line for line in port.heard())
    for line in port.heard():
        assert not re.search("[a-z]{4} [a-z]{4}", worded(line, "zh")), line
    await port.close()


@virtual
async def test_who_speaks_alone_needs_no_address():
    port = await served()
    one = device(port, None)
    side = await connected()

    await side.say(push("A", 0, 1))
    assert await value(one) == 1
    await side.say(push("A", 1, 2), push("B", 1, 3))
    assert await value(one) == "several_speakers"
    await side.say(push("A", 2, 4))
    assert await value(one) == "several_speakers"

    await asyncio.sleep(3601)
    await side.say(push("A", 3, 5))
    assert await value(one) == 5
    await port.close()


@virtual
async def test_a_named_instrument_does_not_stand_in_the_way_of_the_one_without():
    port = await served()
    named, other = device(port, "A"), device(port, None)
    side = await connected()

    await side.say(push("A", 0, 1), push("B", 0, 2), push("A", 1, 3))

    assert await value(named) == 3
    assert await value(other) == 2
    await port.close()


@virtual
async def test_one_name_on_two_connections_is_not_believed():
    port = await served()
    one = device(port, "A")
    old, new = await connected(), await connected()

    await old.say(push("A", 0, 1))
    await new.say(push("A", 1, 2))
    assert await value(one) == 2, "an instrument that connected anew"
    await old.say(push("A", 2, 3))
    await new.say(push("A", 3, 4))
    assert await value(one) == "two_speakers"
    old.transport.close()
    await settle()
    await new.say(push("A", 4, 5))
    assert await value(one) == 5
    await port.close()


ASKED = [
    (5, 2011, b"CN=9014;PW=123456;MN=A;Flag=4;CP=&&&&"),
    (9, 2011, b"CN=9014;PW=123456;MN=A;Flag=8;CP=&&&&"),
    (1, 2051, b"CN=9014;PW=123456;MN=A;Flag=0;CP=&&&&"),
    (5, 1013, b"CN=9013;PW=123456;MN=A;Flag=4;CP=&&&&"),
    (9, 9015, b"CN=9013;PW=123456;MN=A;Flag=8;CP=&&&&"),
]
SILENT = [(4, 2011), (8, 2011), (5, 9014), (5, 1012), (5, 9011), (5, 3013)]


@pytest.mark.parametrize(("flag", "cn", "answer"), ASKED)
@virtual
async def test_frames_that_ask_are_answered(flag, cn, answer):
    port = await served()
    one = device(port, "A")
    side = await connected()

    await side.say(push("A", 7, 1, flag=flag, cn=cn, qn_ms=42))

    assert bytes(side.heard) == pack(b"QN=20240601080007042;ST=91;" + answer)
    assert port.stats("A").answered == 1
    assert one.address == "A"
    await port.close()


@pytest.mark.parametrize(("flag", "cn"), SILENT)
@virtual
async def test_nothing_else_is_answered(flag, cn):
    port = await served()
    one = device(port, "A")
    side = await connected()

    await side.say(push("A", 7, 1, flag=flag, cn=cn))

    assert bytes(side.heard) == b""
    del one
    await port.close()


@virtual
async def test_strangers_and_damage_get_no_answer():
    port = await served()
    one = device(port, "A")
    side = await connected()
    asking = push("A", 7, 1, flag=5)

    await side.say(
        push("B", 7, 1, flag=5),
        asking.replace(b"Rtd=1", b"Rtd=2"),
        REFUSED["B4"].encode(),
        pack(b"ST=39;CN=2011;PW=1;MN=A;Flag=5;CP=&&a34002-Rtd=1&&"),  # no DataTime
        TAKEN["C2"].encode(),
    )

    assert bytes(side.heard) == b""
    assert await value(one) == "no_data"
    stats = port.stats("A")
    assert stats.refused == {"crc": 2, "no_data_time": 1}
    assert stats.deviations == {"no_qn": 1, "pw_form": 1, "mn_form": 1}
    assert stats.strangers == {"B": 1, "LD130133000015": 1}
    await port.close()


@virtual
async def test_a_site_may_keep_silent():
    port = await served(answer=False)
    one = device(port, "A")
    side = await connected()

    await side.say(push("A", 7, 1, flag=5))

    assert bytes(side.heard) == b""
    assert port.stats("A").unanswered == 1
    assert await value(one) == 1
    await port.close()


@virtual
async def test_a_scan_waits_for_what_comes_within_its_time():
    loop = running_loop()
    port = await served()
    one = device(port, "A", timeout_s=2.0)
    side = await connected()
    loop.call_later(1.5, side.transport.write, push("A", 0, 1))
    began = loop.time()

    assert await value(one) == 1
    assert loop.time() - began == pytest.approx(1.5)

    began = loop.time()
    assert await value(one) == "no_data"
    assert loop.time() - began == pytest.approx(2.0)

    answer = await one.scan(["pm10"], wait_s=0.1)
    assert loop.time() - began == pytest.approx(2.1)
    assert not answer.answered
    await port.close()


@virtual
async def test_how_old_the_data_is_is_told():
    port = await served()
    one = device(port, "A", timeout_s=2.0)
    side = await connected()
    await side.say(push("A", 0, 1))
    await asyncio.sleep(3.25)

    answer = await one.scan(["pm10"])

    assert answer.age_ms == {"pm10": 3250}
    assert answer.waited_s == 0.0

    asyncio.get_running_loop().call_later(1.5, side.transport.write, push("A", 1, 2))
    answer = await one.scan(["pm10"])

    # What was waited for is of then: the scan's time is not before its data.
    assert answer.age_ms == {"pm10": 0}
    assert answer.waited_s == pytest.approx(1.5)
    await port.close()


@virtual
async def test_a_connection_that_ends_is_no_lost_port_where_we_listen():
    port = await served()
    one = device(port, "A", timeout_s=1.0)
    side = await connected()
    side.transport.close()
    await settle()

    assert await value(one) == "no_data"
    assert port.stats("A").connections == 0
    side = await connected()
    await side.say(push("A", 0, 1))
    assert await value(one) == 1
    await port.close()
    with pytest.raises(BusError, match="closed here"):
        await value(one)


@virtual
async def test_connections_are_bounded():
    port = await served()
    one = device(port, "A")
    sides = []
    for number in range(MOST_CONNECTIONS + 3):
        sides.append(await connected())
        await asyncio.sleep(0.1)
        await sides[-1].say(push("A", 0, number))

    assert port.stats("A").connections == MOST_CONNECTIONS
    assert [side.ended.is_set() for side in sides[:4]] == [True, True, True, False]
    assert await value(one) == MOST_CONNECTIONS + 2
    await port.close()


def memory_port(line):
    return Hj212Port("line", line.open_port, answer=True)


@virtual
async def test_a_line_that_is_unplugged_is_a_lost_port_also_in_the_middle_of_a_wait():
    loop = running_loop()
    line = loop.line("a")
    sides = []
    line.attach(lambda: sides.append(Side()) or sides[-1])
    port = memory_port(line)
    one = device(port, "A", timeout_s=5.0)
    with pytest.raises(BusError, match="not opened"):
        await value(one)
    await port.open()
    await sides[-1].say(push("A", 0, 1))
    assert await value(one) == 1

    loop.call_later(1.0, line.unplug)
    with pytest.raises(BusError, match="Input/output error"):
        await value(one)
    with pytest.raises(BusError, match="cannot open it"):
        await port.open()
    line.plug()
    await port.open()
    await sides[-1].say(push("A", 1, 2))
    assert await value(one) == 2
    await port.close()
    await port.close()


@virtual
async def test_packets_that_stay_incomplete_are_given_as_they_are():
    port = await served()
    nox = Hj212Point(name="nox", factor="a21002", unit="mg/m3")
    one = device(port, "A", points=(DUST, nox))
    side = await connected()
    first = push("A", 0, 1, flag=6).replace(b"Flag=6;", b"Flag=6;PNUM=2;PNO=1;")
    second = push("A", 0, 1, flag=6, qn_ms=1).replace(
        b"Flag=6;", b"Flag=6;PNUM=2;PNO=2;"
    )
    second = second.replace(b"a34002", b"a21002")
    first, second = (pack(frame[6:-6]) for frame in (first, second))

    await side.say(first)
    assert (await one.scan(["pm10", "nox"])).values == {}
    await side.say(second)
    assert (await one.scan(["pm10", "nox"])).values == {"pm10": 1, "nox": 1}

    await side.say(push("A", 5, 3), pack(first[6:-6].replace(b"080000;", b"080009;")))
    assert (await one.scan(["pm10"])).values == {"pm10": 3}
    await asyncio.sleep(11)
    answer = await one.scan(["pm10", "nox"])
    assert answer.values == {"pm10": 1}
    assert answer.flaws["nox"].reason == "not_sent"
    await port.close()


async def test_over_a_real_socket_we_connect_and_hear():
    sides = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: sides.append(Side()) or sides[-1], "127.0.0.1", 0
    )
    number = server.sockets[0].getsockname()[1]
    port = tcp_port("127.0.0.1", number, answer=True)
    one = device(port, "A", timeout_s=2.0)
    await port.open()
    await until(lambda: sides)
    frame = push("A", 0, 1, flag=5)
    for at in range(0, len(frame), 7):
        sides[0].transport.write(frame[at : at + 7])
        await asyncio.sleep(0.001)

    assert await value(one) == 1
    await until(lambda: sides[0].heard)
    assert b"CN=9014" in sides[0].heard

    sides[0].transport.abort()
    with pytest.raises(BusError):
        await value(one)
    server.close()
    await port.close()
    with pytest.raises(BusError, match="refused"):
        await port.open()


async def test_over_a_real_pty_and_nothing_is_said():
    master, slave = os.openpty()
    tty.setraw(slave)
    port = serial_port(os.ttyname(slave), 9600, "8N1", answer=False)
    one = device(port, None, timeout_s=2.0)
    await port.open()
    os.write(master, b"\x00\xff##" + TAKEN["C12"].encode() + b"\r\n")

    assert await value(one) == 295

    os.set_blocking(master, False)
    with pytest.raises(BlockingIOError):
        os.read(master, 100)
    await port.close()
    os.close(master)
    os.close(slave)


PM25 = Hj212Point(name="pm25", factor="a34004", unit="ug/m3")


@virtual
async def test_points_of_two_periods_get_the_same_measurement_each_once():
    port = await served()
    one = Hj212Device(
        "d", "A", port, (DUST, PM25), timeout_s=0.0, zone=UTC,
        periods=[["pm10"], ["pm25"]],
    )  # fmt: skip
    side = await connected()
    both = b"a34002-Rtd=%d;a34004-Rtd=%d&&"
    head = (
        b"QN=20240601080000000;ST=39;CN=2011;PW=123456;MN=A;Flag=4;"
        b"CP=&&DataTime=202406010800%02d;"
    )

    async def slot(name):
        answer = await one.scan([name])
        return answer.values.get(name)

    await side.say(pack(head % 0 + both % (1, 2)))
    assert (await slot("pm10"), await slot("pm25")) == (1, 2)
    assert (await slot("pm10"), await slot("pm25")) == (None, None)
    await side.say(pack(head % 30 + both % (3, 4)))
    assert await slot("pm10") == 3
    await side.say(pack(head % 59 + both % (5, 6)))
    assert (await slot("pm25"), await slot("pm10")) == (6, 5), "never an older one"
    await port.close()


@virtual
async def test_a_look_takes_nothing_from_the_slots():
    port = await served()
    one = device(port, "A")
    side = await connected()
    await side.say(push("A", 0, 1))

    looked = await one.scan(["pm10"], want_raw=True)

    assert looked.values == {"pm10": 1}
    assert await value(one) == 1
    assert await value(one) == "no_data"
    await port.close()


@virtual
async def test_what_came_before_the_port_was_gone_is_not_now():
    port = await served()
    one = device(port, "A")
    side = await connected()
    await side.say(push("A", 0, 1))
    await port.close()

    await asyncio.sleep(1800)
    await port.open()

    assert await value(one) == "no_data"
    await port.close()


@virtual
async def test_who_hangs_up_settles_no_doubt_but_its_own():
    port = await served()
    one = device(port, "A")
    first, second, passer = await connected(), await connected(), await connected()
    await first.say(push("A", 0, 1))
    await second.say(push("A", 1, 2))
    await first.say(push("A", 2, 1))
    assert await value(one) == "two_speakers"

    await passer.say(push("B", 3, 9))
    passer.transport.close()
    await settle()
    await second.say(push("A", 4, 2))
    assert await value(one) == "two_speakers"

    first.transport.close()
    await settle()
    await second.say(push("A", 5, 2))
    assert await value(one) == 2
    await port.close()


async def test_a_serial_port_that_is_not_there_says_which_adapters_are():
    port = serial_port("/dev/serial/by-id/no-such", 9600, "8N1", answer=False)

    with pytest.raises(BusError, match=r"plugged in(;| are)|no USB serial adapter"):
        await port.open()
