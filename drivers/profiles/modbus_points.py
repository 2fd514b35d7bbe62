"""Modbus points as they are written: table, address, type, and what may be written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast, get_args

from drivers.profiles.address import (
    TABLE_DIGITS,
    AddressError,
    format_both,
    format_pdu,
    parse_address,
    propose,
)
from drivers.profiles.layouts import EXAMPLES, TEXT_LAYOUTS, layout_of
from drivers.profiles.loops import read_loop
from drivers.profiles.model import (
    REGISTERS,
    SHAPED,
    Encoding,
    ModbusPoint,
    PointType,
    Table,
    WordOrder,
)
from drivers.profiles.reading import Word, check_order, join, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drivers.profiles.document import Mark, Node
    from drivers.profiles.model import Point
    from drivers.profiles.reading import Report, Section

TABLES: tuple[str, ...] = get_args(Table)
TYPES: tuple[str, ...] = get_args(PointType)
WORD_ORDERS: tuple[str, ...] = get_args(WordOrder)
BIT_TABLES = ("coil", "discrete")
ENCODINGS: tuple[str, ...] = get_args(Encoding)
KEYS = (
    "table", "address", "type", "length", "layout", "encoding", "word_order", "bit",
    "loop", "not_available", "writable", "write_min", "write_max",
)  # fmt: skip

_LAST_REGISTER = 0xFFFF
_LONGEST_TEXT = 125
_ONLY_NUMBERS = (
    "scale", "offset", "decimals", "minimum", "maximum", "not_available", "writable",
    "loop", "unit",
)  # fmt: skip


def read_modbus(section: Section) -> dict[str, Any]:
    """The fields that only a Modbus point has; None where absent or wrong."""
    table, kind = _table_and_type(section)
    _check_bool(section, kind)
    shape = _shape(section, kind)
    width = 16 * REGISTERS[kind] if kind in REGISTERS else 64
    return {
        "table": table,
        "type": kind,
        "address": _address(section, table, kind, shape["length"]),
        **shape,
        "word_order": section.choice("word_order", WORD_ORDERS),
        "loop": read_loop(section, kind),
        "bit": _bit(section, table, kind),
        "not_available": _codes(section, "not_available", width),
        **_limits(section, table, kind),
    }


def needs_unit(section: Section) -> bool:
    """Whether a number without a unit would say nothing."""
    kind = section.get("type")
    return kind is not None and kind.value in REGISTERS and kind.value != "bool"


def widest_bit(section: Section) -> int:
    """The last bit that the point's type has."""
    kind = section.get("type")
    known = isinstance(kind.value, str) and kind.value in REGISTERS if kind else False
    return 16 * REGISTERS[str(kind.value)] - 1 if kind and known else 63


def report_overlaps(
    report: Report, points: Iterable[tuple[Point, Node | Mark]], path: str
) -> None:
    """Report every two points that claim the same registers or bits.

    Bits of a status word may be points beside the word itself; everything else that
    overlaps is a mistyped address or type.
    """
    placed = [(p, place) for p, place in points if isinstance(p, ModbusPoint)]
    ordered = sorted(placed, key=lambda item: (item[0].table, item[0].address))
    for index, (point, place) in enumerate(ordered):
        end = point.address + point.registers
        for other, other_place in ordered[index + 1 :]:
            if other.table != point.table or other.address >= end:
                break
            if point.name == other.name or _may_share(point, other):
                continue
            # The later one in the file is the one to look at first.
            first, second = sorted(
                ((point, place), (other, other_place)),
                key=lambda item: (item[1].line, item[1].column),
            )
            report.add(
                second[1],
                join(path, second[0].name),
                "overlap",
                where=format_both(other.address, other.table),
                other=first[0].name,
                place=f"{first[1].line}:{first[1].column}",
            )


def _may_share(one: ModbusPoint, two: ModbusPoint) -> bool:
    if one.bit is not None and two.bit is not None:
        return one.bit != two.bit
    whole = two if one.bit is not None else one
    bits = one if one.bit is not None else two
    return bits.bit is not None and "int" in whole.type


def _check_bool(section: Section, kind: PointType | None) -> None:
    """What only numbers have is not for bits, and names only for whole numbers."""
    if kind == "bool":
        for key in ("scale", "offset", "decimals"):
            if section.has(key):
                section.wrong(key, "scale_bool", key=key)
    integral = kind is None or "int" in kind
    for key in ("enum", "bits"):
        if section.has(key) and not integral:
            section.wrong(key, "only_integers", key=key, found=kind)


