"""What happened, kept beside the minutes of a year: gaps with their cause, and events.

The buffer gives a record up once every platform has it. A validity report of last month
still needs to say why an hour is missing and who worked on the analyzer: so gaps and
events go to the history too, under their device's name.

A gap is kept each time it is told (every ten minutes while it is open), at its end as
known then: the last one told is the whole of it.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from typing import TYPE_CHECKING

from buffer import BufferClosedError, DiskTroubleError, Kept
from gateway.record import Event, Gap

if TYPE_CHECKING:
    from collections.abc import Callable

    from buffer import History
    from gateway.record import Record

log = logging.getLogger(__name__)

KIND = "event"
_WAITING = 10_000
"""Of a history that takes none for so long; the oldest are left out then."""


class Chronicle:
    """Takes what the recorder stored on to the history."""

    def __init__(self, history: Callable[[], History | None]) -> None:
        """Ask each time: a reload may open it.

        Args:
            history: None where there is none; then nothing is kept.
        """
        self._opened = history
        self._waiting: list[Kept] = []
        self._some = asyncio.Event()

    def __call__(self, record: Record, data: bytes, t_ms: int) -> None:
        """Keep a record, if it is one of those; returns at once.

        Args:
            record: What was stored.
            data: Its stored form.
            t_ms: When it ended, or began, UTC ms; 0: nobody knows, it is not kept.
        """
        if not isinstance(record, Gap | Event) or not t_ms or self._opened() is None:
            return
        # Two things that end at once are two revisions of that millisecond.
        which = zlib.crc32(data) & 0x7FFFFFFF
        self._waiting.append(Kept(record.device or "", KIND, t_ms, which, data))
        del self._waiting[:-_WAITING]
        self._some.set()

    async def run(self) -> None:
        """Store what comes, all that is there at once."""
        while True:
            await self._some.wait()
            await self.flush()

    async def flush(self) -> None:
        """Store what is there."""
        self._some.clear()
        waiting, self._waiting = self._waiting, []
        history = self._opened()
        if history is None or not waiting:
            return
        try:
            await history.put(waiting)
        except DiskTroubleError as exc:
            log.debug("events wait for the history: %s", exc)  # it tries again itself
        except BufferClosedError:
            log.debug("%d events came after the history was closed", len(waiting))
