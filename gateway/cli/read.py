"""``ecogate read DEVICE``: a device's values beside the registers they came from.

While the gateway runs it is asked, and reads between two of its own exchanges; without
one the port is opened here, exclusively.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import msgspec

from drivers.errors import BusError, DriverError
from drivers.profiles.model import ModbusPoint
from gateway.cli import words
from gateway.cli.arguments import add_site
from gateway.cli.exits import CliError, Exit
from gateway.cli.output import paint, print_json, table, terminal_columns
from gateway.cli.reach import load
from gateway.cli.trouble import failures, other_orders
from gateway.control import ControlClient, ControlError, NotRunningError
from gateway.texts import language, t

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from drivers.profiles.model import Point
    from gateway.config.model import Device, Site

Found = dict[str, Any]
_SENTENCE = 8
"""Bytes: shorter ones may be letters by chance."""
_SHOWN = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``read DEVICE [POINT ...] [--once] [--site PATH]``."""
    parser.add_argument("device", metavar="DEVICE", help=t("read.help.device"))
    parser.add_argument("points", nargs="*", metavar="POINT", help=t("read.help.point"))
    parser.add_argument("--once", action="store_true", help=t("read.help.once"))
    add_site(parser, positional=False)


def run(args: argparse.Namespace) -> int:
    """Read until Ctrl-C on a terminal, once elsewhere."""
    site = load(args)
    device = _device(site, args.device)
    _check_points(device, args.points)
    points = args.points or [point.name for point in device.points]
    live = sys.stdout.isatty() and not args.once and not args.json
    found: Found = {}

    def show(new: Found) -> bool:
        """Show one reading; whether to go on."""
        redraw = bool(found)
        found.clear()
        found.update(new)
        if args.json:
            print_json(new)
        else:
            _draw(site, device, new, points, redraw=redraw, live=live)
        return live

    try:
        with ControlClient.for_folder(site.buffer.path) as client:
            _through_gateway(client, device, points, show)
    except NotRunningError:
        asyncio.run(_by_ourselves(site, device, points, show))
    except ControlError as exc:
        raise CliError(_cannot(device, exc), Exit.UNREACHABLE) from exc
    if found.get("values"):
        return Exit.OK
    return Exit.FAILED if found.get("answered") else Exit.UNREACHABLE


def _device(site: Site, name: str) -> Device:
    device = site.devices.get(name)
    if device is None:
        meant = get_close_matches(name, site.devices, 1)
        key = "read.no_device_meant" if meant else "read.no_device"
        text = t(
            key,
            found=name,
            meant=meant[0] if meant else "",
            names=", ".join(site.devices),
        )
        raise CliError(text, Exit.USAGE)
    return device


def _check_points(device: Device, points: list[str]) -> None:
    names = [point.name for point in device.points]
    for name in points:
        if name not in names:
            meant = get_close_matches(name, names, 1)
            text = t(
                "read.no_point_meant" if meant else "read.no_point",
                device=device.name,
                found=name,
                meant=meant[0] if meant else "",
                names=", ".join(names),
            )
            raise CliError(text, Exit.USAGE)


def _cannot(device: Device, exc: Exception) -> str:
    return t("read.cannot", device=device.name, bus=device.bus, error=exc)


def _through_gateway(
    client: ControlClient,
    device: Device,
    points: list[str],
    show: Callable[[Found], bool],
) -> None:
    while show(client.call("read", device=device.name, points=points)):
        time.sleep(device.every_s)


async def _by_ourselves(
    site: Site, device: Device, points: list[str], show: Callable[[Found], bool]
) -> None:
    """Open the port, read, close it."""
    from gateway.ports import make_bus, make_device

    conf = site.buses[device.bus]
    bus = make_bus(conf)
    driver = make_device(device, conf, bus)
    try:
        await bus.open()
        while True:
            answer = await driver.scan(points, want_raw=True)
            found = {
                "device": device.name,
                "bus": device.bus,
                "t": time.time_ns() // 1_000_000,
                "answered": answer.answered,
                "values": answer.values,
                "q": msgspec.to_builtins(answer.flaws),
                "raw": {name: raw.hex() for name, raw in (answer.raw or {}).items()},
                "detail": answer.detail,
                **answer.beside(),
            }
            if not show(found):
                return
            await asyncio.sleep(device.every_s)
    except BusError as exc:
        raise CliError(_cannot(device, exc), Exit.UNREACHABLE) from exc
    except DriverError as exc:
        raise CliError(_cannot(device, exc)) from exc
    finally:
        await bus.close()


