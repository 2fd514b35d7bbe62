"""RTU frames on a TCP stream, as terminal servers in transparent mode carry them.

No silence tells frames apart on a stream, and none is kept: length and checksum do.
Bytes that wait unread are discarded before a request, as on a line; what a late answer
of an earlier request looks like is the step proof's business, because a stream has no
numbers, nor does a new connection make an old answer impossible: the server may hand
it over there. The line behind the server needs its time, which only the server knows:
``timeout`` covers it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from drivers.modbus.diagnosis import stream_advice
from drivers.modbus.endpoint import Endpoint
from drivers.modbus.framing import RTU, Framing
from drivers.modbus.unnumbered import Unnumbered

if TYPE_CHECKING:
    from typing import ClassVar

    from drivers.modbus.bus import Peer
    from drivers.modbus.endpoint import Connect

_CHUNK = 4096


class StreamBus(Unnumbered, Endpoint):
    """A terminal server's port and the units on the line behind it."""

    SPOKEN: ClassVar[Framing] = RTU

    def __init__(self, host: str, port: int, *, connect: Connect | None = None) -> None:
        """Name the endpoint; nothing is opened yet. Arguments as of ``Endpoint``."""
        Endpoint.__init__(self, host, port, connect=connect)
        self._set_up(self.SPOKEN, "auto")

    async def open(self) -> None:
        """Connect. Raises BusError: nobody answers there within 5 s, or refuses."""
        await super().open()
        self._opened()

    def _drain(self) -> None:
        """What came and was not yet handed to us came before our request."""
        transport = self.link.transport if self.link is not None else None
        sock = transport.get_extra_info("socket") if transport is not None else None
        if sock is None:
            return
        try:
            stale = os.read(sock.fileno(), _CHUNK)
        except OSError:
            return  # nothing there; an end is noticed by the reader
        if stale:
            self.received(stale)

    def _why_ended(self) -> str:
        """Most Modbus TCP devices hang up on a frame that is none of theirs."""
        if self._heard or self._served:
            return ""
        return (
            "; it hung up on our request: if this port speaks Modbus TCP, set the"
            " protocol to modbus-tcp"
        )

    def _advice(self, peer: Peer, received: bytes) -> str:
        assert self._open is not None  # noqa: S101 only asked after an exchange
        _, request, frame = self._open
        return stream_advice(peer.unit, request, frame, received, self._framing)


class RtuTcpBus(StreamBus):
    """RTU frames on a TCP stream."""
