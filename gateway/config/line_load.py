"""Whether what is to be polled fits through a serial line: computed, not measured.

The cost of one request in Modbus RTU: eight characters out, five and two a register
back, 3.5 characters of silence, and the device's own turnaround, taken as 10 ms.

Source: MODBUS over Serial Line V1.02, 2.5.1 (characters, t3.5, 1.75 ms above 19200 Bd).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drivers.profiles.model import Point
    from gateway.config.model import Device, SerialLine

TURNAROUND_S = 0.010
STANDARD_BAUDS = (
    1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600,
)  # fmt: skip
MAX_REGISTERS = 125
MAX_BITS = 2000
_REQUEST_CHARACTERS = 8
_REPLY_CHARACTERS = 5
_FAST_BAUD = 19200
_FAST_SILENCE_S = 0.00175


class Request(msgspec.Struct, frozen=True):
    """A planned read: how many bytes its reply carries, and how often it goes out."""

    data_bytes: int
    every_s: float


def character_s(line: SerialLine) -> float:
    """Seconds a character takes: start bit, data, parity where there is one, stop."""
    parity = line.framing[1]
    bits, stop = int(line.framing[0]), int(line.framing[2])
    return (1 + bits + (parity != "N") + stop) / line.baud


def request_s(data_bytes: int, line: SerialLine) -> float:
    """Seconds the line is taken by one exchange."""
    character = character_s(line)
    silence = _FAST_SILENCE_S if line.baud > _FAST_BAUD else 3.5 * character
    characters = _REQUEST_CHARACTERS + _REPLY_CHARACTERS + data_bytes
    return characters * character + silence + TURNAROUND_S


def plan(device: Device, line: SerialLine) -> list[Request]:
    """The reads a device needs: neighbours together where that is the shorter way."""
    groups: dict[tuple[str, float], list[Point]] = {}
    for point in device.points:
        groups.setdefault((point.table, point.every_s or device.every_s), []).append(
            point
        )
    requests: list[Request] = []
    for (table, every_s), points in groups.items():
        in_bits = table in ("coil", "discrete")
        limit = MAX_BITS if in_bits else min(MAX_REGISTERS, device.max_registers)
        requests += [
            Request((count + 7) // 8 if in_bits else 2 * count, every_s)
            for count in _blocks(points, limit, _worthwhile_gap(line, in_bits=in_bits))
        ]
    return requests


def line_share(devices: Iterable[Device], line: SerialLine, pause_s: float) -> float:
    """The share of time the line is busy: 1.0 is all of it, more cannot work."""
    total = 0.0
    for device in devices:
        pause = max(pause_s, device.pause_s)
        for request in plan(device, line):
            total += (request_s(request.data_bytes, line) + pause) / request.every_s
    return total


def smallest_baud(
    devices: Iterable[Device], line: SerialLine, pause_s: float
) -> int | None:
    """The lowest standard speed at which the same load fits; None where none does."""
    listed = list(devices)
    for baud in STANDARD_BAUDS:
        faster = msgspec.structs.replace(line, baud=baud)
        if baud > line.baud and line_share(listed, faster, pause_s) <= 1.0:
            return baud
    return None


def _worthwhile_gap(line: SerialLine, *, in_bits: bool) -> int:
    """How many unwanted registers cost less than a request of their own."""
    item_s = (2 if not in_bits else 1 / 8) * character_s(line)
    return int(request_s(0, line) / item_s)


def _blocks(points: list[Point], limit: int, gap: int) -> list[int]:
    """Sizes of the blocks that cover these points of one table."""
    sizes: list[int] = []
    start = end = -1
    for point in sorted(points, key=lambda point: point.address):
        last = point.address + point.registers
        if start >= 0 and point.address - end <= gap and last - start <= limit:
            end = max(end, last)
            continue
        if start >= 0:
            sizes.append(end - start)
        start, end = point.address, last
    if start >= 0:
        sizes.append(end - start)
    return sizes
