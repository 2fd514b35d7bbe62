"""One span of registers in every type and order, the likeliest first. Pure.

Nothing here says which is right; it says which read like a measurement: no 1e-38, no
bytes that are no digits, no time in the year 2160.
"""

from __future__ import annotations

import math
import re
import struct
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")
_INTEGERS = {
    "uint16": "H", "int16": "h", "uint32": "I", "int32": "i", "uint64": "Q",
    "int64": "q",
}  # fmt: skip
_FLOATS = {"float32": "f", "float64": "d"}
_WIDTH = {
    "uint16": 1, "int16": 1, "bcd16": 1, "uint32": 2, "int32": 2, "float32": 2,
    "bcd32": 2, "unix time": 2, "uint64": 4, "int64": 4, "float64": 4, "bcd64": 4,
}  # fmt: skip
_EARLIEST, _LATEST = 1_262_304_000, 2_051_222_400
"""2010-01-01 and 2035-01-01: a time outside is none of a running device."""
_PRINTABLE = range(32, 127)
_RUN = re.compile("[A-Za-z0-9]+")
_WORD = re.compile("[A-Z]+[0-9]*[A-Z]*|[A-Z]?[a-z]{2,}[0-9]*|[0-9]+")
"""ADW300, Temp2 and 2023; not Cf33."""
_NO_WORD, _PERHAPS = 1.1, 2.0
"""Of a text that reads as floats, too: one of seven voltages has four printable bytes.
A word in two registers is the next best reading, any other text a poor one."""
_WHOLE = 0.4
"""Whoever asks for two registers probably means one value of two."""
_SHORT, _CHANCE = 5, 0.9
"""A float of more digits in an unusual order is often one by chance."""
_CLOCK_REGISTERS = 6
_CLOCK_BYTES = 3


class Reading(NamedTuple):
    """The span read as one type in one order."""

    registers: str
    """Which of the span, counted from 0: ``0`` or ``0-1``."""
    type: str
    order: str
    """Empty where there is only one."""
    value: str
    weight: float
    """How much it reads like a measurement; only for ranking."""
    number: float | None = None


def decode(data: bytes) -> list[Reading]:
    """Every reading of these registers, the likeliest first.

    Args:
        data: Registers as received, two bytes each, at least one.
    """
    count = len(data) // 2
    found: list[Reading] = []
    for kind, width in _WIDTH.items():
        for first in range(0, count - width + 1):
            part = data[2 * first : 2 * (first + width)]
            whole = _WHOLE if width == count else 0.0
            found += [
                r._replace(weight=round(r.weight + whole, 2))
                for r in _read(kind, width, first, part)
            ]
    found += _texts(data)
    found += _clocks(data)
    return sorted(found, key=lambda r: (-r.weight, r.registers, r.type, r.order))


def _read(kind: str, width: int, first: int, part: bytes) -> Iterator[Reading]:
    where = str(first) if width == 1 else f"{first}-{first + width - 1}"
    told: set[str] = set()
    for order in ORDERS if width > 1 else ("ABCD", "BADC"):
        ordered = arranged(part, order)
        shown = _value(kind, ordered)
        if shown is None:
            continue
        text, weight, number = shown
        if order != "ABCD":
            # The usual order first; the bytes of one register swapped is rare.
            weight -= {"CDAB": 0.1, "DCBA": 0.3, "BADC": 0.4}[order]
            if kind in _FLOATS and len(text.strip("-0.").replace(".", "")) > _SHORT:
                weight -= _CHANCE
        if text in told and kind != "float32":
            continue  # the same in another order says nothing new
        told.add(text)
        name = order if width > 1 else ("" if order == "ABCD" else "BA")
        yield Reading(where, kind, name, text, round(weight, 2), number)


def arranged(part: bytes, order: str) -> bytes:
    """The bytes in the order A, B, C, D: most significant first."""
    words = [part[i : i + 2] for i in range(0, len(part), 2)]
    if order in ("CDAB", "DCBA"):
        words.reverse()
    if order in ("BADC", "DCBA"):
        words = [word[::-1] for word in words]
    return b"".join(words)


def _value(kind: str, data: bytes) -> tuple[str, float, float | None] | None:
    if kind in _INTEGERS:
        number = struct.unpack(f">{_INTEGERS[kind]}", data)[0]
        return str(number), _integer(number, kind, data), float(number)
    if kind in _FLOATS:
        real = struct.unpack(f">{_FLOATS[kind]}", data)[0]
        text = f"{real:.7g}" if kind == "float32" else f"{real:.12g}"
        return (text, _float(real, data, text), real) if math.isfinite(real) else None
    if kind == "unix time":
        return _unix(int.from_bytes(data, "big"))
    return _digits(data)


def _unix(number: int) -> tuple[str, float, float] | None:
    if not _EARLIEST <= number < _LATEST:
        return None
    at = datetime.fromtimestamp(number, UTC)
    return f"{at:%Y-%m-%d %H:%M:%S}Z", 1.6, float(number)


