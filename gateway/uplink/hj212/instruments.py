"""Reading and writing instruments for a platform, by the worker that owns their bus."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from drivers.errors import (
    DriverError,
    PointError,
    ProfileError,
    ResponseTimeoutError,
)
from gateway.commands import BusyError
from gateway.uplink.hj212.codes import ExeRtn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drivers.hj212.cp import Item
    from drivers.values import Answer, Value
    from gateway.config.rights import Order, Shown

WAIT_S = 30.0
"""A busy bus carries it out by then, or it counts as failed."""
_PLAIN = re.compile(r"[^;,=&#/]{1,200}")
_WORD = re.compile(r"[0-9A-Za-z]{1,32}")
_LOGS = ("i11", "i21", "i31")
_DIGITS = re.compile(r"[0-9]{14}")
_CLOCK_DIGITS = 6


class Instruments(Protocol):
    """The workers, by the devices they own."""

    async def read(self, device: str, points: Sequence[str]) -> Answer:
        """Ask a device between two exchanges.

        Raises:
            KeyError: No such device now.
            DriverError: Bus gone or too many commands waiting.
        """
        ...

    async def write(self, device: str, point: str, value: Value) -> None:
        """Write one point within its limits.

        Raises:
            KeyError: No such device now.
            DriverError: Not writable, out of its limits, refused, no answer.
        """
        ...


async def write(instruments: Instruments, order: Order, value: Value) -> ExeRtn:
    """Carry out one order; how it went."""
    try:
        async with asyncio.timeout(WAIT_S):
            await instruments.write(order.device, order.point, value)
    except (KeyError, TimeoutError, DriverError) as exc:
        return _code(exc)
    return ExeRtn.DONE


async def look(
    instruments: Instruments, items: Sequence[Shown], factor: str | None
) -> tuple[ExeRtn, tuple[Item, ...]]:
    """What a platform may read, as it stands in a frame.

    Args:
        instruments: The workers.
        items: What is asked for; none is left out: what cannot be had fails all.
        factor: The instrument's; None: it is the logger's.
    """
    said: list[Item] = []
    for item in items:
        code, value = await _value(instruments, item)
        if code is not ExeRtn.DONE or value is None:
            return code if code is not ExeRtn.DONE else ExeRtn.FAILED, ()
        pair = worded(item.code, factor, value)
        if pair is None:
            return ExeRtn.FAILED, ()
        said.append((pair,))
    return ExeRtn.DONE, tuple(said)


async def _value(instruments: Instruments, item: Shown) -> tuple[ExeRtn, Value | None]:
    if item.device is None or item.point is None:
        return ExeRtn.DONE, item.text
    try:
        async with asyncio.timeout(WAIT_S):
            answer = await instruments.read(item.device, [item.point])
    except (KeyError, TimeoutError, DriverError) as exc:
        return _code(exc), None
    if not answer.answered:
        return ExeRtn.TIMEOUT, None
    if item.point in answer.flaws:
        return ExeRtn.FAILED, None
    return ExeRtn.DONE, answer.values.get(item.point)


def worded(code: str, factor: str | None, value: Value) -> tuple[str, str] | None:
    """Name and text of a value in a frame; None: it cannot stand in one.

    Args:
        code: An info code, ``SN``, or a field.
        factor: The instrument's.
        value: As it was read.
    """
    text = _text(value)
    if code == "SN":
        name = f"{factor}-SN" if factor else "SN"
        return (name, text) if factor and _WORD.fullmatch(text) else None
    if code == "SystemTime":
        digits = _time_digits(text)
        return None if digits is None else (code, digits)
    if code == "CstartTime":
        text = text.zfill(_CLOCK_DIGITS)
        return (code, text) if text.isdigit() and len(text) == _CLOCK_DIGITS else None
    if code in ("Ctime", "Stime", "VaseNo"):
        return (code, text) if text.isdigit() else None
    if _PLAIN.fullmatch(text) is None or not text.isprintable():
        return None
    return f"{code}-Info", f"//{text}//" if code.startswith(_LOGS) else text


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        shown = f"{Decimal(repr(value)):f}"
        return shown.removesuffix(".0")
    return str(value)


def _time_digits(text: str) -> str | None:
    """14 digits of the instrument's own time, which is the site's civil time."""
    if _DIGITS.fullmatch(text):
        return text
    try:
        return f"{datetime.fromisoformat(text):%Y%m%d%H%M%S}"
    except ValueError:
        return None


def _code(exc: Exception) -> ExeRtn:
    if isinstance(exc, KeyError):
        return ExeRtn.SYSTEM  # its bus is being started anew
    if isinstance(exc, BusyError):
        return ExeRtn.BUSY
    if isinstance(exc, TimeoutError | ResponseTimeoutError):
        return ExeRtn.TIMEOUT
    if isinstance(exc, PointError | ProfileError):
        return ExeRtn.CONDITION
    return ExeRtn.FAILED
