"""A platform's intake on shared subscriptions: ``python -m simulators.subscribers``.

Several connections share one group (``$share/{group}/...``): the broker gives each
message to one of them, so none sees a gateway's messages in order, and one that ends
may leave its unproved messages to another. One consumer behind them de-duplicates by
(gateway, store, seq) and adds the seqs up; what came out of order is counted, not
blamed. With ``--filter`` (repeated) each connection subscribes to its own part of the
topics instead, a partition: the order of each gateway stays.

On SIGTERM or at ``--for``: the verdict as a line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, cast

from simulators import mqtt_codec as codec
from simulators.consumer import Consumer
from simulators.mqtt_packets import Packets, puback
from simulators.process import die_with_parent, run, say_ready, until_told
from simulators.typed import typed

if TYPE_CHECKING:
    from collections.abc import Sequence

_RETRY_S = 0.5
_QUIET_S = 0.3


class Subscriber(asyncio.Protocol):
    """One connection; hands every message to the consumer, then acknowledges it."""

    def __init__(
        self, intake: Intake, client_id: str, filters: Sequence[str], *, v5: bool
    ) -> None:
        self._intake = intake
        self._id, self._filters, self._v5 = client_id, filters, v5
        self._packets = Packets()
        self._transport: asyncio.Transport | None = None
        self.ready = asyncio.Event()
        self.refused = 0
        """The broker's reason code where it does not take the subscription."""
        self.messages = 0
        self._granted = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """CONNECT with a session that is kept."""
        self._transport = cast("asyncio.Transport", transport)
        self._packets = Packets()
        self._granted = 0
        self._transport.write(codec.connect(self._id, v5=self._v5, clean=False))

    def connection_lost(self, exc: Exception | None) -> None:
        """Come back, unless all is over."""
        self._transport = None
        self._intake.later(self)

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.write(codec.DISCONNECT_PACKET)
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Messages, and the broker's answers."""
        assert self._transport is not None  # noqa: S101 it is what called us
        answers = bytearray()
        for piece in self._packets.feed(data, hold=True):
            if piece.type == codec.PUBLISH:
                message = codec.read_message(piece.raw, v5=self._v5)
                self.messages += 1
                self._intake.take(message)
                if message.qos:
                    answers += puback(message.packet_id)
            elif piece.type == codec.CONNACK:
                for number, topic_filter in enumerate(self._filters, 1):
                    answers += codec.subscribe(topic_filter, number, v5=self._v5)
            elif piece.type == codec.SUBACK:
                code = codec.read_suback(piece.raw, v5=self._v5)
                self._granted += 1
                if code >= 0x80:  # noqa: PLR2004 MQTT 5.0, 3.9.3
                    self.refused = code
                if self._granted == len(self._filters) or self.refused:
                    self.ready.set()
        if answers:
            self._transport.write(bytes(answers))


class Intake:
    """The connections and the one consumer behind them.

    Args:
        host: The broker's.
        port: The same.
        v5: Version of MQTT.
        stamp: Makes client ids unlike those of an earlier run.
    """

    def __init__(self, host: str, port: int, *, v5: bool, stamp: str) -> None:
        self.consumer = Consumer(from_seq=1)
        self.subscribers: list[Subscriber] = []
        self._address = (host, port)
        self._v5, self._stamp = v5, stamp
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = False

    def add(self, *filters: str) -> Subscriber:
        """One more connection."""
        client_id = f"intake-{self._stamp}-{len(self.subscribers)}"
        subscriber = Subscriber(self, client_id, filters, v5=self._v5)
        self.subscribers.append(subscriber)
        self._start(subscriber, 0.0)
        return subscriber

    def take(self, message: codec.Message) -> None:
        """Count one message."""
        self.consumer.feed(
            message.topic, message.payload, time.time() * 1000, retained=message.retain
        )

    def later(self, subscriber: Subscriber) -> None:
        """This one lost its connection."""
        if not self._over:
            self._start(subscriber, _RETRY_S)

    def _start(self, subscriber: Subscriber, pause_s: float) -> None:
        task = asyncio.get_running_loop().create_task(
            self._connect(subscriber, pause_s), name="intake"
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, subscriber: Subscriber, pause_s: float) -> None:
        await asyncio.sleep(pause_s)
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: subscriber, *self._address
            )
        except OSError:
            self.later(subscriber)

    async def until_quiet(self) -> None:
        """Until what was on its way has come."""
        before = -1
        while before != (now := sum(s.messages for s in self.subscribers)):
            before = now
            await asyncio.sleep(_QUIET_S)

    async def close(self) -> None:
        """End every connection."""
        self._over = True
        for subscriber in self.subscribers:
            subscriber.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0.01)  # a turn for every connection's end


def shared(intake: Intake, prefix: str, group: str, count: int) -> None:
    """``count`` connections in one group; descriptions come to each of them."""
    for _ in range(count):
        intake.add(*(f"$share/{group}/{prefix}/+/{end}" for end in ("data", "event")))
    intake.add(f"{prefix}/+/meta/+")


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog=typed("subscribers"))
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=1883)
    add("--prefix", default="ecogate/v1")
    add("--version", choices=["5", "3.1.1"], default="5", help="of MQTT")
    add("--group", default="city", help="of the shared subscription")
    add(
        "--filter",
        action="append",
        metavar="TOPICS",
        help="no group: a connection for each of these filters",
    )
    add("--count", type=int, default=4, help="connections")
    add("--for", dest="for_s", type=float, metavar="SECONDS")
    return parser.parse_args(argv)


async def main(options: argparse.Namespace) -> int:
    """Take messages until told to stop; returns the exit status."""
    intake = Intake(
        options.host,
        options.port,
        v5=options.version == "5",
        stamp=f"{time.time_ns():x}",
    )
    for topic_filter in options.filter or ():
        intake.add(topic_filter)
    if not options.filter:
        shared(intake, options.prefix, options.group, options.count)
    async with asyncio.timeout(60):
        for subscriber in intake.subscribers:
            await subscriber.ready.wait()
    refused = [s.refused for s in intake.subscribers if s.refused]
    say_ready(refused=refused)
    await until_told(options.for_s)
    await intake.until_quiet()
    await intake.close()
    verdict = intake.consumer.verdict()
    shares = [subscriber.messages for subscriber in intake.subscribers]
    cpu_s = round(time.process_time(), 2)
    said = {"verdict": verdict.as_dict(), "messages_each": shares, "cpu_s": cpu_s}
    print(json.dumps(said), flush=True)
    return 0


if __name__ == "__main__":
    die_with_parent()
    sys.exit(run(main(parse())))
