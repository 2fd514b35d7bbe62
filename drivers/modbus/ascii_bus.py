"""Modbus ASCII, on a serial line and behind a terminal server's TCP port.

The same proofs, ghosts and echo handling as RTU: an ASCII answer carries no number
either. Frames are twice as long, which the time on the wire knows; pauses inside one
(up to a second by the standard) end at the exchange's deadline and nowhere before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.modbus.framing import ASCII, Framing
from drivers.modbus.serial_bus import SerialBus
from drivers.modbus.stream import StreamBus

if TYPE_CHECKING:
    from typing import ClassVar


class AsciiBus(SerialBus):
    """One serial line whose units speak ASCII; usually 7E1."""

    SPOKEN: ClassVar[Framing] = ASCII


class AsciiTcpBus(StreamBus):
    """ASCII frames on a TCP stream."""

    SPOKEN: ClassVar[Framing] = ASCII
