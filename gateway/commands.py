"""Commands from outside, carried out between two exchanges of the bus they concern.

Nobody but the worker's own task touches the port. A command waits in a bounded queue
until the exchange that is under way has ended, also in the middle of a long scan; a
full queue refuses it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

from drivers.errors import BusError, DriverError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from drivers.modbus.transaction import Reply, Span, Timing
    from drivers.port import Port
    from drivers.profiles.model import Table

T = TypeVar("T")

QUEUE_LIMIT = 16


class BusyError(DriverError):
    """Too many commands wait for this bus."""

    reason = "busy"


class Commands:
    """The queue; ``serve`` is called by the one task that owns the port."""

    def __init__(self, bus: str) -> None:
        self._bus = bus
        self._queue: deque[tuple[Callable[[], Awaitable[Any]], asyncio.Future[Any]]] = (
            deque()
        )
        self._serving = False
        self.closed: str | None = None
        """Why nothing can be carried out at the moment."""
        self.wake: Callable[[], None] | None = None
        self.progress: Callable[[], None] | None = None
        """Told before each exchange, a command's or a poll's."""

    @property
    def waiting(self) -> bool:
        """Whether the next pause between exchanges is wanted."""
        return bool(self._queue) and not self._serving

    async def submit(self, work: Callable[[], Awaitable[T]]) -> T:
        """Have ``work`` carried out by the bus' own task.

        Raises:
            BusyError: The queue is full.
            BusError: The port is gone.
            DriverError: What the work raised.
        """
        if self.closed is not None:
            raise BusError(self.closed)
        if len(self._queue) >= QUEUE_LIMIT:
            raise BusyError(
                f"bus {self._bus}: {len(self._queue)} commands wait already; try later"
            )
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.append((work, done))
        if self.wake is not None:
            self.wake()
        return await done

    async def serve(self) -> None:
        """Carry out the one that has waited longest.

        Only one: callers who ask again and again must not keep the bus from its polls.

        Raises:
            BusError: The port is gone; the command has been told, too.
        """
        self._serving = True
        try:
            await self._serve_one()
        finally:
            self._serving = False

    async def _serve_one(self) -> None:
        while self._queue:
            work, done = self._queue.popleft()
            if done.cancelled():
                continue
            try:
                result = await work()
            except DriverError as exc:
                if not done.done():
                    done.set_exception(exc)
                if isinstance(exc, BusError):
                    raise
            else:
                if not done.done():
                    done.set_result(result)
            finally:
                if not done.done():  # a bug, or the worker is being stopped
                    done.cancel()
            return

    def close(self, why: str) -> None:
        """Refuse commands from now on, those that wait included."""
        self.closed = why
        while self._queue:
            _, done = self._queue.popleft()
            if not done.done():
                done.set_exception(BusError(why))

    def reopen(self) -> None:
        """Take commands again."""
        self.closed = None


class SharedBus:
    """A port as its devices see it: waiting commands go before each exchange."""

    def __init__(self, port: Port, commands: Commands) -> None:
        self.inner: Any = port
        """Whatever the bus speaks; devices know what they may ask of it."""
        self._commands = commands

    async def open(self) -> None:
        """Open the port; see ``drivers.port.Port``."""
        await self.inner.open()

    async def close(self) -> None:
        """Close the port."""
        await self.inner.close()

    def read(
        self, unit: int, span: Span, timing: Timing, wait_s: float | None = None
    ) -> Coroutine[Any, Any, Reply]:
        """One Modbus exchange; no task and no frame of its own when nothing waits."""
        commands = self._commands
        if commands.progress is not None:
            commands.progress()
        if commands.waiting:
            return self._after_commands(self.inner.read, unit, span, timing, wait_s)
        reply: Coroutine[Any, Any, Reply] = self.inner.read(unit, span, timing, wait_s)
        return reply

    async def write(
        self,
        unit: int,
        table: Table,
        address: int,
        words: tuple[int, ...],
        timing: Timing,
    ) -> None:
        """One Modbus exchange."""
        await self._after_commands(
            self.inner.write, unit, table, address, words, timing
        )

    async def exchange(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the line's own
        """One exchange of a line of another protocol; see its ``exchange``."""
        return await self._after_commands(self.inner.exchange, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the engine has
        return getattr(self.inner, name)

    async def _after_commands(
        self,
        ask: Callable[..., Awaitable[T]],
        *args: Any,  # noqa: ANN401
        **kwargs: Any,  # noqa: ANN401
    ) -> T:
        if self._commands.waiting:
            await self._commands.serve()
        if self._commands.progress is not None:
            self._commands.progress()
        return await ask(*args, **kwargs)
