"""A device that shows what its profile describes, with plausible moving values.

Values are encoded here a second time, from the profile's words alone: registers are
big-endian (MODBUS Application Protocol V1.1b3, 4.2); the four orders of a 32-bit value
are named by what is on the wire, A the most significant byte.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Literal

from drivers.profiles.model import SHAPED, ModbusPoint
from simulators.shaped import BCD_DIGITS, bcd_bytes, text_bytes, time_bytes
from simulators.waveform import Shape, Wave, state, wave
from simulators.wire import BIT_TABLES, ILLEGAL_ADDRESS, RefusedError, pack_bits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from drivers.profiles.model import Profile

_FORMATS = {
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "float32": "f",
    "float64": "d",
}
_LIMITS = {
    name: (-(1 << size - 1), (1 << size - 1) - 1)
    if name.startswith("int")
    else (0, (1 << size) - 1)
    for name, size in (
        ("int16", 16),
        ("uint16", 16),
        ("int32", 32),
        ("uint32", 32),
        ("int64", 64),
        ("uint64", 64),
    )
}
_LIMITS |= {name: (0, 10**digits - 1) for name, digits in BCD_DIGITS.items()}
SPARE_REGISTERS = 8
"""Readable zeros around a table's points: planners may read a register more."""


def to_words(raw: float, kind: str, order: str) -> tuple[int, ...]:
    """Registers of one number as they leave the wire.

    Args:
        raw: Already unscaled; integral for integer types.
        kind: A profile's type, not ``bool``.
        order: ``ABCD``, ``CDAB``, ``BADC`` or ``DCBA``.
    """
    if kind in BCD_DIGITS:
        return laid_out(bcd_bytes(int(raw), kind), order)
    number = raw if kind.startswith("float") else int(raw)
    return laid_out(struct.pack(">" + _FORMATS[kind], number), order)


def laid_out(data: bytes, order: str) -> tuple[int, ...]:
    """Registers of these bytes, the most significant first, in the order of a wire."""
    words = [data[i : i + 2] for i in range(0, len(data), 2)]
    if order in {"CDAB", "DCBA"}:
        words.reverse()
    if order in {"BADC", "DCBA"}:
        words = [word[::-1] for word in words]
    return tuple(int.from_bytes(word, "big") for word in words)


class _Shown:
    """One point and how it moves."""

    def __init__(
        self, point: ModbusPoint, seed: int, unit: int, shape: Shape | None = None
    ) -> None:
        self.point = point
        self._seed, self._unit = seed, unit
        low, high = _range(point)
        self.wave: Wave = wave(
            seed, unit, point.name, point.unit, low=low, high=high, shape=shape
        )
        self.play: Callable[[float], float] | None = None
        """UTC seconds -> its value, instead of what follows from the seed."""

    def value(self, utc_s: float) -> float:
        """Engineering value; a code where the point has names for its states."""
        point = self.point
        if self.play is not None:
            return self.play(utc_s)
        if point.type == "bool":
            return float(state(self._seed, self._unit, point.name, utc_s, 2))
        if point.enum:
            codes = sorted(point.enum)
            at = state(self._seed, self._unit, point.name, utc_s, len(codes))
            return float(codes[at])
        if point.bits:
            numbers = sorted(point.bits)
            at = state(self._seed, self._unit, point.name, utc_s, len(numbers) + 1)
            return float(1 << numbers[at] if at < len(numbers) else 0)
        return self.wave.value(utc_s)

    def number(self, utc_s: float) -> float:
        """The number that its registers stand for, before any scale; of a bit, 0 or 1.

        A float is not yet as short as its type has it. Texts and times have none.
        """
        point = self.point
        value = self.value(utc_s)
        if point.type == "bool":
            return int(value)
        named = bool(point.enum or point.bits)
        if point.loop is not None:
            loop = point.loop
            share = (value - float(loop.low)) / float(loop.high - loop.low)
            value = float(loop.start) + share * float(loop.end - loop.start)
        raw = value if named else (value - float(point.offset)) / float(point.scale)
        if point.type not in _LIMITS:
            return raw
        low, high = _LIMITS[point.type]
        number = min(max(round(raw), low), high)
        mask = (1 << 16 * point.registers) - 1
        while number & mask in point.not_available:
            number += 1 if number < high else -1
        return number

    def words(self, utc_s: float) -> tuple[int, ...]:
        """What its registers hold now; for a bit, the whole register."""
        point = self.point
        if point.type == "text":
            text = f"SIM {self._unit:03d}"
            return laid_out(text_bytes(text, point), "ABCD")
        if point.type == "datetime":
            return laid_out(time_bytes(utc_s, point.layout), point.word_order)
        number = self.number(utc_s)
        if point.type == "bool":
            return (int(number) << (point.bit or 0),)
        return to_words(number, point.type, point.word_order)


def _range(point: ModbusPoint) -> tuple[float, float]:
    """The values a point can show: what its type holds and its profile allows."""
    low, high = -math.inf, math.inf
    if point.type in _LIMITS:
        ends = [
            limit * float(point.scale) + float(point.offset)
            for limit in _LIMITS[point.type]
        ]
        low, high = min(ends), max(ends)
    if point.loop is not None:
        low, high = sorted((float(point.loop.low), float(point.loop.high)))
    if point.minimum is not None:
        low = max(low, point.minimum)
    if point.maximum is not None:
        high = min(high, point.maximum)
    return low, high


