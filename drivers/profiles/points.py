"""Points as they are written, in a profile or in a site file, turned into ``Point``.

One reader for both places, so that a device can be tried inline and then moved into a
profile as it stands.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast, get_args

from drivers.profiles.address import (
    TABLE_DIGITS,
    AddressError,
    format_both,
    format_pdu,
    parse_address,
    propose,
)
from drivers.profiles.model import REGISTERS, Point, PointType, Table, WordOrder
from drivers.profiles.reading import Report, Section, Word, join, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from drivers.profiles.document import Mark, Node

TABLES: tuple[str, ...] = get_args(Table)
TYPES: tuple[str, ...] = get_args(PointType)
WORD_ORDERS: tuple[str, ...] = get_args(WordOrder)
BIT_TABLES = ("coil", "discrete")
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}\Z")

KEYS = (
    "name",
    "table",
    "address",
    "type",
    "word_order",
    "bit",
    "scale",
    "offset",
    "unit",
    "decimals",
    "not_available",
    "enum",
    "bits",
    "minimum",
    "maximum",
    "writable",
    "write_min",
    "write_max",
    "every",
    "label",
    "code",
)

_LAST_REGISTER = 0xFFFF
_ASCII = {
    "°C": "Cel",
    "℃": "Cel",
    "³": "3",
    "²": "2",
    "µ": "u",
    "μ": "u",
    "Ω": "Ohm",
    "°": "deg",
    "·": ".",
}


def point_from_node(report: Report, node: Node, path: str) -> Point | None:
    """Read one point.

    Args:
        report: Takes everything that is wrong.
        node: A mapping with the keys of ``KEYS``.
        path: Where it stands; the point's name takes the place of its number once read.

    Returns:
        The point, or None when anything but a warning was wrong with it.
    """
    before = len(report.problems)
    name = node.get("name")
    if name is not None and isinstance(name.value, str):
        path = join(path.rpartition("[")[0] or path, name.value)
    section = Section.open(report, node, path, KEYS)
    if section is None:
        return None
    table, kind = _table_and_type(section)
    point = {
        "name": read_name(section, "name"),
        "table": table,
        "type": kind,
        "address": _address(section, table, kind),
        "word_order": section.choice("word_order", WORD_ORDERS),
        "bit": _bit(section, table, kind),
        **_number_keys(section, kind),
        **_limits(section, table, kind),
        "every_s": section.duration("every", 0.01, 86400.0),
        "label": labels(section, "label"),
        "code": section.text("code"),
    }
    if any(not problem.warning for problem in report.problems[before:]):
        return None
    return Point(**{key: value for key, value in point.items() if value is not None})


def points_from_list(
    report: Report, nodes: Sequence[Node], path: str
) -> list[tuple[Point, Node]]:
    """Read a list of points; names given twice are reported.

    Overlaps are not: a site's points may replace a profile's first, see
    ``report_overlaps``.
    """
    read: list[tuple[Point, Node]] = []
    seen: dict[str, Node] = {}
    for index, node in enumerate(nodes):
        name = node.get("name")
        if name is not None and isinstance(name.value, str):
            first = seen.setdefault(name.value, name)
            if first is not name:
                report.add(
                    name,
                    join(path, name.value),
                    "duplicate_name",
                    found=name.value,
                    first=f"{first.line}:{first.column}",
                )
        point = point_from_node(report, node, f"{path}[{index}]")
        if point is not None:
            read.append((point, node))
    return read


def report_overlaps(
    report: Report, points: Iterable[tuple[Point, Node | Mark]], path: str
) -> None:
    """Report every two points that claim the same registers or bits.

    Bits of a status word may be points beside the word itself; everything else that
    overlaps is a mistyped address or type.
    """
    ordered = sorted(points, key=lambda item: (item[0].table, item[0].address))
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


def read_name(section: Section, key: str) -> str | None:
    """A required name that fits topics, paths and JSON keys."""
    name = section.text(key, required=True)
    if name is not None and not NAME.match(name):
        section.wrong(key, "name", found=name)
        return None
    return name


def labels(section: Section, key: str) -> dict[str, str] | None:
    """A text in one or both languages: ``{zh: …, en: …}``."""
    node = section.get(key)
    if node is None:
        return None
    inner = Section.open(section.report, node, section.path_of(key), ("zh", "en"))
    if inner is None:
        return None
    texts = {code: inner.text(code) for code in ("zh", "en") if inner.has(code)}
    return {code: text for code, text in texts.items() if text is not None}


def _may_share(one: Point, two: Point) -> bool:
    if one.bit is not None and two.bit is not None:
        return one.bit != two.bit
    whole = two if one.bit is not None else one
    bits = one if one.bit is not None else two
    return bits.bit is not None and "int" in whole.type


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
    section: Section, table: Table | None, kind: PointType | None
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
    count = REGISTERS[kind] if kind else 1
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


def _number_keys(section: Section, kind: PointType | None) -> dict[str, Any]:
    scale = section.fraction("scale")
    offset = section.fraction("offset")
    if scale == 0:
        section.wrong("scale", "scale_zero")
    if kind == "bool":
        for key in ("scale", "offset", "decimals"):
            if section.has(key):
                section.wrong(key, "scale_bool", key=key)
    integral = kind is None or "int" in kind
    for key in ("enum", "bits"):
        if section.has(key) and not integral:
            section.wrong(key, "only_integers", key=key, found=kind)
    width = 16 * REGISTERS[kind] if kind else 64
    return {
        "scale": scale,
        "offset": offset,
        "unit": _unit(section, kind),
        "decimals": section.integer("decimals", 0, 9),
        "not_available": _codes(section, "not_available", width),
        "enum": _named_numbers(section, "enum", -(1 << 63), (1 << 64) - 1),
        "bits": _named_numbers(section, "bits", 0, width - 1),
    }


def _unit(section: Section, kind: PointType | None) -> str | None:
    unit = section.text("unit")
    if unit is None and not section.has("unit"):
        has_none = kind in (None, "bool") or section.has("enum") or section.has("bits")
        if not has_none:
            section.report.add(section.node, section.path, "unit_missing")
        return None
    if unit is not None and not unit.isascii():
        meant = unit
        for theirs, ours in _ASCII.items():
            meant = meant.replace(theirs, ours)
        section.wrong(
            "unit", "unit_ascii", found=unit, meant=meant if meant.isascii() else ""
        )
        return None
    return unit


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


def _named_numbers(
    section: Section, key: str, low: int, high: int
) -> dict[int, str] | None:
    """``{0: off, 1: on}``: numbers and what they are called."""
    if not section.has(key):
        return None
    named: dict[int, str] = {}
    for text, value, mark in section.entries(key):
        try:
            number = int(text, 0)
        except ValueError:
            section.report.add(
                mark,
                join(section.path_of(key), text),
                "type",
                expected=Word("int"),
                found=text,
            )
            continue
        if not low <= number <= high:
            section.report.add(
                mark,
                join(section.path_of(key), text),
                "range",
                low=low,
                high=high,
                found=text,
            )
            continue
        # `off`, `on`, `3` are names here as well as any other word.
        named[number] = value.text if value.kind not in ("map", "list") else ""
        if not named[number]:
            section.report.add(
                value,
                join(section.path_of(key), text),
                "type",
                expected=Word("text"),
                found=shown(value),
            )
    return named


def _limits(
    section: Section, table: Table | None, kind: PointType | None
) -> dict[str, Any]:
    values: dict[str, Any] = {
        key: section.number(key)
        for key in ("minimum", "maximum", "write_min", "write_max")
    }
    writable = section.boolean("writable")
    for low, high in (("minimum", "maximum"), ("write_min", "write_max")):
        if (
            values[low] is not None
            and values[high] is not None
            and values[low] > values[high]
        ):
            section.wrong(
                low,
                "order",
                low_key=low,
                high_key=high,
                low=section.at(low).text,
                high=section.at(high).text,
            )
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
