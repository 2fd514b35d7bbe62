"""Bar 3, Modbus: whatever bytes come, no value from a bad check, and no other error.

RTU, ASCII and TCP as their buses take bytes in, against a second encoder: what is
accepted must stand in the stream, whole, as that encoder writes it. And the decoders:
any registers give each point a value or a reason. 20,000 Hypothesis cases in all by
default; ``make bars`` adds 1,000,000 seeded mutations for each framing.
"""

from __future__ import annotations

import random
import time
import tracemalloc
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.errors import DriverError
from drivers.modbus import AsciiBus, RtuBus, TcpBus, Timing
from drivers.modbus.ascii import LONGEST, find_ascii, walk_ascii
from drivers.modbus.bus import Answer, Peer
from drivers.modbus.decode import decoder
from drivers.modbus.wire import (
    find_rtu,
    read_request,
    walk_rtu,
    walk_tcp,
    write_request,
)
from drivers.profiles.model import Loop, ModbusPoint
from drivers.values import Quality
from simulators.ascii_wire import ascii_frame
from simulators.wire import exception_pdu, rtu_frame, tcp_frame
from tests.conftest import BARS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from drivers.modbus.line import OwnBus
    from drivers.modbus.wire import Request

CASES = 5_000
"""For each of three framings, and for the decoders."""
MUTATIONS = 1_000_000
UNIT = 7
TIMING = Timing(0.5)
REQUESTS = (
    read_request(3, 100, 10),
    read_request(4, 0, 1),
    read_request(1, 0x0300, 24),
    write_request("holding", 5, (0x0102,)),
    write_request("coil", 5, (1, 0, 1)),
)


class Clock:
    """What a bus asks of its loop."""

    now = 1000.0

    def time(self) -> float:
        return self.now


class Waiter:
    """A future that needs no loop."""

    def __init__(self) -> None:
        self.answer: Answer | None = None

    def done(self) -> bool:
        return self.answer is not None

    def set_result(self, answer: Answer) -> None:
        self.answer = answer


class Kind(NamedTuple):
    """A framing: its bus, and how a second encoder writes."""

    make: Callable[[], OwnBus]
    frame: Callable[[int, int, bytes], bytes]
    """Number, unit, PDU."""
    fold: Callable[[bytes], bytes] = bytes


KINDS = {
    "rtu": Kind(lambda: RtuBus("x"), lambda _, unit, pdu: rtu_frame(unit, pdu)),
    "ascii": Kind(
        lambda: AsciiBus("x"), lambda _, unit, pdu: ascii_frame(unit, pdu), bytes.upper
    ),
    "tcp": Kind(lambda: TcpBus("x"), tcp_frame),
}


class Parser:
    """One bus with an open request, fed by hand."""

    def __init__(self, name: str) -> None:
        self.kind = KINDS[name]
        self.bus: Any = self.kind.make()
        self.bus._loop = Clock()
        self.peer = Peer(UNIT)
        self.bus._peers[UNIT] = self.peer

    def ask(self, request: Request) -> int:
        """Open a request; the number of its answer."""
        bus = self.bus
        frame = bus._encode(self.peer, request, TIMING)
        bus._buffer.clear()
        bus._heard, bus._since, bus._doubted = b"", 0, None
        bus._unexplained = False
        bus._open = self.peer, request, frame
        bus._waiter = Waiter()
        self.peer.proof._excepted.clear()
        return getattr(bus, "_number", 0)

    def take(self, data: bytes, cuts: list[int]) -> Answer | None:
        """Feed the stream in pieces; what was accepted."""
        for start, end in pairwise([0, *cuts, len(data)]):
            if start < end:
                self.bus.received(data[start:end])
        return self.bus._waiter.answer

    def judge(self, request: Request, number: int, data: bytes, answer: Answer) -> None:
        """What was accepted stands in the stream as the second encoder writes it."""
        if answer.exception:
            pdu = exception_pdu(request.function, answer.exception)
        elif request.function <= 4:
            pdu = request.expect + answer.data
        else:
            pdu = request.expect
        frame = self.kind.frame(number, UNIT, pdu)
        assert frame in self.kind.fold(data), (request, data.hex(), answer.data.hex())
        if not answer.exception:
            assert len(pdu) == request.size

    def right(self, request: Request, number: int, rng: random.Random) -> bytes:
        """A right answer."""
        pdu = request.expect + rng.randbytes(request.size - len(request.expect))
        return self.kind.frame(number, UNIT, pdu)

    def other(self, request: Request, number: int, rng: random.Random) -> bytes:
        """A whole frame that answers something else."""
        choice = rng.randrange(5)
        pdu = request.expect + rng.randbytes(request.size - len(request.expect))
        if choice == 0:
            return self.kind.frame(number, UNIT + 1, pdu)
        if choice == 1:
            return self.kind.frame(number ^ 1, UNIT, exception_pdu(request.function, 4))
        if choice == 2:
            return self.kind.frame(number, UNIT, bytes((3, 2)) + rng.randbytes(2))
        if choice == 3:
            return self.kind.frame(number, UNIT, exception_pdu(request.function, 6))
        return bytes(self.bus._open[2])


