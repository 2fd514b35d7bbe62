"""Registers to values: exact, quick, and never a guess.

A block's decoder is compiled once: its points become a few ``struct`` formats, one for
each word order in use, and every reading of the block is one ``unpack`` per format.
The four orders need no shuffling by hand, because

    ABCD = big-endian                 DCBA = little-endian
    BADC = big-endian, bytes of each register swapped
    CDAB = little-endian, bytes of each register swapped

hold for 16, 32 and 64 bits alike (the names are telegraf's,
influxdata/telegraf plugins/inputs/modbus/README.md).

What a value is:

* Integers stay integers, also beyond 2**53. With a scale or offset the result is the
  double nearest to the exact rational ``raw * scale + offset`` (2301 x 0.1 = 230.1).
* A float32 is the shortest decimal that reads back to the same float32: a meter that
  means 230.1 sends 0x4366199A, whose exact value is 230.1000061035156; we say 230.1.
  Nothing is lost, the same four bytes come out again. A scale then multiplies that
  decimal, exactly.
* ``decimals``, where a point has it, rounds half to even on the exact value.

What is no value: a ``not_available`` code, NaN and infinity, a code outside ``enum``.
Outside ``minimum``..``maximum`` the value is kept and called UNCERTAIN, never clamped.
BCD, texts and times: see ``shaped``; a 4-20 mA signal and its range: see ``loop``.
"""

from __future__ import annotations

import struct
from array import array
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Protocol

from drivers.modbus.convert import (
    NOT_FINITE,
    Flaws,
    Step,
    Values,
    is_plain,
    step_of,
)
from drivers.modbus.shaped import shaped_step
from drivers.modbus.shortest import decimal32
from drivers.profiles.model import SHAPED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import tzinfo

    from drivers.profiles.model import ModbusPoint, WordOrder

