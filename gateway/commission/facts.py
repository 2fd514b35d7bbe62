"""What an examination has to know of a bus, taken from the site file. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from drivers.modbus.plan import Limits
from drivers.modbus.plan import plan as plan_blocks
from drivers.modbus.wire import READ_FUNCTION
from drivers.profiles.dlt645_points import Dlt645Point
from drivers.profiles.model import ModbusPoint
from gateway.commission.door import setting_of
from gateway.commission.evidence import BusFacts, Want
from gateway.config.line_load import line_share

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.config.model import Bus, Device


def facts_of(
    bus: Bus, devices: Iterable[Device], buses: Iterable[Bus] = ()
) -> BusFacts:
    """The bus as configured.

    Args:
        bus: Which.
        devices: All of it.
        buses: Of the whole site: another one may say the same port.
    """
    share = 0.0
    if bus.serial is not None and bus.family == "modbus":
        share = line_share(devices, bus.serial, bus.pause_s)
    return BusFacts(
        name=bus.name,
        protocol=bus.protocol,
        endpoint=bus.endpoint,
        setting=setting_of(bus),
        echo=bus.serial.echo if bus.serial is not None else "auto",
        timeout_s=bus.timeout_s,
        pause_s=bus.pause_s,
        share=round(share, 3),
        twins=tuple(b.name for b in buses if b.name != bus.name and _same(b, bus)),
    )


def wants_of(devices: Iterable[Device], only: str | None = None) -> list[Want]:
    """What each device is asked: its largest planned read.

    Args:
        devices: Of one bus.
        only: This one first: it is the one somebody asks about.
    """
    wants = [want for device in devices if (want := _want(device)) is not None]
    return sorted(wants, key=lambda want: want.device != only)


def _want(device: Device) -> Want | None:
    if isinstance(device.address, str):
        # Of the devices named by text only meters answer a question of ours.
        meter = all(isinstance(point, Dlt645Point) for point in device.points)
        return Want(device.name, device.address) if meter else None
    if device.address is None:
        return None
    points = [p for p in device.points if isinstance(p, ModbusPoint)]
    if not points:
        return Want(device.name, device.address)
    blocks = plan_blocks(points, Limits(registers=device.max_registers)).blocks
    span = max((block.span for block in blocks), key=lambda span: span.count)
    function = READ_FUNCTION[span.table]
    return Want(device.name, device.address, function, span.start, span.count)


def _same(one: Bus, two: Bus) -> bool:
    """Whether two buses say the same port."""
    if one.serial is not None and two.serial is not None:
        return Path(one.serial.device).resolve() == Path(two.serial.device).resolve()
    return one.tcp is not None and one.tcp == two.tcp
