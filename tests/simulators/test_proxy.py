"""The bad link breaks as told and heals."""

from __future__ import annotations

import asyncio
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simulators.mqtt_packets import CONNECT, AckFilter, Packets
from simulators.proxy import Proxy

CONNECT_LINE = bytes((CONNECT << 4, ord("\n")))
"""The beginning of a CONNECT, and a line."""
PUBACK = bytes.fromhex("40020001")
PINGRESP = bytes.fromhex("d000")


class Server:
    """Answers each line with bytes that a test chose."""

    def __init__(self, reply: bytes) -> None:
        self.reply = reply

    async def __aenter__(self) -> Server:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.proxy = Proxy("127.0.0.1", self.server.sockets[0].getsockname()[1])
        await self.proxy.open()
        return self

    async def __aexit__(self, *_) -> None:
        await self.proxy.close()
        self.server.close()
        await self.server.wait_closed()

    async def _serve(self, reader, writer) -> None:
        try:
            while await reader.readline():
                writer.write(self.reply)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def connect(self):
        return await asyncio.open_connection("127.0.0.1", self.proxy.port)


async def read(reader, size, wait_s=5.0) -> bytes:
    async with asyncio.timeout(wait_s):
        return await reader.readexactly(size)


async def test_it_passes_cuts_and_heals_on_the_same_port() -> None:
    async with Server(b"pong") as server:
        reader, writer = await server.connect()
        writer.write(b"x\n")
        assert await read(reader, 4) == b"pong"

        assert await server.proxy.obey("cut") == "ok"
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await read(reader, 1)
        with pytest.raises(ConnectionRefusedError):
            await server.connect()
        writer.close()

        assert await server.proxy.obey("heal") == "ok"
        reader, writer = await server.connect()
        writer.write(b"x\n")
        assert await read(reader, 4) == b"pong"
        writer.close()
        assert server.proxy.accepted == 2


async def test_pubacks_alone_are_swallowed() -> None:
    async with Server(PINGRESP + PUBACK + PINGRESP) as server:
        reader, writer = await server.connect()
        server.proxy.drop_acks = True
        writer.write(CONNECT_LINE)
        assert await read(reader, 4) == PINGRESP * 2
        server.proxy.drop_acks = False
        writer.write(b"x\n")
        assert await read(reader, 8) == PINGRESP + PUBACK + PINGRESP
        assert server.proxy.dropped_acks == 1
        writer.close()


async def test_half_open_swallows_and_slow_is_slow() -> None:
    async with Server(b"pong") as server:
        reader, writer = await server.connect()
        assert await server.proxy.obey("half-open") == "ok"
        writer.write(b"x\n")
        with pytest.raises(TimeoutError):
            await read(reader, 1, 0.05)
        await server.proxy.heal()
        writer.close()

        loop = asyncio.get_running_loop()
        reader, writer = await server.connect()
        assert await server.proxy.obey("delay 0.05") == "ok"
        started = loop.time()
        writer.write(b"x\n")
        assert await read(reader, 4) == b"pong"
        assert loop.time() - started >= 0.1
        writer.close()
        assert (await server.proxy.obey("dance")).startswith("no such command")
        assert (await server.proxy.obey("rate much")).startswith("rate: expected")


def test_pubacks_are_found_in_any_pieces_and_the_rest_passes_at_once() -> None:
    long = bytes([0x30, 0xC8, 0x01]) + PUBACK * 50
    stream = PUBACK + long + PINGRESP + PUBACK
    for size in (1, 3, 500):
        pieces = [stream[i : i + size] for i in range(0, len(stream), size)]
        dropping, passing = AckFilter(), AckFilter()
        kept = b"".join(dropping.feed(p, drop=True) for p in pieces)
        assert kept == long + PINGRESP
        assert dropping.dropped == 2
        assert [passing.feed(p, drop=False) for p in pieces] == pieces


def test_a_stream_that_is_no_mqtt_passes() -> None:
    noise = b"\x30\xff\xff\xff\xff\xff" + PUBACK

    assert AckFilter().feed(noise, drop=True) == noise


@example(b"\x16\x00\x30\xff", 4)  # after two bytes, what could be a PUBLISH begins
@given(
    st.binary(min_size=1).filter(lambda data: data[0] != CONNECT << 4),
    st.integers(1, 40),
)
def test_of_a_stream_that_is_no_mqtt_not_one_byte_is_held_back(data, size) -> None:
    for hold in (False, True):
        packets = Packets(first=CONNECT)
        for at in range(0, len(data), size):
            piece = data[at : at + size]
            passed = b"".join(p.raw for p in packets.feed(piece, hold=hold))
            assert passed == piece


@pytest.mark.parametrize(
    "beginning",
    [b"\x16\x03\x01\x00\x01\x01\x16\x00", b"GET /mqtt HTTP/1.1\r\n\r\n"],
    ids=["tls", "http"],
)
async def test_what_only_looks_like_a_packet_passes_both_ways(beginning) -> None:
    # 255 is the first byte of a length that goes on: three more may belong to it.
    sent = beginning + b"\x30\xff\xff\n"
    async with Server(PUBACK) as server:
        server.proxy.drop_acks = True
        reader, writer = await server.connect()
        for piece in re.findall(rb"(?s).{1,7}", sent):
            writer.write(piece)
            await asyncio.sleep(0)
        lines = sent.count(b"\n")
        assert await read(reader, 4 * lines) == PUBACK * lines
        writer.close()
