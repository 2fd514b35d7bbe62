"""What every port is to the worker that owns it, whatever is spoken through it."""

from __future__ import annotations

from typing import Protocol

from drivers.errors import BusError


class Port(Protocol):
    """A serial line, a connection, a listener or a chip; one owner, opened by it.

    An object stays in use across reconnects. What devices ask of it is a matter between
    them: ``drivers.modbus.transaction.Bus`` reads spans, lines of other protocols have
    ``exchange``. A device whose port is gone raises BusError from its scan.
    """

    async def open(self) -> None:
        """Open it by its stable name. Raises BusError with what to do."""
        ...

    async def close(self) -> None:
        """Close it; may be called twice."""
        ...


def cannot_open(name: str, exc: OSError) -> BusError:
    """What a port raises that does not open, with what to do."""
    return BusError(
        f"{name}: cannot open it ({exc.strerror or exc}); check that it is plugged in,"
        " reachable and not in use"
    )
