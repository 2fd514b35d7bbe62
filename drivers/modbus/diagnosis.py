"""What the bytes say about the mistake, for the person who must find it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.modbus.framing import ASCII, RTU
from drivers.modbus.wire import walk_tcp

if TYPE_CHECKING:
    from drivers.modbus.framing import Framing
    from drivers.modbus.wire import Heard, Request

_SHOWN = 40


def hexed(data: bytes) -> str:
    """Bytes as people read them, long ones cut: ``01 03 02 00 2a``."""
    text = data[:_SHOWN].hex(" ")
    return (
        f"{text} ... ({len(data)} bytes)" if len(data) > _SHOWN else text or "nothing"
    )


def serial_advice(
    unit: int,
    request: Request,
    frame: bytes,
    received: bytes,
    framing: Framing = RTU,
) -> str:
    """Why nothing proved itself on a serial line, and what to do."""
    if not received:
        return "check the address, A/B wiring and supply, baud rate and framing"
    if why := _on_a_line(unit, request, frame, received, framing):
        return why
    if framing is ASCII and _told_in(_seven_bits(received), unit, ASCII):
        return "every eighth bit is a parity bit: set framing: 7E1, or as on the device"
    return "these are no Modbus frames: check baud rate, framing and A/B wiring"


def stream_advice(
    unit: int, request: Request, frame: bytes, received: bytes, framing: Framing
) -> str:
    """Why nothing proved itself behind a terminal server, and what to do."""
    if not received:
        return (
            "the connection stands; check the unit id, the terminal server's line"
            " settings, and that its port is transparent, not Modbus TCP"
        )
    if why := _on_a_line(unit, request, frame, received, framing):
        return why
    return "these are no Modbus frames: check the terminal server's line settings"


def _on_a_line(  # noqa: PLR0911 one return per cause
    unit: int, request: Request, frame: bytes, received: bytes, framing: Framing
) -> str:
    """What the bytes say for sure where answers have no numbers; or nothing."""
    if received == frame:
        return (
            "only our own request came back: the adapter echoes, the device is silent"
        )
    for heard in framing.walk(received):
        if heard.unit != unit:
            return f"unit {heard.unit} answered: is another master on the line?"
        if other := _other_answer(heard, request):
            return other
    # A Modbus TCP device that answers RTU takes our first two bytes for its number.
    number = int.from_bytes(frame[:2], "big")
    if any(unit == h.unit or number == h.number for h in walk_tcp(received)):
        return "this is Modbus TCP framing: set the protocol to modbus-tcp"
    if framing is RTU and _told_in(_seven_bits(received), unit, ASCII):
        return "this is ASCII framing: set the protocol to modbus-ascii"
    if framing is ASCII and _told_in(received, unit, RTU):
        return "this is RTU framing: set the protocol to modbus-rtu"
    if framing.head(bytes((unit,)) + request.expect) in received:
        return "the answer is damaged or cut short: check noise, termination, parity"
    return ""


def _told_in(received: bytes, unit: int, framing: Framing) -> bool:
    """Whether the unit answered in this framing."""
    return any(heard.unit == unit for heard in framing.walk(received))


def _seven_bits(received: bytes) -> bytes:
    """Characters without the parity bit that eight data bits show."""
    return bytes(byte & 0x7F for byte in received).upper()


def tcp_advice(  # noqa: PLR0911 one return per cause
    unit: int, number: int, request: Request, received: bytes, *, checked: bool
) -> str:
    """Why nothing proved itself on a TCP connection, and what to do."""
    if not received:
        return "the connection stands; check the unit id and the device behind it"
    for heard in walk_tcp(received):
        if checked and heard.number != number:
            return (
                f"expected transaction id {number}, got {heard.number}: out of step; if"
                " the device never repeats the number, set transaction_id: ignored"
            )
        if heard.unit != unit:
            return f"unit {heard.unit} answered: check the unit id"
        if other := _other_answer(heard, request):
            return other
    if _told_in(received, unit, RTU):
        return (
            "this is RTU framing: set the protocol to modbus-rtu-tcp, or the serial"
            " server to Modbus TCP"
        )
    if _told_in(received.upper(), unit, ASCII):
        return "this is ASCII framing: set the protocol to modbus-ascii"
    if received[2:4] == b"\0\0":
        return "the answer is cut short: the device or the network drops bytes"
    return "this is no Modbus TCP: check host and port"


def _other_answer(heard: Heard, request: Request) -> str:
    """What an answer of the right unit answers instead; empty when nothing differs."""
    if heard.function != request.function or heard.exception:
        return f"the unit answered a request of function {heard.function}"
    if heard.size and heard.size != request.expect[1]:
        return f"the answer has {heard.size} data bytes, not {request.expect[1]}"
    return ""
