"""What every simulator process does: say it is ready, end when told or orphaned."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

_PR_SET_PDEATHSIG = 1
"""prctl(2): the signal this process gets when the thread that started it ends."""


def die_with_parent() -> None:
    """Get SIGTERM when the parent ends, also when it is killed."""
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it ended before we asked
        sys.exit(0)


def end_with_parent() -> None:
    """For ``preexec_fn``: another program that we start gets SIGTERM when we end."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def say_ready(**facts: object) -> None:
    """One JSON line on standard output: whoever waits reads it and goes on."""
    print(json.dumps({"ready": True, **facts}), flush=True)


async def until_told(for_s: float | None = None) -> None:
    """Return on SIGTERM or SIGINT, or after ``for_s`` seconds."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(for_s):
            await told.wait()


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run on uvloop where it is installed: simulators share the machine."""
    try:
        import uvloop  # noqa: PLC0415 a choice of this machine
    except ImportError:
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


class SharedStart:
    """The instant that ages are counted from, on the clock all processes share."""

    def __init__(self, start_ns: int | None = None) -> None:
        self.start_ns = time.monotonic_ns() if start_ns is None else start_ns

    def now_ms(self) -> int:
        """Milliseconds since the shared start."""
        return (time.monotonic_ns() - self.start_ns) // 1_000_000

    def utc_ms(self) -> int:
        """When the start was, UTC ms, by the wall clock of now."""
        return time.time_ns() // 1_000_000 - self.now_ms()