def _digits(data: bytes) -> tuple[str, float, float] | None:
    digits = data.hex()
    if not digits.isdecimal() or not int(digits):
        return None
    # Bytes that are digits by chance are common where numbers are small.
    few = int(digits) < 10 ** (len(digits) // 2)
    likely = 0.5 + 0.25 * len(data)
    return str(int(digits)), 0.4 if few else likely, float(int(digits))


def _integer(number: int, kind: str, data: bytes) -> float:
    """Small numbers are likely; a type that is wider than needed is less so."""
    if kind.startswith("u") and number >> (8 * len(data) - 1):
        # The same bits as a small negative number say more.
        return 0.2 if number >> (8 * len(data) - 4) == 0xF else 0.6  # noqa: PLR2004
    if kind.startswith("int") and number >= 0:
        return 0.1  # the unsigned type says it already
    magnitude = abs(number)
    if len(data) == 2:  # noqa: PLR2004
        return 1.0 if magnitude else 0.9
    return _wide(number, magnitude, len(data))


def _wide(number: int, magnitude: int, width: int) -> float:
    """Whether the high word is used: else it is two registers, or a small counter."""
    if magnitude == 0:
        return 0.8
    if width > 4:  # noqa: PLR2004
        return 0.5 if 0xFFFF_FFFF < magnitude < 10**13 else 0.05  # noqa: PLR2004
    if number < 0 and magnitude <= 0x7FFF:  # noqa: PLR2004
        return 1.3  # its high word is all ones
    weight = 1.1 if magnitude < 50_000_000 else 0.3  # noqa: PLR2004
    return weight if magnitude > 0xFFFF else 0.95  # noqa: PLR2004


def _float(number: float, data: bytes, text: str) -> float:
    """Hardly any other bytes give a number between a thousandth and ten million."""
    if number == 0:
        return 0.7 if not any(data) else 0.0
    if not 1e-3 <= abs(number) <= 1e7:  # noqa: PLR2004
        return 0.3 if 1e-6 <= abs(number) <= 1e9 else -1.0  # noqa: PLR2004
    # 230.1 rather than 16384.79: a measured value is short, or fully used.
    short = len(text.strip("-").replace(".", "").strip("0")) <= 5  # noqa: PLR2004
    usual = 0.01 <= abs(number) <= 100_000  # noqa: PLR2004
    return 1.8 + 0.5 * short + 0.4 * usual


def _texts(data: bytes) -> Iterator[Reading]:
    """Runs of printable characters, bytes as they are or swapped in each register."""
    last = len(data) // 2 - 1
    ways: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
        ("", lambda raw: raw),
        ("BA", lambda raw: arranged(raw, "BADC")),
    )
    for order, way in ways:
        text = way(data).rstrip(b"\0 ")
        if len(text) >= 3 and all(byte in _PRINTABLE for byte in text):  # noqa: PLR2004
            letters = sum(chr(byte).isalnum() for byte in text) / len(text)
            words = text.decode("ascii")
            # Digits read on in both orders; letters after letters are a word.
            pairs = sum(a.isalpha() and b.isalpha() for a, b in pairwise(words))
            weight = 2.0 + letters
            known = all(_WORD.fullmatch(run) for run in _RUN.findall(words))
            if not known and any(_floats(data, turn) for turn in ORDERS):
                weight = _NO_WORD
            elif last == 1 and 0 not in data and _floats(data, "ABCD"):
                weight = _PERHAPS
            weight += 0.02 * pairs - (0.3 if order else 0.0)
            yield Reading(f"0-{last}", "text", order, repr(words), round(weight, 2))


def _floats(data: bytes, order: str) -> bool:
    """Whether each two registers are what a float32 in this order measured, or zero."""
    numbers = [
        struct.unpack(">f", arranged(data[at : at + 4], order))[0]
        for at in range(0, len(data) - 3, 4)
    ]
    usual = [0.01 <= abs(number) <= 100_000 for number in numbers]  # noqa: PLR2004
    return any(usual) and all(
        is_usual or number == 0 for is_usual, number in zip(usual, numbers, strict=True)
    )


def _clocks(data: bytes) -> Iterator[Reading]:
    """Calendar times: a register for each part, or two digits a byte (BCD)."""
    registers = [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]
    if len(registers) >= _CLOCK_REGISTERS:
        parts = registers[:_CLOCK_REGISTERS]
        if text := _moment(*parts):
            yield Reading("0-5", "Y M D h m s", "", text, 3.0)
    if len(registers) >= _CLOCK_BYTES:
        digits = data[:6].hex()
        if digits.isdecimal():
            pairs = [int(digits[i : i + 2]) for i in range(0, 12, 2)]
            if text := _moment(2000 + pairs[0], *pairs[1:]):
                yield Reading("0-2", "BCD YMDhms", "", text, 3.0)
        if text := _moment(2000 + data[0], *data[1:6]):
            yield Reading("0-2", "bytes YMDhms", "", text, 2.9)


def _moment(*parts: int) -> str:
    try:
        at = datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]
    except (ValueError, TypeError):
        return ""
    if not _EARLIEST <= at.timestamp() < _LATEST:
        return ""
    return f"{at:%Y-%m-%d %H:%M:%S}"
