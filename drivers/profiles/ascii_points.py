"""ASCII points as they are written: which field of which message, and in which unit."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast, get_args

import msgspec

from drivers.profiles.dialogue import Written
from drivers.profiles.model import Point
from drivers.profiles.reading import Word, join, shown

if TYPE_CHECKING:
    from drivers.profiles.document import Node
    from drivers.profiles.reading import Section

KEYS = (
    "ask", "field", "written", "mask", "units", "unit_field", "unit_mask", "times",
    "invalid", "status",
)  # fmt: skip
WRITTEN: tuple[str, ...] = get_args(Written)
FIELDS_MOST = 8
_WIDEST_MASK = 0xFFFF_FFFF


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """A factor that another field chooses: where the decimal point is, or the sign."""

    field: str
    written: Written = "text"
    mask: int = 0
    by: dict[str, Fraction]
    """What stands there -> factor; anything else makes the value BAD."""


class AsciiPoint(Point, frozen=True, kw_only=True):
    """A field of a message."""

    ask: str = ""
    """Of the dialogue; empty: its only one."""
    field: str
    """A column's number or header, a key, a pattern's name, or ``5-10``."""
    written: Written = "number"
    mask: int = 0
    """These bits alone: a value of one bit is a bool."""
    units: dict[str, str] = {}  # noqa: RUF012 msgspec copies it
    """What stands for a unit -> that unit, UCUM. None: there is none to look at."""
    unit_field: str = ""
    """Where it stands; empty: behind the number."""
    unit_mask: int = 0
    """Of a unit field that is a status character: these bits, as a number."""
    times: tuple[Times, ...] = ()
    invalid: tuple[str, ...] = ()
    """What stands for "no value", beside the dialogue's."""
    status: bool = True
    """Whether the message's status says if the value may be used."""

    @property
    def where(self) -> str:
        """The ask and the field."""
        return f"{self.ask}: {self.field}" if self.ask else self.field

    @property
    def form(self) -> str:
        """How it is written."""
        return self.written


def read_ascii(section: Section) -> dict[str, Any]:
    """The fields that only an ASCII point has; None where absent or wrong."""
    written = section.choice("written", WRITTEN)
    _check_text(section, written)
    return {
        "ask": section.text("ask"),
        "field": field_name(section, "field", required=True),
        "written": written,
        "mask": section.integer("mask", 1, _WIDEST_MASK),
        "units": _units(section),
        "unit_field": field_name(section, "unit_field"),
        "unit_mask": section.integer("unit_mask", 1, 0xFF),
        "times": _times(section),
        "invalid": texts(section, "invalid"),
        "status": _heeded(section),
    }


def needs_unit(section: Section) -> bool:
    """Whether a number without a unit would say nothing."""
    written = section.get("written")
    number = written is None or written.value == "number"
    return number and not section.has("mask")


def widest_bit(section: Section) -> int:
    """The last bit that its raw value can have."""
    written = section.get("written")
    return 7 if written is not None and written.value == "byte" else 31


def field_name(section: Section, key: str, *, required: bool = False) -> str | None:
    """A field: a number and a word are the same here."""
    node = section.get(key, required=required)
    if node is None:
        return None
    if node.kind not in ("text", "int"):
        section.wrong(key, "type", expected=Word("text"), found=shown(node))
        return None
    return node.text


def texts(section: Section, key: str) -> tuple[str, ...] | None:
    """A list of texts; numbers among them are taken as they are written."""
    if not section.has(key):
        return None
    found = []
    for node in section.items(key):
        if node.kind in ("map", "list"):
            section.report.add(
                node,
                section.path_of(key),
                "type",
                expected=Word("text"),
                found=shown(node),
            )
        elif node.text.strip():
            found.append(node.text.strip())
    return tuple(found)


def _heeded(section: Section) -> bool | None:
    said = section.choice("status", ("heeded", "ignored"))
    return None if said is None else said == "heeded"


def _check_text(section: Section, written: str | None) -> None:
    if written == "text":
        for key in ("scale", "offset", "decimals", "minimum", "maximum", "units"):
            if section.has(key):
                section.wrong(
                    key,
                    "not_of_text",
                    text="expected no {key} with written: text",
                    key=key,
                )


def _units(section: Section) -> dict[str, str] | None:
    if not section.has("units"):
        return None
    units: dict[str, str] = {}
    for name, node, _mark in section.entries("units"):
        if isinstance(node.value, str) and node.value.isascii():
            units[name] = node.value
        else:
            path = join(section.path_of("units"), name)
            section.report.add(node, path, "unit_ascii", found=shown(node), meant="")
    return units


def _times(section: Section) -> tuple[Times, ...] | None:
    if not section.has("times"):
        return None
    read = []
    for index, node in enumerate(section.items("times")):
        one = _one_times(section, node, f"{section.path_of('times')}[{index}]")
        if one is not None:
            read.append(one)
    return tuple(read)


def _one_times(section: Section, node: Node, path: str) -> Times | None:
    inner = section.open(section.report, node, path, ("field", "written", "mask", "by"))
    if inner is None:
        return None
    field = field_name(inner, "field", required=True)
    written = inner.choice("written", WRITTEN)
    mask = inner.integer("mask", 1, _WIDEST_MASK)
    by: dict[str, Fraction] = {}
    inner.get("by", required=True)
    for name, value, _mark in inner.entries("by"):
        if value.kind in ("int", "float"):
            by[name] = Fraction(value.text.removesuffix("."))
        else:
            inner.report.add(
                value,
                join(inner.path_of("by"), name),
                "type",
                expected=Word("float"),
                found=shown(value),
            )
    if field is None or not by:
        return None
    return Times(
        field=field,
        written=cast("Written", written or ("byte" if mask else "text")),
        mask=mask or 0,
        by=by,
    )
