"""A station's periods, from the buffer to one platform, over one connection.

Each lane sends one record at a time and waits for its answer; the lanes do not wait for
each other. A record is resolved when every packet of it was answered. Where no answer
is asked for, it is resolved ``SETTLE_S`` after its bytes were handed over and once the
other machine has confirmed them, and counts as written, never as proved: a connection
that ends before gives it back.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from gateway.record import RecordError
from gateway.texts import t
from gateway.uplink.flight import Flight
from gateway.uplink.hj212.exchange import SilentError
from gateway.uplink.lanes import Lanes
from gateway.uplink.link import CredentialsError, RefusedError
from gateway.uplink.message import Bounds
from gateway.uplink.stock import Stock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.uplink.hj212.desk import Desk
    from gateway.uplink.hj212.exchange import Exchange
    from gateway.uplink.hj212.frames import PeriodKey
    from gateway.uplink.hj212.seams import Upload
    from gateway.uplink.lanes import Lane
    from gateway.uplink.source import Entry

SETTLE_S = 30.0
"""Longer than the system takes to notice that the other machine is gone."""
SHORT_S = 60.0
"""What is made while a platform that speaks is away for less does not wait behind what
is old: it may be just that which ends its connections."""
CALM_S = 2.0
"""A platform that hangs up because of a record does so within this time."""
SHELF = Bounds(records=50, payload=256_000)


class Records:
    """Of one connection."""

    def __init__(self, desk: Desk, exchange: Exchange) -> None:
        """Begin with what the platform does not have."""
        self._desk = desk
        self._delivery = desk.delivery
        self._exchange = exchange
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()
        self._delivery.back = None  # the lanes are new
        self._high = desk.source.high
        if desk.counts.edge_until_s < self._began_s:
            desk.counts.edge = self._high
        self.lanes = Lanes(desk.counts.edge)
        self.sending = (self.lanes.event, self.lanes.live, self.lanes.backfill)
        self._stock = Stock(
            desk.source, desk.target.name, self._delivery, self.lanes, SHELF
        )
        self._reading = asyncio.Lock()
        self._news = {lane: asyncio.Event() for lane in self.sending}
        self._written: deque[tuple[float, int, Flight, PeriodKey | None]] = deque()
        """Handed over: from when on they count as gone, and after how many bytes."""
        self._flying: dict[Lane, Flight] = {}
        """In the order sent."""
        self._unconfirmed: Flight | None = None
        """What nobody answered, which is why the connection ended."""
        self._silence = ""
        """The same in words."""
        self._parked: deque[Entry] = deque()
        """Revisions that came in before what they revise had left."""

    @property
    def in_flight(self) -> int:
        """Records on their way."""
        return sum(lane.flying for lane in self.sending) + len(self._written)

    async def run(self, lane: Lane) -> None:
        """Send what is on a lane, for ever.

        Raises:
            LinkError: The connection is gone, or the platform does not want us.
        """
        delivery, backfill = self._delivery, lane is self.lanes.backfill
        while True:
            entry = await self._next(lane)
            if backfill:
                await self._until(delivery.bucket.next_s)
                delivery.bucket.take(self._loop.time())
            await self._until(delivery.hold_until)
            await self._send(lane, entry, late=entry.seq <= self._high)
            if backfill:
                self.wake()  # what was parked may be free now

    def wake(self) -> None:
        """Something may have come."""
        self.lanes.news()
        for event in self._news.values():
            event.set()

    def tick(self) -> None:
        """Every few seconds: what is overdue."""
        self._settle()
        self._stock.retry()
        if not any(lane.flying or lane.shelf for lane in self.sending):
            self._delivery.nothing_left(self._loop.time())
        self.wake()

    def over(self, *, ended: bool) -> None:
        """Nothing leaves any more: what is neither proved nor settled is owed again.

        Args:
            ended: The platform, or the network, ended the connection; we did not.
        """
        if self._unconfirmed is None or self._exchange.answers:
            self._desk.counts.edge_until_s = self._loop.time() + SHORT_S
        self._settle()
        self._desk.counts.hung_up |= ended and bool(self._written)
        for _, _, flight, _ in self._written:
            self._delivery.unproved(flight)
        self._written.clear()
        flying = list(self._flying.values())
        suspect = self._unconfirmed or (flying[-1] if flying else None)
        if ended and suspect is not None:
            # It may be what the platform cannot take: others will tell.
            self._delivery.cut(suspect, self._loop.time(), self._silence)

    # ------------------------------------------------------------------------

    async def _next(self, lane: Lane) -> Entry:
        """The next record of a lane; waits for one."""
        news = self._news[lane]
        while True:
            news.clear()
            if self._delivery.back is not None:
                self.lanes.back_to(self._delivery.back)
                self._delivery.back = None
                self.wake()
            on_disk = self._stock.fill()
            if lane is self.lanes.live and self._parked and self._old_is_gone():
                return self._parked.popleft()
            if lane.shelf:
                return lane.take(1)[0]
            if on_disk is not None and lane.on_disk:
                async with self._reading:
                    if lane.on_disk:
                        await self._stock.read(lane)
            elif self._stock.unfinished:
                await asyncio.sleep(0)
            else:
                await news.wait()

    async def _send(self, lane: Lane, entry: Entry, *, late: bool) -> None:
        """Send one record and resolve it."""
        delivery = self._delivery
        try:
            key, uploads = self._desk.frames.stored(entry.data, rf=late)
        except RecordError as exc:
            delivery.put_aside(entry, str(exc), len(entry.data))
            return
        if not uploads or (key is not None and self._desk.revisions.superseded(key)):
            delivery.unwanted([entry])
        elif key is None:
            await self._change(entry, uploads[0], lane)
        elif self._too_early(lane, key):
            self._parked.append(entry)
        else:
            await self._period(entry, key, uploads, lane)

    async def _period(
        self, entry: Entry, key: PeriodKey, uploads: Sequence[Upload], lane: Lane
    ) -> None:
        delivery = self._delivery
        flight = Flight(
            lane, [entry], len(entry.data), self._loop.time(), kind=key.kind
        )
        lane.flying += 1
        self._flying[lane] = flight
        delivery.published(flight)
        self._desk.revisions.sent(key)
        self._mark(key)
        try:
            proved = await self._all(uploads)
        except SilentError as exc:
            if self._exchange.heard_s > flight.sent_s:
                # It answers others: this is about the record, not the connection.
                self._landed(lane)
                self._refused(flight, RefusedError(str(exc), blames_message=True))
                return
            self._unconfirmed, self._silence = flight, str(exc)
            raise
        except RefusedError as exc:
            self._landed(lane)
            self._refused(flight, exc)
            return
        except ValueError as exc:  # it cannot be said in the standard's form
            self._landed(lane)
            delivery.put_aside(entry, str(exc), len(entry.data))
            return
        if not proved and self._careful:
            last = self._exchange.handed
            await asyncio.sleep(CALM_S)
            if self._exchange.confirmed >= last:
                self._landed(lane)
                delivery.written(flight)
                self._mark(key, written=True)
                return
        self._landed(lane)
        if proved:
            delivery.proved(flight, self._loop.time())
            self._mark(key, proved=True)
        else:
            self._wrote(flight, key)

    @property
    def _careful(self) -> bool:
        """Whether to look after each record if the platform hangs up.

        One that asks for no answer cannot say which record it does not take. So after a
        connection ended early they go one by one, until none is suspected any more.
        """
        counts = self._desk.counts
        calm = self._loop.time() - self._began_s > SETTLE_S
        if calm and not self._delivery.cautious:
            counts.hung_up = False
        return counts.hung_up

    def _wrote(self, flight: Flight, key: PeriodKey | None) -> None:
        settled_s, last = self._loop.time() + SETTLE_S, self._exchange.handed
        self._written.append((settled_s, last, flight, key))

    def _landed(self, lane: Lane) -> None:
        lane.flying -= 1
        del self._flying[lane]

    def _too_early(self, lane: Lane, key: PeriodKey) -> bool:
        """Whether what this revises may still be waiting among what is old.

        Whatever comes last is what the platform keeps.
        """
        live = lane is self.lanes.live
        return live and key.rev > 0 and not self._old_is_gone()

    def _old_is_gone(self) -> bool:
        old = self.lanes.backfill
        return not (old.flying or old.shelf or old.on_disk) and (
            old.spent or old.looked
        )

    async def _change(self, entry: Entry, upload: Upload, lane: Lane) -> None:
        """Tell of a change; one that the platform does not take is set aside."""
        delivery = self._delivery
        flight = Flight(lane, [entry], len(entry.data), self._loop.time())
        lane.flying += 1
        self._flying[lane] = flight
        delivery.published(flight)
        answer = await self._exchange.attempt(upload)
        self._landed(lane)
        if answer is not None:
            delivery.proved(flight, self._loop.time())
        elif self._desk.target.answer:
            reason = t("uplink.hj212.untaken", cn=upload.cn)
            delivery.put_aside(entry, reason, len(entry.data))
        else:
            self._wrote(flight, None)

    async def _all(self, uploads: Sequence[Upload]) -> bool:
        """Say them; whether every one was confirmed."""
        proved = True
        for upload in uploads:
            proved = await self._exchange.upload(upload) is not None and proved
        return proved

    def _refused(self, flight: Flight, refusal: RefusedError) -> None:
        if not refusal.blames_message:
            raise CredentialsError(refusal.reason) from refusal
        flight.refusal, flight.blames_message = refusal.reason, True
        self._delivery.refused([flight], self._loop.time())

    def _settle(self) -> None:
        """What was written long enough ago is done with."""
        now, confirmed = self._loop.time(), self._exchange.confirmed
        while self._written:
            settled_s, last, flight, key = self._written[0]
            if settled_s > now or last > confirmed:
                return
            self._written.popleft()
            self._delivery.written(flight)
            if key is not None:
                self._mark(key, written=True)

    def _mark(
        self, key: PeriodKey, *, proved: bool = False, written: bool = False
    ) -> None:
        self._desk.marks.mark(
            self._desk.target.name,
            key.station,
            key.kind,
            key.t_ms,
            proved=proved,
            rev=key.rev,
            written=written,
        )

    async def _until(self, when_s: float) -> None:
        if when_s > self._loop.time():
            await asyncio.sleep(when_s - self._loop.time())
