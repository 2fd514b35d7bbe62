"""One GPIO chip: its lines are requested one by one, read, and their edges counted.

    closed --open--> open --a line is asked for--> requested --chip gone--> BusError

Edges are counted by the kernel's own number of each (``line_seqno``): it goes on when
the queue between us is full and the oldest events in it are dropped, so that a count is
right however long nobody looked. Counts begin at 0 whenever the chip is opened: what
happened meanwhile is not known, and a counter that begins anew says so.

Source: libgpiod 2.x Python bindings; Linux, Documentation/userspace-api/gpio (v2 ABI),
drivers/gpio/gpiolib-cdev.c (linereq_put_event drops the oldest).
"""

from __future__ import annotations

import asyncio
import errno
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

from drivers.errors import BusError
from drivers.profiles.gpio_points import Bias, Edges

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CONSUMER = "ecogate"
"""What ``gpioinfo`` shows beside the lines that are ours."""
_LOOKS = 3
"""A line that changes between counting and reading is looked at again so often."""
_GONE = {errno.ENODEV, errno.ENXIO, errno.EBADF, errno.ESHUTDOWN}


class Wanted(msgspec.Struct, frozen=True):
    """How one line is to be set up."""

    line: int | str
    active_low: bool = False
    bias: Bias = "as_is"
    debounce_s: float = 0.0
    edges: Edges | None = None
    """Which to count; None: none."""


class Seen(msgspec.Struct, frozen=True):
    """One line, now."""

    active: bool = False
    count: int | None = None
    """Edges since the chip was opened; None: this chip cannot tell."""
    fault: str = ""
    """A stable word; then nothing else is said."""
    detail: str = ""


class ChipStats(msgspec.Struct):
    """What a chip has seen since its port was made."""

    lines: int = 0
    reads: int = 0
    edges: int = 0
    queue_overflows: int = 0
    """Times that more edges came than the kernel's queue holds; none is lost."""


class _Line:
    """One requested line."""

    def __init__(self, wanted: Wanted, request: Any, offset: int) -> None:  # noqa: ANN401
        self.wanted = wanted
        self.request = request
        self.offset = offset
        self.count = 0
        self.counts = wanted.edges is not None


