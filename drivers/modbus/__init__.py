"""Modbus TCP, RTU and ASCII: transactions that prove which request an answer is to.

``TcpBus``, ``RtuBus`` and ``AsciiBus``, and ``RtuTcpBus`` and ``AsciiTcpBus`` for what
stands behind a terminal server, are our own engine, ``PymodbusBus`` the same rules over
pymodbus' client; all are a ``transaction.Bus``. ``ModbusDevice`` plans and decodes what
is read over one of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drivers.modbus.rtu import RtuBus
from drivers.modbus.stats import UnitStats
from drivers.modbus.tcp import TcpBus
from drivers.modbus.transaction import Bus, Reply, Span, Timing

if TYPE_CHECKING:
    from drivers.modbus.ascii_bus import AsciiBus, AsciiTcpBus
    from drivers.modbus.device import ModbusDevice
    from drivers.modbus.pymodbus_engine import PymodbusBus
    from drivers.modbus.stream import RtuTcpBus

__all__ = [
    "AsciiBus",
    "AsciiTcpBus",
    "Bus",
    "ModbusDevice",
    "PymodbusBus",
    "Reply",
    "RtuBus",
    "RtuTcpBus",
    "Span",
    "TcpBus",
    "Timing",
    "UnitStats",
]

_LATER = {
    "AsciiBus": "drivers.modbus.ascii_bus",
    "AsciiTcpBus": "drivers.modbus.ascii_bus",
    "RtuTcpBus": "drivers.modbus.stream",
    # pymodbus costs 100 ms and some MiB: only a bus that asks for it pays.
    "PymodbusBus": "drivers.modbus.pymodbus_engine",
    "ModbusDevice": "drivers.modbus.device",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 a module's attributes are of any type
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib  # noqa: PLC0415 needed on this path only

    return getattr(importlib.import_module(_LATER[name]), name)
