"""An event loop whose time is a number: a day of waiting passes in seconds.

When nothing is ready to run, time jumps to the next timer. Connections, servers and
serial ports are in-memory pipes found by name; blocking work given to an executor runs
inline. Code under test needs no change as long as it waits by the loop (``sleep``,
``timeout``, ``call_later``, ``loop.time()``) and opens connections by the loop.

    @virtual
    async def test_a_day_passes() -> None:
        await asyncio.sleep(86_400)

or, in a plain function, ``run_virtual(main())``. The running loop is a
:class:`VirtualLoop`; its ``net`` holds what listens where, its ``lines`` the serial
lines. Nothing ready and no timer left raises :class:`DeadlockError` with what every
task waits for; time standing still while callbacks run raises :class:`LivelockError`;
a task left behind raises :class:`LeakedTasksError`.
"""

from __future__ import annotations

import asyncio
import functools
import socket
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from tests.support.clock import EPOCH_MS, VirtualClock
from tests.support.pipes import UNPACED, Line, Network, Pace, serial_pace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence


__all__ = [
    "EPOCH_MS",
    "START_S",
    "UNPACED",
    "DeadlockError",
    "LeakedTasksError",
    "Line",
    "LivelockError",
    "Network",
    "Pace",
    "TimeLimitError",
    "VirtualClock",
    "VirtualLoop",
    "run_virtual",
    "running_loop",
    "serial_pace",
    "virtual",
]

T = TypeVar("T")
P = ParamSpec("P")

START_S = 1000.0
"""Loop time at the start: not zero, so that a truth test on a time is found out."""
STILL_LIMIT = 100_000
"""Turns of the loop without any progress of time that count as a livelock."""


class DeadlockError(RuntimeError):
    """Every task waits for something that can no longer happen."""


class LivelockError(RuntimeError):
    """Callbacks keep each other busy and time does not move."""


class LeakedTasksError(AssertionError):
    """The test ended while tasks it started were still running."""


class TimeLimitError(TimeoutError):
    """The test would last longer than it was allowed to, in virtual time."""


