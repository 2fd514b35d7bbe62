"""Raw bytes of a port with the times they came: what evidence is made of.

No frame is looked for here: what a wrong speed makes of an answer is evidence, too.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT_BYTES = 8192
"""Of one exchange or one stretch of listening."""
QUIET_S = 0.02
QUIET_AT_MOST_S = 0.15
CHAR_BITS = 11


class Chunk(NamedTuple):
    """Bytes that came together."""

    at: float
    """Loop time."""
    data: bytes


class Exchange(NamedTuple):
    """What was sent and what came of it."""

    sent: bytes
    received: bytes
    first_s: float | None
    """From the request's last bit to the first byte after it, about; None: silence."""
    closed: bool
    """The connection ended meanwhile."""


class Tap(asyncio.Protocol):
    """One opening of a port; made by a door."""

    def __init__(self, char_s: float) -> None:
        """Prepare.

        Args:
            char_s: Seconds of a character on the wire; 0 where there is none.
        """
        self.char_s = char_s
        self.closed = False
        self._transport: asyncio.Transport | None = None
        self._chunks: list[Chunk] = []
        self._size = 0
        self._last = 0.0
        self._news: asyncio.Event = asyncio.Event()

    # -- asyncio.Protocol -----------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self._transport = cast("asyncio.Transport", transport)
        self._last = asyncio.get_running_loop().time()

    def data_received(self, data: bytes) -> None:
        """Keep what comes, up to a limit."""
        self._last = asyncio.get_running_loop().time()
        if self._size < KEPT_BYTES:
            self._chunks.append(Chunk(self._last, data))
            self._size += len(data)
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """It ended, here or there."""
        self.closed = True
        self._news.set()

    # -- for those who ask ------------------------------------------------------

    async def ask(
        self,
        request: bytes,
        done: Callable[[bytes], bool],
        wait_s: float,
        *,
        settle_s: float = 0.0,
    ) -> Exchange:
        """Send a request and keep what comes.

        Args:
            request: The bytes.
            done: Whether this is all that can be hoped for.
            wait_s: How long silence is waited through, beside the wire's time.
            settle_s: Once bytes came that are not ``done``: silence that ends them.
        """
        loop = asyncio.get_running_loop()
        await self._quiet(loop)
        self._forget()
        if self.closed or self._transport is None:
            return Exchange(request, b"", None, closed=True)
        start = loop.time()
        self._transport.write(request)
        left = start + len(request) * self.char_s
        ends, first = left + wait_s, None
        while not self.closed:
            received = self._received()
            if received and done(received):
                break
            beyond = received[len(request) :] if self._echoed(request) else received
            if beyond:
                first = first or self._first(left)
                # A slow line needs its time; a talker without end gets no more.
                quiet = self._last + max(settle_s, 4 * self.char_s)
                last = max(ends, left + wait_s + 256 * self.char_s)
                ends = min(quiet, last) if settle_s else last
            if not await self._wait(loop, ends):
                break
        received = self._received()
        if first is None and received and not self._echoed(request):
            first = self._first(left)
        if first is None and len(received) > len(request):
            first = max(0.0, self._last - left)
        return Exchange(request, received, first, self.closed)

    async def listen(self, seconds: float) -> list[Chunk]:
        """What comes unasked."""
        loop = asyncio.get_running_loop()
        self._forget()
        ends = loop.time() + seconds
        while not self.closed and await self._wait(loop, ends):
            pass
        return list(self._chunks)

    def close(self) -> None:
        """Give the port back; may be called twice."""
        if self._transport is not None:
            self._transport.abort()

    async def _quiet(self, loop: asyncio.AbstractEventLoop) -> None:
        """Until the line is silent, but not for ever."""
        quiet = max(QUIET_S if self._size else 0.0, 3.5 * self.char_s)
        ends = loop.time() + QUIET_AT_MOST_S
        while not self.closed:
            until = min(self._last + quiet, ends)
            if until <= loop.time():
                return
            await asyncio.sleep(until - loop.time())

    async def _wait(self, loop: asyncio.AbstractEventLoop, until: float) -> bool:
        """For news; False: the time is up."""
        if until <= loop.time():
            return False
        self._news.clear()
        timer = loop.call_at(until, self._news.set)
        try:
            await self._news.wait()
        finally:
            timer.cancel()
        return True

    def _forget(self) -> None:
        self._chunks.clear()
        self._size = 0

    def _received(self) -> bytes:
        return b"".join(chunk.data for chunk in self._chunks)

    def _echoed(self, request: bytes) -> bool:
        received = self._received()[: len(request)]
        return bool(received) and request.startswith(received)

    def _first(self, left: float) -> float:
        """When the first byte came; what it spent on the wire does not count."""
        return max(0.0, self._chunks[0].at - left - self.char_s)
