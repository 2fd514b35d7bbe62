"""What a question is, and what answers it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from drivers.dlt645.frame import (
    ANSWER,
    ANY_METER,
    REFUSED,
    Finder,
    Frame,
    Function,
    di_bytes,
    matches,
)
from drivers.dlt645.ghosts import Key
from drivers.profiles.dlt645_items import edition_of

FUNCTION = 0x1F
"""D4 to D0 of the control code."""
_DIGITS = 12


@dataclass(frozen=True)
class Timing:
    """How long one meter may take."""

    timeout_s: float = 1.0
    """From the end of a question to its whole answer, beside the time on the wire."""
    pause_s: float = 0.0
    max_reply_s: float = 0.0
    """The latest that a timed-out answer may still come, as its maker states."""


class Reply(NamedTuple):
    """The data of one item."""

    address: str
    """Of the meter that answered."""
    data: bytes
    """Behind the identifier."""
    sent_at: float


def read_key(meter: str, di: str) -> Key:
    """What the answer to a read of this item is recognised by."""
    old = edition_of(di) == "1997"
    function = Function.READ_1997 if old else Function.READ
    return Key(meter, function.value, di_bytes(di))


def answers(frame: Frame, key: Key) -> bool:
    """Whether a frame is this question's answer, as far as it can say itself."""
    if not frame.control & ANSWER or frame.control & FUNCTION != key.function:
        return False
    if not matches(key.meter, frame.address):
        return False
    if frame.control & REFUSED:
        return len(frame.data) <= 1
    di, seq = key.what[:4], key.what[4:]
    if not frame.data.startswith(di) or (seq and frame.data[-1:] != seq):
        return False
    return len(frame.data) > len(key.what)


def told_address(frame: Frame) -> str | None:
    """The address of the meter that sent this; None: no meter did, or it tells none.

    An error answer tells it as well as data does. The answer to 13H carries it in its
    data; some meters leave AA..AA in front (recorded frames).
    """
    if not frame.from_meter:
        return None
    if frame.control & FUNCTION == Function.READ_ADDRESS.value:
        told = frame.data[::-1].hex()
        well = len(told) == _DIGITS and told.isdecimal()
        return told if well and frame.address in (told, ANY_METER) else None
    return frame.address if frame.address.isdecimal() else None


def stray(heard: bytes, asked: bytes) -> bool:
    """Whether there are bytes beside whole frames, FE and the question's echo."""
    rest = bytearray(heard.replace(asked, b""))
    finder = Finder()
    while True:
        before = bytes(rest)
        frame = finder.find(rest)
        if frame is None:
            return bool(before.strip(b"\xfe"))
        if before[: before.find(frame.raw)].strip(b"\xfe"):
            return True


def shown(key: Key) -> str:
    """The identifier as people write it."""
    di = key.what[3::-1] if len(key.what) > 2 else key.what[::-1]  # noqa: PLR2004
    return di.hex(" ").upper()