class _Jump:
    """Stands where the selector stands: instead of waiting, moves time on."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        self._loop.pass_time(timeout)
        return []

    def close(self) -> None:
        """Nothing is held."""


class VirtualLoop(asyncio.BaseEventLoop):
    """The loop; see the module."""

    def __init__(
        self,
        start_s: float = START_S,
        still_limit: int = STILL_LIMIT,
        limit_s: float = float("inf"),
    ) -> None:
        super().__init__()
        self._until = start_s + limit_s
        self._selector = _Jump(self)
        self._clock_resolution = 1e-9
        self._now = start_s
        self._still = 0
        self._still_limit = still_limit
        self._signals: dict[int, Callable[[], object]] = {}
        self.turns = 0
        """Turns of the loop so far."""
        self.jumps = 0
        """How often time moved."""
        self.executor_s = 0.0
        """What each call of ``run_in_executor`` costs in virtual time."""
        self.net = Network(self)
        self.lines: dict[str, Line] = {}

    # -- time ---------------------------------------------------------------

    def time(self) -> float:
        """Virtual seconds; only :meth:`pass_time` moves them."""
        return self._now

    def pass_time(self, timeout: float | None) -> None:
        """Called once a turn; ``timeout`` is what a real loop would wait."""
        self.turns += 1
        if timeout == 0:
            self._still += 1
            if self._still > self._still_limit:
                self._still = 0
                raise LivelockError(self._still_text())
            return
        if timeout is None:
            raise DeadlockError(
                "nothing is ready and no timer is set; waiting tasks:\n"
                + _where_tasks_wait(self)
            )
        self._still = 0
        self.jumps += 1
        # Not now + timeout: rounding would leave the timer a hair in the future.
        head = cast("Any", self)._scheduled[0]
        if head.when() > self._until:
            until, self._until = self._until, float("inf")
            raise TimeLimitError(
                f"virtual time would pass its limit of {until:.1f} s; waiting tasks:\n"
                + _where_tasks_wait(self)
            )
        self._now = max(self._now, head.when())

    def _still_text(self) -> str:
        ready = list(cast("Any", self)._ready)[:5]
        return (
            f"time stands still at {self._now:.6f} s after {self._still_limit} turns of"
            f" the loop; next callbacks: {ready!r}; tasks:\n{_where_tasks_wait(self)}"
        )

    def _process_events(self, event_list: list[Any]) -> None:
        """No real events exist here."""

    def _write_to_self(self) -> None:
        """Nobody sleeps, so nobody needs waking."""

    # -- executors ----------------------------------------------------------

    def run_in_executor(
        self, executor: object, func: Callable[..., T], *args: object
    ) -> asyncio.Future[T]:
        """Run ``func`` now; its future is done one turn (or ``executor_s``) later."""
        future: asyncio.Future[T] = self.create_future()
        try:
            result = func(*args)
        except Exception as exc:  # noqa: BLE001 the caller's to handle, by the future
            done = functools.partial(_fail, future, exc)
        else:
            done = functools.partial(_finish, future, result)
        if self.executor_s > 0:
            self.call_later(self.executor_s, done)
        else:
            self.call_soon(done)
        return future

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> Any:
        """Every name is itself."""
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]

    # -- signals ------------------------------------------------------------

    def add_signal_handler(  # type: ignore[override]
        self, sig: int, callback: Callable[..., object], *args: Any
    ) -> None:
        """Remember the handler; :meth:`deliver` calls it."""
        self._signals[sig] = functools.partial(callback, *args)

    def remove_signal_handler(self, sig: int) -> bool:
        """Forget the handler."""
        return self._signals.pop(sig, None) is not None

    def deliver(self, sig: int) -> None:
        """Pretend that the process got this signal."""
        self.call_soon(self._signals[sig])

    # -- connections --------------------------------------------------------

    async def create_connection(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: str | None = None,
        port: int | None = None,
        **_: Any,
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """Connect to what listens at (host, port) on :attr:`net`."""
        return await self.net.connect(protocol_factory, host or "", port or 0)

    async def create_server(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: str | Sequence[str] | None = None,
        port: int | None = None,
        **_: Any,
    ) -> asyncio.AbstractServer:
        """Listen at (host, port) on :attr:`net`; port 0 chooses one."""
        name = host if isinstance(host, str) or host is None else host[0]
        return self.net.listen(protocol_factory, name or "", port or 0)

    async def create_unix_server(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        path: object = None,
        **_: Any,
    ) -> asyncio.AbstractServer:
        """Listen at a path; no file appears."""
        return self.net.listen(protocol_factory, f"unix:{path}", 1)

    async def create_unix_connection(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        path: object = None,
        **_: Any,
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """Connect to what listens at a path."""
        return await self.net.connect(protocol_factory, f"unix:{path}", 1)

    def line(self, name: str, pace: Pace | None = None) -> Line:
        """The in-memory serial line of this name, made at the first call."""
        if name not in self.lines:
            self.lines[name] = Line(self, name, pace)
        return self.lines[name]


def run_virtual(
    main: Coroutine[Any, Any, T],
    *,
    limit_s: float = 31 * 86_400.0,
    start_s: float = START_S,
    still_limit: int = STILL_LIMIT,
    leaks: bool = False,
) -> T:
    """Run ``main`` on a fresh virtual loop.

    Args:
        main: What to run.
        limit_s: Virtual seconds after which it is cut off with ``TimeLimitError``.
        start_s: Loop time at the start.
        still_limit: Turns without progress of time that count as a livelock.
        leaks: Whether tasks may be left running when ``main`` ends.

    Raises:
        DeadlockError, LivelockError, LeakedTasksError: see the module.
    """

    def make_loop() -> VirtualLoop:
        return VirtualLoop(start_s, still_limit, limit_s)

    async def bounded() -> T:
        before = asyncio.current_task()
        result = await main
        left = [t for t in asyncio.all_tasks() if t is not before and not t.done()]
        if left and not leaks:
            raise LeakedTasksError(
                "tasks still running at the end:\n"
                + "\n".join(_where_task_waits(t) for t in left)
            )
        return result

    with asyncio.Runner(loop_factory=make_loop) as runner:
        try:
            return runner.run(bounded())
        finally:
            main.close()


def virtual(
    test: Callable[P, Awaitable[None]] | None = None, **options: Any
) -> Callable[..., Any]:
    """Decorate an ``async def test_...``: it runs by :func:`run_virtual`."""

    def wrap(function: Callable[P, Awaitable[None]]) -> Callable[P, None]:
        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            run_virtual(
                cast("Coroutine[Any, Any, None]", function(*args, **kwargs)), **options
            )

        return run

    return wrap if test is None else wrap(test)


def running_loop() -> VirtualLoop:
    """The running loop, known to be virtual."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualLoop):
        raise TypeError(f"expected a VirtualLoop, found {type(loop).__name__}")
    return loop


def _finish(future: asyncio.Future[T], result: T) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], exc: Exception) -> None:
    if not future.done():
        future.set_exception(exc)


def _where_tasks_wait(loop: asyncio.AbstractEventLoop) -> str:
    tasks = sorted(asyncio.all_tasks(loop), key=lambda task: task.get_name())
    return "\n".join(_where_task_waits(task) for task in tasks) or "  (none)"


def _where_task_waits(task: asyncio.Task[Any]) -> str:
    """Name of the task and the innermost line of its chain of awaits."""
    coroutine: Any = task.get_coro()
    place = "?"
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(
            coroutine, "gi_frame", None
        )
        if frame is not None:
            code = frame.f_code
            place = f"{code.co_filename}:{frame.f_lineno} in {code.co_name}"
        coroutine = getattr(coroutine, "cr_await", None) or getattr(
            coroutine, "gi_yieldfrom", None
        )
    return f"  {task.get_name()}: {place}"
