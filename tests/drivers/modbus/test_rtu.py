"""Modbus RTU: time, size and unit tell answers apart, whatever else is on the line."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from drivers.errors import (
    BadFrameError,
    BusError,
    DriverError,
    PointError,
    PointUnsupportedError,
    ResponseTimeoutError,
    TransientError,
)
from drivers.modbus import RtuBus, Span, Timing
from drivers.modbus.wire import char_s, silence_s
from tests.support.modbus_fakes import (
    Asked,
    FakeDevice,
    mbap,
    plain,
    registers,
    rtu,
)
from tests.support.virtual import Pace, running_loop, serial_pace, virtual

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TIMING = Timing(0.5)
SPAN = Span("holding", 100, 10, 4, 4)
Pieces = list[tuple[float, bytes]]


@asynccontextmanager
async def opened(
    script: Any = None,
    *,
    pace: Pace | None = None,
    baud: int = 9600,
    delay: float = 0.02,
    **options: Any,
) -> AsyncIterator[Any]:
    line = running_loop().line("line", pace)
    device = FakeDevice(tcp=False, script=script, delay=delay)
    line.attach(device)
    bus = RtuBus("line", baud, open_port=line.open_port, **options)
    await bus.open()
    yield bus, device
    await bus.close()


def words(data: bytes) -> list[int]:
    return [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]


@virtual
async def test_reads_and_writes_on_a_line_with_its_real_pace() -> None:
    async with opened(pace=serial_pace(9600, 10), paced=True) as (bus, device):
        for table in ("coil", "discrete", "holding", "input"):
            reply = await bus.read(7, Span(table, 99, 12), TIMING)
            assert (reply.start, reply.count) == (99, 12)
        await bus.write(7, "holding", 5, (7,), TIMING)
        await bus.write(7, "coil", 5, (1, 0), TIMING)

        assert [a.function for a in device.asked] == [1, 2, 3, 4, 6, 15]


@virtual
async def test_the_line_is_silent_for_3_5_characters_before_each_request() -> None:
    async with opened(pace=serial_pace(9600, 10), paced=True) as (bus, device):
        for _ in range(3):
            await bus.read(1, SPAN, TIMING)
        exchanges = [
            b.at - a.at - 0.02 - (13 + 2 * a.count) * char_s(9600, "8N1")
            for a, b in pairwise(device.asked)
        ]

        assert min(exchanges) >= silence_s(9600, "8N1") - 1e-9


@virtual
async def test_the_wait_begins_when_the_wire_time_is_over() -> None:
    async with opened(lambda _: [], paced=True) as (bus, _):
        started = running_loop().time()
        with pytest.raises(ResponseTimeoutError, match="A/B wiring"):
            await bus.read(1, SPAN, TIMING)
        wire = (8 + 25) * char_s(9600, "8N1") + silence_s(9600, "8N1")

        assert running_loop().time() - started == pytest.approx(0.5 + wire)


@virtual
async def test_an_answer_that_began_before_the_request_had_left_is_none() -> None:
    """8 bytes take 8.3 ms at 9600 baud; nobody can have answered after 5."""

    def script(asked: Asked) -> Pieces:
        impossible = rtu(1, registers(3, [666] * asked.count))
        return [(0.005, impossible), (0.05, device.frame(asked, plain(asked)))]

    async with opened(script, paced=True) as (bus, device):
        reply = await bus.read(1, SPAN, TIMING)

        assert words(reply.data) == list(range(100, 110))


@virtual
async def test_a_port_without_pace_may_answer_at_once() -> None:
    async with opened(delay=0.0) as (bus, _):
        reply = await bus.read(1, SPAN, TIMING)

        assert words(reply.data) == list(range(100, 110))


@virtual
async def test_reading_sleeps_through_the_rest_of_an_answer() -> None:
    woken: list[float] = []
    pace = Pace(bytes_per_s=960, lump=4)
    async with opened(pace=pace, paced=True) as (bus, _):
        arrive = bus.received

        def counted(data: bytes) -> None:
            woken.append(running_loop().time())
            arrive(data)

        bus.received = counted
        await bus.read(1, Span("holding", 0, 100), Timing(1.0))

        # 205 bytes in lumps of four would be 52 wakings one by one; those held back
        # arrive together, and the last one in twenty as they come.
        assert len({round(at, 6) for at in woken}) <= 8


@virtual
async def test_a_late_answer_is_not_taken_for_the_next_one() -> None:
    late: list[Asked] = []

    def script(asked: Asked) -> Pieces:
        if not late:
            late.append(asked)
            return [(0.6, device.frame(asked, plain(asked)))]
        return device.right(asked)

    async with opened(script) as (bus, device):
        with pytest.raises(ResponseTimeoutError):
            await bus.read(1, Span("holding", 100, 10, 4, 4), TIMING)
        for start in (200, 300, 400):
            reply = await bus.read(1, Span("holding", start, 10, 4, 4), TIMING)
            assert words(reply.data)[0] == reply.start

        assert bus.stats(1).late_discarded == 1
        assert bus.stats(1).reply_largest_ms == pytest.approx(600, rel=0.1)


@virtual
async def test_after_a_time_out_the_line_is_left_alone_until_it_is_silent() -> None:
    """At most 100 ms, although bytes keep coming."""

    def script(asked: Asked) -> Pieces:
        if len(device.asked) == 1:
            return [(0.5 + 0.01 * i, b"\x55") for i in range(30)]
        return device.right(asked)

    async with opened(script) as (bus, device):
        with pytest.raises(BadFrameError):
            await bus.read(1, SPAN, TIMING)
        given_up = running_loop().time()
        await bus.read(2, SPAN, TIMING)

        assert device.asked[1].at - given_up == pytest.approx(0.1, abs=0.002)


@virtual
async def test_after_a_time_out_on_a_silent_line_20_ms_are_enough() -> None:
    def script(asked: Asked) -> Pieces:
        return [] if len(device.asked) == 1 else device.right(asked)

    async with opened(script) as (bus, device):
        with pytest.raises(ResponseTimeoutError):
            await bus.read(1, SPAN, TIMING)
        given_up = running_loop().time()
        await bus.read(2, SPAN, TIMING)

        assert device.asked[1].at - given_up == pytest.approx(0.02)


@virtual
async def test_the_same_answer_twice_is_counted_and_dropped() -> None:
    def script(asked: Asked) -> Pieces:
        frame = device.frame(asked, plain(asked))
        return [(0.02, frame), (0.04, frame)]

    async with opened(script) as (bus, device):
        for start in (100, 200, 300):
            reply = await bus.read(1, Span("holding", start, 10, 4, 4), TIMING)
            assert words(reply.data)[0] == reply.start
        await asyncio.sleep(0.1)

        assert bus.stats(1).duplicate_discarded == 3


@virtual
async def test_frames_of_other_units_and_noise_in_the_same_read_cost_nothing() -> None:
    def script(asked: Asked) -> Pieces:
        data = b"\x00\xff" + rtu(9, plain(asked)) + b"\x01\x03"
        return [(0.02, data + device.frame(asked, plain(asked)))]

    async with opened(script) as (bus, device):
        reply = await bus.read(1, SPAN, TIMING)

        assert words(reply.data) == list(range(100, 110))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda a: rtu(5, plain(a)), "unit 5 answered"),
        (lambda a: rtu(1, registers(4, range(10))), "function 4"),
        (lambda a: rtu(1, registers(3, range(8))), "16 data bytes, not 20"),
        (lambda a: rtu(1, plain(a))[:-1] + b"\x00", "damaged or cut short"),
        (lambda a: rtu(1, plain(a))[:9], "damaged or cut short"),
        (lambda a: mbap(1, 1, plain(a)), "Modbus TCP framing"),
        (lambda _: b"\xf7\xfe\x3c\x91\x00\xfb" * 3, "baud rate"),
    ],
)
def test_what_does_not_match_is_refused_and_the_cause_is_named(wrong, why) -> None:
    @virtual
    async def run() -> None:
        async with opened(lambda asked: [(0.02, wrong(asked))]) as (bus, _):
            with pytest.raises(BadFrameError, match=why) as caught:
                await bus.read(1, SPAN, TIMING)
            assert caught.value.sent.hex(" ").startswith("01 03 00 64 00 0a")
            assert caught.value.received

    run()


@virtual
async def test_endless_garbage_ends_at_the_deadline_and_the_next_unit_answers() -> None:
    def script(asked: Asked) -> Pieces:
        if asked.unit == 1:
            return [(0.001 * i, bytes((i * 37 % 256,)) * 20) for i in range(700)]
        return device.right(asked)

    async with opened(script) as (bus, device):
        started = running_loop().time()
        with pytest.raises(BadFrameError):
            await bus.read(1, SPAN, TIMING)
        assert running_loop().time() - started == pytest.approx(0.54, abs=0.05)
        assert len(bus._buffer) <= 512
        reply = await bus.read(2, SPAN, TIMING)

        assert words(reply.data) == list(range(100, 110))


@virtual
async def test_exceptions_are_told_apart() -> None:
    codes = iter((2, 4))

    def script(asked: Asked) -> Pieces:
        return [(0.02, rtu(asked.unit, bytes((0x83, next(codes)))))]

    async with opened(script) as (bus, _):
        with pytest.raises(PointUnsupportedError, match="exception 2"):
            await bus.read(1, SPAN, TIMING)
        with pytest.raises(PointError) as caught:
            await bus.read(1, SPAN, TIMING)

        assert caught.value.reason == "exception_4"


# -- echo ------------------------------------------------------------------------------


def echoing(how: Any = lambda raw: raw, at: float = 0.0) -> Any:
    """A script: the request comes back first, as ``how`` changes it."""

    def script(asked: Asked) -> Pieces:
        raw = rtu(asked.unit, asked.pdu)
        answer = rtu(asked.unit, plain(asked))
        return [(at, how(raw)), (at + 0.02, answer)]

    return script


@pytest.mark.parametrize("echo", ["auto", "yes"])
def test_an_echo_is_taken_out_again(echo: str) -> None:
    @virtual
    async def run() -> None:
        async with opened(echoing(), echo=echo) as (bus, _):
            for start in (100, 200, 300):
                reply = await bus.read(1, Span("holding", start, 10, 4, 4), TIMING)
                assert words(reply.data)[0] == reply.start

            assert bus.stats(1).echo == 3

    run()


@virtual
async def test_an_echo_glued_to_the_answer_or_delayed_is_no_trouble() -> None:
    def script(asked: Asked) -> Pieces:
        return [(0.03, rtu(asked.unit, asked.pdu) + rtu(asked.unit, plain(asked)))]

    async with opened(script) as (bus, _):
        reply = await bus.read(1, SPAN, TIMING)

        assert words(reply.data) == list(range(100, 110))
        assert bus.stats(1).echo == 1


@pytest.mark.parametrize(
    "how",
    [lambda raw: raw[:5], lambda raw: raw[3:], lambda raw: raw[:2] + b"\xff" + raw[3:]],
)
def test_a_partial_or_damaged_echo_is_a_collision_and_the_poll_is_good(how) -> None:
    @virtual
    async def run() -> None:
        async with opened(echoing()) as (bus, device):
            await bus.read(1, SPAN, TIMING)
            device.script = echoing(how)
            reply = await bus.read(1, SPAN, TIMING)

            assert words(reply.data)[0] == reply.start
            assert bus.stats(1).collision == 1

    run()


@virtual
async def test_the_echo_of_a_single_write_is_not_its_confirmation() -> None:
    """Function 6 is answered by the very bytes of the request."""

    def script(asked: Asked) -> Pieces:
        return [(0.0, rtu(asked.unit, asked.pdu))]  # the device itself is dead

    async with opened(script) as (bus, _):
        with pytest.raises(ResponseTimeoutError):
            await bus.write(1, "holding", 5, (7,), TIMING)


@virtual
async def test_a_single_write_is_confirmed_with_and_without_echo() -> None:
    for script in (None, echoing()):
        async with opened(script) as (bus, device):
            await bus.write(1, "holding", 5, (7,), TIMING)

            # Found out by a harmless read: an echo and a confirmation look alike.
            assert [a.function for a in device.asked] == [3, 6]


@virtual
async def test_a_line_known_not_to_echo_needs_no_read_before_a_write() -> None:
    async with opened(echo="no") as (bus, device):
        await bus.write(1, "holding", 5, (7,), TIMING)

        assert [a.function for a in device.asked] == [6]


@pytest.mark.parametrize("echo", ["no", "yes", "auto"])
def test_only_our_own_request_coming_back_is_named(echo: str) -> None:
    def script(asked: Asked) -> Pieces:
        return [(0.0, rtu(asked.unit, asked.pdu))]

    @virtual
    async def run() -> None:
        async with opened(script, echo=echo) as (bus, _):
            with pytest.raises(TransientError, match="the adapter echoes"):
                await bus.read(1, SPAN, TIMING)

    run()


# -- pauses, lumps, and the port -------------------------------------------


@virtual
async def test_a_pause_counts_from_the_last_byte_on_the_line() -> None:
    timing = Timing(0.5, pause_s=0.1)
    async with opened() as (bus, device):
        await bus.read(2, SPAN, TIMING)
        ended = running_loop().time()
        await bus.read(1, SPAN, timing)

        assert device.asked[1].at - ended == pytest.approx(0.1)


@virtual
async def test_bytes_in_lumps_of_16_ms_are_put_together() -> None:
    def script(asked: Asked) -> Pieces:
        frame = device.frame(asked, plain(asked))
        return [(0.02 + 0.016 * i, frame[8 * i : 8 * i + 8]) for i in range(4)]

    async with opened(script) as (bus, device):
        for _ in range(5):
            reply = await bus.read(1, Span("holding", 100, 10), TIMING)
            assert words(reply.data) == list(range(100, 110))
            await asyncio.sleep(2)


@virtual
async def test_a_pulled_adapter_is_a_bus_error_at_once_and_comes_back() -> None:
    line = running_loop().line("line")
    device = FakeDevice(tcp=False, script=lambda _: [])
    line.attach(device)
    bus = RtuBus("line", open_port=line.open_port)
    await bus.open()
    running_loop().call_later(0.1, line.unplug)

    with pytest.raises(BusError, match="Input/output error"):
        await bus.read(1, SPAN, TIMING)
    with pytest.raises(BusError, match="cannot open the port"):
        await bus.open()
    line.plug()
    device.script = device.right
    await bus.open()
    reply = await bus.read(1, SPAN, TIMING)

    assert reply.count == 11  # the lost request's size is still held
    await bus.close()
    await bus.close()


@virtual
async def test_ten_units_and_a_dead_one_share_a_line_in_their_second() -> None:
    """Nine good exchanges at 19200 baud leave room for a dead unit's time-out."""

    def script(asked: Asked) -> Pieces:
        return [] if asked.unit == 5 else device.right(asked)

    pace = serial_pace(19200, 10)
    async with opened(script, pace=pace, baud=19200, delay=0.01, paced=True) as (
        bus,
        device,
    ):
        started = running_loop().time()
        for unit in range(1, 11):
            try:
                await bus.read(unit, SPAN, TIMING)
            except ResponseTimeoutError:
                assert unit == 5

        assert running_loop().time() - started < 0.9


def test_cut_flipped_and_spliced_frames_never_become_values(seed) -> None:
    rng = random.Random(seed)

    def script(asked: Asked) -> Pieces:
        data = bytearray(rtu(asked.unit, plain(asked)))
        match rng.randrange(5):
            case 0:
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            case 1:
                del data[rng.randrange(len(data)) :]
            case 2:
                cut = rng.randrange(len(data))
                data = data[cut:] + data[:cut]
            case 3:
                data[rng.randrange(len(data)) :] = rng.randbytes(rng.randrange(600))
        return [(rng.uniform(0.0, 0.1), bytes(data))]

    @virtual
    async def run() -> None:
        async with opened(script) as (bus, _):
            good = 0
            for _ in range(1000):
                start = rng.randrange(1000)
                try:
                    reply = await bus.read(
                        rng.randrange(1, 4), Span("holding", start, 10, 4, 4), TIMING
                    )
                except DriverError:
                    continue
                good += 1
                said = f"seed {seed}"
                expected = range(reply.start, reply.start + reply.count)
                assert words(reply.data) == list(expected), said
            assert good > 100

    run()
