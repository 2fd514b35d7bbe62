"""What can go wrong with a simulated camera, and for how long.

A :class:`CameraBoard` is told which faults begin and asked which are in force; it reads
no clock and does no I/O. What a fault does to the picture is in ``spoil``, what
it does to connections in ``door``, ``http_server`` and ``rtsp_server``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class CameraFault(StrEnum):
    """What is done."""

    FREEZE = "freeze"
    """One picture again and again; the stream's time goes on."""
    STALL = "stall"
    """One picture again and again, and the stream's time stands still."""
    BLACK = "black"
    """The lens cap: black, with the sensor's noise."""
    GREY = "grey"
    """Two thirds of the picture are what a decoder fills in: stripes and grey."""
    LOST_KEYS = "lost-keys"
    """Key frames do not leave the encoder (RTSP only)."""
    LOSS = "loss"
    """Three packets of ten are lost (RTSP only; meant for UDP)."""
    SILENT = "silent"
    """Accepts connections and says nothing on them any more."""
    VANISH = "vanish"
    """Connections are reset in the middle of a picture, the ports are closed."""
    SLOW = "slow"
    """One picture each five seconds."""
    REFUSE = "refuse"
    """Nobody's password is right; whoever is connected is thrown out."""
    SIZE = "size"
    """The pictures are half as wide and half as high, from one to the next."""
    NIGHT = "night"
    """The infrared switch: grey, dark at the edges."""
    DEFOCUS = "defocus"
    """Out of focus."""
    BLOCK = "block"
    """A cloth over more than half of the lens."""
    MOVE = "move"
    """Somebody turned the camera by a tenth of the picture."""
    DRIVE = "drive"
    """It is on a vehicle that drives past what is to be seen, again and again."""


LOSS_SHARE = 0.3
SLOW_S = 5.0


class Spell(NamedTuple):
    """A fault from one second of the camera's life to another."""

    fault: CameraFault
    from_s: float
    until_s: float | None
    """None: until somebody clears it."""


class CameraBoard:
    """Which faults are in force."""

    def __init__(self, spells: tuple[Spell, ...] = ()) -> None:
        self._spells = list(spells)

    def begin(
        self, fault: CameraFault, now_s: float, for_s: float | None = None
    ) -> None:
        """From now on, for so long or until it is cleared."""
        self.end(fault, now_s)
        until_s = None if for_s is None else now_s + for_s
        self._spells.append(Spell(fault, now_s, until_s))

    def end(self, fault: CameraFault | None, now_s: float) -> None:
        """This fault, or all that have begun, is over."""
        self._spells = [
            one
            for one in self._spells
            if one.from_s > now_s or (fault is not None and one.fault != fault)
        ]

    def at(self, now_s: float) -> frozenset[CameraFault]:
        """What is in force."""
        return frozenset(
            one.fault
            for one in self._spells
            if one.from_s <= now_s and (one.until_s is None or now_s < one.until_s)
        )


def spell(text: str) -> Spell:
    """``freeze``: from the beginning; ``freeze@30-60``: in these seconds of its life.

    Raises:
        ValueError: It is neither; what is known is in the message.
    """
    name, _, span = text.partition("@")
    try:
        fault = CameraFault(name)
    except ValueError:
        known = ", ".join(CameraFault)
        raise ValueError(f"no such fault: {name!r}; {known}") from None
    if not span:
        return Spell(fault, 0.0, None)
    start, dash, end = span.partition("-")
    try:
        return Spell(fault, float(start), float(end) if dash else None)
    except ValueError:
        raise ValueError(f"expected {name}@30-60 (seconds), got {text!r}") from None
