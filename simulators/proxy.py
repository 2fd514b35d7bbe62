"""A bad link between a gateway and its broker: ``python -m simulators.proxy``.

Passes bytes between clients and one server, and breaks on command (standard input, or
the methods of :class:`Proxy`):

    cut             refuse new connections and drop the open ones
    drop            drop the open connections; new ones are taken
    flap 5 2        up for about 5 s, cut for about 2 s, and so on; flap 0 ends it
    half-open       accept and swallow; nothing is answered, nothing is closed
    pause           read nothing: the sender's buffers fill
    delay 0.2       each piece arrives so many seconds later
    rate 1          so many bytes a second, each direction; 0 = unlimited
    drop-acks 0.1   this share of the broker's PUBACKs is swallowed; no number: all
    acks            they pass again
    heal            the line is well again: all of the above are off

What platforms do to messages (MQTT 3.1.1 and 5; within TLS or a websocket nobody can
see them, and bytes pass as they come) stays through a ``heal``:

    limit 50        so many PUBLISHes a second, those above wait; 0 = unlimited
    limit 50 drop   those above are acknowledged and thrown away
    swallow 0.01    this share is acknowledged and thrown away
    cut-mid 3       end the connection in the middle of the third PUBLISH from now
    stats           what was done so far, as JSON
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import sys
from typing import TYPE_CHECKING

from simulators.mqtt_faults import Faults
from simulators.mqtt_packets import CONNECT, AckFilter, Packets
from simulators.process import die_with_parent, run, say_ready, until_told
from simulators.typed import typed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from types import TracebackType
    from typing import Self

_PIECE = 65_536
_SPREAD = 0.5
"""A flap's times vary by so much of themselves, both ways."""


