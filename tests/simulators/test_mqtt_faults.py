"""A platform that limits, loses and cuts messages, and what it says it did."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators import mqtt_codec as codec
from simulators.mqtt_faults import TokenBucket
from simulators.mqtt_packets import PUBACK, PUBLISH, Packets, puback, read_publish
from simulators.proxy import Proxy
from tests.support.brokers import until

BOTH = pytest.mark.parametrize("v5", [False, True], ids=["3.1.1", "5"])


class Taker:
    """A broker that acknowledges every PUBLISH; ``pieces``: bytes a write."""

    def __init__(self, pieces: int = 65536) -> None:
        self.topics: list[str] = []
        self.ends = 0
        self.half = b""
        self._size = pieces

    async def __aenter__(self) -> Taker:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self.server.sockets[0].getsockname()[1]
        self.proxy = Proxy("127.0.0.1", port, seed=7)
        await self.proxy.open()
        return self

    async def __aexit__(self, *_) -> None:
        await self.proxy.close()
        self.server.close()
        await self.server.wait_closed()

    async def _serve(self, reader, writer) -> None:
        packets = Packets()
        try:
            while data := await reader.read(65536):
                for piece in packets.feed(data, hold=True):
                    if piece.type == PUBLISH:
                        said = read_publish(piece.raw)
                        self.topics.append(said.topic)
                        answer = puback(said.packet_id)
                        for at in range(0, 4, self._size):
                            writer.write(answer[at : at + self._size])
                            await asyncio.sleep(0)
        except ConnectionError:
            pass
        finally:
            self.half = bytes(packets._held)
            self.ends += 1
            writer.close()


class Sender:
    """A client that publishes and gathers proofs."""

    def __init__(self, taker: Taker, *, v5: bool) -> None:
        self._taker, self._v5 = taker, v5
        self.proved: list[int] = []

    async def __aenter__(self) -> Sender:
        port = self._taker.proxy.port
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        self._writer.write(codec.connect("s", v5=self._v5))
        self._task = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_) -> None:
        self._writer.close()
        await self._task

    def publish(self, number, topic="p/g/data", payload=b"{}") -> None:
        self._writer.write(codec.publish(topic.encode(), payload, number, v5=self._v5))

    async def _read(self) -> None:
        packets = Packets()
        try:
            while data := await self._reader.read(100):
                for piece in packets.feed(data, hold=True):
                    assert piece.type == PUBACK, "a packet was broken by another"
                    self.proved.append(codec.read_puback(piece.raw)[0])
        except ConnectionError:
            pass

    async def all_proved(self, count) -> None:
        await until(lambda: len(self.proved) >= count)


@BOTH
async def test_a_share_is_acknowledged_and_never_arrives(v5) -> None:
    async with Taker(pieces=1) as taker, Sender(taker, v5=v5) as sender:
        assert await taker.proxy.obey("swallow 0.2") == "ok"
        for number in range(1, 501):
            sender.publish(number)
        sender.publish(600, "p/g/meta/aaaa0001")
        await sender.all_proved(501)

        said = json.loads(await taker.proxy.obey("stats"))
        assert sorted(sender.proved) == [*range(1, 501), 600]
        assert said["publishes"] == 501
        assert 60 < said["swallowed"] < 140
        assert len(taker.topics) == 501 - said["swallowed"]
        assert taker.topics[-1].endswith("aaaa0001"), "descriptions always pass"


async def test_the_same_seed_loses_the_same_messages() -> None:
    lost = []
    for _ in range(2):
        async with Taker() as taker, Sender(taker, v5=True) as sender:
            taker.proxy.faults.swallow = 0.1
            for number in range(1, 101):
                sender.publish(number, f"p/{number}/data")
            await sender.all_proved(100)
            lost.append(taker.topics)

    assert lost[0] == lost[1]


@BOTH
async def test_a_limit_makes_messages_wait_or_loses_those_above_it(v5) -> None:
    async with Taker() as taker, Sender(taker, v5=v5) as sender:
        loop = asyncio.get_running_loop()
        assert await taker.proxy.obey("limit 200") == "ok"
        began = loop.time()
        for number in range(1, 46):
            sender.publish(number)
        await sender.all_proved(45)
        assert loop.time() - began >= 0.19
        assert len(taker.topics) == 45
        assert taker.proxy.faults.counts.waited_s > 0.1

        assert await taker.proxy.obey("limit 10 drop") == "ok"
        for number in range(46, 91):
            sender.publish(number)
        await sender.all_proved(90)
        assert taker.proxy.faults.counts.over_limit >= 35
        assert len(taker.topics) == 90 - taker.proxy.faults.counts.swallowed


async def test_a_connection_ends_in_the_middle_of_a_message() -> None:
    async with Taker() as taker, Sender(taker, v5=True) as sender:
        assert await taker.proxy.obey("cut-mid 3") == "ok"
        for number in range(1, 6):
            sender.publish(number, payload=b"x" * 10_000)
        await until(lambda: taker.ends)

    assert len(taker.topics) <= 2
    assert taker.proxy.faults.counts.cut_mid_packet == 1
    assert len(taker.topics) < 2 or 0 < len(taker.half) < 10_000


async def test_a_share_of_the_proofs_is_kept_back() -> None:
    async with Taker() as taker, Sender(taker, v5=True) as sender:
        assert await taker.proxy.obey("drop-acks 0.3") == "ok"
        for number in range(1, 201):
            sender.publish(number)
        await until(lambda: len(sender.proved) + taker.proxy.dropped_acks == 200)

        assert len(taker.topics) == 200
        assert 30 < taker.proxy.dropped_acks < 90


async def test_it_flaps_until_it_is_healed() -> None:
    async with Taker() as taker:
        assert await taker.proxy.obey("flap 0.03 0.01") == "ok"
        await until(lambda: taker.proxy.faults.counts.cuts >= 3)
        assert await taker.proxy.obey("flap 0") == "ok"
        cuts = taker.proxy.faults.counts.cuts
        async with Sender(taker, v5=False) as sender:
            sender.publish(1)
            await sender.all_proved(1)
            await asyncio.sleep(0.1)
        assert taker.proxy.faults.counts.cuts == cuts


async def test_a_heal_mends_the_line_and_not_the_platform() -> None:
    async with Taker() as taker:
        for command in ("limit 5", "swallow 0.5", "drop-acks 1", "delay 1", "heal"):
            assert await taker.proxy.obey(command) == "ok"

        assert taker.proxy.faults.active
        assert taker.proxy.faults.swallow == 0.5
        assert taker.proxy.faults.ack_loss == taker.proxy.delay_s == 0


def test_a_bucket_gives_its_rate_and_no_more() -> None:
    at = 0.0
    bucket = TokenBucket(10, burst=3, now=lambda: at)
    waits = []
    for _ in range(60):
        wait = bucket.take()
        at += wait
        waits.append(wait)

    assert waits[:3] == [0, 0, 0]
    assert sum(waits) == pytest.approx(5.7)
    at += 100
    assert [bucket.take() for _ in range(4)] == pytest.approx([0, 0, 0, 0.1])


PACKETS = st.lists(
    st.one_of(
        st.builds(
            lambda n, v5, size: codec.publish(b"a/b", b"x" * size, n, v5=v5),
            st.integers(1, 65535),
            st.booleans(),
            st.integers(0, 400),
        ),
        st.sampled_from([codec.PINGREQ_PACKET, puback(7), codec.connect("c", v5=True)]),
    ),
    max_size=8,
)


@given(PACKETS, st.integers(1, 200), st.lists(st.booleans(), min_size=1))
def test_a_stream_is_cut_into_its_packets_whatever_the_pieces(
    stream, size, holds
) -> None:
    data = b"".join(stream)
    pieces = [data[at : at + size] for at in range(0, len(data), size)]

    held = Packets()
    whole = [p for piece in pieces for p in held.feed(piece, hold=True)]
    assert [p.raw for p in whole] == stream
    assert all(p.whole for p in whole)

    mixed, passed = Packets(), b""
    for at, piece in enumerate(pieces):
        hold = holds[at % len(holds)]
        passed += b"".join(p.raw for p in mixed.feed(piece, hold=hold))
    assert passed == data


@BOTH
def test_what_is_written_can_be_read(v5) -> None:
    packet = codec.publish("圆/a".encode(), b"\x00\xff", 513, v5=v5, retain=True)
    said = codec.read_message(packet, v5=v5)

    assert said == ("圆/a", b"\x00\xff", 1, 513, True, False)
    assert read_publish(packet) == ("圆/a", 1, 513)


def test_a_brokers_limits_are_read_between_other_properties() -> None:
    properties = bytes.fromhex("21000a 270000ffff 2600016b000176 130078 1200026162")
    packet = b"\x20" + bytes([3 + len(properties), 1, 0, len(properties)]) + properties

    said = codec.read_connack(packet, v5=True)

    assert said == (0, True, 10, 65_535)
