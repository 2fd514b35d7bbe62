"""Modbus addresses as makers print them, turned into what goes on the wire.

Two notations, always written out, because "register 100" means two things:

* ``pdu:100`` or ``pdu:0x2006``: the zero-based number in the request itself;
* ``4x:40101``: the maker's reference, table digit and a one-based number of five or six
  digits: ``0x`` coils, ``1x`` discrete inputs, ``3x`` input, ``4x`` holding registers.
  ``4x:40101``, ``4x:400101`` and ``4x:101`` are the same register, ``pdu:100``.

Source: MODBUS Application Protocol V1.1b3, 4.3 and 4.4 (a data numbered X is addressed
X-1); the table digits are Modicon's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivers.profiles.model import Table

TABLE_DIGITS: Mapping[Table, str] = {
    "coil": "0",
    "discrete": "1",
    "input": "3",
    "holding": "4",
}
_TABLES: dict[str, Table] = {digit: table for table, digit in TABLE_DIGITS.items()}
_ADDRESS = re.compile(r"(pdu|[0-9]x):(0x[0-9a-fA-F]{1,8}|[0-9]{1,8})\Z")
_LAST = 0xFFFF


class AddressError(ValueError):
    """An address that does not say, or wrongly says, where a point lives.

    ``code`` is one of ``notation``, ``table``, ``other_table``, ``range``; ``hint`` is
    a proposal in the right notation, or empty.
    """

    def __init__(self, message: str, code: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint


def parse_address(text: str, table: Table) -> int:
    """The zero-based wire address, 0..65535.

    Args:
        text: ``pdu:N``, ``pdu:0xN`` or a reference such as ``4x:40101``.
        table: Where the point lives; a reference of another table is refused.

    Raises:
        AddressError: The notation is missing or unknown, the table digit contradicts
            ``table``, or the number is out of range.
    """
    match = _ADDRESS.match(text.strip().lower())
    if match is None:
        hint = propose(text.strip(), table)
        digit = TABLE_DIGITS[table]
        raise AddressError(
            f"expected pdu:N or {digit}x:N, found {text!r}", "notation", hint
        )
    notation, number = match.groups()
    if notation == "pdu":
        return _in_range(int(number, 0), 0, text)
    if number.startswith("0x"):
        raise AddressError(
            f"expected a decimal number after {notation}:, found {text!r}",
            "notation",
            f"pdu:{number}",
        )
    named = _TABLES.get(notation[0])
    if named is None:
        known = ", ".join(f"{d}x" for d in _TABLES)
        raise AddressError(f"expected one of {known}, found {notation!r}", "table")
    if named != table:
        raise AddressError(
            f"expected an address of table {table} ({TABLE_DIGITS[table]}x), "
            f"found {text!r} of table {named}",
            "other_table",
        )
    return _in_range(_reference(number, notation[0], text), 1, text)


def propose(number: str, table: Table) -> str:
    """What a bare number most likely is in one of the two notations, or empty.

    Five or six digits that begin with the table's own come from a maker's list.
    """
    if not (number.isascii() and number.isdigit()):
        return ""
    digit = TABLE_DIGITS[table]
    listed = len(number) in (5, 6) and number[0] == digit
    return f"{digit}x:{number}" if listed else f"pdu:{number}"


def format_pdu(address: int) -> str:
    """``pdu:100``: the notation of the wire."""
    return f"pdu:{address}"


def format_reference(address: int, table: Table) -> str:
    """``4x:40101``: the notation of makers' lists, six digits where five do not do."""
    digit = TABLE_DIGITS[table]
    width = 4 if address + 1 <= 9999 else 5  # noqa: PLR2004 - five-digit references end there
    return f"{digit}x:{digit}{address + 1:0{width}d}"


def format_both(address: int, table: Table) -> str:
    """Both notations side by side, as every list for people shows them."""
    return f"{format_pdu(address)} ({format_reference(address, table)})"


def _reference(number: str, digit: str, text: str) -> int:
    """The one-based number behind a reference, its table digit taken off."""
    if len(number) <= 4:  # noqa: PLR2004 - too short to hold a table digit
        return int(number)
    if len(number) > 6:  # noqa: PLR2004
        raise AddressError(f"expected at most six digits, found {text!r}", "range")
    if number[0] != digit:
        raise AddressError(
            f"expected a number that begins with {digit}, found {text!r}", "notation"
        )
    return int(number[1:])


def _in_range(number: int, first: int, text: str) -> int:
    if not first <= number <= _LAST + first:
        raise AddressError(
            f"expected {first} to {_LAST + first}, found {number} in {text!r}", "range"
        )
    return number - first
