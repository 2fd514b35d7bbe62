"""What only shows when the parts of a site file are seen together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from drivers.modbus.framing import ASCII, RTU
from drivers.profiles.reading import Report, join
from gateway.config.buses import warn_absent_port
from gateway.config.line_load import line_share, smallest_baud
from gateway.config.site_info import report_unknown

if TYPE_CHECKING:
    from drivers.profiles.document import Node
    from gateway.config.model import Bus, Device

_FULL = 1.0
_BUSY = 0.8
_LAST_SERIAL_ADDRESS = 247


def check_references(report: Report, root: Node) -> None:
    """Every device's bus and asset exist, whatever else is wrong with them."""
    devices = root.get("devices")
    for key, section in (("bus", "buses"), ("asset", "assets")):
        listed = root.get(section)
        if listed is not None and listed.kind != "map":
            continue
        choices = [name for name, _ in listed.items()] if listed else []
        for name, node in devices.items() if devices else ():
            value = node.get(key)
            if value is not None and isinstance(value.value, str):
                report_unknown(report, value, f"devices.{name}.{key}", key, choices)


def check_addresses(
    report: Report, root: Node, devices: dict[str, Device], buses: dict[str, Bus]
) -> None:
    """One address once a bus, and none a serial line cannot have."""
    seen: dict[tuple[str, int | str | None], str] = {}
    for device in devices.values():
        node = _entry(root, "devices", device.name)
        place = node.get("address") or node
        path = f"devices.{device.name}.address"
        bus = buses.get(device.bus)
        if (
            isinstance(device.address, int)
            and bus is not None
            and bus.serial is not None
            and not (1 <= device.address <= _LAST_SERIAL_ADDRESS)
        ):
            report.add(
                place,
                path,
                "range",
                low=1,
                high=_LAST_SERIAL_ADDRESS,
                found=device.address,
            )
        if bus is not None and bus.family == "gpio":
            continue  # a chip has no addresses: several contacts may be one device
        first = seen.setdefault((device.bus, device.address), device.name)
        if bus is not None and bus.family == "dlt645" and first == device.name:
            first = _answers_too(device, seen)
        if first != device.name:
            other = _entry(root, "devices", first)
            other_place = other.get("address") or other
            code = "address_twice"
            if device.address is None:
                gnss = bus is not None and bus.family == "gnss"
                code = "alone_twice" if gnss else "address_none_twice"
            report.add(
                place,
                path,
                code,
                found=device.address,
                bus=device.bus,
                protocol=bus.protocol if bus is not None else "",
                other=first,
                place=f"{other_place.line}:{other_place.column}",
            )


def _answers_too(device: Device, seen: dict[tuple[str, int | str | None], str]) -> str:
    """The meter that answers to this address as well: AA stands for any digits."""
    for (bus, address), name in seen.items():
        pairs = zip(str(address), str(device.address), strict=False)
        if bus == device.bus and all(a == b or "A" in (a, b) for a, b in pairs):
            return name
    return device.name


def check_ports(report: Report, root: Node, buses: dict[str, Bus]) -> None:
    """No port has two owners; a port that is not there is a warning."""
    seen: dict[str, str] = {}
    for bus in buses.values():
        node = _entry(root, "buses", bus.name)
        if bus.serial is not None:
            port = Path(bus.serial.device)
            key, at = str(port.resolve()), "serial"
            warn_absent_port(report, node, f"buses.{bus.name}", port)
        elif bus.tcp is not None:
            key, at = f"{bus.tcp.host.lower()}:{bus.tcp.port}", "tcp"
        elif bus.listen is not None:
            key, at = f"listen {bus.listen.host.lower()}:{bus.listen.port}", "listen"
        else:
            continue
        first = seen.setdefault(key, bus.name)
        if first != bus.name:
            other = _entry(root, "buses", first)
            place = other.get(at) or other
            report.add(
                node.get(at) or node,
                f"buses.{bus.name}.{at}",
                "port_twice",
                found=key,
                other=first,
                place=f"{place.line}:{place.column}",
            )


_LOADED = ("modbus-rtu", "modbus-ascii", "dlt645")
"""Whose requests are known before they are sent."""


def check_load(
    report: Report, root: Node, devices: dict[str, Device], buses: dict[str, Bus]
) -> None:
    """What is asked of a serial line fits through it at its speed."""
    for bus in buses.values():
        if bus.serial is None or bus.protocol not in _LOADED:
            continue
        on_it = [device for device in devices.values() if device.bus == bus.name]
        framing = ASCII if bus.protocol == "modbus-ascii" else RTU
        share = line_share(on_it, bus.serial, bus.pause_s, framing)
        if share <= _BUSY:
            continue
        node = _entry(root, "buses", bus.name)
        faster = smallest_baud(on_it, bus.serial, bus.pause_s, framing)
        report.add(
            node.get("baud") or node,
            join(f"buses.{bus.name}", "baud"),
            "line_overload" if share > _FULL else "line_busy",
            warning=share <= _FULL,
            percent=f"{share * 100:.0f}",
            baud=bus.serial.baud,
            devices=len(on_it),
            factor=f"{share:.1f}",
            meant=f"baud: {faster}" if faster and share > _FULL else "",
        )


def _entry(root: Node, key: str, name: str) -> Node:
    parent = root.get(key) or root
    return parent.get(name) or parent
