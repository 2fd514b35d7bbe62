"""What can happen to a frame between an instrument and us, and how devices deviate.

A *fault* makes a frame that must not be believed, or that comes oddly; a *deviation* is
how real devices write frames that mean what they say (the check is right for them).
"""

from __future__ import annotations

from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

from simulators.hj212_codec import check_of, framed

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence


class Fault(StrEnum):
    """What is done to a frame."""

    BAD_CRC = "bad-crc"
    """A digit of a value is another one."""
    WRONG_LENGTH = "wrong-length"
    CUT = "cut"
    """Its end is missing; the next frame follows at once."""
    SILENCE = "silence"
    """It is not sent."""
    NOISE = "noise"
    """Bytes before it, a false header among them."""
    PIECES = "pieces"
    """It comes in pieces, as TCP may cut it."""
    DOUBLE = "double"
    """It comes twice."""
    LOWER_CRC = "lower-crc"
    NO_TAIL = "no-tail"
    PRINTED_TAIL = "printed-tail"
    TRAILING_SEMICOLON = "trailing-semicolon"
    BLANKS = "blanks"
    COMMAS = "commas"
    """Commas between the fields before CP."""
    FLAG_UPPER = "flag-upper"
    MILLISECONDS = "milliseconds"
    """DataTime has 17 digits."""


def pieces(frame: bytes, fault: Fault | None, rng: random.Random) -> Sequence[bytes]:
    """What leaves instead of a frame: pieces, each written by itself."""
    if fault is None:
        return (frame,)
    if fault is Fault.SILENCE:
        return ()
    if fault is Fault.DOUBLE:
        return (frame, frame)
    if fault is Fault.PIECES:
        cuts = [0, *sorted(rng.randrange(len(frame)) for _ in range(5)), len(frame)]
        return [frame[a:b] for a, b in pairwise(cuts) if a < b]
    return (_instead(frame, fault, rng),)


def _instead(frame: bytes, fault: Fault, rng: random.Random) -> bytes:
    """The one thing that leaves instead."""
    segment, check = frame[6:-6], frame[-6:-2]
    match fault:
        case Fault.BAD_CRC:
            inside = frame.index(b"CP=&&")
            at = rng.choice([i for i in range(inside, len(frame)) if _digit(frame[i])])
            other = (frame[at] - 0x30 + rng.randrange(1, 10)) % 10 + 0x30
            changed = frame[:at] + bytes([other]) + frame[at + 1 :]
        case Fault.WRONG_LENGTH:
            length = len(segment) + rng.choice((-3, -2, -1, 1, 2, 3, 40))
            changed = b"##%04d" % length + frame[6:]
        case Fault.CUT:
            changed = frame[: rng.randrange(8, len(frame) - 8)]
        case Fault.NOISE:
            changed = rng.randbytes(rng.randrange(40)) + b"##9999QN=2" + frame
        case Fault.LOWER_CRC:
            changed = frame[:-6] + check.lower() + b"\r\n"
        case Fault.NO_TAIL:
            changed = frame[:-2]
        case Fault.PRINTED_TAIL:
            changed = frame[:-2] + rb"\r\n"
        case _:
            changed = framed(_deviating(segment.decode(), fault))
    return changed


def _digit(byte: int) -> bool:
    return 0x30 <= byte <= 0x39  # noqa: PLR2004 - "0" to "9"


def _deviating(segment: str, fault: Fault) -> str:
    head, _, inside = segment.partition("CP=&&")
    inside = inside.removesuffix("&&")
    match fault:
        case Fault.TRAILING_SEMICOLON:
            inside += ";"
        case Fault.BLANKS:
            inside = inside.replace(";", "; ")
        case Fault.COMMAS:
            head = head.replace(";ST=", ",ST=")
        case Fault.FLAG_UPPER:
            head = head.replace("Flag=", "FLAG=")
        case Fault.MILLISECONDS:
            begin = inside.index("DataTime=") + len("DataTime=") + 14
            inside = inside[:begin] + "000" + inside[begin:]
        case _:
            pass
    return f"{head}CP=&&{inside}&&"


def same_check(frame: bytes, rng: random.Random) -> bytes | None:
    """Two other bytes in the frame, and the check holds all the same.

    One damaged pair in 256 does this: what must stop it then is the grammar.
    """
    segment = bytearray(frame[6:-6])
    check = check_of(bytes(segment))
    at, other = rng.sample(range(len(segment)), 2)
    segment[at] ^= 1 << rng.randrange(8)
    for byte in range(256):
        segment[other] = byte
        if check_of(bytes(segment)) == check:
            return frame[:6] + bytes(segment) + frame[-6:]
    return None
