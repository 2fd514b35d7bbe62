"""``ecogate decode BUS ADDRESS REGISTER``: registers in every type and order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.cli.exits import CliError, Exit
from gateway.cli.output import paint, print_json, table, terminal_columns
from gateway.cli.place import add_place, items, place_of
from gateway.texts import t

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from typing import Literal

    from gateway.commission.decode import Reading

    RegisterTable = Literal["holding", "input"]

_MOST = 32
_SHOWN = 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``decode BUS ADDRESS REGISTER [--count N] [--table NAME] [--at SETTING]``."""
    add_place(parser, bus_only=True)
    add = parser.add_argument
    add("address", type=int, metavar="ADDRESS", help=t("decode.help.address"))
    add("register", metavar="REGISTER", help=t("decode.help.register"))
    add("--count", type=int, default=2, metavar="N", help=t("decode.help.count"))
    add("--table", choices=("holding", "input"), help=t("decode.help.table"))
    add("--at", metavar="SETTING", default="", help=t("decode.help.at"))
    add("--all", action="store_true", help=t("decode.help.all"))


def run(args: argparse.Namespace) -> int:
    """Read once and show."""
    from drivers.profiles.address import AddressError, format_both, parse_address
    from gateway.commission.decode import decode
    from gateway.commission.door import setting_of
    from gateway.commission.tasks import DecodeOptions, decode_items

    table_name: RegisterTable = args.table or _table_of(args.register)
    try:
        register = parse_address(args.register, table_name)
    except AddressError as exc:
        text = t("decode.register", found=args.register, table=table_name)
        raise CliError(text, Exit.USAGE) from exc
    if not 1 <= args.count <= _MOST:
        raise CliError(t("decode.count", found=args.count, most=_MOST), Exit.USAGE)
    place = place_of(args, args.at or "9600 8N1")
    options = DecodeOptions(
        args.address,
        register,
        table_name,
        args.count,
        args.at,
    )
    tcp = place.bus.protocol == "modbus-tcp"
    setting = setting_of(place.bus)
    found = {}
    for item in items(
        place,
        "decode",
        options,
        lambda door: decode_items(door, setting, options, tcp=tcp),
    ):
        found = item
    if not found.get("data"):
        key = "decode.refused" if found.get("refused") else "decode.silent"
        where = format_both(register, table_name)
        text = t(key, unit=args.address, where=where, count=args.count)
        raise CliError(text, Exit.FAILED if found.get("refused") else Exit.UNREACHABLE)
    readings = decode(bytes.fromhex(found["data"]))
    if args.json:
        print_json({"data": found["data"], "readings": [_plain(r) for r in readings]})
        return Exit.OK
    where = format_both(register, table_name)
    head = t("decode.head", unit=args.address, where=where, count=args.count)
    print(f"{paint(head, 'bold')}  {bytes.fromhex(found['data']).hex(' ', 2)}")
    print(report(readings if args.all else readings[:_SHOWN], readings[0].weight))
    if not args.all and len(readings) > _SHOWN:
        print(paint(t("decode.more", count=len(readings) - _SHOWN), "dim"))
    print(paint(t("decode.advice"), "dim"))
    return Exit.OK


def report(readings: Sequence[Reading], best: float) -> str:
    """The readings as a table; a star marks the likeliest."""
    rows = [
        (r.value, r.type, r.order, r.registers, "★" if r.weight >= best else "")
        for r in readings
    ]
    heads = [t(f"decode.column.{n}") for n in ("value", "type", "order", "registers")]
    return table([*heads, ""], rows, right=(0,), columns=terminal_columns())


def _plain(reading: Reading) -> dict[str, str]:
    return {
        "registers": reading.registers,
        "type": reading.type,
        "order": reading.order,
        "value": reading.value,
    }


def _table_of(register: str) -> RegisterTable:
    """``3x:30001`` names its table; else holding is the usual one."""
    return "input" if register.startswith("3x") else "holding"