class _Client:
    """The way to one client: a packet of ours goes in between two of the broker's."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._waiting = bytearray()
        self._between = True

    def put_in(self, packet: bytes) -> None:
        """Send it, now or after the packet that is on its way."""
        if self._between:
            self._writer.write(packet)
        else:
            self._waiting += packet

    def write(self, data: bytes, *, between: bool) -> None:
        """Pass bytes on; ``between``: they end a packet."""
        self._writer.write(data)
        self._between = between
        if between and self._waiting:
            self._writer.write(bytes(self._waiting))
            self._waiting.clear()


class Proxy:
    """Listens on its own port and passes to (host, port); faults change at any time.

    Args:
        host: Where the broker is.
        port: The same.
        listen: Our own port; 0 chooses one.
        listen_host: Our own address.
        seed: Decides which messages and proofs are lost, and a flap's times.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        listen: int = 0,
        listen_host: str = "127.0.0.1",
        seed: int = 1,
    ) -> None:
        self._target = (host, port)
        self._listen_host = listen_host
        self.port = listen
        self.delay_s = 0.0
        self.bytes_per_s = 0.0
        self.drop_acks = False
        self.half_open = False
        self.faults = Faults(seed)
        """What the platform does to messages; its counts are kept here, too."""
        self._random = random.Random(seed)
        self._flapping: asyncio.Task[None] | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def accepted(self) -> int:
        """Connections taken so far."""
        return self.faults.counts.connections

    @property
    def dropped_acks(self) -> int:
        """PUBACKs kept back so far."""
        return self.faults.counts.dropped_acks

    async def open(self) -> None:
        """Listen; port 0 chooses one and keeps it."""
        self._server = await asyncio.start_server(
            self._accept, self._listen_host, self.port, limit=_PIECE
        )
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """The link is gone: refuse and drop."""
        if self._server is not None:
            self.faults.counts.cuts += 1
            self._server.close()
            self._server = None
        self.drop()

    def drop(self) -> None:
        """Break the open connections; new ones are taken."""
        for writer in tuple(self._writers):
            transport = writer.transport
            transport.abort()

    async def heal(self) -> None:
        """All faults of the line off; listen again."""
        await self.stop_flapping()
        self.faults.ack_loss = 0.0
        self.delay_s = self.bytes_per_s = 0.0
        self.drop_acks = False
        if self.half_open:
            # What was swallowed is missing from those streams for ever.
            self.half_open = False
            self.drop()
        self._flowing.set()
        if self._server is None:
            await self.open()

    def pause(self) -> None:
        """Stop reading, both ways."""
        self._flowing.clear()

    def go_on(self) -> None:
        """Read again."""
        self._flowing.set()

    async def flap(self, up_s: float, down_s: float) -> None:
        """Cut and come back, again and again, until healed.

        Args:
            up_s: Seconds of each connection, about.
            down_s: Seconds without, about.
        """
        await self.stop_flapping()
        self._flapping = asyncio.create_task(self._flap(up_s, down_s), name="flap")

    async def stop_flapping(self) -> None:
        """Leave the line as it is now."""
        flapping, self._flapping = self._flapping, None
        if flapping is not None:
            flapping.cancel()
            await asyncio.gather(flapping, return_exceptions=True)

    async def _flap(self, up_s: float, down_s: float) -> None:
        while True:
            await asyncio.sleep(self._about(up_s))
            self.cut()
            await asyncio.sleep(self._about(down_s))
            await self.open()

    def _about(self, seconds: float) -> float:
        return seconds * self._random.uniform(1 - _SPREAD, 1 + _SPREAD)

    async def close(self) -> None:
        """End; may be called twice."""
        await self.stop_flapping()
        self.cut()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    # -- one connection -------------------------------------------------------

    def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.faults.counts.connections += 1
        self._writers.add(writer)
        task = asyncio.get_running_loop().create_task(
            self._join(reader, writer), name=f"link:{self.accepted}"
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _join(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            away, out = await asyncio.open_connection(*self._target)
        except OSError:
            self._leave(writer)
            return
        self._writers.add(out)
        client, packets = _Client(writer), Packets(first=CONNECT)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._up(reader, out, client, packets), name="up")
                both.create_task(self._down(away, writer, client, packets), name="down")
        except* OSError:
            pass
        finally:
            self._leave(writer)
            self._leave(out)

    def _leave(self, writer: asyncio.StreamWriter) -> None:
        self._writers.discard(writer)
        writer.transport.abort()

    async def _up(
        self,
        reader: asyncio.StreamReader,
        out: asyncio.StreamWriter,
        client: _Client,
        packets: Packets,
    ) -> None:
        async for data in self._pieces(reader):
            passed, cut = await self.faults.up(packets, data, client.put_in)
            self.faults.counts.bytes_up += len(passed)
            await self._crawl(passed)
            if passed:
                out.write(passed)
            await out.drain()
            if cut:
                break
        raise ConnectionResetError

    async def _down(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        client: _Client,
        packets: Packets,
    ) -> None:
        filtered = AckFilter()
        async for data in self._pieces(reader):
            before = filtered.dropped
            drop = packets.mqtt and (self.drop_acks or self.faults.keeps_ack)
            passed = filtered.feed(data, drop=drop)
            self.faults.counts.dropped_acks += filtered.dropped - before
            self.faults.counts.bytes_down += len(passed)
            await self._crawl(passed)
            client.write(passed, between=filtered.between)
            await writer.drain()
        # One side ended: end the other as well, as a router would at last.
        raise ConnectionResetError

    async def _pieces(self, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
        while True:
            await self._flowing.wait()
            rate = self.bytes_per_s
            data = await reader.read(max(1, int(rate / 10)) if rate else _PIECE)
            await self._flowing.wait()
            if not data:
                return
            if not self.half_open:
                yield data

    async def _crawl(self, data: bytes) -> None:
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if self.bytes_per_s:
            await asyncio.sleep(len(data) / self.bytes_per_s)

    async def obey(self, line: str) -> str:
        """Carry out one command; the answer is for whoever sent it."""
        word, *rest = line.split() or [""]
        drop = "drop" in rest
        try:
            numbers = [float(part) for part in rest if part != "drop"]
        except ValueError:
            return f"{word}: expected numbers, got {' '.join(rest)!r}"
        first = numbers[0] if numbers else 0.0
        if word == "stats":
            return json.dumps(self.faults.counts.as_dict())
        if word == "limit":
            self.faults.limit(first, drop=drop)
        elif word == "swallow":
            self.faults.swallow = first
        elif word == "cut-mid":
            self.faults.cut_at = int(first)
        elif not await self._break(word, numbers):
            return f"no such command: {word!r}"
        return "ok"

    async def _break(self, word: str, numbers: list[float]) -> bool:
        """A fault of the line; False: there is none of this name."""
        first = numbers[0] if numbers else 0.0
        if word == "heal":
            await self.heal()
        elif word == "flap" and first:
            await self.flap(first, numbers[-1])
        elif word == "flap":
            await self.heal()
        elif word == "delay":
            self.delay_s = first
        elif word == "rate":
            self.bytes_per_s = first
        elif word == "drop-acks" and numbers:
            self.faults.ack_loss = first
        elif word in {"drop-acks", "acks"}:
            self.drop_acks = word == "drop-acks"
            self.faults.ack_loss = 0.0
        elif word == "half-open":
            self.half_open = True
        elif word in {"cut", "pause", "drop"}:
            getattr(self, word)()
        else:
            return False
        return True


async def _listen(proxy: Proxy) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    try:
        while line := await reader.readline():
            print(await proxy.obey(line.decode("utf-8", "replace")), flush=True)
    finally:
        transport.close()


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog=typed("proxy"))
    add = parser.add_argument
    add("--to", required=True, metavar="HOST:PORT", help="where the broker is")
    add("--listen", type=int, default=0, help="0 chooses a free port")
    add("--seed", type=int, default=1, help="decides which messages are lost")
    add("--for", dest="for_s", type=float, metavar="SECONDS")
    return parser.parse_args(argv)


async def main(options: argparse.Namespace) -> None:
    """Pass until told to stop; commands come on standard input."""
    host, _, port = options.to.rpartition(":")
    proxy = Proxy(
        host or "127.0.0.1", int(port), listen=options.listen, seed=options.seed
    )
    await proxy.open()
    say_ready(port=proxy.port)
    listening = asyncio.create_task(_listen(proxy), name="control")
    try:
        await until_told(options.for_s)
    finally:
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening
        await proxy.close()


if __name__ == "__main__":
    die_with_parent()
    run(main(parse()))
