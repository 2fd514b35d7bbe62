"""Benchmark devices: registers that say what they are, how old, and which answer.

Registers, in holding and input table alike, are uint32 pairs (``ABCD``) in a pattern of
three that repeats every six registers:

    address % 6 == 0   milliseconds since the shared start, at the request's end
    address % 6 == 2   identity: unit << 16 | address
    address % 6 == 4   counter: how many requests this unit has answered

All pairs of one reply are taken at one instant. So from a payload alone follow: a wrong
point (identity), a stale value (milliseconds), a lost or repeated answer (counter).

A point is named by its address, ``r0``, ``r2``, ``r4`` ...; a device by a name that
ends with its unit id, ``bench-7``. :func:`check` judges one value by these names alone.
The shared start is an instant of ``time.monotonic_ns()`` given to every process.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from simulators.wire import BIT_TABLES, ILLEGAL_ADDRESS, ILLEGAL_FUNCTION, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Kind = Literal["age", "identity", "counter"]
KINDS: tuple[Kind, Kind, Kind] = ("age", "identity", "counter")

SPARE_REGISTERS = 32
"""Readable room behind the last point: planners may read a register more."""

_GROUP_BYTES = 12
_POINT = re.compile(r"r(\d+)$")
_UNIT = re.compile(r"(\d+)$")


def point_names(points: int) -> list[str]:
    """``r0``, ``r2``, ...: one name for each of the unit's points."""
    return [f"r{2 * i}" for i in range(points)]


def site_points(points: int, table: str = "holding") -> list[dict[str, str]]:
    """The points as a site file writes them."""
    return [
        {"name": f"r{2 * i}", "table": table, "address": f"pdu:{2 * i}"}
        | {"type": "uint32", "word_order": "ABCD", "unit": "1"}
        for i in range(points)
    ]


def kind_of(address: int) -> Kind:
    """What the pair at an even address holds."""
    return KINDS[address // 2 % 3]


def identity(unit: int, address: int) -> int:
    """What an identity pair holds."""
    return unit << 16 | address


def address_of(point: str) -> int | None:
    """The address behind a point's name; None where it is no benchmark point."""
    found = _POINT.fullmatch(point)
    return int(found[1]) if found else None


def unit_of(device: str) -> int | None:
    """The unit id at the end of a device's name."""
    found = _UNIT.search(device)
    return int(found[1]) if found else None


def check(device: str, point: str, value: object) -> str | None:
    """What is wrong with one delivered value, by the names alone.

    Returns:
        None when nothing is; else a sentence. Only identity points can be wrong by
        themselves: age and counter are judged with their neighbours by
        :func:`check_scan`.
    """
    unit, address = unit_of(device), address_of(point)
    if unit is None or address is None:
        return f"{device}.{point} is no benchmark point"
    if not isinstance(value, int) or isinstance(value, bool):
        return f"{device}.{point}: expected an integer, got {value!r}"
    if kind_of(address) != "identity" or value == identity(unit, address):
        return None
    return (
        f"{device}.{point}: holds the identity of unit {value >> 16},"
        f" address {value & 0xFFFF}"
    )


def check_scan(
    device: str, values: Mapping[str, object], *, older_than_ms: float | None = None
) -> list[str]:
    """What is wrong with the values of one scan.

    Args:
        device: Its name; ends with the unit id.
        values: Point -> value, as delivered. Other points than ``rN`` are ignored.
        older_than_ms: Milliseconds since the shared start; an age below it is stale.

    Returns:
        One sentence for each wrong value; empty when all is right.
    """
    wrong = []
    for point, value in values.items():
        address = address_of(point)
        if address is None:
            continue
        if error := check(device, point, value):
            wrong.append(error)
        elif (
            older_than_ms is not None
            and kind_of(address) == "age"
            and isinstance(value, int)
            and value < older_than_ms
        ):
            wrong.append(
                f"{device}.{point}: {older_than_ms - value:.0f} ms older than allowed"
            )
    return wrong


class BenchUnit:
    """A benchmark device; see the module.

    Args:
        number: Unit id.
        points: How many uint32 points it offers, from address 0 on.
        now_ms: Milliseconds since the shared start.
    """

    def __init__(self, number: int, points: int, now_ms: Callable[[], int]) -> None:
        self.number = number
        self.points = points
        self._now_ms = now_ms
        self.limit = 2 * points + SPARE_REGISTERS
        self.counter = 0
        groups = -(-self.limit // 6)
        self._identities = [
            identity(number, 6 * k + 2).to_bytes(4, "big") for k in range(groups)
        ]

    def read(self, table: str, address: int, count: int, *, aside: bool) -> bytes:
        """The pattern, cut to what was asked; counts unless ``aside``."""
        if table in BIT_TABLES:
            raise RefusedError(ILLEGAL_FUNCTION)
        if address + count > self.limit:
            raise RefusedError(ILLEGAL_ADDRESS)
        if not aside:
            self.counter = self.counter + 1 & 0xFFFFFFFF
        age = (self._now_ms() & 0xFFFFFFFF).to_bytes(4, "big")
        counter = self.counter.to_bytes(4, "big")
        first, last = address // 6, (address + count - 1) // 6
        body = (counter + age).join(self._identities[first : last + 1])
        start = 2 * address - _GROUP_BYTES * first
        return (age + body + counter)[start : start + 2 * count]

    def write(self, table: str, address: int, values: tuple[int, ...]) -> None:
        """A benchmark device takes nothing."""
        raise RefusedError(ILLEGAL_FUNCTION)

    def mark(self) -> int:
        """The counter."""
        return self.counter

    def span(self, table: str) -> tuple[int, int]:
        """All of it, in both register tables."""
        return (0, 0) if table in BIT_TABLES else (0, self.limit)
