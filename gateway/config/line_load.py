"""Whether what is to be polled fits through a serial line: computed, not measured.

The cost of one request in Modbus RTU: eight characters out, five and two a register
back, 3.5 characters of silence, and the device's own turnaround, taken as 10 ms. ASCII
frames take two characters a byte. What is asked is what the driver's planner asks; the
register or two read along to vary the size of an answer are left to the margin. Where a
device refuses holes (``holes: refused``) there is nothing to read along: how blocks of
one size then wait for each other, or are halved, is rehearsed.

A DL/T 645 meter: FE and twelve bytes around each frame, and 50 ms until it answers.

Source: MODBUS over Serial Line V1.02, 2.5.1 (characters, t3.5, 1.75 ms above 19200 Bd).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from drivers.dlt645.plan import plan as plan_questions
from drivers.modbus.framing import RTU
from drivers.modbus.plan import Limits
from drivers.modbus.plan import plan as plan_blocks
from drivers.modbus.proof import WINDOW_TIMES_TIMEOUT
from drivers.modbus.rehearsal import rehearse
from drivers.modbus.wire import READ_FUNCTION, char_s, data_bytes, silence_s
from drivers.patience import FLOOR_S, MARGIN
from drivers.profiles.dlt645_points import Dlt645Point
from drivers.profiles.model import ModbusPoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from drivers.modbus.block import Block
    from drivers.modbus.framing import Framing
    from drivers.modbus.proof import Shape
    from gateway.config.model import Device, SerialLine

TURNAROUND_S = 0.010
STANDARD_BAUDS = (
    1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600,
)  # fmt: skip
_REQUEST_PDU = 5
"""Bytes: function, address, count."""
_REPLY_PDU = 2
"""Function and byte count, before the data."""
_WINDOW_S = WINDOW_TIMES_TIMEOUT * max(FLOOR_S, MARGIN * TURNAROUND_S)
_METER_CHARACTERS = 2 * (4 + 12 + 4) - RTU.length(_REQUEST_PDU) - RTU.length(_REPLY_PDU)
_METER_S = 0.05 - TURNAROUND_S


class Request(msgspec.Struct, frozen=True):
    """A planned read: how many bytes its reply carries, and how often it goes out."""

    data_bytes: int
    every_s: float
    more_s: float = 0.0
    """What the device takes beside the usual turnaround."""


def request_s(data_bytes: int, line: SerialLine, framing: Framing = RTU) -> float:
    """Seconds the line is taken by one exchange."""
    characters = framing.length(_REQUEST_PDU) + framing.length(_REPLY_PDU + data_bytes)
    travel_s = characters * char_s(line.baud, line.framing)
    return travel_s + silence_s(line.baud, line.framing) + TURNAROUND_S


def plan(device: Device) -> list[Request]:
    """The reads a device needs: points of one period together."""
    return _meter_plan(device) + [
        Request(data_bytes(READ_FUNCTION[span.table], span.count), every_s)
        for every_s, blocks in _modbus_plan(device)
        for span in (block.span for block in blocks)
    ]


def _modbus_plan(device: Device) -> Iterator[tuple[float, Sequence[Block]]]:
    groups: dict[float, list[ModbusPoint]] = {}
    for point in device.points:
        if isinstance(point, ModbusPoint):
            groups.setdefault(point.every_s or device.every_s, []).append(point)
    limits = Limits(
        registers=device.max_registers, holes_refused=device.holes == "refused"
    )
    for every_s, points in groups.items():
        yield every_s, plan_blocks(points, limits).blocks


def _meter_plan(device: Device) -> list[Request]:
    """The questions to a DL/T 645 meter that gives blocks."""
    groups: dict[float, list[Dlt645Point]] = {}
    for point in device.points:
        if isinstance(point, Dlt645Point):
            groups.setdefault(point.every_s or device.every_s, []).append(point)
    return [
        Request(_METER_CHARACTERS + question.size, every_s, _METER_S)
        for every_s, points in groups.items()
        for question in plan_questions(
            points, refused=lambda _di: None, haunted=lambda _di: False
        ).questions
    ]


def line_share(
    devices: Iterable[Device],
    line: SerialLine,
    pause_s: float,
    framing: Framing = RTU,
) -> float:
    """The share of time the line is busy: 1.0 is all of it, more cannot work."""
    total = 0.0
    for device in devices:
        pause = max(pause_s, device.pause_s)
        if device.holes == "refused":
            total += _rehearsed_share(device, line, pause, framing)
            continue
        for request in plan(device):
            spent = request_s(request.data_bytes, line, framing)
            total += (spent + request.more_s + pause) / request.every_s
    return total


def _rehearsed_share(
    device: Device, line: SerialLine, pause_s: float, framing: Framing
) -> float:
    def exchange_s(shape: Shape) -> float:
        return request_s(shape.size, line, framing) + pause_s

    return sum(
        rehearse(blocks, exchange_s, _WINDOW_S).seconds / every_s
        for every_s, blocks in _modbus_plan(device)
    )


def smallest_baud(
    devices: Iterable[Device],
    line: SerialLine,
    pause_s: float,
    framing: Framing = RTU,
) -> int | None:
    """The lowest standard speed at which the same load fits; None where none does."""
    listed = list(devices)
    for baud in STANDARD_BAUDS:
        faster = msgspec.structs.replace(line, baud=baud)
        if baud > line.baud and line_share(listed, faster, pause_s, framing) <= 1.0:
            return baud
    return None
