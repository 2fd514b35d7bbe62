"""A line that takes less than it is given: real sockets, no answers."""

from __future__ import annotations

import asyncio
import socket
import struct

from drivers.hj212.frame import FrameFinder
from gateway.uplink.hj212 import connection, records, session
from tests.support.hj212_home import Home

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


async def test_a_line_that_is_slow_is_not_taken_for_dead(monkeypatch):
    monkeypatch.setattr(connection, "TAKE_S", 1.2)
    home = Home(answer=False)
    home.platform = reader = SlowReader()
    home.minutes(5000)
    async with home:
        peer = await reader.read(500, 2 * SECONDS)
        assert [state for state, _ in home.states] == ["online"]
        peer.close()