class GpioChip:
    """The port of a ``gpio`` bus; see ``drivers.port.Port``."""

    def __init__(
        self,
        path: str,
        load: Callable[[], Any] = lambda: import_module("gpiod"),
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            path: Such as ``/dev/gpiochip0``.
            load: Gives the module ``gpiod``; tests give one of their own.
        """
        self._path = path
        self._load = load
        self._gpiod: Any = None
        self._chip: Any = None
        self._lines: dict[int | str, _Line] = {}
        self._stats = ChipStats()
        # Lines of the processor answer within microseconds, expanders on I2C within ms.
        self._thread: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        """Open the chip. Raises BusError with what to do."""
        await self.close()
        try:
            self._gpiod = self._load()
        except ImportError as exc:
            raise BusError(
                f"{self._path}: the package gpiod is not installed; "
                "install it with pip install ecogate[gpio]"
            ) from exc
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="gpio")
        try:
            self._chip = await self._aside(self._gpiod.Chip, self._path)
        except OSError as exc:
            await self.close()
            raise BusError(self._why(exc)) from exc

    async def close(self) -> None:
        """Give every line back; may be called twice."""
        lines, self._lines = list(self._lines.values()), {}
        for line in lines:
            _release(line.request)
        chip, self._chip = self._chip, None
        if chip is not None:
            _release(chip)
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.shutdown(wait=False)

    async def exchange(self, wanted: Sequence[Wanted]) -> list[Seen]:
        """Look at these lines now, in this order.

        Raises:
            BusError: The chip is gone.
        """
        if self._chip is None:
            raise BusError(f"{self._path}: the chip is not open")
        try:
            seen: list[Seen] = await self._aside(self._look_at_all, list(wanted))
        except OSError as exc:
            raise BusError(self._why(exc)) from exc
        return seen

    def stats(self, address: int | str | None = None) -> ChipStats:
        """What was seen; a chip's devices share one count."""
        return msgspec.structs.replace(self._stats, lines=len(self._lines))

    # -- in the thread ------------------------------------------------------

    def _look_at_all(self, wanted: list[Wanted]) -> list[Seen]:
        self._stats.reads += 1
        return [self._look_at(each) for each in wanted]

    def _look_at(self, wanted: Wanted) -> Seen:
        try:
            line = self._requested(wanted)
            for _ in range(_LOOKS):
                self._count(line)
                active = self._active(line)
                if not (line.counts and line.request.wait_edge_events(0)):
                    break
        except OSError as exc:
            if exc.errno in _GONE:
                raise
            return self._fault(wanted, exc)
        return Seen(active, line.count if line.counts else None)

    def _active(self, line: _Line) -> bool:
        value = line.request.get_value(line.offset)
        return bool(value == self._gpiod.line.Value.ACTIVE)

    def _count(self, line: _Line) -> None:
        """Take what is in the queue; the last one's number is how many there were."""
        if not line.counts:
            return
        came, seen = 0, line.count
        while line.request.wait_edge_events(0):
            events = line.request.read_edge_events()
            if not events:
                break
            came += len(events)
            line.count = events[-1].line_seqno
        self._stats.edges += line.count - seen
        if line.count - seen > came:
            self._stats.queue_overflows += 1

    def _requested(self, wanted: Wanted) -> _Line:
        """The line, set up as wanted; given back first where it is set up otherwise."""
        line = self._lines.get(wanted.line)
        if line is not None and _serves(line.wanted, wanted):
            return line
        if line is not None:
            _release(self._lines.pop(wanted.line).request)
        offset = self._chip.line_offset_from_id(wanted.line)
        try:
            request = self._request(wanted, offset)
            line = _Line(wanted, request, offset)
        except OSError as exc:
            if wanted.edges is None or exc.errno not in (errno.EINVAL, errno.ENXIO):
                raise
            # A line without an interrupt has a state, and nobody who counts.
            bare = msgspec.structs.replace(wanted, edges=None, debounce_s=0.0)
            line = _Line(wanted, self._request(bare, offset), offset)
            line.counts = False
        self._lines[wanted.line] = line
        return line

    def _request(self, wanted: Wanted, offset: int) -> Any:  # noqa: ANN401 - gpiod's
        gpiod = self._gpiod
        line = gpiod.line
        bias = {
            "as_is": line.Bias.AS_IS,
            "pull_up": line.Bias.PULL_UP,
            "pull_down": line.Bias.PULL_DOWN,
            "disabled": line.Bias.DISABLED,
        }
        edges = {
            None: line.Edge.NONE,
            "rising": line.Edge.RISING,
            "falling": line.Edge.FALLING,
            "both": line.Edge.BOTH,
        }
        settings = gpiod.LineSettings(
            direction=line.Direction.INPUT,
            edge_detection=edges[wanted.edges],
            bias=bias[wanted.bias],
            active_low=wanted.active_low,
            debounce_period=timedelta(seconds=wanted.debounce_s),
        )
        return self._chip.request_lines(config={offset: settings}, consumer=CONSUMER)

    # -- what went wrong ----------------------------------------------------

    def _fault(self, wanted: Wanted, exc: OSError) -> Seen:
        """One line cannot be had; its neighbours can."""
        where = f"{self._path}, line {wanted.line}"
        if exc.errno == errno.EBUSY:
            said = f"{where}: another program holds it; gpioinfo shows which"
            return Seen(fault="line_busy", detail=said)
        if exc.errno in (errno.ENOENT, errno.EINVAL):
            said = f"{where}: the chip has no such line; gpioinfo lists them"
            return Seen(fault="line_absent", detail=said)
        return Seen(fault="no_answer", detail=f"{where}: {exc}")

    def _why(self, exc: OSError) -> str:
        if exc.errno in (errno.ENOENT, errno.ENODEV):
            return f"{self._path}: there is no such GPIO chip; gpiodetect lists them"
        if exc.errno in (errno.EACCES, errno.EPERM):
            return (
                f"{self._path}: this user may not use the chip; "
                "add it to the group gpio, or see systemd/ for the udev rule"
            )
        return f"{self._path}: the GPIO chip cannot be used ({exc})"

    async def _aside(self, work: Callable[..., Any], *args: Any) -> Any:  # noqa: ANN401
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, work, *args)


def _serves(has: Wanted, wanted: Wanted) -> bool:
    """Whether a line that is set up so will do: counting more than asked does."""
    if wanted.edges is None:
        wanted = msgspec.structs.replace(wanted, edges=has.edges)
    return has == wanted


def _release(held: Any) -> None:  # noqa: ANN401 - gpiod's chip or request
    """Give it back; one that is gone already is gone."""
    try:
        (held.release if hasattr(held, "release") else held.close)()
    except (OSError, RuntimeError):
        return
