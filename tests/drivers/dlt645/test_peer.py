"""Against the PyPI package dlt645: another hand's meter, over TCP and over a pty.

Its server answers single items, the address and errors; blocks it answers with "no such
data", and it does not send following frames, so these are the simulator's to show.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
import tty

import pytest
from dlt645 import Demand, MeterServerService

from drivers.dlt645 import Dlt645Device, Timing, serial, tcp
from drivers.dlt645.frame import ANY_METER, Finder, Function, request
from drivers.dlt645.question import told_address
from drivers.profiles.dlt645_items import items
from drivers.profiles.dlt645_points import Dlt645Point
from drivers.values import Flaw, Quality

ADDRESS = "123456789012"
TIMING = Timing(timeout_s=1.0)
SET = {
    "00010000": 1234.56,
    "00020000": 0.5,
    "02010100": 220.5,
    "02020100": -4.999,
    "02020200": 0.0,
    "02030000": -0.2512,
    "02040000": 0.4331,
    "02060000": 0.501,
    "02800002": 50.01,
}
TEXTS = {"04000102": "123456", "04000402": "000006605518"}


@pytest.fixture
def served():
    """A started server of the package, by the way it is reached."""
    with contextlib.ExitStack() as stack:

        def start(service):
            service.set_address(bytes.fromhex(ADDRESS)[::-1])
            for di, value in SET.items():
                part = 0x00 if di.startswith("00") else 0x02
                set_value = service.set_00 if part == 0 else service.set_02
                assert set_value(int(di, 16), value)
            for di, text in TEXTS.items():
                assert service.set_04(int(di, 16), text)
            stack.callback(service.server.stop)
            assert service.server.start()
            return service

        yield start


def points():
    singles = [Dlt645Point(name=di, item=items()[di]) for di in [*SET, *TEXTS]]
    absent = Dlt645Point(name="absent", item=items()["00050000"])
    demand = Dlt645Point(name="demand", item=items()["01010000"], part="value")
    return [*singles, absent, demand]


async def scanned(line):
    await line.open()
    try:
        device = Dlt645Device("peer", ADDRESS, line, points(), TIMING)
        names = [p.name for p in points()]
        first = await device.scan(names)
        who = request(Function.READ_ADDRESS, ANY_METER)
        answer = await line.wire.exchange(who, Finder().find, timeout_s=1.0)
        return first, told_address(answer.found)
    finally:
        await line.close()


def judge(got, told):
    expected = {**SET, "04000102": "12:34:56", "04000402": "000006605518"}
    assert {k: v for k, v in got.values.items() if k in expected} == expected
    # The package has this item, and has it zero where nobody set it.
    assert got.values.get("absent", 0.0) == 0.0
    assert got.values.get("demand") == 0.4321
    assert set(got.flaws) <= {"absent"}
    assert told == ADDRESS


def serve_demand(service):
    from datetime import datetime  # noqa: PLC0415 - only here

    at = datetime(2026, 11, 21, 8, 45)  # noqa: DTZ001 - the meter's own
    assert service.set_01(0x01010000, Demand(0.4321, at))


async def test_a_meter_of_another_hand_over_tcp(served):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    service = served(MeterServerService.new_tcp_server("127.0.0.1", port, 0.5))
    serve_demand(service)

    judge(*await scanned(tcp("127.0.0.1", port)))


async def test_a_meter_of_another_hand_on_a_pty(served, tmp_path):
    """Two ptys, back to back: each side opens a line of its own."""
    ends = [os.openpty() for _ in range(2)]
    names = []
    for _, slave in ends:
        tty.setraw(slave)
        names.append(os.ttyname(slave))
    stop = threading.Event()
    threads = [
        threading.Thread(target=copy, args=(ends[a][0], ends[b][0], stop))
        for a, b in ((0, 1), (1, 0))
    ]
    for thread in threads:
        thread.start()
    try:
        service = served(
            MeterServerService.new_rtu_server(names[0], 8, 1, 9600, "N", 0.5)
        )
        serve_demand(service)
        judge(*await scanned(serial(names[1], 9600, "8N1")))
        await asyncio.to_thread(service.server.stop)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        for pair in ends:
            for end in pair:
                with contextlib.suppress(OSError):
                    os.close(end)


def copy(source, target, stop):
    """Bytes from one pty to the other until told to stop."""
    import select  # noqa: PLC0415 - only here

    while not stop.is_set():
        ready, _, _ = select.select([source], [], [], 0.05)
        if ready:
            with contextlib.suppress(OSError):
                os.write(target, os.read(source, 4096))


async def test_a_stranger_s_address_is_silence_or_an_error_to_us(served):
    """The package answers others' addresses with an error frame; no value comes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    served(MeterServerService.new_tcp_server("127.0.0.1", port, 0.5))
    line = tcp("127.0.0.1", port)
    await line.open()
    try:
        device = Dlt645Device(
            "peer", "999900000001", line, points()[:1], Timing(timeout_s=0.3)
        )
        got = await device.scan([points()[0].name])
    finally:
        await line.close()

    assert not got.values
    (flaw,) = got.flaws.values()
    assert flaw in (
        Flaw(Quality.BAD, "meter_error"),
        Flaw(Quality.BAD, "timeout"),
    )
