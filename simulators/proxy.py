"""A bad link between a gateway and its broker: ``python -m simulators.proxy``.

Passes bytes between clients and one server, and breaks on command (standard input, or
the methods of :class:`Proxy`):

    cut             refuse new connections and drop the open ones
    heal            all is well again
    half-open       accept and swallow; nothing is answered, nothing is closed
    pause           read nothing: the sender's buffers fill
    delay 0.2       each piece arrives so many seconds later
    rate 1          so many bytes a second, each direction; 0 = unlimited
    drop-acks       PUBACK packets of the broker are swallowed, all else passes
    acks            they pass again
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from typing import TYPE_CHECKING

from simulators.mqtt_packets import AckFilter
from simulators.process import die_with_parent, run, say_ready, until_told

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

_PIECE = 65_536


class Proxy:
    """Listens on its own port and passes to (host, port); faults change at any time."""

    def __init__(
        self, host: str, port: int, *, listen: int = 0, listen_host: str = "127.0.0.1"
    ) -> None:
        self._target = (host, port)
        self._listen_host = listen_host
        self.port = listen
        self.delay_s = 0.0
        self.bytes_per_s = 0.0
        self.drop_acks = False
        self.half_open = False
        self.accepted = 0
        """Connections taken so far."""
        self.dropped_acks = 0
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen; port 0 chooses one and keeps it."""
        self._server = await asyncio.start_server(
            self._accept, self._listen_host, self.port, limit=_PIECE
        )
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """The link is gone: refuse and drop."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.drop()

    def drop(self) -> None:
        """Break the open connections; new ones are taken."""
        for writer in tuple(self._writers):
            transport = writer.transport
            transport.abort()

    async def heal(self) -> None:
        """All faults off; listen again."""
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

    async def close(self) -> None:
        """End; may be called twice."""
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
        self.accepted += 1
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
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, out, acks=False), name="up")
                both.create_task(self._pass(away, writer, acks=True), name="down")
        except* OSError:
            pass
        finally:
            self._leave(writer)
            self._leave(out)

    def _leave(self, writer: asyncio.StreamWriter) -> None:
        self._writers.discard(writer)
        writer.transport.abort()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, acks: bool
    ) -> None:
        acknowledgements = AckFilter()
        while True:
            await self._flowing.wait()
            rate = self.bytes_per_s
            data = await reader.read(max(1, int(rate / 10)) if rate else _PIECE)
            await self._flowing.wait()
            if not data:
                break
            if self.half_open:
                continue
            if acks:
                before = acknowledgements.dropped
                data = acknowledgements.feed(data, drop=self.drop_acks)
                self.dropped_acks += acknowledgements.dropped - before
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            if rate:
                await asyncio.sleep(len(data) / rate)
            if data:
                writer.write(data)
            await writer.drain()
        # One side ended: end the other as well, as a router would at last.
        raise ConnectionResetError

    async def obey(self, line: str) -> str:
        """Carry out one command; the answer is for whoever sent it."""
        word, _, rest = line.strip().partition(" ")
        try:
            number = float(rest) if rest else 0.0
        except ValueError:
            return f"{word}: expected a number, got {rest!r}"
        if word == "heal":
            await self.heal()
        elif word == "delay":
            self.delay_s = number
        elif word == "rate":
            self.bytes_per_s = number
        elif word in {"drop-acks", "acks"}:
            self.drop_acks = word == "drop-acks"
        elif word == "half-open":
            self.half_open = True
        elif word in {"cut", "pause", "drop"}:
            getattr(self, word)()
        else:
            return f"no such command: {word!r}"
        return "ok"


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
    parser = argparse.ArgumentParser(prog="python -m simulators.proxy")
    add = parser.add_argument
    add("--to", required=True, metavar="HOST:PORT", help="where the broker is")
    add("--listen", type=int, default=0, help="0 chooses a free port")
    add("--for", dest="for_s", type=float, metavar="SECONDS")
    return parser.parse_args(argv)


async def main(options: argparse.Namespace) -> None:
    """Pass until told to stop; commands come on standard input."""
    host, _, port = options.to.rpartition(":")
    proxy = Proxy(host or "127.0.0.1", int(port), listen=options.listen)
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
