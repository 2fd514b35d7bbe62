"""Durations and sizes as people write them: a number and its unit, never bare.

``500ms 1s 2.5s 10m 24h 7d`` and ``800B 64kB 512MB 2GB``, with ``KiB MiB GiB`` for
powers of 1024. SI prefixes are powers of 1000.
"""

from __future__ import annotations

import re
from fractions import Fraction

DURATION_UNITS: dict[str, Fraction] = {
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "min": Fraction(60),
    "h": Fraction(3600),
    "d": Fraction(86400),
}
SIZE_UNITS: dict[str, int] = {
    "B": 1,
    "kB": 1000,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "TB": 1000**4,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
}

_NUMBER_AND_UNIT = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?) ?([A-Za-z]*)\Z")


class UnitError(ValueError):
    """Text that is no number with a known unit.

    ``code`` says which: ``malformed``, ``missing_unit`` or ``unknown_unit``.
    """

    def __init__(self, message: str, code: str, unit: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.unit = unit


def parse_duration(text: str) -> float:
    """Seconds of a duration such as ``500ms``, ``1s``, ``10m`` or ``24h``.

    Raises:
        UnitError: No number, no unit or an unknown one.
    """
    number, unit = _split(text, DURATION_UNITS, "500ms")
    return float(number * DURATION_UNITS[unit])


def parse_size(text: str) -> int:
    """Bytes of a size such as ``512MB`` or ``64KiB``; a fraction of a byte is cut.

    Raises:
        UnitError: No number, no unit or an unknown one.
    """
    number, unit = _split(text, SIZE_UNITS, "512MB")
    return int(number * SIZE_UNITS[unit])


def format_duration(seconds: float) -> str:
    """A duration in the largest unit that needs no fraction, to the microsecond."""
    value = Fraction(round(seconds * 1_000_000), 1_000_000)
    for unit in ("d", "h", "m", "s"):
        if value >= DURATION_UNITS[unit] and value % DURATION_UNITS[unit] == 0:
            return f"{value // DURATION_UNITS[unit]}{unit}"
    unit, number = ("s", value) if value >= 1 else ("ms", value * 1000)
    return f"{float(number):.6f}".rstrip("0").rstrip(".") + unit


def format_size(size: int) -> str:
    """A size in the largest SI unit, three digits at most after the point."""
    for unit in ("TB", "GB", "MB", "kB"):
        if size >= SIZE_UNITS[unit]:
            return f"{size / SIZE_UNITS[unit]:.3f}".rstrip("0").rstrip(".") + unit
    return f"{size}B"


def _split(
    text: str, units: dict[str, Fraction] | dict[str, int], example: str
) -> tuple[Fraction, str]:
    match = _NUMBER_AND_UNIT.match(text.strip())
    if match is None:
        raise UnitError(
            f"expected a number with its unit such as {example}, found {text!r}",
            "malformed",
        )
    number, unit = match.groups()
    if not unit:
        raise UnitError(
            f"expected a unit such as in {example}, found the bare number {text!r}",
            "missing_unit",
        )
    if unit not in units:
        known = " ".join(units)
        raise UnitError(
            f"expected one of the units {known}, found {unit!r}", "unknown_unit", unit
        )
    return Fraction(number), unit
