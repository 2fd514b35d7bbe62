"""Serial ports of the drivers become the virtual loop's in-memory lines.

Every driver opens its port by ``drivers.serial_port.open_serial``, under that name in
its own module; here stands who they are.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING
from unittest.mock import patch

import drivers.byte_line
import drivers.gnss.port
import drivers.hj212.listener
import drivers.modbus.serial_bus
from tests.support.virtual import running_loop

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

    from tests.support.pipes import PipeTransport

OPENERS = (
    drivers.byte_line,
    drivers.gnss.port,
    drivers.hj212.listener,
    drivers.modbus.serial_bus,
)


async def open_in_memory(
    device: str, _baud: int, _framing: str, factory: Callable[[], asyncio.Protocol]
) -> PipeTransport:
    """Stands where ``open_serial`` stands."""
    return running_loop().line(device).open_port(factory)


@contextlib.contextmanager
def serial_in_memory() -> Iterator[None]:
    """While this lasts, opening a serial port opens a line of the running loop."""
    with contextlib.ExitStack() as stack:
        for module in OPENERS:
            stack.enter_context(patch.object(module, "open_serial", open_in_memory))
        yield
