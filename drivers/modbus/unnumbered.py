"""Buses whose answers carry no number: time, size and unit alone tell them apart.

What RTU and ASCII share, on a serial line as on a terminal server's TCP port: how a
request is framed, silence after a time-out, and our own echo taken out again. Many
two-wire adapters hear what they send; of a request that looks like its own answer one
copy is always taken for its echo.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

from drivers.errors import BusError, DriverError
from drivers.modbus.framing import RTU
from drivers.modbus.line import OwnBus
from drivers.modbus.proof import Shape
from drivers.modbus.transaction import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivers.modbus.bus import Answer, Peer
    from drivers.modbus.framing import Framing
    from drivers.modbus.transaction import Timing
    from drivers.modbus.wire import Heard, Request
    from drivers.profiles.model import Table

Echo = Literal["auto", "yes", "no"]

QUIET_S = 0.02
QUIET_AT_MOST_S = 0.1
_EXCEPTION = 0x80
_LAST_READ = 4
_MISSING_ECHOES = 3


class Unnumbered(OwnBus):
    """Framing, silence and echo; subclasses open the port and may pace the bytes."""

    _framing: Framing = RTU
    _char_s = 0.0
    """Seconds that a character spends on the wire, as far as we know."""
    _silence_s = 0.0
    """Wanted before each request."""
    _paced = False
    """Whether bytes take their time on the wire in truth (a pty's do not)."""
    _echo: Echo = "auto"
    _echoes: bool | None = None
    _echo_came = False
    _echo_missing = 0
    _echo_to_come = 0

    def _set_up(self, framing: Framing, echo: Echo) -> None:
        self._framing = framing
        self._keep = 2 * framing.longest
        self._longest = framing.longest
        self._echo = echo
        self._echoes = None if echo == "auto" else echo == "yes"

    def _opened(self) -> None:
        """The port is new: it may be another adapter."""
        if self._echo == "auto":
            self._echoes = None

    # -- before a request ---------------------------------------------------------

    async def _ready(self, peer: Peer, timing: Timing) -> None:
        loop = self._running()
        if timing.pause_s:
            # The unit hears all traffic: its pause counts from the line's last byte.
            wait = max(self._last_byte, peer.last_end) + timing.pause_s - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
        quiet, since, ends = self._silence_s, 0.0, loop.time() + QUIET_AT_MOST_S
        if self._timed_out_at:
            quiet, since = max(quiet, QUIET_S), self._timed_out_at
            ends = since + QUIET_AT_MOST_S
            self._timed_out_at = 0.0
        while True:
            now = loop.time()
            until = min(max(self._last_byte, since) + quiet, ends)
            if until <= now:
                return
            await asyncio.sleep(until - now)

    async def _before_write(
        self, peer: Peer, table: Table, address: int, timing: Timing
    ) -> None:
        """An echo of a single write looks like its answer: find out before."""
        if self._echoes is not None:
            return
        span = Span(table, address, 1)
        shape = peer.proof.choose(span, self._running().time(), bare=True)
        if isinstance(shape, Shape):
            try:
                await self._prove(peer, span, shape, timing, None)
            except BusError:
                raise
            except DriverError:
                pass  # whatever the unit says: the echo came, or it did not

    def _encode(self, peer: Peer, request: Request, timing: Timing) -> bytes:
        del timing
        framing, unit = self._framing, bytes((peer.unit,))
        frame = framing.frame(peer.unit, request.pdu)
        self._head = framing.head(unit + request.expect)
        self._length = framing.length(request.size)
        self._body = slice(3, -framing.check_bytes)
        refusal = bytes((request.function | _EXCEPTION,))
        self._error_head = framing.head(unit + refusal)
        self._error_length, self._error_code = framing.length(2), 2
        self._wire_s = (len(frame) + self._length) * self._char_s + self._silence_s
        self._earliest = 0.0
        # A read of 24 coils from 0x0300 on is, byte for byte, an answer to itself.
        own_answer = (
            request.function <= _LAST_READ
            and len(frame) == self._length
            and frame.startswith(self._head)
        )
        self._echo_came = False
        expected = self._echoes is not False or own_answer
        self._echo_to_come = len(frame) if expected else 0
        self._direct = not self._echo_to_come
        return frame

    async def _ask(
        self, peer: Peer, request: Request, timing: Timing, timeout_s: float
    ) -> Answer:
        try:
            answer = await super()._ask(peer, request, timing, timeout_s)
        finally:
            self._learn_echo(peer)
        return answer

    # -- while bytes come -----------------------------------------------------------

    def received(self, data: bytes) -> None:
        """Bytes arrived on the open connection."""
        super().received(data.upper() if self._framing.folds else data)

    def _content(self, frame: bytes) -> bytes:
        return self._framing.content(frame)

    def _find(self, head: bytes, length: int) -> int:
        return self._framing.find(self._buffer, head, length, self._since)

    def _walk(self, data: bytes | bytearray) -> Iterator[Heard]:
        return self._framing.walk(data)

    def _is_open(self, heard: Heard) -> bool:
        if self._open is None or heard.exception:
            return False
        peer, request, _ = self._open
        return (
            heard.unit == peer.unit
            and heard.function == request.function
            and heard.size == max(0, request.size - 2) * (heard.size > 0)
        )

    def _strip_echo(self) -> None:
        if not self._echo_to_come or self._open is None:
            return
        frame, buffer = self._open[2], self._buffer
        at = buffer.find(frame)
        if at >= 0:
            del buffer[: at + len(frame)]
            self._since = max(0, self._since - at - len(frame))
            self._echo_came, self._echo_to_come = True, 0
        elif len(buffer) > len(frame) or not frame.startswith(buffer):
            self._echo_to_come = 0  # damaged, or there is none

    def _learn_echo(self, peer: Peer) -> None:
        if self._echo_came:
            peer.tally.echo += 1
            self._echo_missing = 0
            if self._echo == "auto":
                self._echoes = True
        elif self._echoes:
            # Our own bytes did not come back as sent: somebody spoke over us.
            peer.tally.collision += 1
            self._echo_missing += 1
            if self._echo == "auto" and self._echo_missing >= _MISSING_ECHOES:
                self._echoes = None
        elif self._echoes is None and self._open is not None:
            self._echoes = False
