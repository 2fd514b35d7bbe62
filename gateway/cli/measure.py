"""``ecogate measure BUS``: how quick its devices answer, and what to set for it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from gateway.cli.exits import CliError, Exit
from gateway.cli.output import paint, print_json, table, terminal_columns
from gateway.cli.place import add_place, items, place_of
from gateway.texts import t

if TYPE_CHECKING:
    import argparse

Item = dict[str, Any]
_COLUMNS = (
    "device", "unit", "answered", "p50", "p95", "p99", "largest", "timeout", "pause",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``measure BUS [--device NAME]``."""
    add_place(parser, bus_only=True)
    parser.add_argument("--device", metavar="NAME", help=t("measure.help.device"))


def run(args: argparse.Namespace) -> int:
    """Measure; status 1 where a device does not answer."""
    from gateway.commission.door import setting_of
    from gateway.commission.tasks import LookOptions, measure_items

    place = place_of(args)
    options = LookOptions(args.device)
    setting, tcp = setting_of(place.bus), place.bus.protocol == "modbus-tcp"
    found: list[Item] = []
    for item in items(
        place,
        "measure",
        options,
        lambda door: measure_items(door, setting, place.devices, options, tcp=tcp),
    ):
        if item["kind"] == "measured":
            found.append(item)
        elif sys.stderr.isatty() and not args.json:
            text = t("measure.doing", device=item["device"])
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()
    if sys.stderr.isatty() and not args.json:
        sys.stderr.write("\r\x1b[K")
    if args.json:
        print_json(found)
    elif not found:
        raise CliError(t("measure.nothing", bus=place.bus.name), Exit.FAILED)
    else:
        print(report(found))
    silent = [item for item in found if not item["answered"]]
    return Exit.FAILED if silent or not found else Exit.OK


def report(found: list[Item]) -> str:
    """Times and proposals, and the lines to write into the site file."""
    rows = [
        (
            item["device"],
            str(item["address"]),
            f"{item['answered']}/{item['asked']}",
            *(str(item[f"{name}_ms"]) for name in ("p50", "p95", "p99", "largest")),
            _ms(item["timeout_proposed_ms"]),
            _ms(item["pause_proposed_ms"]),
        )
        for item in found
    ]
    heads = [t(f"measure.column.{name}") for name in _COLUMNS]
    lines = [
        table(heads, rows, right=(2, 3, 4, 5, 6, 7, 8), columns=terminal_columns())
    ]
    for item in found:
        if not item["answered"]:
            text = t("measure.silent", device=item["device"])
            lines.append(paint(text, "red"))
        elif item["pause_proposed_ms"] is None:
            text = t("measure.no_pause", device=item["device"])
            lines.append(paint(text, "yellow"))
    lines.append(paint(t("measure.advice"), "dim"))
    return "\n".join(lines)


def _ms(value: int | None) -> str:
    return "-" if value is None else f"{value}ms"
