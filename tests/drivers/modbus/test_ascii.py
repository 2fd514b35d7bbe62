"""Modbus ASCII, and RTU or ASCII frames on a TCP stream: proofs as on an RTU line."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import (
    BadFrameError,
    BusError,
    PointError,
    PointUnsupportedError,
    ResponseTimeoutError,
    TransientError,
)
from drivers.modbus import (
    AsciiBus,
    AsciiTcpBus,
    RtuBus,
    RtuTcpBus,
    Span,
    TcpBus,
    Timing,
)
from drivers.modbus.ascii import LONGEST, ascii_frame, find_ascii, lrc, walk_ascii
from drivers.modbus.wire import char_s, silence_s
from simulators.station import AsciiServer, RtuServer, Station
from simulators.units import MapUnit
from tests.support.modbus_fakes import Asked, FakeDevice, mbap, plain, registers, rtu
from tests.support.virtual import Pace, running_loop, serial_pace, virtual

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TIMING = Timing(0.5)
SPAN = Span("holding", 100, 10, 4, 4)
KINDS = {"ascii": AsciiBus, "ascii-tcp": AsciiTcpBus, "rtu-tcp": RtuTcpBus}


class AsciiDevice(FakeDevice):
    """Frames written out by hand, character by character."""

    def __init__(self, script: Any = None, delay: float = 0.02) -> None:
        super().__init__(tcp=False, script=script, delay=delay)
        self.ends: list[bytes] = []

    def frame(self, asked: Asked, pdu: bytes, unit: int | None = None) -> bytes:
        return ascii_by_hand(asked.unit if unit is None else unit, pdu)

    def _take(self, now: float) -> Asked | None:
        start, end = self._buffer.find(b":"), self._buffer.find(b"\r\n")
        if start < 0 or end < start:
            return None
        body = bytes.fromhex(self._buffer[start + 1 : end].decode())
        self._buffer = self._buffer[end + 2 :]
        address = int.from_bytes(body[2:4], "big")
        count = int.from_bytes(body[4:6], "big")
        return Asked(body[0], body[1], address, count, body[1:-1], -1, now)


def ascii_by_hand(unit: int, pdu: bytes) -> bytes:
    body = bytes([unit]) + pdu
    body += bytes([(256 - sum(body) % 256) % 256])
    return b":" + "".join(f"{byte:02X}" for byte in body).encode() + b"\r\n"


@asynccontextmanager
async def opened(
    kind: str, script: Any = None, *, pace: Pace | None = None, **options: Any
) -> AsyncIterator[Any]:
    loop = running_loop()
    text = kind.startswith("ascii")
    device = AsciiDevice(script) if text else FakeDevice(tcp=False, script=script)
    if kind == "ascii":
        line = loop.line("line", pace)
        line.attach(device)
        bus: Any = AsciiBus("line", 9600, "7E1", open_port=line.open_port, **options)
    else:
        loop.net.listen(device, "server", 4001)
        bus = KINDS[kind]("server", 4001)
    await bus.open()
    yield bus, device
    await bus.close()


def words(data: bytes) -> list[int]:
    return [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]


# -- frames --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "pdu", "frame"),
    [
        # Frames as they stand in public descriptions of the protocol.
        (0x11, "03006B0003", b":1103006B00037E\r\n"),
        (0xF7, "031389000A", b":F7031389000A60\r\n"),
        (0x01, "0300000001", b":010300000001FB\r\n"),
    ],
)
def test_frames_as_published(unit, pdu, frame):
    made = ascii_frame(unit, bytes.fromhex(pdu))

    assert made == frame == ascii_by_hand(unit, bytes.fromhex(pdu))


def test_the_lrc_of_the_standards_example():
    """V1.02, 2.5.2.2: the sum with its LRC is zero in eight bits."""
    assert lrc(bytes.fromhex("F7031389000A")) == 0x60


@given(st.binary(max_size=80), st.integers(0, 255), st.binary(min_size=2, max_size=250))
def test_an_answer_is_found_in_any_noise(noise, unit, data):
    data = data[: len(data) // 2 * 2]
    pdu = bytes((3, len(data))) + data
    buffer = noise + ascii_by_hand(unit, pdu) + noise

    found = [heard for heard in walk_ascii(buffer) if heard.start == len(noise)]

    assert [(h.unit, h.function, h.size) for h in found] == [(unit, 3, len(data))]
    head = ascii_frame(unit, pdu)[:9]
    assert find_ascii(buffer, head, 2 * len(pdu) + 7, len(noise)) == len(noise)


@given(st.data())
def test_a_character_changed_is_no_answer(data):
    frame = bytearray(ascii_by_hand(7, registers(3, [1, 2, 3])))
    at = data.draw(st.integers(0, len(frame) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda c: c != frame[at]))
    if bytes((other,)).upper() == bytes((frame[at],)):
        return  # a small letter means the same
    frame[at] = other

    heard = list(walk_ascii(bytes(frame).upper()))

    assert heard == []


# -- exchanges -------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(KINDS))
@virtual
async def test_reads_and_writes(kind) -> None:
    async with opened(kind) as (bus, device):
        for table in ("coil", "discrete", "holding", "input"):
            reply = await bus.read(7, Span(table, 99, 12), TIMING)
            assert (reply.start, reply.count) == (99, 12)
        await bus.write(7, "holding", 5, (7,), TIMING)
        await bus.write(7, "coil", 5, (1, 0), TIMING)

        assert [a.function for a in device.asked] == [1, 2, 3, 4, 6, 15]
        # Of 250 data bytes the longest frame there is.
        reply = await bus.read(7, Span("holding", 0, 125), TIMING)
        assert words(reply.data) == list(range(125))


@pytest.mark.parametrize("kind", sorted(KINDS))
@virtual
async def test_an_exception_is_an_answer(kind) -> None:
    def script(asked: Asked) -> Any:
        code = 2 if asked.address == 500 else 6
        return [(0.01, device.frame(asked, bytes((asked.function | 0x80, code))))]

    async with opened(kind, script) as (bus, device):
        with pytest.raises(PointError, match="exception 6"):
            await bus.read(7, SPAN, TIMING)
        with pytest.raises(PointUnsupportedError):
            await bus.read(7, Span("holding", 500, 1), TIMING)


@pytest.mark.parametrize("kind", sorted(KINDS))
@virtual
async def test_a_late_answer_is_known_again_and_the_step_tells_the_next_one(kind):
    def script(asked: Asked) -> Any:
        late = len(device.asked) == 2
        values = [666] * asked.count if late else range(asked.count)
        right = device.frame(asked, registers(3, values))
        return [(0.7 if late else 0.01, right)]

    async with opened(kind, script) as (bus, device):
        await bus.read(1, SPAN, TIMING)
        with pytest.raises(ResponseTimeoutError):
            await bus.read(1, SPAN, TIMING)
        reply = await bus.read(1, SPAN, TIMING)
        await asyncio.sleep(0.3)

        assert 666 not in words(reply.data)
        assert bus.stats(1).late_discarded == 1


@pytest.mark.parametrize("kind", sorted(KINDS))
@virtual
async def test_an_echo_is_taken_out(kind) -> None:
    def script(asked: Asked) -> Any:
        echo = (
            ascii_by_hand(asked.unit, asked.pdu)
            if kind.startswith("ascii")
            else rtu(asked.unit, asked.pdu)
        )
        return [(0.001, echo), *device.right(asked)]

    async with opened(kind, script) as (bus, device):
        for address in (0x0300, 100, 0x0300):
            # 24 coils from 0x0300: the request looks like an answer to itself.
            reply = await bus.read(1, Span("coil", address, 24), TIMING)
            assert reply.data == plain(device.asked[-1])[2:]
        await bus.write(1, "holding", 5, (7,), TIMING)

        assert bus.stats(1).echo == 4


@pytest.mark.parametrize("kind", sorted(KINDS))
@virtual
async def test_an_echo_that_comes_unawares_is_no_answer(kind) -> None:
    """The line had none at first; then another adapter was put in."""
    echoing: list[bool] = []

    def script(asked: Asked) -> Any:
        if not echoing:
            return device.right(asked)
        text = kind.startswith("ascii")
        frame = (ascii_by_hand if text else rtu)(asked.unit, asked.pdu)
        return [(0.001, frame)]

    async with opened(kind, script) as (bus, device):
        await bus.read(1, Span("holding", 0, 2), TIMING)
        echoing.append(True)
        with pytest.raises(TransientError):
            await bus.read(1, Span("coil", 0x0300, 24), TIMING)


# -- ASCII on a line -----------------------------------------------------------------


@virtual
async def test_the_wire_takes_twice_the_characters() -> None:
    async with opened("ascii", lambda _: [], paced=True) as (bus, _):
        started = running_loop().time()
        with pytest.raises(ResponseTimeoutError, match="A/B wiring"):
            await bus.read(1, SPAN, TIMING)
        # Request 17 characters, answer 11 + 2 * 20.
        wire = (17 + 51) * char_s(9600, "7E1") + silence_s(9600, "7E1")

        assert running_loop().time() - started == pytest.approx(0.5 + wire)


@virtual
async def test_a_line_at_its_own_pace() -> None:
    pace = serial_pace(9600, 10)
    async with opened("ascii", pace=pace, paced=True) as (bus, device):
        for _ in range(3):
            await bus.read(1, SPAN, TIMING)
        between = [b.at - a.at for a, b in pairwise(device.asked)]
        exact = [(17 + 11 + 4 * a.count) * char_s(9600, "7E1") + 0.02
                 for a in device.asked[1:]]  # fmt: skip

        assert all(gap >= wire - 0.01 for gap, wire in zip(between, exact, strict=True))
        assert bus.stats(1).reply_largest_ms <= 25


@virtual
async def test_characters_may_be_far_apart() -> None:
    def script(asked: Asked) -> Any:
        frame = device.frame(asked, plain(asked))
        return [(0.1 + 0.01 * i, frame[i : i + 1]) for i in range(len(frame))]

    async with opened("ascii", script) as (bus, device):
        reply = await bus.read(1, Span("holding", 100, 2), Timing(1.0))
        assert words(reply.data) == [100, 101]

    def pausing(asked: Asked) -> Any:
        frame = device.frame(asked, plain(asked))
        return [(0.1, frame[:9]), (1.0, frame[9:])]

    async with opened("ascii", pausing) as (bus, device):
        reply = await bus.read(1, Span("holding", 100, 2), Timing(1.5))
        assert words(reply.data) == [100, 101]


@virtual
async def test_small_letters_mean_the_same() -> None:
    def script(asked: Asked) -> Any:
        return [
            (0.01, device.frame(asked, registers(3, [0xABCD] * asked.count)).lower())
        ]

    async with opened("ascii", script) as (bus, device):
        reply = await bus.read(1, SPAN, TIMING)

        assert set(words(reply.data)) == {0xABCD}


@virtual
async def test_a_frame_that_was_cut_off_costs_only_itself() -> None:
    def script(asked: Asked) -> Any:
        frame = device.frame(asked, plain(asked))
        return [(0.01, frame[:20] + b"\xff\x00" + frame)]

    async with opened("ascii", script) as (bus, device):
        reply = await bus.read(1, Span("holding", 100, 10), TIMING)

        assert words(reply.data) == list(range(100, 110))


@virtual
async def test_what_is_kept_of_endless_noise_is_bounded() -> None:
    async with opened("ascii", lambda _: []) as (bus, device):
        asking = asyncio.ensure_future(bus.read(1, SPAN, TIMING))
        for _ in range(100):
            await asyncio.sleep(0.004)
            device.say(b":0103" * 60)
        with pytest.raises(BadFrameError):
            await asking

        assert len(bus._buffer) <= 2 * LONGEST
        assert len(bus._heard) <= 2 * LONGEST


# -- what the bytes say --------------------------------------------------------------


ADVICE = [
    ("ascii", "rtu", "set the protocol to modbus-rtu"),
    ("ascii", "parity", "set framing: 7E1"),
    ("ascii", "other", "is another master on the line?"),
    ("ascii", "noise", "check baud rate, framing"),
    ("ascii", "cut", "damaged or cut short"),
    ("rtu", "ascii", "set the protocol to modbus-ascii"),
    ("rtu", "parity", "set the protocol to modbus-ascii"),
    ("rtu-tcp", "mbap", "set the protocol to modbus-tcp"),
    ("rtu-tcp", "refused", "set the protocol to modbus-tcp"),
    ("rtu-tcp", "nothing", "its port is transparent, not Modbus TCP"),
    ("rtu-tcp", "noise", "check the terminal server's line settings"),
    ("rtu-tcp", "ascii", "set the protocol to modbus-ascii"),
    ("ascii-tcp", "mbap", "set the protocol to modbus-tcp"),
    ("tcp", "rtu", "set the protocol to modbus-rtu-tcp"),
    ("tcp", "ascii", "set the protocol to modbus-ascii"),
]


@pytest.mark.parametrize(("kind", "what", "advice"), ADVICE)
@virtual
async def test_the_mistake_is_named_from_the_bytes(kind, what, advice) -> None:
    pdu = registers(3, [1, 2])
    text = ascii_by_hand(1, pdu)
    said = {
        "rtu": rtu(1, pdu),
        "ascii": text,
        "parity": bytes(c | (c.bit_count() % 2) << 7 for c in text),
        "other": ascii_by_hand(9, pdu),
        "noise": b"\x93\x11\xfe\x00\x81",
        "cut": text[:-4],
        "mbap": mbap(7, 1, pdu),
        # Our unit and function, taken for a transaction id by who expects one.
        "refused": mbap(0x0103, 0, b"\x83\x01"),
        "nothing": b"",
    }[what]

    class Says(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(said)

    loop = running_loop()
    if kind in ("ascii", "rtu"):
        line = loop.line("line")
        line.attach(Says)
        serial = AsciiBus if kind == "ascii" else RtuBus
        bus: Any = serial("line", open_port=line.open_port)
    else:
        loop.net.listen(Says, "server", 4001)
        bus = {**KINDS, "tcp": TcpBus}[kind]("server", 4001)
    await bus.open()

    with pytest.raises(TransientError, match=advice):
        await bus.read(1, Span("holding", 0, 2), TIMING)
    await bus.close()


@virtual
async def test_a_port_that_hangs_up_on_rtu_probably_speaks_modbus_tcp() -> None:
    class HangsUp(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.close()

    running_loop().net.listen(HangsUp, "server", 502)
    bus = RtuTcpBus("server", 502)
    await bus.open()

    with pytest.raises(BusError, match="set the protocol to modbus-tcp"):
        await bus.read(1, Span("holding", 0, 2), TIMING)
    await bus.close()


# -- streams -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ascii-tcp", "rtu-tcp"])
@virtual
async def test_no_silence_is_kept_on_a_stream(kind) -> None:
    async with opened(kind) as (bus, device):
        started = running_loop().time()
        for _ in range(4):
            await bus.read(1, Span("holding", 100, 10, 8, 8), TIMING)

        assert running_loop().time() - started == pytest.approx(4 * device.delay)


@pytest.mark.parametrize("kind", ["ascii-tcp", "rtu-tcp"])
@virtual
async def test_a_stream_on_which_all_are_silent_is_closed_after_three_failures(kind):
    async with opened(kind, lambda _: []) as (bus, _):
        for _ in range(2):
            with pytest.raises(ResponseTimeoutError):
                await bus.read(1, SPAN, TIMING)
        with pytest.raises(BusError, match="3 failures in a row"):
            await bus.read(1, SPAN, TIMING)
        await bus.open()
        with pytest.raises(ResponseTimeoutError):
            await bus.read(1, SPAN, TIMING)


async def test_bytes_that_wait_unread_in_the_socket_are_discarded() -> None:
    """A late answer is in the kernel when the next request leaves."""
    unit = MapUnit(1, {("holding", a): a for a in range(64)})
    station = Station([unit])
    loop = asyncio.get_running_loop()
    served: list[Any] = []

    def serve() -> RtuServer:
        served.append(RtuServer(station))
        return served[-1]

    server = await loop.create_server(serve, "127.0.0.1", 0)
    bus = RtuTcpBus("127.0.0.1", server.sockets[0].getsockname()[1])
    await bus.open()
    try:
        first = await bus.read(1, Span("holding", 0, 4), TIMING)
        stale = rtu(1, registers(3, [666] * 5))
        served[0]._transport.get_extra_info("socket")  # connected
        served[0]._transport.write(stale)
        bus._drain()
        while not bus.stats(1).foreign:
            await asyncio.sleep(0)
            bus._drain()
        second = await bus.read(1, Span("holding", 0, 5), TIMING)
    finally:
        await bus.close()
        server.close()

    assert words(first.data) == [0, 1, 2, 3]
    assert words(second.data) == [0, 1, 2, 3, 4]


async def test_both_engines_of_frames_meet_the_simulators_own() -> None:
    """Over sockets, against a codec written a second time."""
    loop = asyncio.get_running_loop()
    unit = MapUnit(9, {("holding", a): a * 257 for a in range(200)})
    for serve, kind in ((RtuServer, RtuTcpBus), (AsciiServer, AsciiTcpBus)):
        station = Station([unit])
        server = await loop.create_server(
            lambda serve=serve, station=station: serve(station), "127.0.0.1", 0
        )
        bus = kind("127.0.0.1", server.sockets[0].getsockname()[1])
        await bus.open()
        try:
            reply = await bus.read(9, Span("holding", 50, 120), TIMING)
            await bus.write(9, "holding", 3, (5, 6), TIMING)
        finally:
            await bus.close()
            server.close()
        assert words(reply.data) == [a * 257 & 0xFFFF for a in range(50, 170)]
        assert unit.writes.pop() == ("holding", 3, (5, 6))


@pytest.mark.parametrize("kind", [*sorted(KINDS), "tcp"])
@virtual
async def test_an_exception_without_a_code_is_no_answer(kind) -> None:
    """Code 0 is in no standard; taken for "no exception" it would be an empty value."""

    def script(asked: Asked) -> Any:
        return [(0.01, device.frame(asked, bytes((asked.function | 0x80, 0))))]

    if kind == "tcp":
        device = FakeDevice(tcp=True, script=script)
        running_loop().net.listen(device, "plc", 502)
        bus: Any = TcpBus("plc")
        await bus.open()
        with pytest.raises(BadFrameError):
            await bus.read(7, SPAN, TIMING)
        await bus.close()
        return
    async with opened(kind, script) as (bus, device):
        with pytest.raises(BadFrameError):
            await bus.read(7, SPAN, TIMING)
