"""Where a bus is commissioned: one of the site, or any port that is named.

A bus of the site is reached through the gateway that runs it, else opened here.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from drivers.errors import DriverError
from gateway.cli.arguments import add_site
from gateway.cli.exits import CliError, Exit
from gateway.cli.reach import load
from gateway.control import ControlClient, ControlError, NotRunningError
from gateway.texts import t

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncGenerator, Callable, Iterator, Sequence

    from gateway.commission.door import Door
    from gateway.config.model import Bus, Device, Site

Item = dict[str, Any]


class Place(NamedTuple):
    """A bus, what is configured on it, and the site it belongs to, if any."""

    bus: Bus
    devices: Sequence[Device] = ()
    site: Site | None = None


def add_place(parser: argparse.ArgumentParser, *, bus_only: bool = False) -> None:
    """``BUS`` of the site, or ``--serial PORT`` or ``--tcp HOST:PORT``."""
    if bus_only:
        parser.add_argument("bus", metavar="BUS", help=t("find.help.bus"))
    else:
        parser.add_argument("bus", nargs="?", metavar="BUS", help=t("find.help.bus"))
        ways = parser.add_mutually_exclusive_group()
        ways.add_argument("--serial", metavar="PORT", help=t("find.help.serial"))
        ways.add_argument("--tcp", metavar="HOST:PORT", help=t("find.help.tcp"))
        parser.add_argument("--rtu", action="store_true", help=t("find.help.rtu"))
    add_site(parser, positional=False)


def place_of(args: argparse.Namespace, at: str = "9600 8N1") -> Place:
    """The bus that the arguments name.

    Args:
        args: As parsed.
        at: How a port that is named itself is set.

    Raises:
        CliError: There is none, or it cannot be asked.
    """
    serial, tcp = getattr(args, "serial", None), getattr(args, "tcp", None)
    if (serial or tcp) and args.bus:
        raise CliError(t("find.one_place"), Exit.USAGE)
    named = args.bus or ""
    if named.startswith("/"):
        serial = named
    elif ":" in named:
        tcp = named
    if serial:
        return Place(_serial(serial, at))
    if tcp:
        return Place(_tcp(tcp, rtu=getattr(args, "rtu", False)))
    if not named:
        raise CliError(t("find.no_place"), Exit.USAGE)
    site = load(args)
    bus = site.buses.get(args.bus)
    if bus is None:
        names = ", ".join(site.buses)
        raise CliError(t("find.no_bus", found=args.bus, names=names), Exit.USAGE)
    devices = [d for d in site.devices.values() if d.bus == bus.name]
    if bus.serial is None and bus.tcp is None:
        text = t("find.not_askable", bus=bus.name, endpoint=bus.endpoint)
        raise CliError(text, Exit.USAGE)
    return Place(bus, devices, site)


def _serial(device: str, at: str) -> Bus:
    from gateway.commission.door import Setting
    from gateway.config.model import Bus, SerialLine

    try:
        how = Setting.parse(at)
    except ValueError as exc:
        raise CliError(t("find.settings", found=at), Exit.USAGE) from exc
    line = SerialLine(device=device, baud=how.baud, framing=how.framing)
    return Bus(name="line", protocol="modbus-rtu", serial=line)


def _tcp(text: str, *, rtu: bool) -> Bus:
    from gateway.config.buses import split_host_port
    from gateway.config.model import Bus, TcpEndpoint

    found = split_host_port(text, 502)
    if found is None:
        raise CliError(t("config.endpoint", found=text), Exit.USAGE)
    end = TcpEndpoint(host=found[0], port=found[1])
    return Bus(name="line", protocol="modbus-rtu-tcp" if rtu else "modbus-tcp", tcp=end)


def items(
    place: Place,
    verb: str,
    options: object,
    by_ourselves: Callable[[Door], AsyncGenerator[Item]],
) -> Iterator[Item]:
    """What a task tells, from the running gateway or done here.

    Raises:
        CliError: It was refused, or the port cannot be used.
    """
    from gateway.commission.tasks import plain

    try:
        if place.site is not None:
            folder = place.site.buffer.path
            try:
                with ControlClient.for_folder(folder) as client:
                    told = client.stream(
                        verb, bus=place.bus.name, options=plain(options)
                    )
                    yield from told
                    if not client.ended:  # half a task's findings are none
                        raise ControlError("gone", t("control.gone"))
                    return
            except NotRunningError:
                pass
        yield from _here(place, by_ourselves)
    except (ControlError, DriverError) as exc:
        raise CliError(_cannot(place, str(exc)), Exit.UNREACHABLE) from exc
    except OSError as exc:
        text = _cannot(place, exc.strerror or str(exc))
        raise CliError(text, Exit.UNREACHABLE) from exc


def _here(
    place: Place, by_ourselves: Callable[[Door], AsyncGenerator[Item]]
) -> Iterator[Item]:
    from gateway.commission.door import OwnDoor, opener

    door = OwnDoor(opener(place.bus))
    with asyncio.Runner() as runner:
        told = by_ourselves(door)
        try:
            while True:
                try:
                    item = runner.run(_next(told))
                except StopAsyncIteration:
                    return
                yield item
        finally:
            runner.run(_close(told, door))


async def _next(told: AsyncGenerator[Item]) -> Item:
    return await anext(told)


async def _close(told: AsyncGenerator[Item], door: Door) -> None:
    await told.aclose()
    await door.close()


def _cannot(place: Place, error: str) -> str:
    return t("find.cannot", bus=place.bus.endpoint, error=error)
