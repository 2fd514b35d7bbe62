"""Prints ``docs/factor-codes.md``: the factors of HJ 212 and the units, from the data.

python -m gateway.factors.codes_page
"""

from __future__ import annotations

import sys
from collections import defaultdict
from typing import TYPE_CHECKING

from drivers.profiles.library import quantities
from gateway.factors.table import Entry, molar_masses, schemes, table
from gateway.factors.units import units

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_HEAD = """\
<!-- Made by python -m gateway.factors.codes_page; do not edit. -->

# Factor codes and units / 因子编码与单位

From `gateway/factors/factors.yaml`; what it means and what is unconfirmed is in
[factors.md](factors.md). 含义与未经证实之处见 [factors.md](factors.md)。

Units are UCUM codes. *Total* is the unit of `Cou`. *2017*, *2025*: numeric types; no
type under 2025 means that none is publicly quoted, and that of 2017 is used. *Names*:
the point names of `quantities.yaml` that have this code. *?*: seen in use, in no table
of the standard that we could read. 单位为 UCUM 代码；“累计”为 `Cou` 的单位；
2025 栏为空表示无公开引文，沿用 2017 的类型；“?”表示见于实际使用，未见于标准原文。
"""
_COLUMNS = (
    "| code 编码 | | | unit 单位 | total 累计 | 2017 | 2025 | 2005 | names 点名 |"
)
_RULE = "|---|---|---|---|---|---|---|---|---|"


def page() -> str:
    """The whole document."""
    return "\n".join([_HEAD, *_factors(), *_schemes(), *_masses(), *_units()])


def _factors() -> Iterator[str]:
    names: dict[str, list[str]] = defaultdict(list)
    for name, quantity in quantities().items():
        for code in filter(None, (quantity.code, *quantity.also)):
            names[code].append(name)
    yield "## Factors / 因子\n"
    yield from _table(table().values(), names)


def _schemes() -> Iterator[str]:
    yield "## Codes with a device's number / 带设备编号的编码\n"
    yield "`xx` is 01 to 99. `xx` 为 01 至 99。\n"
    yield from _table(schemes(), {})


def _masses() -> Iterator[str]:
    yield "## Molar masses / 摩尔质量\n"
    found = (f"{gas} {float(mass):.3f}" for gas, mass in molar_masses().items())
    yield "g/mol: " + ", ".join(found) + ".\n"


def _units() -> Iterator[str]:
    rows: dict[str, list[str]] = defaultdict(list)
    for found in units().values():
        rows[found.row].append(f"`{found.code}`")
    yield "## Units / 单位\n"
    yield "Those of one line convert into each other, exactly. 同一行可精确互换。\n"
    for row, codes in rows.items():
        yield f"- {row}: {' '.join(codes)}"
    yield ""


def _table(entries: Iterable[Entry], names: dict[str, list[str]]) -> Iterator[str]:
    yield _COLUMNS
    yield _RULE
    for found in entries:
        cells = [
            f"`{found.code}`" + ("" if found.confirmed else " ?"),
            found.zh,
            found.en,
            _code(found.unit),
            _code(found.mass),
            str(found.n2017 or ""),
            str(found.n2025 or ""),
            found.old or "",
            " ".join(_code(name) for name in names.get(found.code, [])),
        ]
        yield "| " + " | ".join(cells) + " |"
    yield ""


def _code(text: str | None) -> str:
    return f"`{text}`" if text else ""


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.stdout.write(page())
