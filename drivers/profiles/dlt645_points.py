"""DL/T 645 points as they are written: an identifier, and a part of what it brings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from drivers.profiles.dlt645_items import (
    RATIOS,
    SIGNS,
    Edition,
    Item,
    Part,
    Ratio,
    Sign,
    edition_of,
    is_identifier,
    items,
    size_of,
)
from drivers.profiles.model import Point
from drivers.profiles.reading import shown

if TYPE_CHECKING:
    from drivers.profiles.reading import Section

KEYS = ("di", "part", "format", "sign", "ratio")


class Dlt645Point(Point, frozen=True, kw_only=True):
    """One part of what a data identifier brings."""

    item: Item
    part: str = ""
    """Of an item that has several; the first one has no need of a name."""

    @property
    def di(self) -> str:
        """The identifier, as people write it: DI3 DI2 DI1 DI0."""
        return self.item.di

    @property
    def edition(self) -> Edition:
        """The edition of the standard whose identifier it is."""
        return edition_of(self.item.di)

    @property
    def place(self) -> tuple[int, Part]:
        """Where it stands within the item's data, and how it is written."""
        found = self.item.place(self.part)
        assert found is not None  # noqa: S101 - checked when it was read
        return found

    @property
    def where(self) -> str:
        """Its identifier in pairs, and its part."""
        pairs = " ".join(self.di[i : i + 2] for i in range(0, len(self.di), 2))
        return f"{pairs} {self.part}".rstrip()

    @property
    def form(self) -> str:
        """The standard's notation; a sign is said."""
        part = self.place[1]
        return f"±{part.format}" if part.sign == "yes" else part.format


def read_dlt645(section: Section) -> dict[str, Any]:
    """The fields that only a DL/T 645 point has; None where absent or wrong."""
    item = _item(section)
    name = section.text("part") or ""
    found = item.place(name) if item else None
    if item is not None and found is None:
        names = ", ".join(part.name for part in item.parts)
        section.wrong("part", "choice", choices=names, found=name)
    if found is not None and found[1].format.startswith("S"):
        section.wrong("part", "dlt645_part", found=name)
    unit = None
    if found is not None:
        _check(section, found[1])
        unit = None if section.has("unit") else found[1].unit
    return {"item": item, "part": name, "unit": unit}


def widest_bit(section: Section) -> int:
    """The last bit of the item's first part."""
    node = section.get("di")
    item = items().get(node.text.upper()) if node is not None else None
    return 8 * item.parts[0].size - 1 if item else 63


def _item(section: Section) -> Item | None:
    """From the table, or as the point itself describes it."""
    node = section.get("di", required=True)
    if node is None:
        return None
    # 00010000 is text in YAML 1.2, but 90100000 would be a number.
    di = node.text.upper() if node.kind in ("text", "int") else ""
    if not is_identifier(di):
        section.wrong("di", "dlt645_di", found=shown(node))
        return None
    known = items().get(di)
    own = _own(section, di)
    if own is not None or known is not None:
        return own or known
    if not section.has("format"):
        section.wrong("di", "dlt645_unknown", found=di)
    return None


def _own(section: Section, di: str) -> Item | None:
    form = section.text("format")
    sign = section.choice("sign", SIGNS)
    ratio = section.choice("ratio", RATIOS)
    if form is None:
        for key in ("sign", "ratio"):
            if section.has(key):
                section.report.add(
                    section.node, section.path, "missing_key", key="format"
                )
        return None
    try:
        size_of(form)
    except ValueError:
        section.wrong("format", "dlt645_format", found=form)
        return None
    part = Part(
        format=form,
        sign=cast("Sign", sign or "unknown"),
        ratio=cast("Ratio", ratio or "none"),
    )
    unit = section.get("unit")
    if unit is not None and isinstance(unit.value, str):
        # The wire's unit is not known beside the point's own.
        part = Part(format=form, sign=part.sign, ratio=part.ratio, unit=unit.value)
    return Item(di=di, parts=(part,))


def _check(section: Section, part: Part) -> None:
    """What only numbers have is not for texts, and names only for whole numbers."""
    number = part.format.startswith("X")
    if not number:
        for key in ("scale", "offset", "decimals", "minimum", "maximum"):
            if section.has(key):
                section.wrong(key, "dlt645_text", key=key, found=part.format)
    whole = part.format.startswith("B") or (number and "." not in part.format)
    for key in ("enum", "bits"):
        if section.has(key) and not whole:
            section.wrong(key, "only_integers", key=key, found=part.format)
    unit = section.get("unit")
    if (
        number
        and unit is not None
        and unit.value != part.unit
        and not section.has("scale")
    ):
        section.wrong("unit", "dlt645_unit", expected=part.unit, found=shown(unit))
