"""The virtual-time loop does what asyncio promises, only sooner."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.framer import FramerType

from tests.support.virtual import (
    EPOCH_MS,
    DeadlockError,
    LeakedTasksError,
    LivelockError,
    Pace,
    VirtualClock,
    run_virtual,
    running_loop,
    serial_pace,
    virtual,
)


class Recorder(asyncio.Protocol):
    """Keeps what arrives and when."""

    def __init__(self) -> None:
        self.got: list[tuple[float, bytes]] = []
        self.lost: list[Exception | None] = []
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.got.append((asyncio.get_running_loop().time(), data))

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)

    @property
    def data(self) -> bytes:
        return b"".join(data for _, data in self.got)


@virtual
async def test_sleeps_end_in_the_order_of_their_times() -> None:
    order: list[float] = []

    async def wait(delay: float) -> None:
        await asyncio.sleep(delay)
        order.append(delay)

    await asyncio.gather(*(wait(d) for d in (3.0, 0.5, 86_400.0, 0.0, 2.25)))

    assert order == [0.0, 0.5, 2.25, 3.0, 86_400.0]


@virtual
async def test_time_is_exactly_what_was_slept() -> None:
    loop = running_loop()
    started = loop.time()

    for _ in range(1000):
        await asyncio.sleep(0.001)

    assert loop.time() - started == pytest.approx(1.0, abs=1e-9)


def test_a_day_of_one_second_ticks_passes_in_seconds() -> None:
    async def day() -> int:
        ticks = 0
        for _ in range(86_400):
            await asyncio.sleep(1)
            ticks += 1
        return ticks

    started = time.monotonic()
    ticks = run_virtual(day())

    assert ticks == 86_400
    # Measured 1.3 s; the bound is there to find a loop that really waits.
    assert time.monotonic() - started < 60


@virtual
async def test_timeouts_and_cancellation_work_as_on_a_real_loop() -> None:
    loop = running_loop()
    started = loop.time()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await loop.create_future()
    task = asyncio.create_task(asyncio.sleep(1e6), name="sleeper")
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert loop.time() - started == pytest.approx(6.0)


def test_a_deadlock_is_named_with_the_waiting_task() -> None:
    async def stuck() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(DeadlockError, match=r"in stuck"):
        run_virtual(stuck())


def test_a_livelock_is_reported_and_not_endured() -> None:
    async def spin() -> None:
        for _ in range(10_000):
            await asyncio.sleep(0)

    with pytest.raises(LivelockError, match="time stands still"):
        run_virtual(spin(), still_limit=500)


def test_a_task_left_running_fails_the_test() -> None:
    kept: list[asyncio.Task[None]] = []

    async def leave() -> None:
        kept.append(asyncio.create_task(asyncio.sleep(9), name="left-behind"))

    with pytest.raises(LeakedTasksError, match="left-behind"):
        run_virtual(leave())
    run_virtual(leave(), leaks=True)


def test_the_limit_of_virtual_time_cuts_off() -> None:
    with pytest.raises(TimeoutError):
        run_virtual(asyncio.sleep(100), limit_s=10)


@virtual
async def test_an_executor_runs_inline_and_may_cost_time() -> None:
    loop = running_loop()

    assert await loop.run_in_executor(None, lambda: 7) == 7
    with pytest.raises(OSError, match="disk"):
        await asyncio.to_thread(_raise, OSError("disk"))
    loop.executor_s = 0.25
    started = loop.time()
    await loop.run_in_executor(None, lambda: None)

    assert loop.time() - started == 0.25


def _raise(exc: Exception) -> None:
    raise exc


@virtual
async def test_streams_talk_over_an_in_memory_server() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("localhost", port)
    writer.write(b"hello\n")

    assert await reader.readline() == b"HELLO\n"

    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()
    await asyncio.sleep(0.1)


@virtual
async def test_a_unix_socket_is_a_name_too() -> None:
    loop = running_loop()
    served = Recorder()

    await loop.create_unix_server(lambda: served, "/run/x.sock")
    transport, _ = await loop.create_unix_connection(Recorder, "/run/x.sock")
    transport.write(b"hi")
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert served.data == b"hi"


@virtual
async def test_connecting_is_refused_where_nobody_listens() -> None:
    loop = running_loop()

    with pytest.raises(ConnectionRefusedError):
        await loop.create_connection(Recorder, "127.0.0.1", 502)
    loop.net.black_holes.add(("10.0.0.9", 502))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3):
            await loop.create_connection(Recorder, "10.0.0.9", 502)

    assert [host for _, host, _ in loop.net.attempts] == ["127.0.0.1", "10.0.0.9"]


@virtual
async def test_close_delivers_what_was_written_and_both_ends_learn_of_it() -> None:
    loop = running_loop()
    served = Recorder()
    server = loop.net.listen(lambda: served)
    transport, protocol = await loop.create_connection(
        Recorder, "127.0.0.1", server.port
    )

    transport.write(b"last words")
    transport.close()
    await asyncio.sleep(1)

    assert served.data == b"last words"
    assert served.lost == [None]
    assert isinstance(protocol, Recorder)
    assert protocol.lost == [None]


@virtual
async def test_a_crashing_server_drops_its_connections() -> None:
    loop = running_loop()
    server = loop.net.listen(Recorder)
    _, protocol = await loop.create_connection(Recorder, "127.0.0.1", server.port)

    server.close()
    server.drop_connections()
    await asyncio.sleep(0.1)

    assert isinstance(protocol, Recorder)
    assert len(protocol.lost) == 1
    with pytest.raises(ConnectionRefusedError):
        await loop.create_connection(Recorder, "127.0.0.1", server.port)


@virtual
async def test_latency_and_rate_pace_the_bytes_and_keep_their_order() -> None:
    loop = running_loop()
    served = Recorder()
    server = loop.net.listen(lambda: served)
    loop.net.pace = Pace(latency_s=0.1, bytes_per_s=100, lump=10)
    transport, _ = await loop.create_connection(Recorder, "127.0.0.1", server.port)
    started = loop.time()

    transport.write(b"a" * 25)
    transport.write(b"b" * 5)
    await asyncio.sleep(5)

    assert [(round(t - started, 6), len(d)) for t, d in served.got] == [
        (0.2, 10),
        (0.3, 10),
        (0.35, 5),
        (0.4, 5),
    ]
    assert served.data == b"a" * 25 + b"b" * 5


@virtual
async def test_a_paused_reader_is_left_in_peace() -> None:
    loop = running_loop()
    served = Recorder()
    server = loop.net.listen(lambda: served)
    transport, _ = await loop.create_connection(Recorder, "127.0.0.1", server.port)
    assert served.transport is not None

    served.transport.pause_reading()
    transport.write(b"x")
    await asyncio.sleep(1)
    assert served.data == b""
    served.transport.resume_reading()
    await asyncio.sleep(0.1)

    assert served.data == b"x"


@virtual
async def test_a_serial_line_has_wire_time_and_can_be_unplugged() -> None:
    loop = running_loop()
    device, gateway = Recorder(), Recorder()
    line = loop.line("/dev/line-1", serial_pace(9600))
    line.attach(lambda: device)

    port = line.open_port(lambda: gateway)
    started = loop.time()
    port.write(bytes(8))
    await asyncio.sleep(1)
    assert device.got[0][0] - started == pytest.approx(8 * 11 / 9600)
    with pytest.raises(OSError, match="open already"):
        line.open_port(Recorder)

    line.unplug()
    await asyncio.sleep(0.1)
    assert isinstance(gateway.lost[0], OSError)
    assert len(device.lost) == 1
    with pytest.raises(FileNotFoundError):
        line.open_port(Recorder)
    line.plug()
    line.open_port(Recorder)

    assert line.opened == 2


@virtual
async def test_the_clock_follows_the_loop_and_can_be_stepped() -> None:
    clock = VirtualClock(trusted=False)
    first = clock.now()

    await asyncio.sleep(3600)
    clock.step(-7.5, trusted=True)
    second = clock.now()
    clock.reboot("b0070002", wall_ms=0)

    assert first.wall_ms == EPOCH_MS
    assert second.wall_ms - first.wall_ms == 3_592_500
    assert second.mono_ms - first.mono_ms == 3_600_000
    assert (first.trusted, second.trusted) == (False, True)
    assert clock.now().mono_ms == 0
    assert clock.now().boot == "b0070002"
    assert clock.wall_ms() == 0


@virtual
async def test_signals_are_delivered_by_hand() -> None:
    loop = running_loop()
    got = asyncio.Event()

    loop.add_signal_handler(signal.SIGTERM, got.set)
    loop.deliver(signal.SIGTERM)
    await got.wait()

    assert loop.remove_signal_handler(signal.SIGTERM)
    assert not loop.remove_signal_handler(signal.SIGTERM)


class OneRegister(asyncio.Protocol):
    """Answers every read with one register of 0x1234, TCP or RTU framing."""

    def __init__(self, *, rtu: bool) -> None:
        self.rtu = rtu

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        assert isinstance(self.transport, asyncio.Transport)
        if self.rtu:
            # Unit 1, function 3, two bytes; CRC from MODBUS over Serial Line, 2.5.1.2.
            self.transport.write(bytes.fromhex("0103021234b533"))
        else:
            self.transport.write(data[:4] + bytes.fromhex("00050103021234"))


@pytest.mark.parametrize("framer", [FramerType.SOCKET, FramerType.RTU])
def test_pymodbus_works_on_the_virtual_loop(framer: FramerType) -> None:
    async def main() -> None:
        loop = running_loop()
        server = loop.net.listen(lambda: OneRegister(rtu=framer is FramerType.RTU))
        client = AsyncModbusTcpClient("127.0.0.1", port=server.port, framer=framer)
        assert await client.connect()

        answer = await client.read_holding_registers(0, count=1, device_id=1)

        assert answer.registers == [0x1234]
        client.close()
        await asyncio.sleep(1)

    run_virtual(main(), leaks=True)
