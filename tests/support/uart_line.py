"""A simulated line of UARTs as the commissioning code reaches it, on virtual time."""

from __future__ import annotations

import asyncio

from drivers.profiles.library import load_profile
from gateway.commission.door import Setting
from simulators.dlt645_meter import ProfileMeter
from simulators.dlt645_station import MeterServer, MeterStation
from simulators.line import Line
from simulators.profiled import ProfileUnit
from simulators.station import RtuServer, Station
from simulators.uart import settings


def uart(text):
    """Settings of ``9600 8N1``."""
    setting = Setting.parse(text)
    return settings(setting.baud, setting.framing)


def on_line(line):
    """Opens the line as the gateway's port."""

    def open_raw(setting, factory):
        return line.open(setting.baud, setting.framing, factory)

    return open_raw


def modbus(number, profile, *, delay_s=0.03, seed=1, holes="zero"):
    """A device by its profile."""
    unit = ProfileUnit(
        number,
        load_profile(profile),
        seed=seed,
        utc_s=lambda: 1.76e9 + asyncio.get_running_loop().time(),
        holes=holes,
    )
    return RtuServer(Station([unit], turnaround_s=delay_s))


def meter(address, profile="generic-dlt645", *, delay_s=0.03, seed=1):
    """A DL/T 645 meter by its profile."""
    one = ProfileMeter(
        address,
        load_profile(profile),
        seed=seed,
        utc_s=lambda: 1.76e9 + asyncio.get_running_loop().time(),
    )
    return MeterServer(MeterStation([one], turnaround_s=delay_s))


def make_line(stations, **traits):
    """A line of (what, settings) pairs; what is a protocol."""
    line = Line(**traits)
    for what, text in stations:
        line.attach(what, uart(text))
    return line
