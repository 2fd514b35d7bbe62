"""Modbus TCP: only what answers the open request is ever returned."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from drivers.errors import (
    BadFrameError,
    BusError,
    PointError,
    PointUnsupportedError,
    ResponseTimeoutError,
    UnprovableError,
)
from drivers.modbus import Span, TcpBus, Timing
from tests.support.modbus_fakes import Asked, FakeDevice, mbap, plain, registers, rtu
from tests.support.virtual import running_loop, virtual

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TIMING = Timing(0.5)
SPAN = Span("holding", 100, 10, 4, 4)


@asynccontextmanager
async def connected(script: Any = None, **options: Any) -> AsyncIterator[Any]:
    device = FakeDevice(tcp=True, script=script, **options)
    running_loop().net.listen(device, "plc", 502)
    bus = TcpBus("plc")
    await bus.open()
    yield bus, device
    await bus.close()


def words(data: bytes) -> list[int]:
    return [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]


@virtual
async def test_each_table_is_read_by_its_function() -> None:
    async with connected() as (bus, device):
        for table in ("coil", "discrete", "holding", "input"):
            reply = await bus.read(7, Span(table, 99, 12), TIMING)
            assert (reply.start, reply.count) == (99, 12)
            expected = b"\x49\x02" if table in {"coil", "discrete"} else None
            assert words(reply.data) == list(range(99, 111)) or reply.data == expected

        assert [(a.unit, a.function) for a in device.asked] == [
            (7, 1),
            (7, 2),
            (7, 3),
            (7, 4),
        ]


@virtual
async def test_writes_go_by_single_or_multiple_and_check_the_echo() -> None:
    async with connected() as (bus, device):
        await bus.write(1, "holding", 5, (7,), TIMING)
        await bus.write(1, "holding", 5, (7, 8), TIMING)
        await bus.write(1, "coil", 5, (1,), TIMING)
        await bus.write(1, "coil", 5, (1, 0, 1), TIMING)

        assert [a.function for a in device.asked] == [6, 16, 5, 15]
        assert bus.stats(1).good == 4


@virtual
async def test_a_wrong_write_echo_confirms_nothing() -> None:
    def script(asked: Asked) -> list[tuple[float, bytes]]:
        return [(0.01, mbap(asked.number, asked.unit, b"\x06\x00\x05\x00\x08"))]

    async with connected(script) as (bus, _):
        with pytest.raises(BadFrameError):
            await bus.write(1, "holding", 5, (7,), TIMING)


@virtual
async def test_an_unconfirmed_multiple_write_is_not_repeated_too_early() -> None:
    async with connected(lambda _: []) as (bus, device):
        with pytest.raises(ResponseTimeoutError):
            await bus.write(1, "holding", 5, (7, 8), TIMING)
        with pytest.raises(UnprovableError, match="try again in"):
            await bus.write(1, "holding", 5, (9, 9), TIMING)

        assert len(device.asked) == 1


@virtual
async def test_the_number_is_never_zero_and_goes_on_across_reconnects() -> None:
    async with connected(delay=0.0) as (bus, device):
        bus._number = 0xFFFE
        for _ in range(2):
            await bus.read(1, SPAN, TIMING)
        await bus.close()
        await bus.open()
        await bus.read(1, SPAN, TIMING)

        assert [a.number for a in device.asked] == [0xFFFF, 1, 2]


@virtual
async def test_number_zero_is_no_wildcard() -> None:
    def script(asked: Asked) -> list[tuple[float, bytes]]:
        return [(0.01, mbap(0, asked.unit, plain(asked)))]

    async with connected(script) as (bus, _):
        with pytest.raises(BadFrameError, match="got 0: out of step"):
            await bus.read(1, SPAN, TIMING)


@virtual
async def test_a_device_that_never_repeats_the_number_needs_the_option() -> None:
    def script(asked: Asked) -> list[tuple[float, bytes]]:
        return [(0.01, mbap(asked.number + 1, asked.unit, plain(asked)))]

    async with connected(script) as (bus, _):
        with pytest.raises(BadFrameError, match="set transaction_id: ignored"):
            await bus.read(1, SPAN, TIMING)
        ignoring = Timing(0.5, check_transaction_id=False)
        reply = await bus.read(1, SPAN, ignoring)

        assert words(reply.data)[0] == reply.start


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda a: mbap(a.number, a.unit + 1, plain(a)), "unit 2 answered"),
        (lambda a: mbap(a.number, a.unit, registers(4, range(10))), "function 4"),
        (lambda a: mbap(a.number, a.unit, registers(3, range(9))), "18 data bytes"),
        (lambda a: mbap(a.number, a.unit, plain(a))[:-3], "cut short"),
        (lambda a: rtu(a.unit, plain(a)), "RTU framing"),
        (lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n", "no Modbus TCP"),
    ],
)
def test_what_does_not_match_is_refused_and_the_cause_is_named(wrong, why) -> None:
    @virtual
    async def run() -> None:
        async with connected(lambda asked: [(0.01, wrong(asked))]) as (bus, _):
            with pytest.raises(BadFrameError, match=why) as caught:
                await bus.read(1, SPAN, TIMING)
            assert caught.value.sent.endswith(b"\x03\x00\x64\x00\x0a")
            assert caught.value.received

    run()


@virtual
async def test_silence_names_unit_request_and_what_to_check() -> None:
    async with connected(lambda _: []) as (bus, _):
        started = running_loop().time()
        with pytest.raises(ResponseTimeoutError) as caught:
            await bus.read(3, SPAN, TIMING)

        assert running_loop().time() - started == pytest.approx(0.5)
        assert "plc:502, unit 3: no answer in 0.50 s to" in str(caught.value)
        assert "check the unit id" in str(caught.value)


@virtual
async def test_exceptions_are_told_apart() -> None:
    codes = iter((2, 6))

    def script(asked: Asked) -> list[tuple[float, bytes]]:
        return [(0.01, mbap(asked.number, asked.unit, bytes((0x83, next(codes)))))]

    async with connected(script) as (bus, _):
        with pytest.raises(PointUnsupportedError, match="illegal data address"):
            await bus.read(1, SPAN, TIMING)
        with pytest.raises(PointError, match="busy") as caught:
            await bus.read(1, SPAN, TIMING)

        assert caught.value.reason == "exception_6"
        assert bus.stats(1).exception == 2


@virtual
async def test_bytes_one_by_one_and_noise_before_the_answer_cost_nothing() -> None:
    def script(asked: Asked) -> list[tuple[float, bytes]]:
        data = b"\x00\x01noise" + mbap(asked.number, asked.unit, plain(asked))
        return [(0.01 + 0.001 * i, data[i : i + 1]) for i in range(len(data))]

    async with connected(script) as (bus, _):
        reply = await bus.read(1, SPAN, TIMING)

        assert words(reply.data) == list(range(100, 110))


@virtual
async def test_endless_garbage_ends_at_the_deadline_and_memory_stays_flat() -> None:
    def script(asked: Asked) -> list[tuple[float, bytes]]:
        del asked
        return [(0.001 * i, bytes((i % 251,)) * 300) for i in range(3000)]

    async with connected(script) as (bus, _):
        started = running_loop().time()
        with pytest.raises(BadFrameError):
            await bus.read(1, SPAN, TIMING)

        assert running_loop().time() - started == pytest.approx(0.5, abs=0.05)
        assert len(bus._buffer) <= 1024


@virtual
async def test_a_late_answer_under_a_new_number_is_not_taken() -> None:
    """A serial-to-Ethernet gateway hands over what comes, under the open number."""
    late: list[bytes] = []

    def script(asked: Asked) -> list[tuple[float, bytes]]:
        if not late:
            late.append(plain(asked))
            return []
        return [
            (0.01, mbap(asked.number, asked.unit, late[0])),
            (0.02, mbap(asked.number, asked.unit, plain(asked))),
        ]

    async with connected(script) as (bus, _):
        with pytest.raises(ResponseTimeoutError):
            await bus.read(1, Span("holding", 100, 10, 4, 4), TIMING)
        reply = await bus.read(1, Span("holding", 200, 10, 4, 4), TIMING)

        assert words(reply.data)[0] == reply.start
        assert bus.stats(1).late_discarded == 1


@virtual
async def test_a_refused_padded_read_is_asked_bare_before_it_counts() -> None:
    """The room around a span may be what the device refuses."""

    def script(asked: Asked) -> list[tuple[float, bytes]]:
        beyond = asked.address + asked.count > 110
        pdu = b"\x83\x02" if beyond else plain(asked)
        return [(0.01, mbap(asked.number, asked.unit, pdu))]

    span = Span("holding", 100, 10, 0, 4)
    async with connected(script) as (bus, device):
        for _ in range(6):
            reply = await bus.read(1, span, TIMING)
            assert (reply.start, reply.count) == (100, 10)
            await asyncio.sleep(2)

        # One refusal, learned; nothing reaches beyond the edge after it.
        assert [a.count for a in device.asked] == [10, 11, 10, 10, 10, 10, 10]


@virtual
async def test_a_refused_bare_span_is_unsupported() -> None:
    def script(asked: Asked) -> list[tuple[float, bytes]]:
        return [(0.01, mbap(asked.number, asked.unit, b"\x83\x02"))]

    async with connected(script) as (bus, device):
        for _ in range(2):
            with pytest.raises(PointUnsupportedError):
                await bus.read(1, Span("holding", 100, 10, 0, 4), TIMING)
            await asyncio.sleep(2)

        assert device.asked[-1].count == 10


@virtual
async def test_an_exception_while_a_ghost_lives_waits_for_something_better() -> None:
    def script(asked: Asked) -> list[tuple[float, bytes]]:
        if len(device.asked) == 1:
            return []
        return [
            (0.01, mbap(asked.number, asked.unit, b"\x83\x0b")),
            (0.02, mbap(asked.number, asked.unit, plain(asked))),
        ]

    async with connected(script) as (bus, device):
        with pytest.raises(ResponseTimeoutError):
            await bus.read(1, SPAN, TIMING)
        reply = await bus.read(1, SPAN, TIMING)

        assert words(reply.data)[0] == reply.start


@virtual
async def test_an_exception_that_may_be_a_ghosts_marks_nothing_unsupported() -> None:
    def script(asked: Asked) -> list[tuple[float, bytes]]:
        if len(device.asked) == 1:
            return []
        return [(0.01, mbap(asked.number, asked.unit, b"\x83\x02"))]

    async with connected(script) as (bus, device):
        with pytest.raises(ResponseTimeoutError):
            await bus.read(1, SPAN, TIMING)
        with pytest.raises(BadFrameError):
            await bus.read(1, SPAN, TIMING)


@virtual
async def test_a_repeated_exception_is_believed_at_the_deadline() -> None:
    def script(asked: Asked) -> list[tuple[float, bytes]]:
        return [(0.01, mbap(asked.number, asked.unit, b"\x83\x06"))]

    async with connected(script) as (bus, _):
        for _ in range(2):
            with pytest.raises(PointError, match="busy"):
                await bus.read(1, SPAN, TIMING)


@virtual
async def test_an_ambiguous_device_has_its_first_answer_thrown_away() -> None:
    def script(asked: Asked) -> list[tuple[float, bytes]]:
        return [] if len(device.asked) == 1 else device.right(asked)

    timing = Timing(0.5, ambiguous=True)
    span = Span("holding", 100, 10)
    async with connected(script) as (bus, device):
        with pytest.raises(ResponseTimeoutError):
            await bus.read(1, span, timing)
        await asyncio.sleep(10)
        with pytest.raises(UnprovableError, match="proves nothing"):
            await bus.read(1, span, timing)
        await asyncio.sleep(10)
        reply = await bus.read(1, span, timing)

        assert words(reply.data)[0] == 100


@virtual
async def test_a_device_of_one_size_waits_out_its_window_and_its_ghosts() -> None:
    span = Span("holding", 100, 10)
    async with connected() as (bus, device):
        await bus.read(1, span, TIMING)
        await bus.read(1, span, TIMING)
        gap = device.asked[1].at - device.asked[0].at
        device.script = lambda _: []
        with pytest.raises(ResponseTimeoutError):
            await bus.read(1, span, TIMING)
        with pytest.raises(UnprovableError, match="may still come"):
            await bus.read(1, span, TIMING)

        assert gap >= 1.0  # twice the time-out in force
        assert len(device.asked) == 3
        assert bus.stats(1).unprovable == 1


@virtual
async def test_a_held_read_does_not_hold_up_the_other_units() -> None:
    span = Span("holding", 100, 10)
    async with connected() as (bus, device):
        await bus.read(1, span, TIMING)
        started = running_loop().time()
        waiting = asyncio.create_task(bus.read(1, span, TIMING))
        await asyncio.sleep(0)
        await bus.read(2, span, TIMING)

        assert running_loop().time() - started < 0.1
        await waiting
        assert [a.unit for a in device.asked] == [1, 2, 1]


@virtual
async def test_never_two_requests_in_flight_and_turns_are_fair() -> None:
    """Five pollers and a writer share one bus."""
    async with connected() as (bus, device):

        async def poll(unit: int) -> None:
            for _ in range(5):
                await bus.read(unit, SPAN, TIMING)

        async with asyncio.TaskGroup() as group:
            for unit in range(1, 6):
                group.create_task(poll(unit))
            group.create_task(bus.write(9, "holding", 1, (2,), TIMING))

        times = [a.at for a in device.asked]
        assert all(b - a >= 0.01 - 1e-9 for a, b in pairwise(times))
        assert [a.unit for a in device.asked[:6]] == [1, 2, 3, 4, 5, 9]


@virtual
async def test_a_silent_connection_is_closed_after_three_failures() -> None:
    async with connected(lambda _: []) as (bus, device):
        for _ in range(2):
            with pytest.raises(ResponseTimeoutError):
                await bus.read(1, SPAN, TIMING)
        with pytest.raises(BusError, match="3 failures in a row"):
            await bus.read(1, SPAN, TIMING)
        with pytest.raises(BusError, match="connection is gone"):
            await bus.read(1, SPAN, TIMING)
        device.script = device.right
        await bus.open()
        reply = await bus.read(1, SPAN, TIMING)

        assert words(reply.data)[0] == reply.start


@virtual
async def test_a_dead_unit_behind_a_gateway_does_not_cost_the_others_the_line() -> None:
    def script(asked: Asked) -> list[tuple[float, bytes]]:
        return device.right(asked) if asked.unit == 1 else []

    async with connected(script) as (bus, device):
        await bus.read(1, SPAN, TIMING)
        for _ in range(6):
            with pytest.raises((ResponseTimeoutError, UnprovableError)):
                await bus.read(2, SPAN, TIMING)
        await bus.read(1, SPAN, TIMING)


@virtual
async def test_a_connection_closed_by_the_device_is_a_bus_error_at_once() -> None:
    def script(asked: Asked) -> list[tuple[float, bytes]]:
        del asked
        running_loop().call_later(0.01, device.transport.close)
        return []

    async with connected(script) as (bus, device):
        started = running_loop().time()
        with pytest.raises(BusError, match="connection ended"):
            await bus.read(1, SPAN, TIMING)

        assert running_loop().time() - started < 0.1
        await bus.close()
        await bus.close()


@virtual
async def test_an_answer_on_the_next_connection_is_recognised_as_late() -> None:
    kept: list[bytes] = []

    def script(asked: Asked) -> list[tuple[float, bytes]]:
        if kept:
            return device.right(asked)
        kept.append(device.frame(asked, plain(asked)))
        device.transport.close()
        return []

    async with connected(script) as (bus, device):
        with pytest.raises(BusError):
            await bus.read(1, SPAN, TIMING)
        await bus.open()
        device.say(kept[0])
        await asyncio.sleep(0.01)
        reply = await bus.read(1, SPAN, TIMING)

        assert reply.count == 11  # the lost request's size is still held
        assert bus.stats(1).late_discarded == 1


@virtual
async def test_a_cancelled_read_leaves_a_ghost() -> None:
    async with connected(delay=0.2) as (bus, device):
        task = asyncio.create_task(bus.read(1, SPAN, TIMING))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        reply = await bus.read(1, SPAN, TIMING)

        assert [a.count for a in device.asked] == [10, 11]
        assert words(reply.data)[0] == reply.start
        assert bus.stats(1).late_discarded == 1


@virtual
async def test_nobody_listening_says_what_to_check() -> None:
    bus = TcpBus("plc")

    with pytest.raises(BusError, match=r"cannot connect .*check the address, the port"):
        await bus.open()


@virtual
async def test_a_connect_that_never_ends_is_given_up() -> None:
    running_loop().net.black_holes.add(("plc", 502))
    bus = TcpBus("plc")

    with pytest.raises(BusError, match="no answer in 5 s"):
        await bus.open()


@virtual
async def test_a_read_before_open_is_a_bus_error() -> None:
    with pytest.raises(BusError, match="not open"):
        await TcpBus("plc").read(1, SPAN, TIMING)


@virtual
async def test_the_pause_a_device_wants_is_kept() -> None:
    timing = Timing(0.5, pause_s=0.1)
    async with connected() as (bus, device):
        for _ in range(3):
            await bus.read(1, SPAN, timing)

        times = [a.at for a in device.asked]
        assert all(b - a >= 0.11 - 1e-9 for a, b in pairwise(times))


@virtual
async def test_a_probe_waits_shorter_but_not_below_50_ms() -> None:
    async with connected(lambda _: []) as (bus, _):
        for wait_s, expected in ((0.1, 0.1), (0.001, 0.05)):
            started = running_loop().time()
            with pytest.raises(ResponseTimeoutError):
                await bus.read(1, SPAN, TIMING, wait_s)
            assert running_loop().time() - started == pytest.approx(expected)


@virtual
async def test_reply_times_are_learned_and_reported() -> None:
    async with connected(delay=0.1) as (bus, _):
        for _ in range(20):
            await bus.read(1, SPAN, TIMING)
        stats = bus.stats(1)

        assert stats.reply_p99_ms == pytest.approx(100)
        assert stats.timeout_ms == pytest.approx(150)
        assert bus.stats(99).good == 0
