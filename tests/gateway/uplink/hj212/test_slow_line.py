"""A line that takes less than it is given: real sockets, no answers."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest

from drivers.hj212.frame import FrameFinder
from gateway.uplink.hj212 import connection, records, session
from gateway.uplink.link import LinkLostError
from tests.support.hj212_home import Home
from tests.support.virtual import run_virtual, running_loop

SECONDS = 2.0
IN_ITS_SYSTEM = 100
"""Frames that fit what the reader's machine has taken and nobody has read."""


class SlowReader:
    """Reads some bytes now and then, then resets the connection."""

    def __init__(self) -> None:
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self.frames = 0

    async def up(self):
        return

    async def down(self):
        self._listener.close()

    async def read(self, size, seconds):
        """So many bytes every 0.1 s."""
        loop = asyncio.get_running_loop()
        peer, _ = await loop.sock_accept(self._listener)
        peer.setblocking(False)
        finder = FrameFinder()
        for _ in range(round(seconds * 10)):
            await asyncio.sleep(0.1)
            self.frames += len(finder.feed(await loop.sock_recv(peer, size)))
        return peer


async def test_what_still_waits_for_the_line_is_not_written(monkeypatch):
    monkeypatch.setattr(records, "SETTLE_S", 0.5)
    monkeypatch.setattr(session, "TICK_S", 0.1)
    home = Home(answer=False)
    home.platform = reader = SlowReader()
    home.minutes(5000)
    async with home:
        peer = await reader.read(500, SECONDS)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        reader._listener.close()
        await home.until(lambda: home.health().state != "online")

        assert 0 < home.floor <= reader.frames + IN_ITS_SYSTEM
        assert home.health().written == home.floor


class Line:
    """A writer whose line takes ``rate`` bytes a second, until it takes none."""

    def __init__(self, rate: int, seconds: float) -> None:
        self.transport = self
        self._rate, self._until = rate, running_loop().time() + seconds
        self._began, self._given = running_loop().time(), 0

    def set_write_buffer_limits(self, high):
        self._high = high

    def get_extra_info(self, _name):
        return None

    def is_closing(self):
        return False

    def write(self, data):
        self._given += len(data)

    def get_write_buffer_size(self):
        taken_s = min(running_loop().time(), self._until) - self._began
        return max(0, self._given - int(taken_s * self._rate))

    async def drain(self):
        while self.get_write_buffer_size() > self._high:  # noqa: ASYNC110
            await asyncio.sleep(1)


def test_a_line_that_is_slow_is_not_taken_for_dead_and_one_that_stops_is():
    async def fill(line):
        for _ in range(20):
            await line.write(bytes(1000))

    async def main():
        began, lasts = running_loop().time(), 10 * connection.TAKE_S
        with pytest.raises(LinkLostError):
            await fill(connection.Connection(None, Line(10, lasts)))
        return running_loop().time() - began - lasts

    late = run_virtual(main())

    assert 0 < late <= 2 * connection.TAKE_S
