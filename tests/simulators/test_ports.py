"""Stations on real sockets and ptys, and the same units behind pymodbus."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tty

import pytest
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient

from simulators.bench import BenchUnit, identity
from simulators.peer import PymodbusPty, PymodbusTcp
from simulators.ports import TcpPort, serve_pty
from simulators.station import Station
from simulators.units import MapUnit

WAIT_S = 5.0


def station(*numbers: int) -> Station:
    return Station([BenchUnit(n, 20, lambda: 77) for n in numbers or (1,)])


async def until(condition) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 the other side is a kernel object
            await asyncio.sleep(0.005)


async def test_pymodbus_reads_our_tcp_server_also_after_it_vanished() -> None:
    port = TcpPort(station(1, 2))
    await port.open()
    client = AsyncModbusTcpClient("127.0.0.1", port=port.port, reconnect_delay=0)
    assert await client.connect()

    answer = await client.read_holding_registers(0, count=6, device_id=2)
    refused = await client.read_coils(0, count=1, device_id=1)
    port.vanish(0.05)
    await until(lambda: not client.connected)
    await until(lambda: port._return is None and port._server is not None)
    assert await client.connect()
    again = await client.read_input_registers(4, count=2, device_id=2)

    assert answer.registers == [0, 77, *divmod(identity(2, 2), 65536), 0, 1]
    assert refused.exception_code == 1
    assert again.registers == [0, 2]
    client.close()
    port.close()


async def test_pymodbus_reads_our_pty(tmp_path) -> None:
    link = tmp_path / "line"
    port = serve_pty(station(1, 2), link)
    client = AsyncModbusSerialClient(str(link), baudrate=115200, reconnect_delay=0)
    assert await client.connect()

    answer = await client.read_holding_registers(2, count=2, device_id=1)

    assert answer.registers == [*divmod(identity(1, 2), 65536)]
    client.close()
    port.close()
    assert not link.is_symlink()


async def test_a_pty_can_be_closed_and_opened_and_comes_back_under_another_name(
    tmp_path,
) -> None:
    link = tmp_path / "line"
    served = station(1)
    port = serve_pty(served, link)

    async def ask() -> bytes:
        slave = os.open(link, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            tty.setraw(slave)
            os.write(slave, bytes.fromhex("010300000001840a"))
            found = bytearray()

            def whole() -> bool:
                with contextlib.suppress(BlockingIOError):
                    found.extend(os.read(slave, 64))
                return len(found) >= 7

            await until(whole)
            return bytes(found)
        finally:
            os.close(slave)

    first = await ask()
    second = await ask()
    served.on_vanish(0.03)
    assert not link.is_symlink()
    # A pty's number is free again once it is closed: take it before it returns.
    taken = os.openpty()
    await until(link.is_symlink)
    third = await ask()

    assert [len(x) for x in (first, second, third)] == [7, 7, 7]
    assert port.names[0] != port.names[1]
    for descriptor in taken:
        os.close(descriptor)
    port.close()


@pytest.mark.parametrize("carrier", ["tcp", "pty"])
async def test_the_same_units_behind_pymodbus(tmp_path, carrier) -> None:
    words = {("coil", a): a % 3 == 0 for a in range(5, 30)}
    words |= {("input", a): 1000 + a for a in range(40, 50)}
    unit = MapUnit(7, words)
    if carrier == "tcp":
        server = PymodbusTcp([unit, BenchUnit(8, 4, lambda: 5)])
        await server.open()
        client = AsyncModbusTcpClient("127.0.0.1", port=server.port, reconnect_delay=0)
    else:
        link = tmp_path / "line"
        server = PymodbusPty([unit, BenchUnit(8, 4, lambda: 5)], link)
        await server.open()
        client = AsyncModbusSerialClient(str(link), baudrate=115200, reconnect_delay=0)
    assert await client.connect()

    inputs = await client.read_input_registers(42, count=3, device_id=7)
    coils = await client.read_coils(6, count=20, device_id=7)
    refused = await client.read_holding_registers(0, count=1, device_id=7)
    bench = await client.read_holding_registers(0, count=6, device_id=8)
    written = await client.write_coil(6, True, device_id=7)

    assert inputs.registers == [1042, 1043, 1044]
    assert coils.bits[:20] == [a % 3 == 0 for a in range(6, 26)]
    assert refused.exception_code == 2
    assert bench.registers == [0, 5, 8, 2, 0, 1]
    assert not written.isError()
    assert unit.writes[0] == ("coil", 6, (1,))
    client.close()
    await server.close()