def mutated(data: bytes, rng: random.Random) -> bytes:
    """One thing done to the bytes: flipped, changed, cut, put in, doubled, swapped."""
    out, at = bytearray(data), rng.randrange(len(data))
    choice = rng.randrange(7)
    if choice == 0:
        out[at] ^= 1 << rng.randrange(8)
    elif choice == 1:
        out[at] = rng.randrange(256)
    elif choice == 2:
        del out[at]
    elif choice == 3:
        out.insert(at, rng.choice((0, 0x3A, 0x0D, 0x0A, 3, UNIT, rng.randrange(256))))
    elif choice == 4:
        del out[at:]
    elif choice == 5:
        end = at + rng.randrange(1, 9)
        out[at:at] = out[at:end]
    else:
        other = rng.randrange(len(data))
        out[at], out[other] = out[other], out[at]
    return bytes(out)


def stream(parser: Parser, request: Request, number: int, rng: random.Random) -> bytes:
    """Right frames and others, mutated or not, in noise or not."""
    pieces = []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        make = parser.right if rng.random() < 0.7 else parser.other
        piece = make(request, number, rng)
        if rng.random() < 0.7:
            piece = mutated(piece, rng)
        if rng.random() < 0.2:
            piece = rng.randbytes(rng.randrange(12)) + piece
        pieces.append(piece)
    return b"".join(pieces)


def cuts_of(data: bytes, rng: random.Random) -> list[int]:
    """Where the stream is cut into pieces."""
    if not data or rng.random() < 0.5:
        return []
    return sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(1, 4)))


# -- frames -------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(KINDS))
def test_hypothesis_finds_no_value_with_a_bad_check(name) -> None:
    parser = Parser(name)

    # One draw a case: what is done is derived from it, and shrinks with it.
    @settings(max_examples=CASES, deadline=None, database=None)
    @given(st.binary(max_size=48))
    def check(drawn) -> None:
        rng = random.Random(drawn)
        request = rng.choice(REQUESTS)
        number = parser.ask(request)
        body = stream(parser, request, number, rng) if rng.random() < 0.9 else b""
        data = body + drawn if rng.random() < 0.5 else drawn + body
        answer = parser.take(data, cuts_of(data, rng))
        if answer is not None:
            parser.judge(request, number, data, answer)
        parser.bus._waiter = None
        assert len(parser.bus._buffer) <= parser.bus._keep

    check()


@pytest.mark.parametrize("name", sorted(KINDS))
def test_seeded_mutations_give_no_value_with_a_bad_check(name, seed, count, figure):
    rng = random.Random(seed)
    parser = Parser(name)
    accepted = 0
    for _ in range(count(4_000, MUTATIONS)):
        request = rng.choice(REQUESTS)
        number = parser.ask(request)
        data = stream(parser, request, number, rng)
        answer = parser.take(data, cuts_of(data, rng))
        if answer is not None:
            accepted += 1
            parser.judge(request, number, data, answer)
        assert len(parser.bus._buffer) <= parser.bus._keep, seed
        assert len(parser.bus._heard) <= parser.bus._keep, seed
    figure("mutations", count(4_000, MUTATIONS))
    figure("accepted_with_a_right_check", accepted)
    # The mill grinds: some are whole, most are not.
    assert 0.02 <= accepted / count(4_000, MUTATIONS) <= 0.8, seed


