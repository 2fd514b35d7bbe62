"""What the bytes say where no position can be made of them. Pure.

A port at a wrong speed delivers bytes all the same: no line ends, hardly a ``$``, half
of them above 0x7F or zero. A receiver set to its maker's binary protocol delivers
frames that prove themselves by their checksums.

Source: u-blox 8 / M8 receiver description, 32.2 (UBX frames, 8-bit Fletcher);
RTCM 10403.3, 4 (frames, CRC-24Q).
"""

from __future__ import annotations

from typing import NamedTuple

KEPT_BYTES = 2048
"""Of what came last, for a look."""
_ENOUGH = 2
"""Binary frames that prove what it is."""
_MANY = 0.15
_CRC24Q = 0x1864CFB


class Diagnosis(NamedTuple):
    """A stable reason, and what to do in one English sentence."""

    reason: str
    advice: str


def diagnose(  # noqa: PLR0911 - one return a cause
    recent: bytes, *, good: int, bad: int, unchecked: int
) -> Diagnosis:
    """Why there is no measurement.

    Args:
        recent: The last bytes that came.
        good: Sentences with a right checksum, since the last measurement.
        bad: Sentences with a wrong one.
        unchecked: Sentences with none.
    """
    if good:
        return Diagnosis(
            "no_data",
            "sentences come, but none that tells time and position: switch RMC and GGA"
            " on in the receiver",
        )
    if bad >= _ENOUGH:
        return Diagnosis(
            "no_sentences",
            "sentences come damaged: check parity, cable length, earthing and noise",
        )
    if unchecked >= _ENOUGH:
        return Diagnosis(
            "no_sentences",
            "sentences come without a checksum: switch the checksum on in the receiver",
        )
    if not recent:
        return Diagnosis(
            "no_data",
            "nothing came: check supply, the receiver's TX against our RX, and that it"
            " is set to send",
        )
    frames = binary_frames(recent)
    if frames:
        return Diagnosis(
            "binary_only",
            f"only {frames} frames come: switch NMEA output on in the receiver",
        )
    high = sum(1 for byte in recent if byte >= 0x80 or byte == 0) / len(recent)  # noqa: PLR2004
    if high >= _MANY:
        return Diagnosis(
            "no_sentences",
            f"{high:.0%} of the bytes cannot be text: the speed is wrong; try 9600,"
            " 38400, 115200, 4800",
        )
    return Diagnosis(
        "no_sentences",
        "text comes, but no NMEA sentences: is another instrument on this port?",
    )


def binary_frames(data: bytes) -> str:
    """What binary protocol this is, proved by checksums; empty: none."""
    if _count(data, b"\xb5b", _ubx) >= _ENOUGH:
        return "UBX"
    if _count(data, b"\xd3", _rtcm) >= _ENOUGH:
        return "RTCM"
    return ""


def _count(data: bytes, sync: bytes, size: object) -> int:
    found, at = 0, data.find(sync)
    while at >= 0 and found < _ENOUGH:
        length = size(data, at)  # type: ignore[operator]
        found += length > 0
        at = data.find(sync, at + max(length, 1))
    return found


def _ubx(data: bytes, at: int) -> int:
    """The length of the UBX frame here; 0: there is none."""
    end = at + 8 + int.from_bytes(data[at + 4 : at + 6], "little")
    if end > len(data) or not data[at + 2]:  # no class is 0, and zeros prove nothing
        return 0
    one = two = 0
    for byte in data[at + 2 : end - 2]:
        one = (one + byte) & 0xFF
        two = (two + one) & 0xFF
    return end - at if data[end - 2 : end] == bytes((one, two)) else 0


def _rtcm(data: bytes, at: int) -> int:
    """The length of the RTCM 3 frame here; 0: there is none."""
    head = data[at + 1 : at + 3]
    end = at + 6 + (int.from_bytes(head, "big") & 0x3FF)
    if end > len(data) or not head or head[0] & 0xFC:
        return 0
    crc = 0
    for byte in data[at:end]:
        crc ^= byte << 16
        for _ in range(8):
            crc = crc << 1 ^ (_CRC24Q if crc & 0x800000 else 0)
        crc &= 0xFFFFFF
    return end - at if crc == 0 else 0
