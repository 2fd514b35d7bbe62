"""One connection's life: every kind of talk by a task of its own.

They share the connection and do not wait for each other, but for uploads of the same
command (see ``exchange``). The first that fails ends the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from drivers.hj212.segment import SegmentError, parse
from gateway.uplink.hj212.records import Records
from gateway.uplink.hj212.regular import Regular
from gateway.uplink.hj212.seams import Upload
from gateway.uplink.link import LinkError, LinkLostError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from drivers.hj212.segment import Segment
    from gateway.uplink.hj212.connection import Connection
    from gateway.uplink.hj212.desk import Desk
    from gateway.uplink.hj212.exchange import Exchange
    from gateway.uplink.hj212.seams import Handled, Said

TICK_S = 5.0
WORKS = 16
"""Requests that wait their turn; what comes beyond that is not even begun."""


class Session:
    """One connection."""

    def __init__(self, desk: Desk, connection: Connection, exchange: Exchange) -> None:
        """Take over a connection that has just come about."""
        self._desk = desk
        self._connection = connection
        self.exchange = exchange
        self.records = Records(desk, exchange)
        self._regular = Regular(desk, exchange)
        self._works: asyncio.Queue[Callable[[], AsyncIterator[Said]]]
        self._works = asyncio.Queue(WORKS)

    async def run(self) -> None:
        """Speak until the connection ends.

        Raises:
            LinkError: It ended, or the platform does not want us.
        """
        forget = (
            self._desk.source.on_append(self.records.wake),
            self._desk.settings.on_change(self._regular.changed),
        )
        regular, ended = self._regular, False
        try:
            async with asyncio.TaskGroup() as group:
                for work in (
                    self._listen,
                    self._carry_out,
                    self._tick,
                    regular.realtime,
                    regular.facilities,
                    regular.heartbeat,
                    regular.errands,
                ):
                    group.create_task(work(), name=f"hj212:{work.__name__}")
                for lane in self.records.sending:
                    group.create_task(self.records.run(lane), name=f"hj212:{lane.name}")
        except BaseExceptionGroup as failures:
            cause = _cause(failures)
            if cause is None:
                raise
            ended = isinstance(cause, LinkLostError)
            raise cause from None
        finally:
            for end in forget:
                end()
            self.records.over(ended=ended)

    def wake(self) -> None:
        """Something may have come."""
        self.records.wake()

    # ------------------------------------------------------------------------

    async def _listen(self) -> None:
        host, counts = self._desk.host, self._desk.counts
        while True:
            for frame in await self._connection.read():
                try:
                    segment, _ = parse(frame.segment)
                except SegmentError as exc:
                    counts.unread += 1
                    await self._handle(host.refused(str(exc.cause), frame.segment))
                    continue
                if not self.exchange.heard(segment):
                    counts.requests += 1
                    if self._works.full():
                        continue  # said nothing, done nothing: it is asked again
                    await self._handle(host.handle(segment))

    async def _handle(self, handled: Handled) -> None:
        for reply in handled.replies:
            await self._say(reply)
        if handled.work is not None:
            self._works.put_nowait(handled.work)  # there is room: ``_listen``

    async def _say(self, segment: Segment) -> None:
        # A request may hold what no answer of ours may repeat.
        with contextlib.suppress(ValueError, SegmentError):
            await self.exchange.say(segment)

    async def _carry_out(self) -> None:
        """What the platform asked for, one after the other."""
        while True:
            work = (await self._works.get())()
            try:
                await self._follow(work)
            finally:
                if isinstance(work, AsyncGenerator):
                    await work.aclose()

    async def _follow(self, work: AsyncIterator[Said]) -> None:
        answer: Segment | None = None
        with contextlib.suppress(StopAsyncIteration):
            while True:
                if isinstance(work, AsyncGenerator):
                    said = await work.asend(answer)
                else:
                    said = await anext(work)
                answer = None
                if isinstance(said, Upload):
                    answer = await self.exchange.attempt(said)
                else:
                    await self._say(said)

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._desk.promise(loop.time() + 4 * TICK_S)
            self.records.tick()
            await asyncio.sleep(TICK_S)


def _cause(failures: BaseExceptionGroup[BaseException]) -> LinkError | None:
    """Why a connection ended; None: by anything else, which is a bug."""
    links, others = failures.split(LinkError)
    if others is not None:
        return None
    found: BaseException | None = links
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found if isinstance(found, LinkError) else None
