"""Modbus RTU: a line where time, size and unit are all that tells answers apart.

On top of the shared exchange: silence before a request (t3.5, and until the line is
quiet after a time-out), our own echo taken out again, an answer that begins before the
request has left the wire is none, and one sleep through an answer's wire time instead
of a wake-up for every few bytes.

Sources: MODBUS over Serial Line V1.02, 2.5.1.1 (silent intervals). Many two-wire
adapters hear what they send; on Linux ptys bytes need no time at all.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any, Literal

from drivers.errors import BusError, DriverError
from drivers.modbus.diagnosis import serial_advice
from drivers.modbus.line import Link, OwnBus
from drivers.modbus.proof import Shape
from drivers.modbus.transaction import Span
from drivers.modbus.wire import char_s, find_rtu, rtu_frame, silence_s, walk_rtu
from drivers.serial_port import open_serial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from drivers.modbus.bus import Answer, Peer
    from drivers.modbus.transaction import Timing
    from drivers.modbus.wire import Heard, Request
    from drivers.profiles.model import Table

    OpenPort = Callable[[Callable[[], asyncio.Protocol]], Any]

Echo = Literal["auto", "yes", "no"]

QUIET_S = 0.02
QUIET_AT_MOST_S = 0.1
_EXCEPTION = 0x80
_WORTH_SLEEPING_S = 0.003
_MISSING_ECHOES = 3
# An oscillator may be 2 % fast, and the kernel's clock ticks beside it.
_CLOCKS_AGREE = 0.95


class RtuBus(OwnBus):
    """One serial line and the units on it."""

    def __init__(
        self,
        device: str,
        baud: int = 9600,
        framing: str = "8N1",
        echo: Echo = "auto",
        *,
        open_port: OpenPort | None = None,
        paced: bool | None = None,
    ) -> None:
        """Name the line; nothing is opened yet.

        Args:
            device: The port's stable name, such as ``/dev/serial/by-id/...``.
            baud: Bits a second.
            framing: Data bits, parity, stop bits.
            echo: Whether the adapter hears what it sends; ``auto`` finds out.
            open_port: Opens the port instead: protocol factory -> transport.
            paced: Whether bytes need their time on the wire (a pty's do not); by
                default the port says.
        """
        super().__init__(device)
        self._char_s = char_s(baud, framing)
        self._silence_s = silence_s(baud, framing)
        self._echo: Echo = echo
        self._echoes: bool | None = None if echo == "auto" else echo == "yes"
        self._echo_came = False
        self._echo_missing = 0
        self._echo_to_come = 0
        self._paced_wanted = paced
        self._paced = False
        self._paused: asyncio.TimerHandle | None = None
        self._slept = False
        self._open_port = open_port or (
            lambda factory: open_serial(device, baud, framing, factory)
        )

    async def open(self) -> None:
        """Open the port by its stable name.

        Raises:
            BusError: There is no such port, it is in use, or it may not be opened.
        """
        await self.close()
        self._loop = asyncio.get_running_loop()
        link = Link(self)
        try:
            opened = self._open_port(lambda: link)
            transport = await opened if inspect.isawaitable(opened) else opened
        except OSError as exc:
            raise BusError(
                f"{self.name}: cannot open the port ({exc.strerror or exc}); check that"
                " the adapter is plugged in and not in use"
            ) from exc
        paced = self._paced_wanted
        if paced is None:
            paced = bool(transport.get_extra_info("paced", False))
        self._paced = paced
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
        frame = rtu_frame(peer.unit, request.pdu)
        unit = bytes((peer.unit,))
        self._head = unit + request.expect
        self._length = request.size + 3
        self._body = slice(3, -2)
        self._error_head = unit + bytes((request.function | _EXCEPTION,))
        self._error_length, self._error_code = 5, 2
        self._wire_s = (len(frame) + self._length) * self._char_s + self._silence_s
        self._earliest = (
            len(frame) * self._char_s * _CLOCKS_AGREE if self._paced else 0.0
        )
        self._echo_came = self._slept = False
        self._echo_to_come = len(frame) if self._echoes is not False else 0
        self._direct = not self._echo_to_come
        return frame

    def _drain(self) -> None:
        self._resume()
        drain = getattr(self.link and self.link.transport, "drain_input", None)
        if drain is not None:
            stale = drain()
            if stale:
                self._idle(stale)

    async def _ask(
        self, peer: Peer, request: Request, timing: Timing, timeout_s: float
    ) -> Answer:
        try:
            answer = await super()._ask(peer, request, timing, timeout_s)
        finally:
            self._resume()
            self._learn_echo(peer)
        return answer

    # -- while bytes come -----------------------------------------------------------

    def _find(self, head: bytes, length: int) -> int:
        return find_rtu(self._buffer, head, length, self._since)

    def _walk(self, data: bytes | bytearray) -> Iterator[Heard]:
        return walk_rtu(data)

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

    def _part_came(self, missing: int) -> None:
        """Sleep through the rest of an answer where that takes a while; once."""
        wait = (missing + self._echo_to_come) * self._char_s * _CLOCKS_AGREE
        if not self._paced or self._slept or wait < _WORTH_SLEEPING_S:
            return
        if self.link is not None and self.link.transport is not None:
            self._slept = True
            self.link.transport.pause_reading()
            self._paused = self._running().call_later(wait, self._resume)

    def _resume(self) -> None:
        if self._paused is None:
            return
        self._paused.cancel()
        self._paused = None
        if self.link is not None and self.link.transport is not None:
            self.link.transport.resume_reading()

    def _learn_echo(self, peer: Peer) -> None:
        if self._echo_came:
            peer.tally.echo += 1
            self._echoes, self._echo_missing = True, 0
        elif self._echoes:
            # Our own bytes did not come back as sent: somebody spoke over us.
            peer.tally.collision += 1
            self._echo_missing += 1
            if self._echo == "auto" and self._echo_missing >= _MISSING_ECHOES:
                self._echoes = None
        elif self._echoes is None and self._open is not None:
            self._echoes = False

    def _advice(self, peer: Peer, received: bytes) -> str:
        assert self._open is not None  # noqa: S101 only asked after an exchange
        return serial_advice(peer.unit, self._open[1], self._open[2], received)