_CODES = {
    "bool": "H",
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
_UNSIGNED = {"f": "I", "d": "Q"}
_LAYOUT: dict[WordOrder, tuple[str, bool]] = {
    "ABCD": (">", False),
    "DCBA": ("<", False),
    "BADC": (">", True),
    "CDAB": ("<", True),
}
"""Word order -> (struct byte order, swap the bytes of each register first)."""


def decoder(
    points: Sequence[ModbusPoint], start: int, zone: tzinfo | None = None
) -> Decoder:
    """Compile a decoder for points of one table whose wanted span begins at start.

    Args:
        points: Of one table.
        start: Zero-based address that the wanted span begins at.
        zone: What the instrument's civil times are read in; UTC where none is given.
    """
    if points[0].table in {"coil", "discrete"}:
        return _BitDecoder(points)
    return _RegisterDecoder(points, start, zone)


class Decoder(Protocol):
    """Turns one block's reply into values and flaws."""

    def decode(
        self, data: bytes, reply_start: int, values: Values, flaws: Flaws
    ) -> None:
        """Add every point of the block to ``values``, ``flaws``, or both.

        Args:
            data: The reply's payload as received: big-endian registers, or bits
                packed low bit first.
            reply_start: Zero-based address of the first register (or bit) in ``data``.
            values: Gains the usable values.
            flaws: Gains what is BAD or UNCERTAIN.
        """
        ...

    def raw(self, data: bytes, reply_start: int) -> dict[str, bytes]:
        """The bytes behind each point, as received (one byte for a bit)."""
        ...


class _BitDecoder:
    def __init__(self, points: Sequence[ModbusPoint]) -> None:
        self._points = tuple((p.name, p.address) for p in points)

    def decode(
        self, data: bytes, reply_start: int, values: Values, flaws: Flaws
    ) -> None:
        del flaws  # a bit always has a value
        for name, address in self._points:
            at = address - reply_start
            values[name] = bool(data[at >> 3] >> (at & 7) & 1)

    def raw(self, data: bytes, reply_start: int) -> dict[str, bytes]:
        result = {}
        for name, address in self._points:
            at = address - reply_start
            result[name] = bytes([data[at >> 3] >> (at & 7) & 1])
        return result


class _Layer:
    """Points of one word order that do not overlap: one struct format."""

    def __init__(self, order: WordOrder, start: int) -> None:
        self.order = order
        self.end = start
        self._format, self.swapped = _LAYOUT[order]
        self._addresses: list[int] = []
        self._plain: list[tuple[int, str]] = []
        self._floats: list[tuple[int, str]] = []
        self.steps: list[tuple[int, Step]] = []

    def index(self, address: int, code: str) -> int:
        """The slot of this register and type, added if there is none."""
        if address >= self.end:
            self._format += f"{2 * (address - self.end)}x{code}"
            self.end = address + struct.calcsize(f">{code}") // 2
            self._addresses.append(address)
        return len(self._addresses) - 1

    def add(
        self, point: ModbusPoint, index: int, code: str, zone: tzinfo | None
    ) -> None:
        """Say what becomes of the slot's raw value."""
        if point.type in SHAPED:
            self.steps.append((index, shaped_step(point, zone)))
        elif code == "f" and is_plain(point):
            self._floats.append((index, point.name))
        elif code not in "fd" and point.type != "bool" and is_plain(point):
            self._plain.append((index, point.name))
        else:
            self.steps.append((index, step_of(point, code)))

    def compile(self) -> None:
        """No more points: fix the format and the bulk ways."""
        self.unpack = struct.Struct(self._format).unpack_from
        self.names = tuple(name for _, name in self._plain)
        self.pick = _picker([i for i, _ in self._plain], len(self._addresses))
        self.float_names = tuple(name for _, name in self._floats)
        self.pick_floats = _picker([i for i, _ in self._floats], len(self._addresses))


def _picker(
    indices: list[int], slots: int
) -> Callable[[tuple[Any, ...]], tuple[Any, ...]] | None:
    """What takes these slots out of an unpacked tuple; None: all of them, in order."""
    if indices == list(range(slots)):
        return None
    if len(indices) == 1:
        return itemgetter(slice(indices[0], indices[0] + 1))
    return itemgetter(*indices) if indices else lambda _: ()


class _RegisterDecoder:
    def __init__(
        self, points: Sequence[ModbusPoint], start: int, zone: tzinfo | None
    ) -> None:
        self._start = start
        self._extents = tuple((p.name, p.address, 2 * p.registers) for p in points)
        self._layers = _layers(points, start, zone)
        self._swap = any(layer.swapped for layer in self._layers)

    def decode(
        self, data: bytes, reply_start: int, values: Values, flaws: Flaws
    ) -> None:
        offset = 2 * (self._start - reply_start)
        swapped = _swap_bytes(data) if self._swap else data
        for layer in self._layers:
            raw = layer.unpack(swapped if layer.swapped else data, offset)
            if layer.names:
                pick = layer.pick
                values.update(zip(layer.names, pick(raw) if pick else raw, strict=True))
            if layer.float_names:
                pick = layer.pick_floats
                _floats(layer.float_names, pick(raw) if pick else raw, values, flaws)
            for index, step in layer.steps:
                step(raw[index], values, flaws)

    def raw(self, data: bytes, reply_start: int) -> dict[str, bytes]:
        return {
            name: data[2 * (address - reply_start) :][:size]
            for name, address, size in self._extents
        }


def _layers(
    points: Iterable[ModbusPoint], start: int, zone: tzinfo | None
) -> list[_Layer]:
    layers: list[_Layer] = []
    slots: dict[tuple[int, str, WordOrder], tuple[_Layer, int]] = {}
    for point in sorted(points, key=lambda p: p.address):
        order: WordOrder = point.word_order
        if point.type in SHAPED:
            # Bytes as received: their reader knows their order.
            code, order = f"{2 * point.registers}s", "ABCD"
        else:
            code = _CODES[point.type]
        if point.not_available:
            code = _UNSIGNED.get(code, code)
        key = (point.address, code, order)
        if key not in slots:
            for layer in layers:
                if layer.order == order and layer.end <= point.address:
                    break
            else:
                layer = _Layer(order, start)
                layers.append(layer)
            slots[key] = layer, layer.index(point.address, code)
        layer, index = slots[key]
        layer.add(point, index, code, zone)
    for layer in layers:
        layer.compile()
    return layers


def _swap_bytes(data: bytes) -> bytes:
    words = array("H", data)
    words.byteswap()
    return words.tobytes()


def _floats(
    names: Iterable[str], raw: Iterable[float], values: Values, flaws: Flaws
) -> None:
    for name, number in zip(names, raw, strict=True):
        if number - number:  # NaN for NaN and infinity, else 0.0
            flaws[name] = NOT_FINITE
        else:
            top, bottom = decimal32(number)
            values[name] = top / bottom