def _shape(section: Section, kind: PointType | None) -> dict[str, Any]:
    """What only texts and times say: how long they are, and how they are written."""
    length, layout, encoding = None, None, None
    shaped = {"text": ("length", "layout", "encoding"), "datetime": ("layout",)}
    for key in ("length", "layout", "encoding"):
        if section.has(key) and kind is not None and key not in shaped.get(kind, ()):
            section.wrong(key, "not_with_type", key=key, found=kind)
    if kind in SHAPED:
        for key in _ONLY_NUMBERS:
            if section.has(key):
                section.wrong(key, "not_with_type", key=key, found=kind)
    if kind == "text":
        length = section.integer("length", 1, _LONGEST_TEXT, required=True)
        layout = section.choice("layout", TEXT_LAYOUTS) or TEXT_LAYOUTS[0]
        encoding = section.choice("encoding", ENCODINGS)
        if section.has("word_order"):
            section.wrong("word_order", "not_with_type", key="word_order", found=kind)
    elif kind == "datetime":
        layout = section.text("layout", required=True)
        known = layout_of(layout) if layout is not None else None
        if layout is not None and known is None:
            section.wrong("layout", "layout", found=layout, forms=", ".join(EXAMPLES))
        length = known.registers if known else None
    return {"length": length, "layout": layout, "encoding": encoding}


def _table_and_type(section: Section) -> tuple[Table | None, PointType | None]:
    table = section.choice("table", TABLES, required=True)
    in_bits = table in BIT_TABLES
    kind = section.choice("type", TYPES, required=not in_bits)
    if in_bits:
        if kind is not None and kind != "bool":
            section.wrong("type", "type_in_bits", table=table, found=kind, meant="bool")
        kind = kind if section.has("type") else "bool"
    return cast("Table | None", table), cast("PointType | None", kind)


def _address(
    section: Section, table: Table | None, kind: PointType | None, length: int | None
) -> int | None:
    node = section.get("address", required=True)
    if node is None:
        return None
    digit = TABLE_DIGITS[table or "holding"]
    reference = f"{digit}x:N"
    if not isinstance(node.value, str):
        meant = propose(node.text, table or "holding")
        section.wrong(
            "address",
            "address_notation",
            reference=reference,
            found=shown(node),
            meant=meant,
        )
        return None
    try:
        address = parse_address(node.value, table or "holding")
    except AddressError as exc:
        if table is None:
            return None
        section.wrong(
            "address",
            f"address_{exc.code}",
            reference=reference,
            table=table,
            found=node.value,
            meant=exc.hint,
        )
        return None
    count = length or (REGISTERS.get(kind, 1) if kind else 1)
    if address + count - 1 > _LAST_REGISTER:
        section.wrong("address", "address_end", count=count, first=format_pdu(address))
        return None
    return address


def _bit(section: Section, table: Table | None, kind: PointType | None) -> int | None:
    bit = section.integer("bit", 0, 15)
    if table is None or kind is None:
        return bit
    registers = table not in BIT_TABLES
    if kind == "bool" and registers and not section.has("bit"):
        section.report.add(section.node, section.path, "bit_missing", table=table)
    elif section.has("bit") and (kind != "bool" or not registers):
        found = kind if registers else f"{kind}, table {table}"
        section.wrong("bit", "bit_not_bool", found=found)
    return bit


def _codes(section: Section, key: str, width: int) -> tuple[int, ...] | None:
    """Raw codes as unsigned numbers: -32768 in 16 bits is 0x8000."""
    if not section.has(key):
        return None
    codes: list[int] = []
    for node in section.items(key):
        if type(node.value) is not int:
            section.report.add(
                node,
                section.path_of(key),
                "type",
                expected=Word("int"),
                found=shown(node),
            )
        elif not -(1 << (width - 1)) <= node.value < 1 << width:
            section.report.add(
                node,
                section.path_of(key),
                "range",
                low=-(1 << (width - 1)),
                high=(1 << width) - 1,
                found=node.text,
            )
        else:
            codes.append(node.value & ((1 << width) - 1))
    return tuple(codes)


def _limits(
    section: Section, table: Table | None, kind: PointType | None
) -> dict[str, Any]:
    values: dict[str, Any] = {
        key: section.number(key) for key in ("write_min", "write_max")
    }
    writable = section.boolean("writable")
    check_order(section, "write_min", "write_max", values)
    limits = [key for key in ("write_min", "write_max") if section.has(key)]
    if writable and table is not None and table not in ("coil", "holding"):
        section.wrong("writable", "not_writable_table", found=table)
    elif writable and kind not in (None, "bool") and len(limits) < 2:  # noqa: PLR2004
        found = ", ".join(limits) or Word("null")
        section.wrong("writable", "write_limits", found=found)
    elif not writable:
        for key in limits:
            section.wrong(key, "limits_not_writable", key=key)
    return {**values, "writable": writable}
