"""What ``read`` says beside the values: failed exchanges, unlikely orders of bytes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec.structs import replace

from drivers.modbus.decode import decoder
from drivers.profiles.model import ModbusPoint
from gateway.cli.output import display_width, pad, paint
from gateway.texts import language, t
from gateway.texts.field import parts, worded

if TYPE_CHECKING:
    from drivers.profiles.model import Point, WordOrder
    from drivers.values import Flaw, Value
    from gateway.config.model import Bus

_ORDERS: tuple[WordOrder, ...] = ("ABCD", "CDAB", "BADC", "DCBA")
_SMALLEST, _LARGEST = 1e-3, 1e8
"""Readings lie between; a float in the wrong order of bytes rarely does."""
_DOUBTS = frozenset({"out_of_range", "not_finite"})


def failures(detail: str, bus: Bus) -> list[str]:
    """Each failed exchange: what was asked and where, the bytes, what to do."""
    lines: list[str] = []
    for line in detail.splitlines():
        exchange = parts("exchange", line)
        if exchange is None:
            lines.append(worded(line, language()))
            continue
        happened, advice = _told(exchange["error"])
        points = worded(exchange["points"], language())
        told = (
            (t("read.asked"), f"{exchange['asked']} ({points})"),
            (t("read.bus"), f"{bus.name}  {bus.protocol}  {bus.endpoint}"),
            (t("read.sent"), exchange["sent"]),
            (t("read.received"), exchange["received"]),
            (t("read.happened"), happened),
            (t("read.advice"), advice),
        )
        width = max(display_width(title) for title, _ in told)
        lines += [
            f"  {paint(pad(title, width), 'dim')}  {worded(text, language())}"
            for title, text in told
            if text
        ]
    return lines


def other_orders(point: Point, raw: bytes, value: Value | None, reason: str) -> str:
    """Which order of bytes makes a real reading of an unreal one; or nothing."""
    if not isinstance(point, ModbusPoint) or point.registers == 1 or not raw:
        return ""
    if _real(value) and reason not in _DOUBTS:
        return ""
    found = []
    for order in _ORDERS:
        if order == point.word_order:
            continue
        other = replace(point, word_order=order)
        values: dict[str, Value] = {}
        flaws: dict[str, Flaw] = {}
        decoder([other], other.address).decode(raw, other.address, values, flaws)
        if not flaws and _real(values[point.name]):
            found.append(t("read.order", order=order, value=values[point.name]))
    if not found:
        return ""
    return t("read.check_orders", point=point.name, orders=_joined(found))


def _real(value: Value | None) -> bool:
    """Whether an instrument may have meant this: not 1e-38, nor 1e+20."""
    if not isinstance(value, float):
        return value is not None
    return value == 0 or (math.isfinite(value) and _SMALLEST <= abs(value) <= _LARGEST)


def _told(error: str) -> tuple[str, str]:
    """What happened, and the advice apart where the driver gives one."""
    for key in ("silent", "unproved"):
        if found := parts(key, error):
            return t(f"read.{key}", seconds=found["seconds"]), found["advice"]
    if found := parts("check_manual", error):
        return found["error"], t("read.check_manual")
    return error, ""


def _joined(texts: list[str]) -> str:
    return ("，" if language() == "zh" else ", ").join(texts)
