"""How a port is reached for commissioning: our own, or lent by its owner.

A port has one owner. Without a running gateway that is us; with one the bus worker
lends it between two of its own exchanges, for a slice of time at most, and not more
often than the stated share of the line.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from drivers.errors import BusError
from gateway.commission.tap import CHAR_BITS, Tap

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.config.model import Bus

    OpenRaw = Callable[["Setting | None", Callable[[], asyncio.Protocol]], object]
    """Opens the port with settings (None: TCP); a transport or an awaitable of one.
    Raises OSError."""
    Lend = Callable[[Callable[[], Awaitable["T"]]], Awaitable["T"]]

T = TypeVar("T")

SHARE = 0.2
"""Of a running bus' time, at most."""
HOLD_S = 2.0
"""A lent port is kept so long after a question to one of its owner's devices that was
not answered: a late answer must not reach the owner, who could take it for its own."""


class Setting(NamedTuple):
    """How a serial port is set."""

    baud: int
    framing: str

    @property
    def char_s(self) -> float:
        """Seconds of a character, at most."""
        return CHAR_BITS / self.baud

    def __str__(self) -> str:
        return f"{self.baud} {self.framing}"

    @classmethod
    def parse(cls, text: str) -> Setting:
        """``9600 8N1`` as people write it.

        Raises:
            ValueError: It is not of that form.
        """
        baud, _, framing = text.partition(" ")
        return cls(int(baud), framing or "8N1")


class Door(Protocol):
    """A port that can be used for a moment."""

    @property
    def hold_s(self) -> float:
        """How long to listen on after a question that stayed without an answer."""
        ...

    async def use(
        self, setting: Setting | None, work: Callable[[Tap], Awaitable[T]]
    ) -> T:
        """Have the work done on the open port.

        Raises:
            OSError: It cannot be opened.
            BusError: Its owner lost it.
        """
        ...

    async def close(self) -> None:
        """Give back what is held; may be called twice."""
        ...


class OwnDoor:
    """Nobody else uses the port: it stays open while the setting stays."""

    hold_s = 0.0

    def __init__(self, open_raw: OpenRaw) -> None:
        self._open_raw = open_raw
        self._setting: Setting | None = None
        self._tap: Tap | None = None

    async def use(
        self, setting: Setting | None, work: Callable[[Tap], Awaitable[T]]
    ) -> T:
        """See Door."""
        if self._tap is None or self._tap.closed or setting != self._setting:
            await self.close()
            self._tap = await open_tap(self._open_raw, setting)
            self._setting = setting
        return await work(self._tap)

    async def close(self) -> None:
        """See Door."""
        tap, self._tap = self._tap, None
        if tap is not None:
            tap.close()
            await asyncio.sleep(0)


class LentDoor:
    """The worker that owns the port lends it, slice by slice.

    Args:
        lend: Has work done while the owner's own port is closed.
        open_raw: Opens the port meanwhile.
        share: Of the line's time, at most; the rest is the owner's.
    """

    hold_s = HOLD_S

    def __init__(self, lend: Lend[T], open_raw: OpenRaw, share: float = SHARE) -> None:
        self._lend = lend
        self._open_raw = open_raw
        self._share = share
        self._free = 0.0
        self.used_s = 0.0
        """Seconds that the port was not its owner's."""

    async def use(
        self, setting: Setting | None, work: Callable[[Tap], Awaitable[T]]
    ) -> T:
        """See Door."""
        loop = asyncio.get_running_loop()
        if self._free > loop.time():
            await asyncio.sleep(self._free - loop.time())

        async def lent() -> T:
            start = loop.time()
            try:
                tap = await open_tap(self._open_raw, setting)
                try:
                    return await work(tap)
                finally:
                    tap.close()
                    await asyncio.sleep(0)
            except OSError as exc:
                raise BusError(f"cannot open it for this ({exc.strerror})") from exc
            finally:
                used = loop.time() - start
                self.used_s += used
                self._free = loop.time() + used * (1 / self._share - 1)

        return await self._lend(lent)  # type: ignore[arg-type,return-value]

    async def close(self) -> None:
        """Nothing is held between slices."""


async def open_tap(open_raw: OpenRaw, setting: Setting | None) -> Tap:
    """Open a port for raw bytes.

    Raises:
        OSError: It cannot be opened.
    """
    tap = Tap(0.0 if setting is None else setting.char_s)
    opened = open_raw(setting, lambda: tap)
    if inspect.isawaitable(opened):
        await opened
    return tap


def opener(bus: Bus) -> OpenRaw:
    """Opens the port of a configured bus.

    Raises:
        ValueError: It is no port that can be asked: a listener, gpsd, a chip.
    """
    line, tcp = bus.serial, bus.tcp

    def open_raw(
        setting: Setting | None, factory: Callable[[], asyncio.Protocol]
    ) -> object:
        if line is not None:
            from drivers.serial_port import open_serial  # noqa: PLC0415 - when used

            how = setting or Setting(line.baud, line.framing)
            return open_serial(line.device, how.baud, how.framing, factory)
        from drivers.tcp_port import open_tcp  # noqa: PLC0415 - when used

        assert tcp is not None  # noqa: S101 - checked below
        return open_tcp(tcp.host, tcp.port, factory)

    if line is None and tcp is None:
        raise ValueError(f"bus {bus.name} ({bus.endpoint}): nothing can be asked there")
    return open_raw


def setting_of(bus: Bus) -> Setting | None:
    """How the bus is set; None where it is no serial port."""
    if bus.serial is None:
        return None
    return Setting(bus.serial.baud, bus.serial.framing)
