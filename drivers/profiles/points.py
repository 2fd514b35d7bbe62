"""Points as they are written, in a profile or in a site file, turned into ``Point``.

One reader for both places, so that a device can be tried inline and then moved into a
profile as it stands. What every point has is read here; where it is found on the wire
is read by the module of its protocol (``KINDS``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from drivers.profiles import (
    ascii_points,
    dlt645_points,
    gnss_points,
    gpio_points,
    hj212_points,
    modbus_points,
)
from drivers.profiles.model import ModbusPoint, Point, Protocol
from drivers.profiles.reading import Report, Section, Word, check_order, join, shown
from drivers.profiles.watches import read_contact, read_counter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from drivers.profiles.document import Node

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}\Z")

KEYS = (
    "name", "scale", "offset", "unit", "decimals", "enum", "bits", "minimum",
    "maximum", "every", "label", "code", "contact", "counter",
)  # fmt: skip
"""What any point may say."""


class Kind(NamedTuple):
    """How points of one protocol are read."""

    struct: type[Point]
    keys: tuple[str, ...]
    """Beside ``KEYS``."""
    read: Callable[[Section], dict[str, Any]]
    """Fields of the struct that only this protocol has; those that are None or absent
    keep their defaults. Reports what is wrong."""
    needs_unit: Callable[[Section], bool] = lambda _section: False
    """Whether ``unit`` must be said; else it is "1", or the protocol knows better and
    ``read`` gives it."""
    widest_bit: Callable[[Section], int] = lambda _section: 63


KINDS: Mapping[Protocol, Kind] = {
    "modbus": Kind(
        ModbusPoint,
        modbus_points.KEYS,
        modbus_points.read_modbus,
        modbus_points.needs_unit,
        modbus_points.widest_bit,
    ),
    "dlt645": Kind(
        dlt645_points.Dlt645Point,
        dlt645_points.KEYS,
        dlt645_points.read_dlt645,
        widest_bit=dlt645_points.widest_bit,
    ),
    "gnss": Kind(gnss_points.GnssPoint, gnss_points.KEYS, gnss_points.read_gnss),
    "ascii": Kind(
        ascii_points.AsciiPoint,
        ascii_points.KEYS,
        ascii_points.read_ascii,
        ascii_points.needs_unit,
        ascii_points.widest_bit,
    ),
    "hj212": Kind(
        hj212_points.Hj212Point,
        hj212_points.KEYS,
        hj212_points.read_hj212,
        hj212_points.needs_unit,
    ),
    "gpio": Kind(
        gpio_points.GpioPoint,
        gpio_points.KEYS,
        gpio_points.read_gpio,
        gpio_points.needs_unit,
    ),
}

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


def point_from_node(
    report: Report, node: Node, path: str, protocol: Protocol = "modbus"
) -> Point | None:
    """Read one point.

    Args:
        report: Takes everything that is wrong.
        node: A mapping with the keys of ``KEYS`` and of its protocol.
        path: Where it stands; the point's name takes the place of its number once read.
        protocol: What the device speaks.

    Returns:
        The point, or None when anything but a warning was wrong with it.
    """
    before = len(report.problems)
    kind = KINDS[protocol]
    name = node.get("name")
    if name is not None and isinstance(name.value, str):
        path = join(path.rpartition("[")[0] or path, name.value)
    if _of_another(report, node, path, protocol):
        return None
    section = Section.open(report, node, path, (*kind.keys, *KEYS))
    if section is None:
        return None
    fields = {
        "name": read_name(section, "name"),
        **_common(section, kind),
        **{
            key: value for key, value in kind.read(section).items() if value is not None
        },
    }
    if any(not problem.warning for problem in report.problems[before:]):
        return None
    point = kind.struct(
        **{key: value for key, value in fields.items() if value is not None}
    )
    watched = point.contact is not None and isinstance(point.contact.normal, bool)
    if watched and point.unit not in ("", "1"):
        section.wrong("contact", "contact_number", found=point.unit)
        return None
    return point


def _of_another(report: Report, node: Node, path: str, protocol: Protocol) -> bool:
    """Say so once where a point is written as another protocol's are."""
    if node.kind != "map":
        return False
    own = KINDS[protocol].keys
    written = [key for key, _ in node.items()]
    if any(key in own for key in written):
        return False  # at most a slip or two, each reported where it stands
    for key in written:
        others = [name for name, kind in KINDS.items() if key in kind.keys]
        if others:
            report.add(
                node.key_marks[key],
                join(path, key),
                "other_protocol",
                found=key,
                others=", ".join(others),
                protocol=protocol,
                keys=", ".join(own),
            )
            return True
    return False


def points_from_list(
    report: Report, nodes: Sequence[Node], path: str, protocol: Protocol = "modbus"
) -> list[tuple[Point, Node]]:
    """Read a list of points; names given twice are reported.

    Overlaps are not: a site's points may replace a profile's first, see
    ``modbus_points.report_overlaps``.
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
        point = point_from_node(report, node, f"{path}[{index}]", protocol)
        if point is not None:
            read.append((point, node))
    return read


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


def _common(section: Section, kind: Kind) -> dict[str, Any]:
    scale = section.fraction("scale")
    if scale == 0:
        section.wrong("scale", "scale_zero")
    limits = {key: section.number(key) for key in ("minimum", "maximum")}
    check_order(section, "minimum", "maximum", limits)
    last = kind.widest_bit(section)
    return {
        "scale": scale,
        "offset": section.fraction("offset"),
        "unit": _unit(section, required=kind.needs_unit(section)),
        "decimals": section.integer("decimals", 0, 9),
        "enum": _named_numbers(section, "enum", -(1 << 63), (1 << 64) - 1),
        "bits": _named_numbers(section, "bits", 0, last),
        **limits,
        "every_s": section.duration("every", 0.01, 86400.0),
        "label": labels(section, "label"),
        "code": section.text("code"),
        "contact": read_contact(section),
        "counter": read_counter(section, scale),
    }


def _unit(section: Section, *, required: bool) -> str | None:
    unit = section.text("unit")
    if unit is None and not section.has("unit"):
        if required and not section.has("enum") and not section.has("bits"):
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