class ProfileUnit:
    """A device by its profile.

    Args:
        number: Unit id.
        profile: What it offers.
        seed: Of the site.
        utc_s: The instant its values are taken at.
        holes: Whether registers between points read as zero or refuse (exception 2).
        shapes: Point -> where it moves, for those whose unit says it badly.
    """

    def __init__(
        self,
        number: int,
        profile: Profile,
        *,
        seed: int,
        utc_s: Callable[[], float],
        holes: Literal["zero", "refuse"] = "zero",
        shapes: Mapping[str, Shape] | None = None,
    ) -> None:
        self.number = number
        self.profile = profile
        self.seed = seed
        self._utc_s = utc_s
        self._holes = holes
        self._shown: dict[str, list[_Shown]] = {}
        for point in modbus_points(profile):
            shown = _Shown(point, seed, number, (shapes or {}).get(point.name))
            self._shown.setdefault(point.table, []).append(shown)
        self._written: dict[tuple[str, int], int] = {}
        self._reads = 0
        self.said: Callable[[str, float], None] | None = None
        """Told each number that was read whole, as its registers hold it."""

    def play(self, point: str, value: Callable[[float], float] | None) -> None:
        """Let a point show this value (of UTC seconds); None: what it showed before."""
        for shown in self._all():
            if shown.point.name == point:
                shown.play = value

    def _all(self) -> Iterable[_Shown]:
        return (one for table in self._shown.values() for one in table)

    def span(self, table: str) -> tuple[int, int]:
        """First address and the one behind the last that can be read."""
        shown = self._shown.get(table)
        if not shown:
            return 0, 0
        first = min(s.point.address for s in shown)
        last = max(s.point.address + s.point.registers for s in shown)
        return max(first - SPARE_REGISTERS, 0), min(last + SPARE_REGISTERS, 0x10000)

    def read(self, table: str, address: int, count: int, *, aside: bool) -> bytes:
        """The registers of all points at one instant; zeros between them."""
        first, end = self.span(table)
        if address < first or address + count > end:
            raise RefusedError(ILLEGAL_ADDRESS)
        self._reads += not aside
        if self.said is not None and not aside:
            self._tell(self.said, table, range(address, address + count))
        image = self._image(table, address, count)
        if self._holes == "refuse" and None in image:
            raise RefusedError(ILLEGAL_ADDRESS)
        words = [word or 0 for word in image]
        if table in BIT_TABLES:
            return pack_bits(words)
        return struct.pack(f">{count}H", *words)

    def write(self, table: str, address: int, values: tuple[int, ...]) -> None:
        """Taken where every register belongs to a writable point; read back after."""
        writable = {
            s.point.address + i
            for s in self._shown.get(table, [])
            if s.point.writable
            for i in range(s.point.registers)
        }
        if not writable.issuperset(range(address, address + len(values))):
            raise RefusedError(ILLEGAL_ADDRESS)
        for i, value in enumerate(values):
            self._written[table, address + i] = value

    def mark(self) -> int:
        """How many reads there were."""
        return self._reads

    def _tell(
        self, said: Callable[[str, float], None], table: str, read: range
    ) -> None:
        now = self._utc_s()
        for shown in self._shown[table]:
            point = shown.point
            first, last = point.address, point.address + point.registers - 1
            if first in read and last in read and point.type not in SHAPED:
                said(point.name, shown.number(now))

    def _image(self, table: str, address: int, count: int) -> list[int | None]:
        now = self._utc_s()
        image: list[int | None] = [None] * count
        for shown in self._shown[table]:
            at = shown.point.address - address
            if at >= count or at + shown.point.registers <= 0:
                continue
            for i, word in enumerate(shown.words(now), at):
                if 0 <= i < count:
                    image[i] = (image[i] or 0) | word
        for i in range(count):
            if (table, address + i) in self._written:
                image[i] = self._written[table, address + i]
        return image


def modbus_points(profile: Profile) -> tuple[ModbusPoint, ...]:
    """The points of a profile of a Modbus device."""
    return tuple(p for p in profile.points if isinstance(p, ModbusPoint))


class Expectation:
    """What a device must have shown: for consumers that check values."""

    def __init__(self, points: Iterable[ModbusPoint], *, seed: int, unit: int) -> None:
        self._shown = {p.name: _Shown(p, seed, unit) for p in points}

    def wrong(
        self, name: str, value: object, utc_s: float, slack_s: float
    ) -> str | None:
        """What is wrong with a delivered number; None = nothing, or not known here.

        Args:
            name: Point.
            value: As delivered; only numbers of moving points are judged.
            utc_s: Acquisition time of the record.
            slack_s: How far the device's instant may lie from it.
        """
        shown = self._shown.get(name)
        if shown is None or isinstance(value, (bool, str)):
            return None
        point = shown.point
        if point.type == "bool" or point.enum or point.bits:
            return None
        expected = shown.value(utc_s)
        resolution = 0.0 if point.type not in _LIMITS else abs(float(point.scale))
        if point.loop is not None:
            loop = point.loop
            resolution *= abs(float((loop.high - loop.low) / (loop.end - loop.start)))
        if point.decimals is not None:
            resolution = max(resolution, 10.0**-point.decimals)
        allowed = resolution + slack_s * shown.wave.slope + 1e-5 * abs(expected)
        if isinstance(value, (int, float)) and abs(value - expected) <= allowed:
            return None
        return f"{name}: expected {expected:.6g} within {allowed:.2g}, got {value!r}"
