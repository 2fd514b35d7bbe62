"""ASCII instruments: asked or listened to, as the dialogue of their profile says.

``AsciiLine`` is the port, ``make_device`` puts an instrument before it.
"""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import TYPE_CHECKING

from drivers.ascii.device import AsciiDevice
from drivers.ascii.line import AsciiLine, Timing, serial_ascii, tcp_ascii
from drivers.ascii.listener import ListeningDevice
from drivers.ascii.stats import AsciiStats

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drivers.profiles.ascii_points import AsciiPoint
    from drivers.profiles.dialogue import Dialogue

__all__ = [
    "AsciiDevice",
    "AsciiLine",
    "AsciiStats",
    "ListeningDevice",
    "Timing",
    "make_device",
    "serial_ascii",
    "tcp_ascii",
]


def make_device(
    name: str,
    address: str | None,
    port: AsciiLine,
    points: Iterable[AsciiPoint],
    dialogue: Dialogue,
    timing: Timing,
    *,
    zone: tzinfo = UTC,
) -> AsciiDevice | ListeningDevice:
    """The instrument, asked or listened to; see ``AsciiDevice``."""
    kind = AsciiDevice if dialogue.mode == "ask" else ListeningDevice
    return kind(name, address, port, points, dialogue, timing, zone=zone)