@pytest.mark.parametrize("name", sorted(KINDS))
def test_one_byte_changed_is_never_another_value(name, seed, count) -> None:
    """A burst of up to 16 bits never fools a CRC, one character never an LRC.

    TCP has no check of its own here: the network's is trusted, the form is ours.
    """
    rng = random.Random(seed)
    parser = Parser(name)
    request = REQUESTS[0]
    for _ in range(count(2_000, 200_000)):
        number = parser.ask(request)
        right = parser.right(request, number, rng)
        data, at = bytearray(right), rng.randrange(len(right))
        data[at] ^= rng.randrange(1, 256)
        answer = parser.take(bytes(data), [])
        if answer is None or answer.exception:
            continue
        if name == "tcp":
            assert at >= 9, (seed, at)
        else:
            assert bytes(data).upper() == right.upper(), (seed, at)


def hostile(n: int) -> Iterator[tuple[str, bytes]]:
    """Streams that make a careless search begin again at every byte."""
    rng = random.Random(n)
    yield "reads of 250", b"\x07\x03\xfa" * (n // 3)
    yield "reads of 3", b"\x03" * n
    yield "writes", b"\x07\x06" * (n // 2)
    yield "colons", b":" * n
    yield "colon and digits", b":07" * (n // 3)
    yield "a line that never ends", b":" + b"07" * (n // 2)
    yield "line ends", b":\r\n" * (n // 3)
    yield "headers", b"\0\1\0\0\0\x06\7\3" * (n // 8)
    yield "zeros", bytes(n)
    yield "noise", rng.randbytes(n)


def took(work: Callable[[], object]) -> float:
    best = 10.0
    for _ in range(3):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best


SEARCHES: dict[str, Callable[[bytes], object]] = {
    "walk_rtu": lambda data: list(walk_rtu(data)),
    "walk_ascii": lambda data: list(walk_ascii(data)),
    "walk_tcp": lambda data: list(walk_tcp(data)),
    "find_rtu": lambda data: find_rtu(data, b"\x07\x03", 255, 0),
    "find_ascii": lambda data: find_ascii(data, b":07", LONGEST, 0),
}


@pytest.mark.parametrize("search", sorted(SEARCHES))
def test_a_search_takes_linear_time(search, count, figure) -> None:
    small = count(3_000, 30_000)
    work, worst = SEARCHES[search], (0.0, "")
    for (_, short), (what, long) in zip(
        hostile(small), hostile(4 * small), strict=True
    ):
        first, second = (took(lambda d=data: work(d)) for data in (short, long))
        assert second <= 8 * first + 0.01, (search, what, first, second)
        worst = max(worst, (second / len(long) * 1e6, what))
    figure("worst_us_per_byte", (round(worst[0], 2), worst[1]))
    assert worst[0] <= 20, worst


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_flood_costs_bounded_memory_and_time_per_byte(name, count, figure) -> None:
    parser = Parser(name)
    parser.ask(REQUESTS[0])
    flood = [data for _, data in hostile(count(4_096, 65_536))]
    tracemalloc.start()
    started = time.process_time()
    size = 0
    for data in flood:
        for at in range(0, len(data), 61):
            parser.bus.received(data[at : at + 61])
            size += 61
    spent = time.process_time() - started
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    figure("us_per_byte", round(spent / size * 1e6, 1))
    figure("peak_bytes", peak)
    assert len(parser.bus._buffer) <= parser.bus._keep
    assert peak <= 200_000


# -- values -------------------------------------------------------------------------

_TYPES = (
    "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64",
    "bcd16", "bcd32", "bcd64",
)  # fmt: skip
_LAYOUTS = ("words:YMDhms", "bytes:YMDhms", "bcd:YYMDhmsW", "unix32", "unix64ms")
_LENGTHS = (6, 3, 4, 2, 4)


def any_point(rng: random.Random, address: int) -> ModbusPoint:
    """A point of any type with any of its traits."""
    name, order = f"p{address}", rng.choice(("ABCD", "CDAB", "BADC", "DCBA"))
    common: dict[str, Any] = {"name": name, "table": "holding", "address": address}
    choice = rng.randrange(10)
    if choice == 0:
        return ModbusPoint(
            **common, type="text", length=rng.randrange(1, 9),
            layout=rng.choice(("high_low", "low_high", "low")),
            encoding=rng.choice(("ascii", "utf-8", "gbk")),
        )  # fmt: skip
    if choice == 1:
        at = rng.randrange(len(_LAYOUTS))
        return ModbusPoint(
            **common, type="datetime", length=_LENGTHS[at], layout=_LAYOUTS[at],
            word_order=order,
        )  # fmt: skip
    if choice == 2:
        return ModbusPoint(**common, type="bool", bit=rng.randrange(16))
    kind = rng.choice(_TYPES)
    more: dict[str, Any] = {"type": kind, "word_order": order}
    if rng.random() < 0.5:
        more |= {"scale": Fraction(rng.choice((1, 3, -7)), rng.choice((1, 10, 1000)))}
    if rng.random() < 0.3:
        more |= {"decimals": rng.randrange(4)}
    if rng.random() < 0.3:
        more |= {"not_available": (0xFFFF, 0x8000, 0xFFFFFFFF)}
    if rng.random() < 0.3:
        ends = rng.choice(((4, 20), (0, 20), (0, 10), (-10, 10), (1, 5)))
        more |= {"loop": Loop(Fraction(-5), Fraction(200), *map(Fraction, ends))}
    elif "int" in kind and rng.random() < 0.2:
        more |= {"enum": {0: "off", 1: "on"}}
    elif "int" in kind and rng.random() < 0.2:
        more |= {"bits": {0: "a", 7: "b"}}
    if rng.random() < 0.3:
        more |= {"minimum": -10.0, "maximum": 1e6}
    return ModbusPoint(**common, **more)


def check_decoder(rng: random.Random, data: bytes) -> int:
    """Every point has a value or a reason, numbers are finite; how many have values."""
    points, address = [], 0
    while address < 16:
        points.append(any_point(rng, address))
        address += points[-1].registers + rng.randrange(3)
    before = rng.randrange(3)
    reply = bytes(2 * before) + data.ljust(2 * (address + 8), b"\0")
    values: dict[str, Any] = {}
    flaws: dict[str, Any] = {}
    decoder(points, 0).decode(reply, -before, values, flaws)
    names = {p.name for p in points}
    names |= {f"{p.name}.{word}" for p in points for word in p.bits.values()}
    assert set(values) | set(flaws) == names
    for name in set(values) & set(flaws):
        assert flaws[name].quality is Quality.UNCERTAIN
    for name in set(flaws) - set(values):
        assert flaws[name].quality is Quality.BAD
    for value in values.values():
        assert isinstance(value, (bool, int, str)) or value - value == 0
    return len(values)


@settings(max_examples=CASES, deadline=None, database=None)
@given(st.binary(max_size=48))
def test_any_registers_give_every_point_a_value_or_a_reason(drawn) -> None:
    check_decoder(random.Random(drawn), 2 * drawn)


def test_seeded_registers_give_every_point_a_value_or_a_reason(seed, count, figure):
    rng = random.Random(seed)
    bits, decoded, values = count(1_000, MUTATIONS // 10), 0, 0
    for _ in range(bits):
        data = bytes(rng.choice((0, 255, 0x12, rng.randrange(256))) for _ in range(96))
        try:
            values += check_decoder(random.Random(rng.randrange(2**32)), data)
        except DriverError:
            pytest.fail(f"seed {seed}: decoders raise nothing")
        decoded += 1
    figure("blocks", decoded)
    figure("values", values)
    assert values > decoded


def test_full_counts_are_for_the_bars() -> None:
    assert CASES * 4 >= 20_000
    assert MUTATIONS == 1_000_000 or not BARS
