"""What tells one device model from all others: the ``fingerprint`` of a profile.

Facts a maker promises, beside the points themselves: a constant in a register, a model
name as text, an address the device refuses. ``ecogate find`` weighs them.

    fingerprint:
      - {table: holding, address: "pdu:0x0B00", equals: [485]}
      - {table: holding, address: "pdu:0x0000", count: 4, text: ADW300}
      - {table: holding, address: "pdu:0x0100", minimum: 1, maximum: 247}
      - {table: input, address: "pdu:0", refused: true}
      - {di: "0400040B", text: DTZY}           # DL/T 645
      - {identity: Eastron}                    # functions 17 and 43, where asked
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec

from drivers.profiles.address import AddressError, parse_address
from drivers.profiles.reading import Section, Word, shown

if TYPE_CHECKING:
    from drivers.profiles.reading import Report

KEYS = (
    "table", "address", "count", "di", "identity", "equals", "minimum", "maximum",
    "text", "refused",
)  # fmt: skip
TABLES = ("holding", "input")
_MOST_REGISTERS = 32


class Trait(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is so on this model and hardly on another."""

    table: Literal["holding", "input"] | None = None
    address: int = 0
    count: int = 1
    """Registers."""
    di: str = ""
    identity: str = ""
    """Part of what the device calls itself; letters large or small."""
    equals: tuple[int, ...] = ()
    """Any of these, as one unsigned number of ``count`` registers, ABCD."""
    minimum: int | None = None
    maximum: int | None = None
    text: str = ""
    """Part of the registers (or of the item) read as ASCII."""
    refused: bool = False
    """The device answers exception 2 (or 1) here."""


def read_fingerprint(section: Section) -> tuple[Trait, ...]:
    """The traits of a profile; what is wrong is reported."""
    traits = []
    for index, node in enumerate(section.items("fingerprint")):
        inner = Section.open(section.report, node, f"fingerprint[{index}]", KEYS)
        fields = _fields(inner) if inner is not None else None
        if fields is not None:
            traits.append(Trait(**fields))
    return tuple(traits)


def _fields(section: Section) -> dict[str, Any] | None:
    before = len(section.report.problems)
    table = cast("Literal['holding', 'input'] | None", section.choice("table", TABLES))
    di, identity = section.text("di"), section.text("identity")
    ways = [name for name in ("table", "di", "identity") if section.has(name)]
    if len(ways) != 1:
        _one_of(section, "table, di, identity")
    fields = {
        "table": table,
        "address": _address(section, table) if table else None,
        "count": section.integer("count", 1, _MOST_REGISTERS),
        "di": di,
        "identity": identity,
        "equals": _numbers(section.report, section),
        "minimum": section.integer("minimum", 0, (1 << 64) - 1),
        "maximum": section.integer("maximum", 0, (1 << 64) - 1),
        "text": section.text("text"),
        "refused": section.boolean("refused"),
    }
    expects = ("equals", "minimum", "maximum", "text", "refused")
    if not identity and not any(section.has(name) for name in expects):
        _one_of(section, ", ".join(expects))
    if len(section.report.problems) > before:
        return None
    return {key: value for key, value in fields.items() if value is not None}


def _one_of(section: Section, choices: str) -> None:
    section.report.add(
        section.node,
        section.path,
        "fingerprint_says",
        text=f"expected one of {choices}, found none or several",
        choices=choices,
    )


def _address(section: Section, table: Literal["holding", "input"]) -> int | None:
    text = section.text("address", required=True)
    if text is None:
        return None
    try:
        return parse_address(text, table)
    except AddressError as exc:
        section.wrong(
            "address",
            f"address_{exc.code}",
            reference="4x:N" if table == "holding" else "3x:N",
            table=table,
            found=text,
            meant=exc.hint,
        )
        return None


def _numbers(report: Report, section: Section) -> tuple[int, ...] | None:
    if not section.has("equals"):
        return None
    numbers = []
    for node in section.items("equals"):
        if type(node.value) is int and node.value >= 0:
            numbers.append(node.value)
        else:
            report.add(
                node,
                section.path_of("equals"),
                "type",
                expected=Word("int"),
                found=shown(node),
            )
    if not numbers:
        section.wrong("equals", "empty")
    return tuple(numbers)
