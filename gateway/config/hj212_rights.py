"""What an HJ 212 platform may have done to instruments, and may read of them.

allow: [3012, 3021]
orders:
  - {command: 3012, factor: w01018, write: cod-1.sample_now, value: 1}
  - {command: 3021, factor: w01018, write: cod-1.slope, field: i13008}
shown:
  - {code: i13008, factor: w01018, read: cod-1.slope}
  - {code: SN, factor: w01018, text: COD-2031}
hardware: {i23005: ECO-0042}

Without ``allow`` and an order nothing is ever written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drivers.profiles.reading import Section, Word, closest, shown
from gateway.config.rights import Order, Shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drivers.profiles.document import Node
    from drivers.profiles.reading import Report
    from gateway.config.model import Device, Hj212Target

COMMANDS = (
    1012, 3011, 3012, 3013, 3014, 3015, 3016, 3017, 3018, 3021, 3022, 3024,
)  # fmt: skip
"""What a platform can order; 1012: an instrument's own clock."""
ORDER_KEYS = ("command", "factor", "write", "value", "field")
SHOWN_KEYS = ("code", "factor", "read", "text")
HARDWARE = ("i23005", "i23006", "i23007", "i23008")
"""Logger, processor, and its two MAC addresses."""
FIELD = (
    r"i[0-9A-Za-z]{5}|SN|C[Tt]ime|CstartTime|Stime|VaseNo|SystemTime|CalibrationType"
)
CODE = r"[0-9A-Za-z]{1,20}"
_FIELD, _CODE = re.compile(rf"(?:{FIELD})\Z"), re.compile(rf"{CODE}\Z")


def read_allow(section: Section) -> tuple[int, ...] | None:
    """Commands that are carried out."""
    found: list[int] = []
    for node in section.items("allow"):
        if type(node.value) is int and node.value in COMMANDS:
            found.append(node.value)
        else:
            section.report.add(
                node,
                section.path_of("allow"),
                "choice",
                choices=", ".join(map(str, COMMANDS)),
                found=shown(node),
            )
    return tuple(dict.fromkeys(found)) or None


def read_orders(section: Section) -> tuple[Order, ...] | None:
    """What each command writes."""
    found: list[Order] = []
    for number, node in enumerate(section.items("orders")):
        path = f"{section.path_of('orders')}[{number}]"
        inner = Section.open(section.report, node, path, ORDER_KEYS)
        if inner is None:
            continue
        command = inner.integer("command", COMMANDS[0], COMMANDS[-1], required=True)
        place = _place(inner, "write", required=True)
        value, field = inner.get("value"), _fitting(inner, "field", _FIELD)
        if value is not None and value.kind in ("list", "map", "null"):
            inner.wrong("value", "type", expected=Word("float"), found=shown(value))
            continue
        if (value is None) == (field is None):
            inner.report.add(
                inner.node, path, "hj212_value_or_field", one="value", two="field"
            )
            continue
        if command is not None and command not in COMMANDS:
            inner.wrong(
                "command",
                "choice",
                choices=", ".join(map(str, COMMANDS)),
                found=command,
            )
        elif command is not None and place is not None:
            found.append(
                Order(
                    command=command,
                    factor=_fitting(inner, "factor", _CODE),
                    device=place[0],
                    point=place[1],
                    value=None if value is None else value.value,  # type: ignore[arg-type]
                    field=field,
                )
            )
    return tuple(found) or None


def read_shown(section: Section) -> tuple[Shown, ...] | None:
    """What may be read, and where it comes from."""
    found: list[Shown] = []
    for number, node in enumerate(section.items("shown")):
        path = f"{section.path_of('shown')}[{number}]"
        inner = Section.open(section.report, node, path, SHOWN_KEYS)
        if inner is None:
            continue
        code = _fitting(inner, "code", _FIELD, required=True)
        place, text = _place(inner, "read"), inner.text("text")
        if inner.has("read") == inner.has("text"):
            inner.report.add(
                inner.node, path, "hj212_value_or_field", one="read", two="text"
            )
            continue
        if code is not None and (place is not None or text is not None):
            found.append(
                Shown(
                    code=code,
                    factor=_fitting(inner, "factor", _CODE),
                    device=place[0] if place else None,
                    point=place[1] if place else None,
                    text=text,
                )
            )
    return tuple(found) or None


def check_rights(
    report: Report,
    node: Node,
    path: str,
    target: Hj212Target,
    devices: dict[str, Device],
) -> None:
    """Every point that an order writes or a platform reads is there."""
    ordered = {order.command for order in target.orders}
    for command in target.allow:
        if command not in ordered:
            report.add(
                node.get("allow") or node,
                f"{path}.allow",
                "hj212_no_order",
                warning=True,
                found=command,
            )
    rights: tuple[tuple[str, str, Sequence[Order | Shown]], ...] = (
        ("orders", "write", target.orders),
        ("shown", "read", target.shown),
    )
    for key, named, listed in rights:
        entries = node.get(key)
        nodes = entries.value if entries and isinstance(entries.value, list) else []
        for at, right in zip(nodes, listed, strict=False):
            place = at.get(named)
            if right.device is None or place is None:
                continue
            device = devices.get(right.device)
            where = f"{path}.{key}"
            if device is None:
                report.add(
                    place,
                    where,
                    "no_such_device",
                    choices=", ".join(devices) or "-",
                    found=right.device,
                    meant=closest(right.device, devices),
                )
                continue
            point = next((p for p in device.points if p.name == right.point), None)
            if point is None:
                names = [p.name for p in device.points]
                report.add(
                    place,
                    where,
                    "unknown_point_of",
                    found=right.point,
                    device=right.device,
                    choices=", ".join(names) or "-",
                    meant=closest(right.point or "", names),
                )
            elif key == "orders" and not getattr(point, "writable", False):
                report.add(place, where, "hj212_not_writable", found=place.text)


def _place(
    section: Section, key: str, *, required: bool = False
) -> tuple[str, str] | None:
    text = section.text(key, required=required)
    if text is None:
        return None
    device, dot, point = text.partition(".")
    if not dot or not device or not point:
        section.wrong(key, "hj212_place", found=text)
        return None
    return device, point


def _fitting(
    section: Section, key: str, form: re.Pattern[str], *, required: bool = False
) -> str | None:
    text = section.text(key, required=required)
    if text is not None and not form.match(text):
        section.wrong(key, "hj212_word", found=text)
        return None
    return text
