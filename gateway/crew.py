"""The gateway's tasks: named, supervised, started and ended one by one."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from gateway.supervisor import Restarts, keep_running
from gateway.texts import t

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.progress import Beats

log = logging.getLogger(__name__)


class Crew:
    """What runs inside the one task group."""

    def __init__(
        self, group: asyncio.TaskGroup, beats: Beats, wall_ms: Callable[[], int]
    ) -> None:
        self._group = group
        self._beats = beats
        self._wall_ms = wall_ms
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._restarts: dict[str, Restarts] = {}

    def start(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run ``work`` until it returns, and again whenever it fails by a bug."""
        self._tasks[name] = self._group.create_task(
            keep_running(
                name,
                work,
                restarts=self.restarts(name),
                wall_ms=self._wall_ms,
                beats=self._beats,
            ),
            name=name,
        )

    def runs(self, name: str) -> bool:
        """Whether a task of this name has not ended."""
        return name in self._tasks and not self._tasks[name].done()

    def restarts(self, name: str) -> Restarts:
        """How often a task of this name failed, since the gateway started."""
        return self._restarts.setdefault(name, Restarts())

    async def end(
        self, prefix: str, limit_s: float, *, polite_s: float = 0, exact: bool = False
    ) -> None:
        """Cancel tasks by the start of their names and wait for their end.

        Args:
            prefix: Of the names; with ``exact`` the whole name.
            limit_s: Goes on without tasks that take longer.
            polite_s: Waits this long for tasks that were told to end by themselves.
            exact: See ``prefix``.
        """
        names = [
            name
            for name in self._tasks
            if (name == prefix if exact else name.startswith(prefix))
        ]
        tasks = {self._tasks.pop(name) for name in names}
        if tasks and polite_s:
            _, tasks = await asyncio.wait(tasks, timeout=polite_s)
        for task in tasks:
            task.cancel()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=limit_s)
            for task in late:
                what = task.get_name()
                log.warning("%s", t("log.stop_slow", seconds=f"{limit_s:g}", what=what))
