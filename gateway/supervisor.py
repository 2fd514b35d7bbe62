"""The one place that survives a bug: a failed loop starts again, a lost store does not.

A worker or pump whose code raised something nobody planned for is logged with its
traceback, counted, and started again after a growing pause; its neighbours never
notice. The buffer is different: when *it* fails in an unplanned way nobody can say what
is safe, so the process ends and the service manager starts a fresh one.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import msgspec

from gateway.texts import t

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from gateway.progress import Beats

log = logging.getLogger(__name__)

_PAUSES_S = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
_HEALTHY_S = 60.0
"""A loop that ran this long starts its pauses from the beginning."""
_GRACE_S = 5.0


class FatalError(BaseException):
    """The process must end: going on would hide loss of data.

    No ``Exception``, so that the supervisor lets it through.
    """


class Fatal:
    """Context: what escapes from inside ends the process instead of one worker."""

    __slots__ = ("_what",)

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(exc, Exception):
            raise FatalError(f"{self._what} failed: {exc!r}") from exc


class Restarts(msgspec.Struct):
    """How often one loop failed."""

    count: int = 0
    last_error: str = ""
    last_ms: int = 0


async def keep_running(
    name: str,
    work: Callable[[], Awaitable[None]],
    *,
    restarts: Restarts,
    wall_ms: Callable[[], int],
    beats: Beats | None = None,
) -> None:
    """Run ``work`` until it returns; start it again whenever it raises.

    Args:
        name: For the log, such as ``bus:rs485-1``.
        work: Returns when it is done for good.
        restarts: Counts the failures.
        wall_ms: The wall clock, to date them.
        beats: While pausing, the pause is promised here in the loop's place.
    """
    loop = asyncio.get_running_loop()
    row = 0
    while True:
        started = loop.time()
        try:
            await work()
        except Exception as exc:
            row = row + 1 if loop.time() - started < _HEALTHY_S else 1
            pause = _PAUSES_S[min(row, len(_PAUSES_S)) - 1]
            restarts.count += 1
            restarts.last_error = f"{type(exc).__name__}: {exc}"
            restarts.last_ms = wall_ms()
            log.exception(t("log.worker_failed", worker=name, pause=f"{pause:g}"))
        else:
            return
        beat = beats.add(name, loop.time() + pause + _GRACE_S) if beats else None
        try:
            await asyncio.sleep(pause)
        finally:
            if beats and beat:
                beats.remove(beat)
