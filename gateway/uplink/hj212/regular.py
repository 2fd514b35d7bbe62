"""What is said again and again over one connection, and has no record behind it.

2011 and 2021 by the wall clock, 9015 by the connection's own, 2081 once a run, and what
``Host`` wants to ask. None of it is sent later: an instant that is over is over.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.uplink.hj212.exchange import HAS_RF
from gateway.uplink.hj212.seams import Upload

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from drivers.hj212.segment import Segment
    from gateway.uplink.hj212.desk import Desk
    from gateway.uplink.hj212.exchange import Exchange

HEARTBEAT = 9015
ASK_S = 5.0
START_TRIES = 3
"""Connections that 2081 may have ended."""
ENDS = 5
"""What so many connections in a row ended with is not said again for ``LATER_S``."""
LATER_S = 3600.0


class Regular:
    """Of one connection."""

    def __init__(self, desk: Desk, exchange: Exchange) -> None:
        """Prepare."""
        self._desk = desk
        self._exchange = exchange
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """The platform has changed a setting."""
        # All who wait see it; who asks again waits for the next one.
        self._changed.set()
        self._changed = asyncio.Event()

    async def realtime(self) -> None:
        """2011 of the board, every RtdInterval.

        Raises:
            LinkError: The connection is gone, or the platform does not want us.
        """
        desk = self._desk
        await self._every(
            lambda: desk.settings.realtime_s,
            lambda: desk.frames.realtime(desk.wall_ms()),
        )

    async def facilities(self) -> None:
        """2021; raises what ``realtime`` does."""
        desk = self._desk
        await self._every(
            lambda: desk.settings.facilities_s,
            lambda: desk.frames.facilities(desk.wall_ms()),
        )

    async def heartbeat(self) -> None:
        """9015, where the version and the site have it; raises as ``realtime``."""
        target = self._desk.target
        if target.heartbeat_s is None or target.version < HAS_RF:
            return
        beat = Upload(cn=HEARTBEAT, st=target.heartbeat_st, answer=True)
        while True:
            await asyncio.sleep(target.heartbeat_s)
            await self._exchange.attempt(beat)

    async def errands(self) -> None:
        """2081, then whatever the host wants to ask; raises as ``realtime``."""
        desk = self._desk
        if desk.counts.start_tries < START_TRIES and desk.trusted():
            desk.counts.start_tries += 1
            told = desk.frames.started(desk.wall_ms(), desk.started_ms)
            # A platform that does not know it may answer nothing, or hang up.
            await self._exchange.attempt(told)
            desk.counts.start_tries = START_TRIES
        await self._ask(desk.host.connected())
        while True:
            await asyncio.sleep(ASK_S)
            await self._ask(desk.host.due())

    # ------------------------------------------------------------------------

    async def _every(
        self, every: Callable[[], float | None], made: Callable[[], Upload | None]
    ) -> None:
        while True:
            every_s = every()
            if every_s is None:
                await self._news()
                continue
            every_ms = max(1, round(every_s * 1000))
            left_s = (every_ms - self._desk.wall_ms() % every_ms) / 1000
            if await self._news(left_s):
                continue  # the interval may be another now
            upload = made() if self._desk.trusted() else None
            if upload is not None:
                await self._exchange.attempt(upload)
                self._desk.counts.realtime += 1

    async def _news(self, wait_s: float | None = None) -> bool:
        """Wait for a change of settings; whether there was one."""
        try:
            async with asyncio.timeout(wait_s):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def _ask(self, uploads: Sequence[Upload]) -> None:
        for upload in uploads:
            answer = await self._attempt(upload)
            if answer is not None:
                self._desk.host.answered(upload, answer)

    async def _attempt(self, upload: Upload) -> Segment | None:
        """Say what comes first on a connection; it must not be what ends them all."""
        ends, now = self._desk.counts.ends, asyncio.get_running_loop().time()
        count, last_s = ends.get(upload.cn, (0, now))
        if count >= ENDS and now - last_s < LATER_S:
            return None
        ends[upload.cn] = count % ENDS + 1, now
        answer = await self._exchange.attempt(upload)
        del ends[upload.cn]
        return answer
