"""Values to registers: the exact inverse of ``decode``, or a refusal.

A write changes something in the field, so nothing is rounded to fit: an integer point
takes only values that come out as whole raw numbers, and every refusal names the point,
its limits and the value. Only a float point rounds, to the nearest float of its size,
which is what its register can hold.
"""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import TYPE_CHECKING

from drivers.errors import PointError
from drivers.modbus.shaped import packed as packed_digits
from drivers.modbus.shortest import decimal32

if TYPE_CHECKING:
    from drivers.profiles.model import ModbusPoint, WordOrder
    from drivers.values import Value

_FORMATS = {
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "float32": "f",
    "float64": "d",
    "bcd16": "H",
    "bcd32": "I",
    "bcd64": "Q",
}
_BCD = frozenset({"bcd16", "bcd32", "bcd64"})


def encode(point: ModbusPoint, value: Value) -> tuple[int, ...]:
    """The registers (or the one bit) to send so that the point reads back as value.

    Args:
        point: A writable point of a holding or coil table.
        value: In the point's unit; a label where the point has ``enum``.

    Returns:
        Words as they go on the wire, each 0..65535, in wire order.

    Raises:
        PointError: ``not_writable``, ``out_of_limits`` or ``not_representable``.
    """
    _check_writable(point)
    if point.type == "bool":
        return (int(_truth(point, value)),)
    raw = _raw(point, value)
    if point.type in _BCD:
        raw = _digits(point, raw)
    try:
        packed = struct.pack(">" + _FORMATS[point.type], raw)
    except (struct.error, OverflowError):
        raise _refuse(
            point, "not_representable", f"raw value {raw} does not fit {point.type}"
        ) from None
    if isinstance(raw, float):
        _check_rounded(point, value, packed)
    words = struct.unpack(f">{len(packed) // 2}H", packed)
    code = int.from_bytes(packed, "big")
    if code in point.not_available:
        raise _refuse(
            point,
            "not_representable",
            f"{value!r} would be sent as 0x{code:X}, which means no value",
        )
    return _ordered(words, point.word_order)


def _check_writable(point: ModbusPoint) -> None:
    if not point.writable:
        raise _refuse(
            point, "not_writable", "set writable: true and its limits in the profile"
        )
    if point.table not in {"holding", "coil"}:
        raise _refuse(point, "not_writable", f"table {point.table} is read-only")
    if point.bit is not None:
        # Read, change, write back would overwrite what the device changed meanwhile.
        raise _refuse(
            point, "not_writable", "one bit of a register cannot be written alone"
        )


def _digits(point: ModbusPoint, raw: int | float) -> int:
    code = packed_digits(int(raw), point.registers)
    if code is None:
        raise _refuse(
            point, "not_representable", f"raw value {raw} does not fit {point.type}"
        )
    return code


def _truth(point: ModbusPoint, value: Value) -> bool:
    if value not in (False, True):
        raise _refuse(
            point, "not_representable", f"expected true or false, found {value!r}"
        )
    return bool(value)


def _code(point: ModbusPoint, label: Value) -> int:
    for code, known in point.enum.items():
        if known == label:
            return code
    known = ", ".join(point.enum.values())
    raise _refuse(
        point, "not_representable", f"expected one of {known}, found {label!r}"
    )


def _raw(point: ModbusPoint, value: Value) -> int | float:
    if point.enum:
        code = _code(point, value)
        _check_limits(point, code)
        return code
    if isinstance(value, (bool, str)) or value - value != 0:
        raise _refuse(
            point, "not_representable", f"expected a finite number, found {value!r}"
        )
    _check_limits(point, value)
    exact = (Fraction(str(value)) - point.offset) / point.scale
    if point.type.startswith("float"):
        try:
            return float(exact)
        except OverflowError:
            raise _refuse(
                point, "not_representable", f"{value} does not fit {point.type}"
            ) from None
    if exact.denominator != 1:
        below = (exact.numerator // exact.denominator) * point.scale + point.offset
        raise _refuse(
            point,
            "not_representable",
            f"{value} {point.unit} is not a whole step of {float(point.scale)}; "
            f"nearest are {float(below)} and {float(below + point.scale)}",
        )
    return int(exact)


def _check_limits(point: ModbusPoint, value: float) -> None:
    low, high = point.write_min, point.write_max
    if (low is not None and value < low) or (high is not None and value > high):
        raise _refuse(
            point,
            "out_of_limits",
            f"expected {low} to {high} {point.unit}, found {value}",
        )


def _check_rounded(point: ModbusPoint, value: Value, packed: bytes) -> None:
    """What the register will hold, as it reads back, must keep the limits as well."""
    (number,) = struct.unpack(">" + _FORMATS[point.type], packed)
    if point.type == "float32":
        held = Fraction(*decimal32(number))
    else:
        held = Fraction(repr(number))
    nearest = float(held * point.scale + point.offset)
    if nearest != value:
        _check_limits(point, nearest)


def _ordered(words: tuple[int, ...], order: WordOrder) -> tuple[int, ...]:
    if order in {"CDAB", "DCBA"}:
        words = words[::-1]
    if order in {"BADC", "DCBA"}:
        words = tuple((w & 0xFF) << 8 | w >> 8 for w in words)
    return words


def _refuse(point: ModbusPoint, reason: str, message: str) -> PointError:
    return PointError(f"{point.name}: {message}", reason=reason)
