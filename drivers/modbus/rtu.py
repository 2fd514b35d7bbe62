"""Modbus RTU on a serial line: see ``serial_bus``."""

from __future__ import annotations

from drivers.modbus.serial_bus import SerialBus


class RtuBus(SerialBus):
    """One serial line whose units speak RTU."""
