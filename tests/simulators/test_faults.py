"""Each fault does on the line what its name says, and the birth log knows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from simulators.bench import BenchUnit
from simulators.births import BirthLog
from simulators.faults import Fault, Switchboard
from simulators.station import RtuServer, Station, TcpServer
from simulators.wire import crc16, rtu_frame, tcp_frame
from tests.support.asker import Asker, read_request
from tests.support.virtual import running_loop, virtual

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMEOUT_S = 0.5
TURNAROUND_S = 0.02


class Bench:
    """A serial line and a TCP port with units 1 to 3 and one switchboard."""

    def __init__(self, *faults: Fault, share: float = 1.0, **options: Any) -> None:
        loop = running_loop()
        started = loop.time()

        def now_ms() -> int:
            return int((loop.time() - started) * 1000)

        self.births = BirthLog()
        self.board = Switchboard(
            faults,
            share=share,
            timeout_s=TIMEOUT_S,
            turnaround_s=(TURNAROUND_S, TURNAROUND_S),
            **options,
        )
        self.station = Station(
            [BenchUnit(n, 20, now_ms) for n in (1, 2, 3)],
            switchboard=self.board,
            births=self.births,
            now_ms=now_ms,
        )
        line = loop.line("line")
        line.attach(lambda: RtuServer(self.station))
        self.serial = Asker()
        line.open_port(lambda: self.serial)
        self.server = loop.net.listen(lambda: TcpServer(self.station))

    async def connect(self) -> Asker:
        _, asker = await running_loop().create_connection(
            Asker, "127.0.0.1", self.server.port
        )
        assert isinstance(asker, Asker)
        return asker


def frames(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    cut, at = [], 0
    for size in sizes:
        cut.append(data[at : at + size])
        at += size
    assert at == len(data)
    return cut


@virtual
async def test_a_healthy_reply_comes_after_the_turnaround() -> None:
    bench = Bench(share=0.0)
    started = running_loop().time()

    reply = await bench.serial.rtu(1, 0, 6, wait_s=1)

    assert len(reply) == 5 + 12
    assert crc16(reply) == 0
    assert bench.serial.got[0][0] - started == pytest.approx(TURNAROUND_S)
    assert (bench.births.births[0].mark, bench.births.births[0].fault) == (1, "")


@virtual
async def test_late_follows_the_time_out_in_force_and_keeps_its_content() -> None:
    bench = Bench(Fault.LATE, late_factor=3.0)
    started = running_loop().time()

    await bench.serial.rtu(1, 0, 2, wait_s=5)
    _, data = bench.serial.got[0]

    assert bench.serial.got[0][0] - started == pytest.approx(3 * TIMEOUT_S)
    # The age was taken when the request was complete, not when the reply left.
    assert data[3:7] == bytes(4)
    assert bench.births.births[0].fault == "late"


@virtual
async def test_a_duplicate_is_the_same_frame_within_one_and_a_half_time_outs() -> None:
    bench = Bench(Fault.DUPLICATE)

    reply = await bench.serial.rtu(1, 0, 6, wait_s=2)
    first, second = frames(reply, [17, 17])

    assert first == second
    assert bench.serial.got[-1][0] - bench.serial.got[0][0] <= 1.5 * TIMEOUT_S


@virtual
async def test_swapped_replies_meet_the_other_units_request() -> None:
    bench = Bench(Fault.SWAP, units=frozenset({1}))

    nothing = await bench.serial.rtu(1, 0, 6, wait_s=1)
    both = await bench.serial.rtu(2, 0, 6, wait_s=1)

    assert nothing == b""
    assert both[0] == 1
    assert both[:3] == b"\x01\x03\x0c"
    assert bench.births.births[1].beside == "swap"


@virtual
async def test_an_unsolicited_frame_has_an_earlier_shape_and_other_content() -> None:
    bench = Bench(Fault.UNSOLICITED_OPEN, depth=1)

    await bench.serial.rtu(1, 6, 6, wait_s=1)
    reply = await bench.serial.rtu(1, 6, 8, wait_s=1)
    made_up, real = frames(reply, [17, 21])

    assert crc16(made_up) == crc16(real) == 0
    # Shape of the earlier request, content from before or behind it.
    assert int.from_bytes(made_up[7:11], "big") in {1 << 16 | 2, 1 << 16 | 14}
    assert int.from_bytes(real[7:11], "big") == 1 << 16 | 8
    assert bench.births.births[-1].mark == 2


@virtual
async def test_an_unsolicited_frame_can_follow_a_good_reply() -> None:
    bench = Bench(Fault.UNSOLICITED_IDLE)

    reply = await bench.serial.rtu(1, 0, 6, wait_s=1)
    real, made_up = frames(reply, [17, 17])

    assert int.from_bytes(real[7:11], "big") == 1 << 16 | 2
    assert real != made_up
    assert crc16(made_up) == 0


@virtual
async def test_a_neighbours_reply_is_held_for_the_same_unit() -> None:
    bench = Bench(Fault.NEIGHBOUR, units=frozenset({1}))

    assert await bench.serial.rtu(1, 0, 6, wait_s=0.6) == b""
    assert len(await bench.serial.rtu(2, 0, 6, wait_s=0.6)) == 17
    bench.board.share = 0
    reply = await bench.serial.rtu(1, 6, 6, wait_s=0.6)
    held, real = frames(reply, [17, 17])

    assert int.from_bytes(held[7:11], "big") == 1 << 16 | 2
    assert int.from_bytes(real[7:11], "big") == 1 << 16 | 8


@virtual
async def test_a_stale_reply_arrives_on_the_next_connection() -> None:
    bench = Bench(Fault.STALE_RECONNECT)
    first = await bench.connect()

    assert await first.tcp(1, 1, 0, 6, wait_s=1) == b""
    assert len(first.lost) == 1
    second = await bench.connect()
    await asyncio.sleep(0.1)

    assert second.got[0][1][:2] == b"\0\x01"
    second.close()
    await asyncio.sleep(0.1)


@virtual
async def test_an_echo_is_whole_or_partial_or_damaged() -> None:
    request = rtu_frame(1, read_request(3, 0, 6))
    for fault in (Fault.ECHO, Fault.ECHO_PARTIAL, Fault.ECHO_DAMAGED):
        bench = Bench(fault)

        reply = await bench.serial.rtu(1, 0, 6, wait_s=1)
        echo, real = reply[:-17], reply[-17:]

        assert crc16(real) == 0
        assert (echo == request) == (fault is Fault.ECHO)
        assert (len(echo) == len(request)) == (fault is not Fault.ECHO_PARTIAL)
        running_loop().lines.clear()


@virtual
async def test_a_foreign_frame_is_valid_and_of_another_unit() -> None:
    bench = Bench(Fault.FOREIGN)

    foreign, real = frames(await bench.serial.rtu(1, 0, 6, wait_s=1), [17, 17])

    assert foreign[0] != 1
    assert crc16(foreign) == 0
    assert real[0] == 1


@virtual
async def test_slow_replies_come_in_lumps() -> None:
    bench = Bench(Fault.SLOW, lump=3)

    reply = await bench.serial.rtu(1, 0, 6, wait_s=1)
    times = [t for t, _ in bench.serial.got]

    assert crc16(reply) == 0
    assert [len(d) for _, d in bench.serial.got] == [3, 3, 3, 3, 3, 2]
    assert times[1] - times[0] == pytest.approx(0.016)


@virtual
async def test_truncated_silent_and_exception_replies() -> None:
    bench = Bench(Fault.TRUNCATED)
    assert 0 < len(await bench.serial.rtu(1, 0, 6, wait_s=1)) < 17
    running_loop().lines.clear()

    bench = Bench(Fault.SILENT)
    assert await bench.serial.rtu(1, 0, 6, wait_s=1) == b""
    running_loop().lines.clear()

    bench = Bench(Fault.EXCEPTION)
    reply = await bench.serial.rtu(1, 0, 6, wait_s=1)
    assert (len(reply), reply[1], crc16(reply)) == (5, 0x83, 0)


@virtual
async def test_garbage_comes_before_or_instead_of_the_reply() -> None:
    bench = Bench(Fault.GARBAGE)
    endings = set()
    for _ in range(20):
        reply = await bench.serial.rtu(1, 0, 6, wait_s=1)
        endings.add(len(reply) >= 17 and crc16(reply[-17:]) == 0)

    assert endings == {True, False}


@virtual
async def test_close_and_vanish_reach_the_port() -> None:
    bench = Bench(Fault.CLOSE)
    asker = await bench.connect()
    assert await asker.tcp(1, 1, 0, 6, wait_s=1) == b""
    assert len(asker.lost) == 1
    running_loop().lines.clear()

    bench = Bench(Fault.VANISH)
    gone: list[float] = []
    bench.station.on_vanish = gone.append
    assert await bench.serial.rtu(1, 0, 6, wait_s=1) == b""
    assert 0.5 <= gone[0] <= 3.0


@virtual
async def test_a_dead_unit_is_silent_and_comes_back() -> None:
    bench = Bench(share=0)
    bench.station.dead.add(2)

    assert await bench.serial.rtu(2, 0, 6, wait_s=1) == b""
    bench.station.dead.clear()

    assert len(await bench.serial.rtu(2, 0, 6, wait_s=1)) == 17


@virtual
async def test_the_same_seed_makes_the_same_faults() -> None:
    logs = []
    kinds = set(Fault) - {Fault.CLOSE, Fault.STALE_RECONNECT, Fault.VANISH}
    for _ in range(2):
        bench = Bench(*sorted(kinds), share=0.5, seed=11)
        for i in range(60):
            await bench.serial.rtu(1 + i % 3, 0, 6, wait_s=1)
        logs.append([(b.fault, b.beside) for b in bench.births.births])
        running_loop().lines.clear()

    assert logs[0] == logs[1]
    assert len({fault for fault, _ in logs[0]}) > 10


@virtual
async def test_tcp_replies_carry_number_and_unit() -> None:
    bench = Bench(share=0)
    asker = await bench.connect()

    asker.send(tcp_frame(7, 1, read_request(3, 0, 2)) * 2)
    reply = await asker.tcp(0xABCD, 3, 0, 6, wait_s=1)

    assert len(reply) == 2 * 13 + 21
    assert reply[26:].startswith(bytes.fromhex("abcd0000000f03030c"))
    asker.close()
    await asyncio.sleep(0.1)


@virtual
async def test_a_baud_rate_delays_request_and_reply() -> None:
    bench = Bench(share=0)
    loop = running_loop()
    line = loop.line("paced")
    line.attach(lambda: RtuServer(bench.station, baud=9600))
    asker = Asker()
    line.open_port(lambda: asker)
    started = loop.time()

    reply = await asker.rtu(1, 0, 20, wait_s=1)

    assert crc16(reply) == 0
    wire_s = (8 + len(reply)) * 11 / 9600
    assert asker.got[-1][0] - started == pytest.approx(wire_s + TURNAROUND_S)
    assert len(asker.got) > 1