def _draw(
    site: Site,
    device: Device,
    found: Found,
    points: list[str],
    *,
    redraw: bool,
    live: bool,
) -> None:
    unit = "-" if device.address is None else device.address
    head = t("read.head", device=device.name, bus=device.bus, unit=unit)
    at = time.strftime("%H:%M:%S", time.localtime(found["t"] / 1000))
    lines = [f"{paint(head, 'bold')}  {paint(at, 'dim')}"]
    reasons = {flaw[1] for flaw in found["q"].values()}
    if found["values"] or len(reasons) != 1 or any(found["raw"].values()):
        below = _trouble(site, device, found)
        body = _table(device, found, points).splitlines()
        lines += _fitting(body, len(lines) + len(below)) if live else body
        lines += below
    else:
        # One sentence says what a table would repeat for each point.
        reason = words.reason(reasons.pop())
        text = t("read.none_good", reason=reason, count=len(points))
        lines.append(paint("✗ ", "red") + text)
        lines += _trouble(site, device, found)
    if redraw:
        sys.stdout.write("\x1b[H\x1b[J")
    print("\n".join(lines), flush=True)


def _trouble(site: Site, device: Device, found: Found) -> list[str]:
    lines = failures(found["detail"], site.buses[device.bus])
    for point in device.points:
        raw = bytes.fromhex(found["raw"].get(point.name, ""))
        value = found["values"].get(point.name)
        flaw = found["q"].get(point.name, ("", ""))
        if hint := other_orders(point, raw, value, flaw[1]):
            lines.append(paint(hint, "yellow"))
    return lines


def _fitting(body: list[str], others: int) -> list[str]:
    """As many lines as the screen holds, else the head of each redrawing is lost."""
    room = max(3, shutil.get_terminal_size().lines - others - 1)
    if len(body) <= room:
        return body
    return [*body[: room - 1], t("read.more", count=len(body) - room + 1)]


def _table(device: Device, found: Found, points: list[str]) -> str:
    by_name = {point.name: point for point in device.points}
    # A status word's named bits stand under the word.
    shown = [
        name
        for point in points
        for name in (
            point,
            *(f"{point}.{bit}" for bit in by_name[point].bits.values()),
        )
    ]
    rows = [_row(by_name.get(name), name, found) for name in shown]
    heads = [t(f"read.column.{name}") for name in ("point", "value", "unit")]
    heads += [t(f"read.column.{name}") for name in ("address", "raw", "quality")]
    return table(heads, rows, right=(1,), cut=(4, 0), columns=terminal_columns())


def _row(point: Point | None, name: str, found: Found) -> tuple[str, ...]:
    value, flaw = found["values"].get(name), found["q"].get(name)
    quality = paint(t("read.good"), "green")
    if flaw is not None:
        text = words.reason(flaw[1])
        quality = paint(text, "red" if flaw[0] == "bad" else "yellow")
    elif value is None:
        quality = ""
    if age := _age(name, found):
        quality = f"{quality}  {paint(age, 'dim')}"
    raw = found["raw"].get(name, "")
    label = point.label.get(language(), "") if point else ""
    return (
        f"{name}  {paint(label, 'dim')}" if label else name,
        "-" if value is None else str(value),
        "" if point is None or point.unit == "1" else point.unit,
        "" if point is None else _address(point),
        _raw(point, raw),
        quality,
    )


def _age(name: str, found: Found) -> str:
    """How old a value is and what the instrument says of it, where it tells."""
    said = []
    if (ms := found.get("age_ms", {}).get(name)) is not None:
        said.append(t("read.age", seconds=f"{ms / 1000:.1f}"))
    if (at := found.get("sampled", {}).get(name)) is not None:
        when = time.strftime("%m-%d %H:%M:%S", time.localtime(at / 1000))
        said.append(t("read.sampled", time=when))
    if mark := found.get("flag", {}).get(name):
        said.append(t("read.flag", mark=mark))
    return " ".join(said)


def _raw(point: Point | None, raw: str) -> str:
    """Bytes as people read them: sentences and frames of text as text."""
    text = bytes.fromhex(raw)
    if not isinstance(point, ModbusPoint) and len(text) >= _SENTENCE:
        plain = text.decode("latin-1")
        if plain.isascii() and plain.isprintable():
            return plain if len(plain) <= _SHOWN else f"{plain[: _SHOWN - 1]}…"
    return " ".join(raw[i : i + 4] for i in range(0, len(raw), 4))


def _address(point: Point) -> str:
    return point.where
