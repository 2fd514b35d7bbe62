"""Whether what is to be polled fits through a serial line: computed, not measured.

The cost of one request in Modbus RTU: eight characters out, five and two a register
back, 3.5 characters of silence, and the device's own turnaround, taken as 10 ms. What
is asked is what the driver's planner asks; the register or two read along to vary the
size of an answer are left to the margin.

Source: MODBUS over Serial Line V1.02, 2.5.1 (characters, t3.5, 1.75 ms above 19200 Bd).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from drivers.modbus.plan import Limits
from drivers.modbus.plan import plan as plan_blocks
from drivers.modbus.wire import READ_FUNCTION, char_s, data_bytes, silence_s
from drivers.profiles.model import ModbusPoint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.config.model import Device, SerialLine

TURNAROUND_S = 0.010
STANDARD_BAUDS = (
    1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600,
)  # fmt: skip
_REQUEST_CHARACTERS = 8
_REPLY_CHARACTERS = 5


class Request(msgspec.Struct, frozen=True):
    """A planned read: how many bytes its reply carries, and how often it goes out."""

    data_bytes: int
    every_s: float


def request_s(data_bytes: int, line: SerialLine) -> float:
    """Seconds the line is taken by one exchange."""
    characters = _REQUEST_CHARACTERS + _REPLY_CHARACTERS + data_bytes
    travel_s = characters * char_s(line.baud, line.framing)
    return travel_s + silence_s(line.baud, line.framing) + TURNAROUND_S


def plan(device: Device) -> list[Request]:
    """The reads a device needs: points of one period together."""
    groups: dict[float, list[ModbusPoint]] = {}
    for point in device.points:
        if not isinstance(point, ModbusPoint):
            continue
        groups.setdefault(point.every_s or device.every_s, []).append(point)
    limits = Limits(registers=device.max_registers)
    return [
        Request(data_bytes(READ_FUNCTION[span.table], span.count), every_s)
        for every_s, points in groups.items()
        for span in (block.span for block in plan_blocks(points, limits).blocks)
    ]


def line_share(devices: Iterable[Device], line: SerialLine, pause_s: float) -> float:
    """The share of time the line is busy: 1.0 is all of it, more cannot work."""
    total = 0.0
    for device in devices:
        pause = max(pause_s, device.pause_s)
        for request in plan(device):
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
