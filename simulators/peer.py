"""The same devices served by pymodbus: wire code that is not ours at all.

Units give the registers; pymodbus reads the requests and writes the replies. Faults are
not available here: they need the bytes.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from simulators.ports import PtyPort
from simulators.wire import BIT_TABLES, READS, WRITES, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from simulators.units import Unit

_TABLES = ("coil", "discrete", "holding", "input")
_REGISTER_BITS = 16


def pymodbus_device(unit: Unit) -> SimDevice:
    """A pymodbus device that asks a unit for its registers at every request."""

    async def refresh(
        function: int,
        start: int,
        address: int,
        count: int,
        registers: list[int],
        values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        try:
            if values is not None:
                unit.write(WRITES[function], address, tuple(int(v) for v in values))
                return None
            # After a write pymodbus reads back under the function of the write.
            table = READS.get(function) or WRITES[function]
            if table in BIT_TABLES:
                _fill_bits(unit, table, address, count, start, registers)
            else:
                data = unit.read(table, address, count, aside=False)
                at = address - start
                registers[at : at + count] = [
                    int.from_bytes(data[i : i + 2], "big")
                    for i in range(0, 2 * count, 2)
                ]
        except RefusedError as exc:
            return ExcCodes(exc.code)
        return None

    coils, discrete, holding, inputs = ([_block(unit, table)] for table in _TABLES)
    return SimDevice(
        unit.number, simdata=(coils, discrete, holding, inputs), action=refresh
    )


def _block(unit: Unit, table: str) -> SimData:
    first, end = unit.span(table)
    if table in BIT_TABLES:
        # An empty table has bits too: the unit itself refuses them.
        first -= first % _REGISTER_BITS
        size = max(-(-(end - first) // _REGISTER_BITS), 1) * _REGISTER_BITS
        return SimData(first, values=[False] * size, datatype=DataType.BITS)
    if first == end:
        return SimData(0, count=1, datatype=DataType.INVALID)
    return SimData(first, count=end - first, values=0, datatype=DataType.REGISTERS)


def _fill_bits(
    unit: Unit, table: str, address: int, count: int, start: int, registers: list[int]
) -> None:
    """In pymodbus a register holds sixteen bits, the first one lowest."""
    base = address // _REGISTER_BITS
    first, end = unit.span(table)
    for register in range(base, base + count):
        low = max(register * _REGISTER_BITS, first)
        high = min((register + 1) * _REGISTER_BITS, end)
        data = unit.read(table, low, high - low, aside=False)
        word = int.from_bytes(data, "little") << (low - register * _REGISTER_BITS)
        registers[register - start] = word & 0xFFFF


class PymodbusTcp:
    """A TCP listener by pymodbus."""

    def __init__(
        self, units: Iterable[Unit], host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self._server = ModbusTcpServer(
            [pymodbus_device(unit) for unit in units],
            framer=FramerType.SOCKET,
            address=(host, port),
            ignore_missing_devices=True,
        )
        self.port = port

    async def open(self) -> None:
        """Listen; port 0 chooses one."""
        await self._server.serve_forever(background=True)
        transport: Any = self._server.transport
        self.port = transport.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop."""
        await self._server.shutdown()  # type: ignore[no-untyped-call]


class _Bridge(asyncio.Protocol):
    """Passes the gateway's bytes to pymodbus' pty and back."""

    def __init__(self, master: int, made: Callable[[_Bridge | None], None]) -> None:
        self._master = master
        self._made = made
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._made(self)

    def data_received(self, data: bytes) -> None:
        os.write(self._master, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._made(None)


class PymodbusPty:
    """A serial line by pymodbus: two ptys, for pymodbus and for the gateway, joined."""

    def __init__(self, units: Iterable[Unit], link: Path, *, baud: int = 9600) -> None:
        self._master, slave = os.openpty()
        os.set_blocking(self._master, False)
        self._slave = slave
        self._bridge: _Bridge | None = None
        self._server = ModbusSerialServer(
            [pymodbus_device(unit) for unit in units],
            framer=FramerType.RTU,
            port=os.ttyname(slave),
            baudrate=baud,
            ignore_missing_devices=True,
        )
        self._port = PtyPort(link, lambda: _Bridge(self._master, self._set_bridge))

    def _set_bridge(self, bridge: _Bridge | None) -> None:
        self._bridge = bridge

    async def open(self) -> None:
        """Serve."""
        await self._server.serve_forever(background=True)
        asyncio.get_running_loop().add_reader(self._master, self._pass_back)
        self._port.open()

    def _pass_back(self) -> None:
        data = os.read(self._master, 4096)
        if self._bridge is not None:
            self._bridge.transport.write(data)

    async def close(self) -> None:
        """Stop; the link goes away."""
        asyncio.get_running_loop().remove_reader(self._master)
        await self._server.shutdown()  # type: ignore[no-untyped-call]
        self._port.close()
        os.close(self._master)
        os.close(self._slave)
