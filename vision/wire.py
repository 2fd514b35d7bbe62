"""The socket to the gateway: never waited for, and never a growing queue.

What cannot be sent now waits in an outbox of bounded size. Beats give way first: the
next one says the same and more. An alarm is never dropped; where even those do not fit,
the gateway has not read for minutes and the wire counts as broken.
"""

from __future__ import annotations

import contextlib
import os
import select
from collections import deque
from typing import TYPE_CHECKING

from vision.messages import Beat, FramingError, FromGateway, Unpacker, pack

if TYPE_CHECKING:
    import socket

    from vision.messages import Ask, Configure, FromVision, Stop

OUTBOX_BYTES = 4_000_000
BEATS_BYTES = 64_000
"""With so much waiting, a beat tells nobody anything."""
_READ = 65_536


class Wire:
    """Messages over one end of a socketpair."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._unpack = Unpacker(FromGateway)  # type: ignore[arg-type]
        self._outbox: deque[memoryview] = deque()
        self.waiting = 0
        """Bytes in the outbox."""
        self.closed = False
        """The gateway is gone, or spoke what we do not understand."""

    def send(self, message: FromVision) -> None:
        """Send at once, or as soon as the other side reads on."""
        if self.closed or (isinstance(message, Beat) and self.waiting > BEATS_BYTES):
            return
        data = pack(message)
        if self.waiting + len(data) > OUTBOX_BYTES:
            self.closed = True
            return
        self._outbox.append(memoryview(data))
        self.waiting += len(data)
        self._flush()

    def receive(
        self, wait_s: float, woken: int | None = None
    ) -> list[Configure | Ask | Stop]:
        """What came within ``wait_s``; returns early with the first.

        Sends on what waits meanwhile.

        Args:
            wait_s: At most so long.
            woken: An eventfd that ends the wait as well; it is emptied.
        """
        if self.closed:
            return []
        poll = select.poll()  # select() knows no descriptor above 1023
        mine = self._sock.fileno()
        poll.register(mine, select.POLLIN | (select.POLLOUT if self._outbox else 0))
        if woken is not None:
            poll.register(woken, select.POLLIN)
        found = dict(poll.poll(max(0.0, wait_s) * 1000))
        if woken in found and woken is not None:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(woken)
        if found.get(mine, 0) & select.POLLOUT:
            self._flush()
        return self._read() if found.get(mine, 0) & ~select.POLLOUT else []

    def close(self) -> None:
        """Close the socket; what waits is given up."""
        self.closed = True
        self._sock.close()

    def _read(self) -> list[Configure | Ask | Stop]:
        try:
            data = self._sock.recv(_READ)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self.closed = True
            return []
        try:
            return self._unpack.feed(data)  # type: ignore[return-value]
        except FramingError:
            self.closed = True
            return []

    def _flush(self) -> None:
        while self._outbox:
            head = self._outbox[0]
            try:
                sent = self._sock.send(head)
            except BlockingIOError:
                return
            except OSError:
                self.closed = True
                return
            self.waiting -= sent
            if sent == len(head):
                self._outbox.popleft()
            else:
                self._outbox[0] = head[sent:]
                return
