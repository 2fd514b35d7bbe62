"""A serial line and the units on it, whatever frames they speak.

On top of the shared exchange: silence before a request (t3.5, and until the line is
quiet after a time-out), an answer that begins before the request has left the wire is
none, and one sleep through an answer's wire time instead of a wake-up for every few
bytes. ASCII frames need no silence to be told apart, but a half-duplex driver needs a
moment to let go of the wire: they get the same.

Sources: MODBUS over Serial Line V1.02, 2.5.1.1 (silent intervals). On Linux ptys bytes
need no time at all.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

from drivers.errors import BusError
from drivers.modbus.diagnosis import serial_advice
from drivers.modbus.framing import RTU, Framing
from drivers.modbus.line import Link
from drivers.modbus.unnumbered import Echo, Unnumbered
from drivers.modbus.wire import char_s, silence_s
from drivers.serial_port import open_serial

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ClassVar

    from drivers.modbus.bus import Answer, Peer
    from drivers.modbus.transaction import Timing
    from drivers.modbus.wire import Request

    OpenPort = Callable[[Callable[[], asyncio.Protocol]], Any]

_WORTH_SLEEPING_S = 0.003
# An oscillator may be 2 % fast, and the kernel's clock ticks beside it.
_CLOCKS_AGREE = 0.95


class SerialBus(Unnumbered):
    """One serial line and the units on it."""

    SPOKEN: ClassVar[Framing] = RTU

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
        self._set_up(self.SPOKEN, echo)
        self._char_s = char_s(baud, framing)
        self._silence_s = silence_s(baud, framing)
        self._paced_wanted = paced
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
        self._opened()

    # -- before a request ---------------------------------------------------------

    def _encode(self, peer: Peer, request: Request, timing: Timing) -> bytes:
        frame = super()._encode(peer, request, timing)
        self._earliest = (
            len(frame) * self._char_s * _CLOCKS_AGREE if self._paced else 0.0
        )
        self._slept = False
        return frame

    def _drain(self) -> None:
        self._resume()
        drain = getattr(self.link and self.link.transport, "drain_input", None)
        if drain is not None:
            stale = drain()
            if stale:
                self.received(stale)

    async def _ask(
        self, peer: Peer, request: Request, timing: Timing, timeout_s: float
    ) -> Answer:
        try:
            return await super()._ask(peer, request, timing, timeout_s)
        finally:
            self._resume()

    # -- while bytes come -----------------------------------------------------------

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

    def _advice(self, peer: Peer, received: bytes) -> str:
        assert self._open is not None  # noqa: S101 only asked after an exchange
        _, request, frame = self._open
        return serial_advice(peer.unit, request, frame, received, self._framing)
