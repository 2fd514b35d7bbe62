"""Serial ports: opened once, exclusively, by their stable name, and given back."""

from __future__ import annotations

import asyncio
import os
import termios
import tty
from pathlib import Path

import pytest

from drivers.errors import BusError, DriverError
from drivers.modbus import RtuBus, Span, Timing
from drivers.serial_port import open_serial
from simulators.bench import BenchUnit
from simulators.ports import PtyPort, serve_pty
from simulators.station import Station

SPAN = Span("holding", 0, 6, 0, 4)
TIMING = Timing(0.5)


@pytest.fixture
def pty(tmp_path):
    master, slave = os.openpty()
    tty.setraw(slave)
    name = os.ttyname(slave)
    os.close(slave)
    link = tmp_path / "line"
    link.symlink_to(name)
    yield master, link
    os.close(master)


class Kept(asyncio.Protocol):
    def __init__(self) -> None:
        self.data = b""
        self.lost: asyncio.Future[Exception | None] | None = None
        self.arrived = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.lost = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.data += data
        self.arrived.set()

    def connection_lost(self, exc: Exception | None) -> None:
        assert self.lost is not None
        self.lost.set_result(exc)


def handles() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_bytes_go_both_ways(pty) -> None:
    master, link = pty
    kept = Kept()
    transport = await open_serial(str(link), 9600, "8N1", lambda: kept)

    transport.write(b"\x01\x03\x11\x13\x00\xff")
    os.write(master, b"\x02\x11\x13\r\n\x03")
    await asyncio.wait_for(kept.arrived.wait(), 5)

    assert os.read(master, 100) == b"\x01\x03\x11\x13\x00\xff"
    assert kept.data == b"\x02\x11\x13\r\n\x03"
    transport.close()
    transport.close()
    assert transport.is_closing()
    assert await kept.lost is None


async def test_an_empty_port_does_not_look_like_a_hang_up(pty) -> None:
    _, link = pty
    transport = await open_serial(str(link), 9600, "8N1", Kept)

    control = termios.tcgetattr(transport.get_extra_info("serial").fd)[6]

    assert (control[termios.VMIN], control[termios.VTIME]) in {
        (b"\x01", b"\x00"),
        (1, 0),
    }
    assert transport.drain_input() == b""
    assert not transport.get_extra_info("paced")
    transport.close()


async def test_what_came_before_a_request_can_be_drained(pty) -> None:
    master, link = pty
    kept = Kept()
    transport = await open_serial(str(link), 9600, "8N1", lambda: kept)
    transport.pause_reading()
    os.write(master, b"stale")
    # The pty takes a moment, and nothing tells when: reading is paused.
    while (drained := transport.drain_input()) == b"":  # noqa: ASYNC110
        await asyncio.sleep(0.001)

    transport.resume_reading()
    os.write(master, b"fresh")
    await asyncio.wait_for(kept.arrived.wait(), 5)

    assert drained == b"stale"
    assert kept.data == b"fresh"
    transport.close()
    await kept.lost


@pytest.mark.parametrize("framing", ["8N1", "8E1", "7O2"])
async def test_any_framing_opens_on_a_pty(pty, framing: str) -> None:
    _, link = pty
    transport = await open_serial(str(link), 19200, framing, Kept)
    transport.close()


async def test_a_port_is_opened_by_one_only(pty) -> None:
    _, link = pty
    first = await open_serial(str(link), 9600, "8N1", Kept)

    with pytest.raises(OSError, match="another program holds the port"):
        await open_serial(str(link), 9600, "8N1", Kept)

    first.close()
    second = await open_serial(str(link), 9600, "8N1", Kept)
    second.close()


async def test_a_missing_port_says_what_is_plugged_in(tmp_path) -> None:
    with pytest.raises(OSError, match=r"plugged in"):
        await open_serial(str(tmp_path / "none"), 9600, "8N1", Kept)


async def test_a_file_is_no_serial_port(tmp_path) -> None:
    path = tmp_path / "file"
    path.write_text("")

    with pytest.raises(OSError, match=r"."):
        await open_serial(str(path), 9600, "8N1", Kept)


