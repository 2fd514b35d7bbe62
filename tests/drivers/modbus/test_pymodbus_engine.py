"""The same rules over pymodbus' client, on TCP, on RTU frames and on a pty."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from drivers.errors import (
    BusError,
    PointError,
    PointUnsupportedError,
    ResponseTimeoutError,
)
from drivers.modbus import PymodbusBus, Span, Timing
from simulators.bench import BenchUnit
from simulators.ports import serve_pty
from simulators.station import Station
from tests.support.modbus_fakes import Asked, FakeDevice, plain
from tests.support.virtual import running_loop, virtual

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TIMING = Timing(0.5)
SPAN = Span("holding", 100, 10, 4, 4)
BOTH = pytest.mark.parametrize("over_rtu", [False, True], ids=["tcp", "rtu"])


@asynccontextmanager
async def connected(*, rtu: bool, script: Any = None) -> AsyncIterator[Any]:
    device = FakeDevice(tcp=not rtu, script=script)
    running_loop().net.listen(device, "plc", 502)
    bus = PymodbusBus("plc", rtu_over_tcp=rtu)
    await bus.open()
    yield bus, device
    await bus.close()


def words(data: bytes) -> list[int]:
    return [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]


@BOTH
def test_every_table_is_read_and_written(over_rtu: bool) -> None:
    @virtual
    async def run() -> None:
        async with connected(rtu=over_rtu) as (bus, device):
            for table in ("coil", "discrete", "holding", "input"):
                reply = await bus.read(7, Span(table, 99, 12), TIMING)
                expected = (
                    b"\x49\x02"
                    if table in {"coil", "discrete"}
                    else plain(device.asked[-1])[2:]
                )
                assert reply.data == expected
            await bus.write(7, "holding", 5, (7,), TIMING)
            await bus.write(7, "holding", 5, (7, 8), TIMING)
            await bus.write(7, "coil", 5, (1,), TIMING)
            await bus.write(7, "coil", 5, (1, 0, 1), TIMING)

            assert bus.stats(7).good == 8

    run()


@BOTH
def test_sizes_rotate_as_in_our_own_engine(over_rtu: bool) -> None:
    @virtual
    async def run() -> None:
        async with connected(rtu=over_rtu) as (bus, device):
            for _ in range(4):
                reply = await bus.read(1, SPAN, TIMING)
                assert words(reply.data)[0] == reply.start

            assert [a.count for a in device.asked] == [10, 11, 12, 13]

    run()


@BOTH
def test_one_silence_costs_one_time_out_and_no_retry(over_rtu: bool) -> None:
    @virtual
    async def run() -> None:
        async with connected(rtu=over_rtu, script=lambda _: []) as (bus, device):
            started = running_loop().time()
            with pytest.raises(ResponseTimeoutError, match="unit 1: no answer"):
                await bus.read(1, SPAN, TIMING)

            assert running_loop().time() - started == pytest.approx(0.5)
            assert len(device.asked) == 1

    run()


@BOTH
def test_a_late_answer_is_dropped_and_the_wait_goes_on(over_rtu: bool) -> None:
    def script(asked: Asked) -> list[tuple[float, bytes]]:
        delay = 0.51 if asked.address == 100 else 0.05
        return [(delay, devices[0].frame(asked, plain(asked)))]

    devices: list[FakeDevice] = []

    @virtual
    async def run() -> None:
        async with connected(rtu=over_rtu, script=script) as (bus, device):
            devices.append(device)
            with pytest.raises(ResponseTimeoutError):
                await bus.read(1, SPAN, TIMING)
            reply = await bus.read(1, Span("holding", 200, 10, 4, 4), TIMING)

            assert words(reply.data)[0] == reply.start
            assert bus.stats(1).late_discarded == 1

    run()


@BOTH
def test_exceptions_are_told_apart(over_rtu: bool) -> None:
    codes = [2, 6]

    def script(asked: Asked) -> list[tuple[float, bytes]]:
        return [(0.01, devices[0].frame(asked, bytes((0x83, codes.pop(0)))))]

    devices: list[FakeDevice] = []

    @virtual
    async def run() -> None:
        async with connected(rtu=over_rtu, script=script) as (bus, device):
            devices.append(device)
            with pytest.raises(PointUnsupportedError):
                await bus.read(1, SPAN, TIMING)
            with pytest.raises(PointError, match="busy"):
                await bus.read(1, SPAN, TIMING)

    run()


@BOTH
def test_the_same_exception_again_is_still_an_exception(over_rtu: bool) -> None:
    def script(asked: Asked) -> list[tuple[float, bytes]]:
        return [(0.01, devices[0].frame(asked, b"\x83\x06"))]

    devices: list[FakeDevice] = []

    @virtual
    async def run() -> None:
        async with connected(rtu=over_rtu, script=script) as (bus, device):
            devices.append(device)
            for _ in range(3):
                with pytest.raises(PointError, match="busy"):
                    await bus.read(1, SPAN, TIMING)

    run()


@BOTH
def test_undecodable_bytes_do_not_break_the_connection(over_rtu: bool) -> None:
    @virtual
    async def run() -> None:
        async with connected(rtu=over_rtu) as (bus, device):
            device.script = lambda asked: [(0.01, device.frame(asked, b"\x03"))]
            with pytest.raises(ResponseTimeoutError):
                await bus.read(1, SPAN, TIMING)
            device.script = device.right
            reply = await bus.read(1, SPAN, TIMING)

            assert words(reply.data)[0] == reply.start

    run()


@BOTH
def test_a_lost_connection_is_a_bus_error_at_once(over_rtu: bool) -> None:
    @virtual
    async def run() -> None:
        async with connected(rtu=over_rtu, script=lambda _: []) as (bus, device):
            started = running_loop().time()
            running_loop().call_later(0.1, device.transport.close)
            with pytest.raises(BusError, match="connection ended"):
                await bus.read(1, SPAN, TIMING)
            assert running_loop().time() - started < 0.2
            with pytest.raises(BusError, match="connection is gone"):
                await bus.read(1, SPAN, TIMING)
            device.script = device.right
            await bus.open()
            reply = await bus.read(1, SPAN, TIMING)

            assert words(reply.data)[0] == reply.start

    run()


@virtual
async def test_nobody_listening_is_a_bus_error() -> None:
    with pytest.raises(BusError, match="cannot open"):
        await PymodbusBus("plc").open()


async def test_a_pty_is_read_through_pyserial(tmp_path) -> None:
    link = tmp_path / "line"
    port = serve_pty(Station([BenchUnit(3, 20, lambda: 42)]), link)
    bus = PymodbusBus(device=str(link), baud=115200)
    await bus.open()

    reply = await bus.read(3, Span("input", 0, 2), TIMING)

    assert reply.data == b"\x00\x00\x00\x2a"
    await bus.close()
    await asyncio.sleep(0)
    port.close()
