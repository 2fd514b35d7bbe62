"""What one raw number of one point becomes: a value, a flaw, or both.

Each point's way is chosen once, when its block is compiled, and is then one call.
The rules are in ``decode``.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import msgspec

from drivers.flaws import NOT_IN_ENUM, OUT_OF_RANGE
from drivers.modbus.loop import flaw_of, limits_of, mapped, signal_of
from drivers.modbus.shaped import BAD_BCD, digits
from drivers.modbus.shortest import decimal32
from drivers.values import Flaw, Quality, Value

if TYPE_CHECKING:
    from drivers.profiles.model import ModbusPoint

NOT_AVAILABLE = Flaw(Quality.BAD, "not_available")
NOT_FINITE = Flaw(Quality.BAD, "not_finite")

Values = dict[str, Value]
Flaws = dict[str, Flaw]
Step = Callable[[Any, Values, Flaws], None]
"""Takes a raw number as unpacked: an int, or a float of a float type."""


_NEVER_PLAIN = frozenset({"bcd16", "bcd32", "bcd64", "text", "datetime"})


def is_plain(point: ModbusPoint) -> bool:
    """Whether the raw number is the value as it stands."""
    return not (
        point.scale != 1
        or point.type in _NEVER_PLAIN
        or point.offset
        or point.decimals is not None
        or point.not_available
        or point.enum
        or point.bits
        or point.minimum is not None
        or point.maximum is not None
        or point.loop is not None
    )


def step_of(point: ModbusPoint, code: str) -> Step:
    """What one raw value of one point becomes."""
    if point.type == "bool":
        return _bool_step(point)
    if point.loop is not None:
        return _loop_step(point, code)
    if point.type.startswith("bcd"):
        return _bcd_step(point)
    return _number_step(point, code)


def _number_step(point: ModbusPoint, code: str) -> Step:
    convert = _converter(point, code)
    name, enum = point.name, dict(point.enum) or None
    refused = frozenset(point.not_available)
    mask = (1 << 16 * point.registers) - 1
    low, high = point.minimum, point.maximum
    bits = tuple((bit, f"{name}.{word}") for bit, word in point.bits.items())

    def bad(flaw: Flaw, flaws: Flaws) -> None:
        flaws[name] = flaw
        for _, key in bits:
            flaws[key] = flaw

    def step(
        raw: Any,  # noqa: ANN401 - int or float, as the type says
        values: Values,
        flaws: Flaws,
    ) -> None:
        if refused and raw & mask in refused:
            return bad(NOT_AVAILABLE, flaws)
        if enum is not None:
            label = enum.get(raw)
            if label is None:
                return bad(NOT_IN_ENUM, flaws)
            values[name] = label
            return None
        value = convert(raw)
        if value is None:
            return bad(NOT_FINITE, flaws)
        values[name] = value
        if (low is not None and value < low) or (high is not None and value > high):
            flaws[name] = OUT_OF_RANGE
        for bit, key in bits:
            values[key] = bool(raw >> bit & 1)
        return None

    return step


def _bool_step(point: ModbusPoint) -> Step:
    name = point.name
    mask = 0xFFFF if point.bit is None else 1 << point.bit
    refused = frozenset(point.not_available)

    def step(raw: int, values: Values, flaws: Flaws) -> None:
        if raw in refused:
            flaws[name] = NOT_AVAILABLE
        else:
            values[name] = bool(raw & mask)

    return step


def _bcd_step(point: ModbusPoint) -> Step:
    """Digits first, unless the code means no value; then as any whole number."""
    name, refused = point.name, frozenset(point.not_available)
    plain = _number_step(msgspec.structs.replace(point, not_available=()), "Q")

    def step(raw: int, values: Values, flaws: Flaws) -> None:
        number = digits(raw)
        if raw in refused:
            flaws[name] = NOT_AVAILABLE
        elif number is None:
            flaws[name] = BAD_BCD
        else:
            plain(number, values, flaws)

    return step


def _loop_step(point: ModbusPoint, code: str) -> Step:
    """The signal is judged, then mapped; a broken one has no value."""
    assert point.loop is not None  # noqa: S101 - asked for such only
    name, limits = point.name, limits_of(point.loop)
    bare = signal_of(point)
    bare = msgspec.structs.replace(bare, minimum=None, maximum=None)
    signal, value = step_of(bare, code), step_of(mapped(point), code)

    def step(raw: Any, values: Values, flaws: Flaws) -> None:  # noqa: ANN401 - a number
        seen: Values = {}
        signal(raw, seen, flaws)
        if name not in seen:
            return
        flaw = flaw_of(cast("float", seen[name]), limits)
        if flaw is None or flaw.quality is Quality.UNCERTAIN:
            value(raw, values, flaws)
        if flaw is not None:
            flaws[name] = flaw

    return step


def _converter(point: ModbusPoint, code: str) -> Callable[[Any], int | float | None]:
    """From a finite or infinite raw number to the point's value; None: not finite."""
    ratio = _ratio(point)
    if not point.type.startswith("float"):
        return lambda raw: ratio(raw, 1)
    if code in "IQ":  # kept as bits, so that not_available codes could be compared
        packed, number = struct.Struct(code), struct.Struct("f" if code == "I" else "d")
        return lambda raw: _from_float(number.unpack(packed.pack(raw))[0], point, ratio)
    return lambda raw: _from_float(raw, point, ratio)


def _from_float(
    number: float, point: ModbusPoint, ratio: Callable[[int, int], int | float]
) -> int | float | None:
    if not math.isfinite(number):
        return None
    if point.type == "float32":
        top, bottom = decimal32(number)
    elif point.scale == 1 and not point.offset and point.decimals is None:
        return number + 0.0
    else:
        top, bottom = Fraction(repr(number)).as_integer_ratio()
    try:
        value = ratio(top, bottom)
        # An integral scale of 1 must not turn a measured float into an int.
        return float(value) if point.decimals is None else value
    except OverflowError:
        return None


def _ratio(point: ModbusPoint) -> Callable[[int, int], int | float]:
    """``top / bottom * scale + offset`` in whole numbers, rounded once at the end."""
    scale, offset, decimals = point.scale, point.offset, point.decimals
    lower = scale.denominator * offset.denominator
    times = scale.numerator * offset.denominator
    plus = offset.numerator * scale.denominator
    if decimals is None:

        def exact(top: int, bottom: int) -> int | float:
            under = lower * bottom
            above = top * times + plus * bottom
            return above if under == 1 else above / under

        return exact
    ten: int = 10**decimals

    def rounded(top: int, bottom: int) -> int | float:
        above = (top * times + plus * bottom) * ten
        under = lower * bottom
        whole, rest = divmod(above, under)
        if 2 * rest > under or (2 * rest == under and whole & 1):
            whole += 1
        return whole if ten == 1 else whole / ten

    return rounded