async def test_a_vanished_port_is_lost_with_its_error(pty) -> None:
    master, slave = os.openpty()
    name = os.ttyname(slave)
    kept = Kept()
    transport = await open_serial(name, 9600, "8N1", lambda: kept)
    os.close(slave)

    os.close(master)
    exc = await asyncio.wait_for(kept.lost, 5)

    assert isinstance(exc, OSError)
    assert transport.is_closing()
    transport.write(b"nobody hears this")


async def test_bytes_that_a_full_port_could_not_take_are_replaced(pty) -> None:
    master, link = pty
    transport = await open_serial(str(link), 9600, "8N1", Kept)
    transport.write(b"\x55" * 1_000_000)
    transport.write(b"fresh request")
    got = b""
    async with asyncio.timeout(5):
        while not got.endswith(b"fresh request"):
            await asyncio.sleep(0)
            got += os.read(master, 65536)

    assert len(got) < 1_000_000
    transport.close()


async def test_a_cancelled_opening_leaves_no_handle(pty) -> None:
    _, link = pty
    opened = await open_serial(str(link), 9600, "8N1", Kept)  # imports are done
    opened.close()
    before = handles()
    task = asyncio.create_task(open_serial(str(link), 9600, "8N1", Kept))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    async with asyncio.timeout(5):
        while True:
            try:
                again = await open_serial(str(link), 9600, "8N1", Kept)
                break
            except OSError:  # the late one still holds the lock
                await asyncio.sleep(0.001)
        again.close()
        # The cancelled opening may come second, be refused, and close a moment later.
        while handles() > before:  # noqa: ASYNC110 nobody tells us
            await asyncio.sleep(0.001)


async def test_a_port_comes_back_under_another_name_a_hundred_times(tmp_path) -> None:
    """A stable link, a new pty behind it each time, no handle lost."""
    link = tmp_path / "line"
    station = Station([BenchUnit(1, 20, lambda: 0)])
    port = serve_pty(station, link)
    bus = RtuBus(str(link), 115200)
    counts = []
    for _ in range(100):
        await bus.open()
        reply = await _read(bus)
        assert reply.data[:4] == bytes(4)
        port.unplug()
        with pytest.raises(BusError):
            await bus.read(1, SPAN, TIMING)
        await bus.close()
        counts.append(handles())
        port.open()
    port.close()

    assert len(set(port.names)) >= 1
    assert max(counts[10:]) <= counts[10]


async def _read(bus: RtuBus):
    """A size may be held for a moment: the request before the unplugging is a ghost."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await bus.read(1, SPAN, TIMING)
            except BusError:
                raise
            except DriverError:
                await asyncio.sleep(0.05)


async def test_reading_a_bench_unit_over_a_pty(tmp_path) -> None:
    link = tmp_path / "line"
    port: PtyPort = serve_pty(Station([BenchUnit(3, 20, lambda: 42)]), link, baud=19200)
    bus = RtuBus(str(link), 19200, "8E1")
    await bus.open()

    reply = await bus.read(3, Span("input", 0, 6), TIMING)

    assert reply.data == (42).to_bytes(4, "big") + (3 << 16 | 2).to_bytes(4, "big") + (
        1
    ).to_bytes(4, "big")
    await bus.close()
    port.close()


@pytest.mark.parametrize("framing", ["8N1", "8E1", "8O1", "8N2", "7E1"])
async def test_the_other_end_of_a_pty_sees_what_the_port_is_set_to(
    pty, framing
) -> None:
    master, link = pty
    transport = await open_serial(str(link), 4800, framing, Kept)

    iflag, _, cflag, _, speed, _, _ = termios.tcgetattr(master)
    parity = ("O" if cflag & termios.PARODD else "E") if iflag & termios.INPCK else "N"
    bits = 7 if iflag & termios.ISTRIP else 8
    stop = 2 if cflag & termios.CSTOPB else 1

    assert f"{bits}{parity}{stop}" == framing
    assert speed == termios.B4800
    transport.close()
