"""What stands behind a unit id: registers that can be read and perhaps written."""

from __future__ import annotations

from typing import Protocol

from simulators.wire import (
    BIT_TABLES,
    ILLEGAL_ADDRESS,
    READS,
    WRITES,
    RefusedError,
    Request,
    exception_pdu,
    pack_bits,
    read_pdu,
    write_pdu,
)

_ADDRESSES = 0x10000


class Unit(Protocol):
    """One device, as its registers."""

    number: int

    def read(self, table: str, address: int, count: int, *, aside: bool) -> bytes:
        """Registers (big-endian) or bits (packed) as they are at this instant.

        Args:
            table: coil, discrete, holding or input.
            address: Zero-based.
            count: Registers or bits.
            aside: The reply is made up by the fault switchboard: count nothing.

        Raises:
            RefusedError: The device has no such address.
        """
        ...

    def write(self, table: str, address: int, values: tuple[int, ...]) -> None:
        """Take the values.

        Raises:
            RefusedError: The device refuses them.
        """
        ...

    def mark(self) -> int:
        """What the birth log notes of the last read; a counter where there is one."""
        ...

    def span(self, table: str) -> tuple[int, int]:
        """First address of a table, and the one behind its last; equal: no table."""
        ...


def answer(unit: Unit, request: Request) -> bytes:
    """The reply PDU of a healthy device: data, or an exception it has reason for."""
    if request.address + request.count > _ADDRESSES:
        return exception_pdu(request.function, ILLEGAL_ADDRESS)
    try:
        if request.function in WRITES:
            unit.write(WRITES[request.function], request.address, request.values)
            return write_pdu(request)
        data = unit.read(
            READS[request.function], request.address, request.count, aside=False
        )
    except RefusedError as exc:
        return exception_pdu(request.function, exc.code)
    return read_pdu(request.function, data)


class MapUnit:
    """A unit whose registers are a table that a test fills by hand.

    Args:
        number: Unit id.
        words: (table, address) -> register (0..65535) or bit (0, 1).
    """

    def __init__(self, number: int, words: dict[tuple[str, int], int] | None) -> None:
        self.number = number
        self.words = words or {}
        self.writes: list[tuple[str, int, tuple[int, ...]]] = []
        self._reads = 0

    def read(self, table: str, address: int, count: int, *, aside: bool) -> bytes:
        """Exactly what the table holds; an address it does not hold is refused."""
        self._reads += not aside
        found = [self.words.get((table, a)) for a in range(address, address + count)]
        values = [value for value in found if value is not None]
        if len(values) < count:
            raise RefusedError(ILLEGAL_ADDRESS)
        if table in BIT_TABLES:
            return pack_bits(values)
        return b"".join(value.to_bytes(2, "big") for value in values)

    def write(self, table: str, address: int, values: tuple[int, ...]) -> None:
        """Kept, and noted in ``writes``."""
        if any((table, address + i) not in self.words for i in range(len(values))):
            raise RefusedError(ILLEGAL_ADDRESS)
        self.writes.append((table, address, values))
        for i, value in enumerate(values):
            self.words[table, address + i] = value

    def mark(self) -> int:
        """How many reads there were."""
        return self._reads

    def span(self, table: str) -> tuple[int, int]:
        """Around all that the table holds."""
        held = [address for name, address in self.words if name == table]
        return (min(held), max(held) + 1) if held else (0, 0)


class Holey:
    """A unit some of whose addresses are refused with exception 2."""

    def __init__(self, unit: Unit, holes: set[int]) -> None:
        self._unit = unit
        self.number = unit.number
        self.holes = holes

    def read(self, table: str, address: int, count: int, *, aside: bool) -> bytes:
        """Refused as a whole when it touches a hole, as real devices do."""
        self._check(address, count)
        return self._unit.read(table, address, count, aside=aside)

    def write(self, table: str, address: int, values: tuple[int, ...]) -> None:
        """Refused on a hole."""
        self._check(address, len(values))
        self._unit.write(table, address, values)

    def mark(self) -> int:
        """The inner unit's."""
        return self._unit.mark()

    def span(self, table: str) -> tuple[int, int]:
        """The inner unit's."""
        return self._unit.span(table)

    def _check(self, address: int, count: int) -> None:
        if not self.holes.isdisjoint(range(address, address + count)):
            raise RefusedError(ILLEGAL_ADDRESS)
