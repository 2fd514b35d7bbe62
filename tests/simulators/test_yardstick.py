"""The faults bite: a gateway that trusts unit, function and size takes wrong values."""

from __future__ import annotations

import asyncio
import struct

import pytest

from simulators.bench import BenchUnit, check_scan, point_names
from simulators.faults import Fault, Switchboard
from simulators.station import RtuServer, Station
from simulators.wire import RtuSplitter, crc16, rtu_frame
from tests.support.asker import read_request
from tests.support.virtual import run_virtual, running_loop

TIMEOUT_S = 0.2
REGISTERS = 6
POLLS = 400


class Careless(asyncio.Protocol):
    """Takes the first frame with the right unit, function, size and checksum."""

    def __init__(self) -> None:
        self._buffer = b""
        self._waiter: asyncio.Future[bytes] | None = None
        self._head = b""

    def connection_made(self, transport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        size = 5 + self._head[2] if self._head else 0
        at = self._buffer.find(self._head) if self._head else -1
        frame = self._buffer[at : at + size] if at >= 0 else b""
        if len(frame) == size > 0 and crc16(frame) == 0 and self._waiter is not None:
            self._waiter.set_result(frame[3:-2])
            self._waiter = None
            self._buffer = self._buffer[at + size :]

    async def read(self, unit: int, address: int) -> bytes:
        self._head = bytes((unit, 3, 2 * REGISTERS))
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(rtu_frame(unit, read_request(3, address, REGISTERS)))
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self._waiter
        finally:
            self._waiter = None


async def _wrong_values(fault: Fault, seed: int, **options) -> tuple[int, int]:
    """Wrong and right polls of a careless gateway over 400 polls."""
    loop = running_loop()
    started = loop.time()

    def now_ms() -> int:
        return int((loop.time() - started) * 1000)

    board = Switchboard([fault], seed=seed, timeout_s=TIMEOUT_S, **options)
    units = [BenchUnit(n, 30, now_ms) for n in (1, 2)]
    station = Station(units, switchboard=board, now_ms=now_ms)
    line = loop.line("line")
    line.attach(lambda: RtuServer(station))
    gateway = Careless()
    line.open_port(lambda: gateway)
    wrong = right = 0
    for poll in range(POLLS):
        unit, address = 1 + poll % 2, 6 * (poll // 2 % 4)
        asked_ms = now_ms()
        try:
            data = await gateway.read(unit, address)
        except TimeoutError:
            continue
        words = struct.unpack(">3I", data)
        names = point_names(30)[address // 2 : address // 2 + 3]
        values = dict(zip(names, words, strict=True))
        oldest = asked_ms - 1.5 * TIMEOUT_S * 1000
        if check_scan(f"bench-{unit}", values, older_than_ms=oldest):
            wrong += 1
        else:
            right += 1
    line.unplug()
    await asyncio.sleep(1)
    return wrong, right


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        (Fault.LATE, {"late_factor": 1.1}),
        (Fault.LATE, {"late_factor": 3.0}),
        (Fault.LATE, {"late_factor": 10.0}),
        (Fault.DUPLICATE, {}),
        (Fault.SWAP, {}),
        (Fault.UNSOLICITED_OPEN, {}),
        (Fault.UNSOLICITED_IDLE, {}),
        (Fault.NEIGHBOUR, {}),
    ],
)
def test_a_careless_gateway_takes_wrong_values(fault, options, seed) -> None:
    wrong, right = run_virtual(_wrong_values(fault, seed, **options))
    print(f"{fault} {options}: {wrong} wrong, {right} right of {POLLS}")

    assert wrong > 0, f"seed {seed}"
    assert right > 0, f"seed {seed}"


def test_without_faults_even_a_careless_gateway_is_right(seed) -> None:
    assert run_virtual(_wrong_values(Fault.LATE, seed, share=0.0)) == (0, POLLS)


def test_the_splitter_forgets_what_a_silence_cut_off() -> None:
    splitter = RtuSplitter()
    frame = rtu_frame(1, read_request(3, 0, 1))

    assert splitter.feed(frame[:5]) == []
    splitter.forget()

    assert [f for _, _, f in splitter.feed(frame)] == [frame]
